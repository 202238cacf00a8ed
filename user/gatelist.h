/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gatelist.h: the blacklists in the kernel's table. One writer at a time. A writer that died half-way leaves a
 * table that refuses what it refused, and rests that the next replacement clears away: it reads the
 * kernel's table and trusts no memory of its own.
 */
#ifndef GATELIST_H
#define GATELIST_H

#include "user/core/lists.h"
#include "user/kern.h"

/*
 * Replaces all lists by those of info (rows with a name; their order is the caller's) and e[0..n), whose value is the
 * row of info; e is sorted in place. A source that the old and the new lists refuse is refused at every
 * moment in between. Hits of a list whose name stays go on; a new name starts at 0. Takes about 100 ms, most of
 * it waiting until no packet can still see what is to be removed. A million prefixes that give way to another million
 * cost 1.5 s of one CPU, 2.4 s when they are IPv6, shared by those there are (user/crew.h).
 * -errno and a sentence in err: nothing has changed. -ENOSPC: over a limit, alone or old and new together; -ENOMEM.
 */
int list_replace(const struct kern_maps *m, struct lists_entry *e, size_t n, const struct pst_list_info info[PST_LISTS_MAX],
		 char *err, size_t errsize);
/*
 * Sets the bits in front of the lists (pst_some4, pst_part4) where another than this file wrote lists, or shares them: until then they are not
 * obeyed. Those that nobody needs any more go with the next replacement.
 */
int list_some_fill(const struct kern_maps *m);
/* What the kernel would find for a: the lists it is on (rows of pst_list_info) and what they do to it. -ENOENT: on none. */
int list_find(const struct kern_maps *m, const struct pst_addr *a, struct pst_class *out);
/* Row i of the lists; its texts end in NUL. -ENOENT: a free one. */
int list_info(const struct kern_maps *m, unsigned row, struct pst_list_info *out);
/* Packets that met the list in row i since it had its name. */
int list_hits(const struct kern_maps *m, unsigned row, __u64 *out);

#endif
