/* SPDX-License-Identifier: BSD-2-Clause */
/* from_postfix.h: a Postfix configuration with postscreen as one of Postern: shared by its two files and `postern config`. */
#ifndef FROM_POSTFIX_H
#define FROM_POSTFIX_H

#include <stdio.h>

#include "tools/postern/postfix.h"
#include "user/core/addr.h"

struct prefixes {
	struct pst_prefix *p;
	size_t n, room;
};

struct conversion {
	struct postfix *from;
	FILE *conf;  /* what has a counterpart */
	FILE *notes; /* what has none, a line each */
	size_t nnotes;
	const char *setting; /* that is being read, for notes */
	struct prefixes allow, keep_out, spared, relay;
	bool keep_out_acts; /* postscreen_denylist_action is more than ignore */
	unsigned if_depth;  /* of the table being read */
};

/* A line of the notes: setting, where, what and why. */
void conversion_note(struct conversion *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes the whole configuration. */
void from_postfix(struct conversion *c);

/* from_postfix_lists.c */
/* postscreen_access_list and mynetworks into c's four. */
void lists_networks(struct conversion *c);
/* name = { ... }, nothing when there is none; indent goes before it. */
void lists_print(FILE *out, const char *indent, const char *name, const struct prefixes *list);
/* "domains = { ... }" of all that Postfix takes as its own. */
void lists_domains(struct conversion *c);

#endif
