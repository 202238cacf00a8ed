/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listset.h: the blacklists as they were last read whole. They are kept, so that one list can be read again, or fail
 * to, without the others; in memory that child processes do not inherit.
 */
#ifndef LISTSET_H
#define LISTSET_H

#include "user/kern.h"

struct listset_one {
	struct pst_list_info info; /* what `postern list show` tells; loaded_ns 0 = was never read whole */
	struct pst_prefix *prefix; /* info.prefixes of them */
	struct listset_block *block;
};

struct listset {
	struct listset_one one[PST_LISTS_MAX]; /* in the order of the configuration */
	size_t n;
};

/*
 * Reads the list l. When that fails err says why (listfile.h), out holds what old has of it (NULL = nothing), marked
 * as stale, and -errno is returned. tell: see listfile.h. Either way out is listset_drop()ped one day; old stays its owner's.
 */
int listset_read(struct listset_one *out, const struct conf_list *l, const struct listset_one *old,
		 void (*tell)(void *ctx, size_t prefixes), void *ctx, char *err, size_t errsize);
/* The list of that name. NULL = none. */
const struct listset_one *listset_find(const struct listset *s, const char *name);
/* Puts all lists in the kernel's table, in one replacement. 0, or -errno and a sentence in err (list_replace()). */
int listset_put(const struct listset *s, const struct kern_maps *m, char *err, size_t errsize);
/* Whether the kernel's table has entries of a list of s that s has not: they would be lost by listset_put(). *name is that list. */
bool listset_would_lose(const struct listset *s, const struct kern_maps *m, const char **name);
/* Says of those lists of the kernel's table that s could not read that they are stale, where the table stays as it is. */
void listset_mark_stale(const struct listset *s, const struct kern_maps *m);
/* Another owner of the same entries. */
void listset_share(struct listset_one *out, const struct listset_one *of);
void listset_drop_one(struct listset_one *o);
void listset_drop(struct listset *s);

#endif
