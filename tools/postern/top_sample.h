/* SPDX-License-Identifier: BSD-2-Clause */
/* top_sample.h: what `postern top` shows, as of one moment. The kernel's half is read from the pinned maps; the rest is the daemon's word. */
#ifndef TOP_SAMPLE_H
#define TOP_SAMPLE_H

#include <jansson.h>

#include "user/gatelist.h"
#include "user/stats.h"

#define TOP_LINKS_MAX  16
#define TOP_KNOCKS_MAX 64
#define TOP_WHY_MAX    256
#define TOP_CLIENTS_MAX 32

/* A live ban whose source goes on sending. */
struct top_knock {
	struct pst_prefix prefix;
	struct pst_ban ban;
	double per_second; /* of what it refuses; negative = not known yet */
};

struct top_list {
	char name[PST_LIST_NAME_MAX];
	unsigned action;
	__u64 hits;
};

struct top_sample {
	__u64 at_ns;
	char no_gate[TOP_WHY_MAX]; /* why the maps cannot be read; empty = they were, and the next ones hold */
	struct pst_stats stats;
	unsigned mode;
	bool silent; /* the daemon was silent for too long: everything passes */
	struct top_list list[PST_LISTS_MAX];
	unsigned nlists;
	int nlinks; /* -1 = cannot be read */
	struct kern_link link[TOP_LINKS_MAX];
	size_t bans, bans_room;
	struct top_knock knock[TOP_KNOCKS_MAX]; /* the busiest first */
	unsigned nknocks;
	char no_daemon[TOP_WHY_MAX];			    /* why it does not answer; empty = it does, and these are its replies */
	json_t *daemon, *sessions, *clients, *backends; /* NULL = not known */
	struct pst_ban held[TOP_CLIENTS_MAX]; /* of each of the clients, the ban that holds it; until_ns 0 = none */
};

/* Reads everything anew into s, which is zero or was filled before: rates of knocks are since then. Takes time in proportion to the bans at times, never more than a tenth of it all. */
void top_sample_take(struct top_sample *s);
void top_sample_free(struct top_sample *s);

#endif
