/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists.h: prefixes that belong to something, and their order. How lists become the table that the
 * kernel looks up is in table.h.
 */
#ifndef LISTS_H
#define LISTS_H

#include "user/core/addr.h"

struct lists_entry {
	struct pst_prefix prefix;
	__u32 value; /* the number of its list; in a compiled table its class; in the allow table whose word it is */
};

/*
 * Sorts by prefix_cmp(); equal prefixes keep their order. By radix: the time does not depend on what a
 * list holds, and a million takes some ten milliseconds. spare is room for n more, its content is lost.
 */
void lists_sort(struct lists_entry *e, struct lists_entry *spare, size_t n);

#endif
