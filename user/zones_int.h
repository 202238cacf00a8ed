/* SPDX-License-Identifier: BSD-2-Clause */
/* zones_int.h: what zones.c, which asks, and zones_test.c, which finds out whom to ask, share. Nobody else includes it. */
#ifndef ZONES_INT_H
#define ZONES_INT_H

#include <sys/queue.h>

#include "user/query.h"
#include "user/zones.h"

#define ZONE_TESTS_MAX 4

/* A test's question, and what came of it. */
struct zone_test {
	struct zones *zones;
	unsigned zone;
	struct dnsl_test test;
	enum dnsl_why why;
};

/* One zone, as this process knows it. */
struct zone_run {
	unsigned state, why; /* enum dnsl_state, enum dnsl_why */
	bool four, six;	     /* what it may be asked */
	unsigned round;	     /* how often it went down: what it said before is not believed */
	__u64 since_ns, tested_ns;
	__u64 queries, listed, errors, timeouts;
	unsigned silent, alike; /* questions without an answer, and listings, one after the other */
	struct event *again;	/* the next tests */
	unsigned ntests, open;
	struct zone_test test[ZONE_TESTS_MAX];
	struct ipc_zone told; /* to the judge, */
	__u64 told_ns;	      /* then */
};

struct asking;

struct zones {
	const struct conf_dnsl *conf;
	struct query *query;
	struct event_base *base;
	struct pst_stats *stats;
	struct zone_cache *cache;
	struct zone_run run[DNSL_ZONES_MAX];
	LIST_HEAD(, asking) askings;
	unsigned naskings;
	bool freed;
	void (*listed)(void *ctx, const struct pst_addr *addr, const struct dnsl_verdict *v);
	void (*changed)(void *ctx, const struct dnsl_zone *zone, unsigned state, unsigned why);
	void *ctx;
};

/* zones_test.c: begins the tests of all. 0 or -ENOMEM. */
int zones_test_all(struct zones *z);
/* What zone i answered looks wrong: tests it now, unless that was done a moment ago. */
void zones_suspect(struct zones *z, unsigned i);

#endif
