/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpm.h: a trie map of 4-byte values (pst_allow, pst_lists) as a whole: read it,
 * and make it hold exactly a given set. Entries are in prefix_cmp() order, no prefix twice.
 */
#ifndef LPM_H
#define LPM_H

#include "user/core/lists.h"

/* Everything that is in the map, sorted; *out is the caller's to free(). Returns how many, or -errno. */
long lpm_read(int fd, struct lists_entry **out);
/*
 * Adds what is new and changes what differs, then removes what is gone: an address refused
 * before and after is refused at every moment in between. -ENOSPC when old and new do not fit
 * together: nothing was changed. On any other failure what was added is taken out again; an entry
 * that was made to refuse stays so. -EINVAL: e is not sorted.
 */
int lpm_replace(int fd, const struct lists_entry *e, size_t n);

#endif
