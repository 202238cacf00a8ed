/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h: one client's connection: moves bytes between socket, session and backend, keeps its deadline
 * and its bounds. It judges nothing: what to do is what the session's step says.
 */
#ifndef CONN_H
#define CONN_H

#include "user/backend.h"
#include "user/resolve.h"
#include "user/roster.h"
#include "user/zones.h"

#define CONN_ROOM_BYTES (48 * 1024)

struct conn;

/* What the connections of one worker share. */
struct conns {
	struct event_base *base;
	const struct conf *conf;
	void *const *tls; /* one context per listener, NULL = none */
	struct pst_stats *stats;
	struct backends backs;
	struct roster roster;
	unsigned *live; /* sessions of each listener */
	char room[CONN_ROOM_BYTES]; /* of sess_peer */
	struct resolver *names; /* NULL = nobody's name is looked up */
	struct zones *lists;	/* of DNS; NULL = none is asked */
	__u64 lists_print;	/* dnsl_rules_print() of them */
	const struct dnsl_verdict *verdict; /* while conn_listed() runs */
	struct str name;	/* while conn_named() runs, */
	enum sess_lack lack;	/* both */
	bool leads, unsure;	/* and name, while conn_led() runs */
	bool stress;		/* the worker has nearly as many sessions as it may */
	const struct sess_word *word; /* while conn_limit() runs, */
	bool own;		      /* both */
	unsigned stuttering;	   /* sessions that are answered slowly */
	struct ev_token_bucket_cfg *pace; /* theirs; NULL = there was none yet */
	int judge_fd;		   /* -1 = there is no judge */
	unsigned serial;	   /* of the last record for it */
	unsigned long long unsaid; /* records that the judge was too slow to take */
	void (*emptied)(struct conns *cs); /* the last connection is gone */
};

#define CONN_BUSY_SOURCE "421 4.7.0 Too many connections from your address\r\n"

/* Is the source a balancer whose connections to this listener tell who the client is? Then nothing is to be counted against it. */
bool conn_is_balancers(const struct conf *conf, unsigned listener, const struct pst_addr *a);
/* Takes over fd, an accepted non-blocking socket, and greets. False when memory is out: fd is the caller's still. */
bool conn_open(struct conns *cs, int fd, unsigned listener, __u64 id, const struct pst_addr *addr, unsigned short port);
/* The judge's word on a session's source; an unknown id is a session that has ended. */
void conn_standing(struct conns *cs, __u64 id, const struct sess_word *word);
/* Limits of every live session of p. */
void conn_limit(struct conns *cs, const struct pst_prefix *p, const struct sess_word *word);
/* The judge's word on what an account is to be charged with. */
void conn_charged(struct conns *cs, __u64 id, bool over);
/* The judge's answer on a recipient of a stranger; likewise. */
void conn_greyed(struct conns *cs, __u64 id, const __u64 key[2], enum sess_grey said, unsigned seconds);
/* What came of the lookup of an address' name. */
void conn_named(struct conns *cs, const struct pst_addr *addr, struct str name, enum sess_lack lack);
/* Whether the name that clients at an address call themselves leads to it. */
void conn_led(struct conns *cs, const struct pst_addr *addr, struct str name, bool leads, bool unsure);
/* What the DNS lists say of an address. */
void conn_listed(struct conns *cs, const struct pst_addr *addr, const struct dnsl_verdict *v);
/* Ends every session of p. banned: not those of allow-listed sources; otherwise it is an operator's word. */
void conn_kick(struct conns *cs, const struct pst_prefix *p, bool banned);
/* Ends one; an unknown id is a session that has ended. */
void conn_kick_one(struct conns *cs, __u64 id);
/* Tells the judge how far the sessions are that have changed since they were last told of; called every second. Never waits. */
void conn_judge_states(struct conns *cs);
/* 421 to every session. A message whose end was sent waits for the backend's word, by its own deadline. */
void conn_stop_all(struct conns *cs);
/* Closes everything at once. */
void conn_free_all(struct conns *cs);

#endif
