/* SPDX-License-Identifier: BSD-2-Clause */
/* fields.h: a ban or a list in words, the same wherever one is shown. */
#ifndef FIELDS_H
#define FIELDS_H

#include <jansson.h>

#include "user/ban.h"
#include "user/gatelist.h"

/* prefix_cmp() sorts these: the prefix comes first. */
struct fields_ban {
	struct pst_prefix prefix;
	struct pst_ban ban;
};

/* Fields of the row or section that is open. */
void fields_ban(const struct kern_maps *m, const struct fields_ban *f);

/* Says when the table is nearly full. */
void fields_ban_room(size_t live, size_t room);

struct fields_list {
	unsigned index;
	struct pst_list_info info;
	__u64 hits;
};

/* Row i of the loaded lists. 0, -ENOENT for a free row, or -errno. */
int fields_list_get(const struct kern_maps *m, unsigned i, struct fields_list *out);
void fields_list(const struct fields_list *l);

/* The names of the lists of a class: an array, the caller's; and as text, "a, b". */
json_t *fields_class(const struct kern_maps *m, const struct pst_class *c);
#define FIELDS_NAMES_MAX (PST_LISTS_MAX * (PST_LIST_NAME_MAX + 2))
const char *fields_names(json_t *names, char *text, size_t size);

#endif
