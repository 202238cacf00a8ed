/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lists.h: text of a blacklist -> prefixes -> the table the kernel looks up.
 * Pure: reading the file is the edge's business (user/listfile.h).
 *
 * One entry a line: CIDR or single address, IPv4 or IPv6; '#' and ';' start a
 * comment (so Spamhaus DROP text loads as it is). One bad line refuses the whole list.
 */
#ifndef LISTS_H
#define LISTS_H

#include "user/core/addr.h"

enum lists_line { LISTS_EMPTY, LISTS_PREFIX, LISTS_BAD };

/*
 * One line without its newline; a CR before it is dropped. On LISTS_BAD *flaw says what is
 * wrong, and *out is the covering network if that is HOST_BITS.
 */
enum lists_line lists_parse_line(struct str line, struct pst_prefix *out, enum prefix_flaw *flaw);

struct lists_entry {
	struct pst_prefix prefix;
	struct pst_listed value;
};

/*
 * Compiles the union of all lists, in place: sorts, folds duplicates and gives every
 * entry the strictest action among all entries that cover it (ties: the lowest list index),
 * so that a longest-prefix match answers with the strictest of all covering lists; an
 * entry that its covering entry answers identically is dropped. Returns the new count.
 */
size_t lists_compile(struct lists_entry *e, size_t n);

/* Longest match by plain scan: the model of the tests and of `postern explain`. NULL = none. */
const struct lists_entry *lists_match(const struct lists_entry *e, size_t n,
				      const struct pst_addr *a);

#endif
