/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roster.h: the live sessions of a worker, found by id and by source. Embedded entries,
 * fixed tables: nothing is allocated per session.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "bpf/abi.h"

struct roster_entry {
	LIST_ENTRY(roster_entry) all, same_id, same_source;
	__u64 id;
	struct pst_addr addr;
	struct pst_prefix source; /* prefix_source() of addr */
};

LIST_HEAD(roster_list, roster_entry);

struct roster {
	struct roster_list all;
	struct roster_list *by_id, *by_source; /* nbuckets each */
	size_t nbuckets;		       /* a power of two */
	size_t used;
	__u64 seed; /* of the source hash: strangers choose addresses */
};

/* For about max sessions. 0 or -ENOMEM. */
int roster_init(struct roster *r, size_t max, __u64 seed);
void roster_free(struct roster *r);
/* e->id and e->addr are set; source is filled in. */
void roster_add(struct roster *r, struct roster_entry *e);
void roster_del(struct roster *r, struct roster_entry *e);
struct roster_entry *roster_by_id(const struct roster *r, __u64 id);
/* Whether the source of addr has limit sessions or more. */
bool roster_has(const struct roster *r, const struct pst_addr *addr, unsigned limit);
/* Calls each for every session of the prefix; each may remove the one that it is given, no other. */
void roster_each(const struct roster *r, const struct pst_prefix *p, void (*each)(struct roster_entry *e));

#endif
