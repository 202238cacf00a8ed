/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones.h: the zones of DNS lists (RFC 5782), as one process asks them: each address once, however many rules a zone has; answers
 * are kept as long as they say, within bounds, in a table of fixed size. A zone is asked only while its own tests say that it is
 * sound; they are repeated now and then, and at once when its answers look otherwise. Asynchronous, in the process's loop.
 */
#ifndef ZONES_H
#define ZONES_H

#include <event2/event.h>

#include "user/config.h"
#include "user/ipc.h"

#define ZONES_ADDRS_MAX 1024 /* asked about at once; who comes on top of them is on no list */
#define ZONES_SHOWN_MAX 4    /* records of an answer that are kept for people */

struct zones;

/* Reads /etc/resolv.conf where conf names no servers. Before the cage closes; opens no socket yet. NULL with the reason in *why. */
struct zones *zones_open(const struct conf *conf, const char **why);
/*
 * Tests and questions run in base from now on. listed is called from the loop, once per address of which zones_ask() said so;
 * changed, when tests find a zone in another state than before; NULL = nobody. seed: of the table's hash. stats: this process's own row.
 * 0 or -ENOMEM.
 */
int zones_start(struct zones *z, struct event_base *base, __u64 seed, struct pst_stats *stats,
		void (*listed)(void *ctx, const struct pst_addr *addr, const struct dnsl_verdict *v),
		void (*changed)(void *ctx, const struct dnsl_zone *zone, unsigned state, unsigned why), void *ctx);
/* True: *v is what there is to know. False: listed() will tell. */
bool zones_ask(struct zones *z, const struct pst_addr *addr, struct dnsl_verdict *v);
/* Is nothing awaited, neither answers nor tests? */
bool zones_idle(const struct zones *z);
/* Once a second: tells the judge of those that fare otherwise than it was told, and of all every ten seconds. It is not waited for. */
void zones_tell(struct zones *z, int judge_fd);
/* NULL is fine. Nobody is called any more. */
void zones_free(struct zones *z);

/* How zone i fares. */
void zones_describe(const struct zones *z, unsigned i, struct ipc_zone *out);

/* What a zone said. */
struct zone_answer {
	unsigned char means; /* enum dnsl_meaning */
	bool silent;	     /* there was no answer */
	unsigned char nrecords;
	unsigned char record[ZONES_SHOWN_MAX][4];
	__u64 matched; /* a bit per rule */
};
/* What is remembered of zone i and addr; *left_s: for so long. False when it is nothing. */
bool zones_recall(struct zones *z, unsigned i, const struct pst_addr *addr, struct zone_answer *out, unsigned *left_s);

/* zone_cache.c: answers by zone and address, a fixed number of them; the one of a few that dies first makes room. */
struct zone_cache;
struct zone_cache *zone_cache_new(size_t entries, __u64 seed);
/* NULL is fine. */
void zone_cache_free(struct zone_cache *c);
/* round: what was put in another round of the zone is not found. *until_ns: when it dies. */
bool zone_cache_find(struct zone_cache *c, unsigned zone, unsigned round, const struct pst_addr *addr, __u64 now_ns, struct zone_answer *out,
		     __u64 *until_ns);
void zone_cache_put(struct zone_cache *c, unsigned zone, unsigned round, const struct pst_addr *addr, const struct zone_answer *a, __u64 until_ns);

#endif
