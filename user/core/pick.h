/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pick.h: which of several backends is next: by priority, then by weight, leaving out those that are down or full.
 * One backend's place in that is one struct pick; time is an argument.
 */
#ifndef PICK_H
#define PICK_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#define PICK_MAX 64 /* of one call: one bit each */

struct pick_conf {
	unsigned weight;	/* its share among those of its priority; 0 = only when the others are down */
	unsigned priority;	/* lower first; the next one serves when all of this one are down or full */
	unsigned max;		/* live connections; 0 = no limit */
	unsigned down_after;	/* failures in a row */
	unsigned up_after;	/* successes in a row */
	unsigned slow_start_s;	/* after having been down its weight grows from a tenth to the whole in so long; 0 = at once */
	bool checked;		/* somebody looks after it: down until that finds it up. Otherwise it is tried again soon */
};

struct pick {
	const struct pick_conf *conf;
	bool down;
	unsigned failed, good; /* in a row */
	unsigned live;	       /* connections; the caller counts */
	__u64 since_ns;	       /* up again since then, 0 = never was down */
	__u64 again_ns;	       /* down and unchecked: not before then */
	unsigned most;	       /* connections that it had when it would take no more, */
	__u64 most_until_ns;   /* which is believed until then */
	long long turn;	       /* smooth weighted round robin: who waited longest is next */
};

#define PICK_AGAIN_NS 10000000000ull
#define PICK_MOST_NS  60000000000ull

/*
 * The next of p[0..n), n <= PICK_MAX, whose bit is set in may; -1 = none. Those that are down come last, in the order of
 * priority and place, for a wrong idea of them must not stop mail; those that are full not at all. keep: pick_is_full()'s.
 */
int pick_next(struct pick *p, size_t n, unsigned long long may, unsigned keep, __u64 now_ns);
/* A connection or a check succeeded, or failed. True: it is up, or down, by this. */
bool pick_good(struct pick *p, __u64 now_ns);
bool pick_failed(struct pick *p, __u64 now_ns);
/* It has as many connections as it may have, if so many percent of them, rounded down, are kept for others. */
bool pick_is_full(const struct pick *p, unsigned keep, __u64 now_ns);
/*
 * It said that it takes no more connections, and had so many others: for PICK_MOST_NS it is full with them. False: it had none, so this is
 * not what it meant; nothing is changed.
 */
bool pick_busy(struct pick *p, unsigned others, __u64 now_ns);
/* Not down, or due for another try. */
bool pick_is_up(const struct pick *p, __u64 now_ns);
/* Its weight now, in thousandths. */
unsigned long long pick_weight(const struct pick *p, __u64 now_ns);

#endif
