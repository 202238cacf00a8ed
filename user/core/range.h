/* SPDX-License-Identifier: BSD-2-Clause */
/* range.h: "from A to B" as the fewest prefixes that cover exactly that. Pure. */
#ifndef RANGE_H
#define RANGE_H

#include "user/core/addr.h"

/* Both ends belong to it; first <= last in memcmp order. */
struct range {
	struct pst_addr first, last;
};

/* The addresses of p. */
struct range range_of(const struct pst_prefix *p);
/*
 * Takes the widest prefix off the head of r into *out. False when that was the last one; *r is used up then.
 * A range of IPv4 takes 62 calls at most, one of IPv6 254.
 */
bool range_take(struct range *r, struct pst_prefix *out);

#endif
