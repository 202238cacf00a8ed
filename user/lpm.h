/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpm.h: a map from struct pst_lpm_key to a number (pst_allow, a trie, and pst_net6, a hash) as a whole: read
 * it, and make it hold exactly a given set. Entries are in prefix_cmp() order, no prefix twice.
 */
#ifndef LPM_H
#define LPM_H

#include "user/core/lists.h"

/* Everything that is in the map, sorted; *out is the caller's to free(). Returns how many, or -errno. */
long lpm_read(int fd, struct lists_entry **out);
/*
 * Adds what is new, then changes what differs, then removes what is gone: an address covered
 * before and after is covered at every moment in between. -ENOSPC when old and new do not fit
 * together; on any failure while adding, the map is as it was. -EINVAL: e is not sorted.
 */
int lpm_replace(int fd, const struct lists_entry *e, size_t n);

/* The same step by step, for whom something must happen in between. old is what lpm_read() has read. */
enum lpm_fate { LPM_ADD, LPM_CHANGE, LPM_REMOVE };

struct lpm_diff {
	const struct lists_entry *old, *want;
	size_t nold, nwant;
};

/* undo: takes back a whole LPM_ADD. A failing LPM_ADD undoes itself. */
int lpm_apply(int fd, const struct lpm_diff *d, enum lpm_fate fate, bool undo);

#endif
