/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * never.h: sources that are judged but never banned, and the rule that says so: own addresses, default
 * gateways, resolvers, backends, and what the configuration names.
 */
#ifndef NEVER_H
#define NEVER_H

#include "user/config.h"

#define NEVER_MAX 512

struct never {
	struct pst_prefix prefix;
	char why[64]; /* "own address", "default gateway", ... */
};

struct never_list {
	size_t n;
	struct never entry[NEVER_MAX];
};

/* Asks the system anew. What does not fit is left out, said in the log. */
void never_collect(const struct conf *c, struct never_list *out);
/* False when it is there already or the list is full. */
bool never_add(struct never_list *l, const struct pst_prefix *p, const char *why);
/* The rule that forbids banning p: one whose prefix p covers or lies in. NULL = none. */
const struct never *never_find(const struct never_list *l, const struct pst_prefix *p);

#endif
