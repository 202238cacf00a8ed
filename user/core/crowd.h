/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.h: how much of everything there was lately: of a source (IPv4 /32, IPv6 /64), of its prefix (/24, /48), and of all
 * together; and which of it is over its ceiling. A bounded table in memory given by the caller; when a neighbourhood of it is full, whoever
 * was heard of longest ago makes room. A prefix is heard of with each of its sources, so it outlives them. Pure.
 */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <stddef.h>

#include "user/core/addr.h"
#include "user/core/sess.h"
#include "user/core/window.h"

/* symbol, word, counter PST_CNT_*, what is refused, what an arrival makes of the ceiling: 1 = itself is counted already */
#define CROWD_KINDS(X) \
	X(CONNECTIONS, "connections", RATE_CONNECTIONS, SESSIONS, 1) \
	X(SESSIONS, "sessions", RATE_SESSIONS, SESSIONS, 1) \
	X(MESSAGES, "messages", RATE_MESSAGES, MAIL, 0) \
	X(RCPTS, "recipients", RATE_RCPTS, RCPT, 0) \
	X(AUTH, "auth_failures", RATE_AUTH, AUTH, 0) \
	X(UNKNOWN, "unknown_recipients", RATE_UNKNOWN, RCPT, 0) \
	X(AUTH_LONG, "auth_failures_long", RATE_AUTH, AUTH, 0)

enum crowd_kind {
#define CROWD_X(sym, word, counter, limit, arrived) CROWD_##sym,
	CROWD_KINDS(CROWD_X)
#undef CROWD_X
	CROWD_MAX
};

enum crowd_scope { CROWD_SOURCE, CROWD_PREFIX, CROWD_TOTAL, CROWD_SCOPES };

struct crowd_rules {
	unsigned mode; /* enum pst_mode */
	unsigned window_s, long_window_s;
	unsigned max[CROWD_SCOPES][CROWD_MAX]; /* 0 = no ceiling */
};

struct crowd_entry {
	struct pst_prefix who; /* len 0 = free */
	__u32 sessions;	       /* live */
	__u64 last_ns;
	__u64 over_ns[CROWD_MAX]; /* until when it is known to be over */
	__u64 told_ns;		  /* until when the workers know of it: the caller's */
	__u64 accused_ns;	  /* the caller's, too */
	struct window window[CROWD_MAX]; /* that of SESSIONS is not used */
};

struct crowd {
	struct crowd_entry *entry;
	size_t nentries; /* a power of two */
	size_t used;
	__u64 evicted;
	__u64 seed;
	struct crowd_entry total;
};

/* room: nentries zeroed entries, caller's. nentries must be a power of two >= 16. */
void crowd_init(struct crowd *c, struct crowd_entry *room, size_t nentries, __u64 seed);
/* Finds or makes the entry that a is counted in; never NULL; may evict another. It lives until the next call. */
struct crowd_entry *crowd_take(struct crowd *c, const struct pst_addr *a, enum crowd_scope scope, __u64 now_ns);
/* NULL when unknown. */
struct crowd_entry *crowd_find(struct crowd *c, const struct pst_addr *a, enum crowd_scope scope);
/* The prefix of an entry: the source, its /24 or /48, or length 0. */
struct pst_prefix crowd_prefix(const struct pst_addr *a, enum crowd_scope scope);
void crowd_count(struct crowd_entry *e, const struct crowd_rules *r, enum crowd_kind kind, __u64 now_ns, __u32 n);
/* Forgets how many sessions live, of everybody: they are counted anew. */
void crowd_recount(struct crowd *c);

struct crowd_word {
	unsigned limits;   /* enum sess_limit: what is to be refused now */
	unsigned kinds;	   /* a bit per enum crowd_kind that is over its ceiling */
	unsigned fresh;	   /* those of them that were not when they were last looked at */
	__u64 until_ns;	   /* when none of them is, if nothing more comes */
};

/* What of e is over its ceiling now. Of the sessions it is only known that those who arrive now are too many. */
struct crowd_word crowd_judge(struct crowd_entry *e, const struct crowd_rules *r, enum crowd_scope scope, __u64 now_ns);
/* What the window or table holds of this kind now. */
__u64 crowd_now(const struct crowd_entry *e, const struct crowd_rules *r, enum crowd_kind kind, __u64 now_ns);
const char *crowd_name(enum crowd_kind kind);
enum pst_counter crowd_counter(enum crowd_kind kind);
__u64 crowd_slot_ns(const struct crowd_rules *r, enum crowd_kind kind);

#endif
