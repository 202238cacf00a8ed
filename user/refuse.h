/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.h: what the kernel needs to answer for itself: the secret of its cookies, the texts it
 * says, and how much it may say. All of it lives in maps, so refusals go on without any process.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include "user/kern.h"

/* Texts and budgets as set up. Strings are the caller's. */
struct refuse_conf {
	const char *hostname; /* in the greeting; cut at REFUSE_HOST_MAX */
	const char *url;      /* where a person learns more, "" = none; at most REFUSE_URL_MAX */
	unsigned source_replies; /* per second, of one IPv4 address or IPv6 /64; 0 = no limit */
	unsigned all_replies;	 /* per second, together; 0 = no limit */
};

#define REFUSE_HOST_MAX 100
#define REFUSE_URL_MAX	60
#define REFUSE_SOURCE_REPLIES 100
#define REFUSE_ALL_REPLIES    200000

/* Of a freshly loaded gate: a secret, texts in the system's name, default budgets. Leaves alone what is there. 0 or -errno. */
int refuse_start(const struct kern_maps *m);
/* Writes budgets and texts; list (PST_LISTS_MAX rows) has the names of the lists. 0 or -errno. */
int refuse_put(const struct kern_maps *m, const struct refuse_conf *c, const struct pst_list_info *list);
/* Writes the text of one list's row; "" = the row is free. 0 or -errno. */
int refuse_put_list(const struct kern_maps *m, unsigned row, const char *name, const char *url);
/*
 * Makes the next generation of the secret, in force from a time slot to come; dialogues that go on keep theirs. -EAGAIN
 * when dialogues of the generation before the last may still go on, and nothing is changed. now_ns: CLOCK_MONOTONIC.
 */
int refuse_rotate(const struct kern_maps *m, __u64 now_ns);
/* refuse_rotate() once an hour, however often it is called. 0 = nothing was due, 1 = rotated, or -errno. */
int refuse_tick(const struct kern_maps *m, __u64 now_ns);

#endif
