/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promote.h: which sources of a prefix (IPv4 /24, IPv6 /48) were banned lately, and whether the whole prefix is to be. A
 * source of such a prefix is 16 bits of its address, so what is kept of it is exact. A bounded table in memory given by the caller; when a
 * neighbourhood of it is full, the prefix that was heard of longest ago makes room. Pure.
 *
 * Who in a promoted prefix is not meant (allow-listed, or has delivered mail) is the kernel's and the judge's to spare.
 */
#ifndef PROMOTE_H
#define PROMOTE_H

#include "user/core/addr.h"
#include "user/core/judgement.h"

#define PROMOTE_SOURCES 32 /* remembered of a prefix */
#define PROMOTE_ENTRIES 8192

struct promote_rules {
	unsigned sources;  /* so many of a prefix banned within window_s: the prefix is; 0 = never, PROMOTE_SOURCES at most */
	unsigned window_s;
};

struct promote_entry {
	struct pst_prefix prefix; /* len 0 = free */
	__u32 n;		  /* sources below */
	__u64 last_ns;
	struct record record; /* of the prefix: its bans and their relapses; no score */
	struct promote_source {
		__u64 when_ns; /* of its last ban */
		__u32 id;
	} source[PROMOTE_SOURCES];
};

struct promote {
	__u64 evicted;
	__u64 seed;
	struct promote_entry entry[PROMOTE_ENTRIES];
};

/* What is to be done about the prefix. */
struct promotion {
	struct pst_prefix prefix;
	bool due;	   /* to be banned as a whole, now */
	unsigned sources;  /* of it that were banned within the window */
	unsigned relapse;  /* bans of the prefix before this one */
	__u64 until_ns;
};

/* The prefix that a belongs to. */
struct pst_prefix promote_prefix(const struct pst_addr *a);
/*
 * The source a is banned, or would be: its prefix is judged. t is all zero but for the seed to begin with. A prefix is promoted for as
 * long as policy has it for one of its sources, and twice as long each time; while it is, it is not again. Nothing is promised by this
 * alone: promote_done() says that the prefix was banned. Properties (tested): bans of one instant commute; a source counts once; what is outside the window does not.
 */
struct promotion promote_note(struct promote *t, const struct promote_rules *r, const struct policy *p, const struct pst_addr *a, __u64 now_ns);
/* The prefix was banned so. */
void promote_done(struct promote *t, const struct promotion *done);
/* What is held against the prefix of a; NULL = nothing. */
const struct promote_entry *promote_find(const struct promote *t, const struct pst_addr *a);
/* How many of e count at now_ns. */
unsigned promote_count(const struct promote_entry *e, const struct promote_rules *r, __u64 now_ns);
/* Forgets p, if it is such a prefix: an operator has lifted its ban. */
void promote_forget(struct promote *t, const struct pst_prefix *p);

#endif
