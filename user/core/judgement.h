/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judgement.h: policy, as one pure function. Value in, value out; it reads no
 * clock, knows no map and keeps no state, so that a day can be replayed.
 *
 * The score of a source halves every half_life_s; a finding adds its reason's
 * points; at the threshold comes a ban of ban_s * 2^relapse, at most ban_max_s. The
 * score is not reset by a ban: who goes on after it is banned again soon, and longer.
 * A finding while the ban lives prolongs it by the same length and is no relapse. What is true for a time only (finding.life_s)
 * makes no ban that outlasts it. To pardon a source (an operator's word), forget its record: the end of its last ban is in it.
 */
#ifndef JUDGEMENT_H
#define JUDGEMENT_H

#include <stdbool.h>

#include "user/core/finding.h"

struct policy {
	unsigned points[PST_RSN_MAX]; /* 0 = noted, never counted */
	unsigned threshold;	      /* points */
	unsigned half_life_s;
	unsigned ban_s;	    /* first ban */
	unsigned ban_max_s; /* cap of the doubling */
	unsigned relapse_s; /* a ban that ended longer ago than this no longer doubles the next */
	__u8 action;	    /* enum pst_action of automatic bans */
	__u8 grace;	    /* of automatic bans: first contacts that are told why */
	bool observe;	    /* judge and log, never ban */
};

/* What is remembered of one source (IPv4 /32, IPv6 /64). All zero = a stranger. */
struct record {
	__u64 score_milli; /* points * 1000, as of updated_ns */
	__u64 updated_ns;
	__u64 banned_until_ns; /* end of the last ban, 0 = never banned */
	__u32 relapse;	       /* bans that count for the doubling */
	__u32 findings;	       /* in all */
};

struct verdict {
	struct record next;
	bool ban;	     /* write a ban now (never when policy->observe or exempt) */
	bool would_ban;	     /* the threshold was reached, whether or not it is acted on */
	__u64 until_ns;	     /* of the ban */
	unsigned score;	     /* whole points after this finding */
	unsigned relapse;    /* before this ban */
};

void policy_defaults(struct policy *p);

/*
 * Judges one finding. exempt: the source is allow-listed or never-ban: it is still
 * recorded, never banned. Properties (tested): an offence never shortens a ban; time only
 * lowers a score; same-instant findings commute in the score; now may stand still
 * or, across processes, be slightly older than the record: that counts as no time.
 */
struct verdict judgement(const struct policy *p, const struct record *r, const struct finding *f,
			 bool exempt, __u64 now_ns);

/*
 * The ban that follows at now_ns on what r remembers of bans, whatever the score: its end, the relapses before it, and the record
 * after it. life_s: it lasts no longer, 0 = as long as policy has it.
 */
struct verdict judgement_ban(const struct policy *p, const struct record *r, unsigned life_s, __u64 now_ns);

/* What is left of something that halves every half_life_s; 0 = it is gone at once. Never more than there was, and never more later. */
__u64 judgement_halved(__u64 milli, __u64 past_ns, unsigned half_life_s);

/* The score at now_ns, in whole points, without judging anything. */
unsigned judgement_score(const struct policy *p, const struct record *r, __u64 now_ns);

/* The score as of now_ns: of a record whose moments may lie before the machine's start (see when.h), as those of a judgement may not. */
struct record record_settle(const struct policy *p, const struct record *r, __u64 now_ns);
/* One record of what was kept of a source twice; a is one that judgements made. */
struct record record_join(const struct policy *p, const struct record *a, const struct record *b, __u64 now_ns);

#endif
