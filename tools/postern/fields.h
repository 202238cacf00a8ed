/* SPDX-License-Identifier: BSD-2-Clause */
/* fields.h: a ban or a list in words, the same wherever one is shown. */
#ifndef FIELDS_H
#define FIELDS_H

#include "user/ban.h"

/* prefix_cmp() sorts these: the prefix comes first. */
struct fields_ban {
	struct pst_prefix prefix;
	struct pst_ban ban;
};

/* Fields of the row or section that is open. */
void fields_ban(const struct kern_maps *m, const struct fields_ban *f);

struct fields_list {
	unsigned index;
	struct pst_list_info info;
	__u64 hits;
};

/* Row i of the loaded lists. 0, -ENOENT for a free row, or -errno. */
int fields_list_get(const struct kern_maps *m, unsigned i, struct fields_list *out);
void fields_list(const struct fields_list *l);

#endif
