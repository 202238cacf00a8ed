/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h: the prefixes of all lists -> the table that the kernel looks up (bpf/list.h), whole, in the
 * caller's memory. Pure: putting it into the maps is the edge's business (user/gatelist.h).
 *
 * What it means: a source is on every list that has a prefix around it. IPv4 and IPv6 are apart: a
 * prefix written as IPv6 covers no IPv4 address, however short it is, and ::/0 is all of IPv6.
 */
#ifndef TABLE_H
#define TABLE_H

#include "user/core/lists.h"

struct table_leaf4 {
	__u32 net; /* upper 24 bits of its addresses */
	struct pst_leaf4 leaf;
};

struct table_rich4 {
	__u32 net;
	struct pst_rich4 rich;
};

struct table {
	/* Room, the caller's. */
	__u8 *cell4, *cell6;	   /* PST_CELLS each, all zero at first */
	struct table_leaf4 *leaf4; /* one for each IPv4 prefix is enough, and PST_LEAVES4_MAX always */
	struct table_rich4 *rich4; /* the same, and PST_RICHES4_MAX */
	struct lists_entry *net6;  /* one for each IPv6 prefix, and PST_NETS6_MAX */
	size_t leaf4_max, rich4_max, net6_max;
	/* What was compiled, in ascending order. Leaves are of generation 0, whatever the cells say behind PST_CELL_BITS and _RICH. */
	size_t nleaf4, nrich4, nnet6;
	struct pst_lens6 lens6;
	struct pst_class class[PST_CLASSES_MAX + 1]; /* from 1; list numbers as the entries have them */
	unsigned nclass;			     /* the highest number in use */
};

enum table_flaw { TABLE_OK, TABLE_CLASSES, TABLE_LEAVES, TABLE_RICHES, TABLE_NETS6 };

/*
 * e: every list's prefixes in any order, value = number of the list; they are sorted in place, spare is
 * room for as many. action[list] decides which of a class's actions is the strictest (ties: the lowest number).
 * Anything but TABLE_OK names the limit that the lists together exceed; *t is then of no use.
 */
enum table_flaw table_compile(struct table *t, struct lists_entry *e, struct lists_entry *spare, size_t n,
			      const __u8 action[PST_LISTS_MAX]);
/* The limit in words, and what helps. */
const char *table_flaw_text(enum table_flaw flaw);
/* Orders the lengths of which has[len] says that they are in use, and gives each its sign; `all`, `now` and `outside` are 0. */
void table_lens6(struct pst_lens6 *out, const bool has[129]);

#endif
