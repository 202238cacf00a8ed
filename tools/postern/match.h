/* SPDX-License-Identifier: BSD-2-Clause */
/* match.h: what one word, whole or cut off, was found to mean among names. */
#ifndef MATCH_H
#define MATCH_H

#include "user/core/str.h"

struct match {
	int exact, found; /* index, -1 = none */
	unsigned count;
	char candidates[256]; /* "load, list" */
};

struct match match_new(void);
/* A name more that it could mean. index is the caller's, from 0. */
void match_name(struct match *m, const char *word, struct str name, int index);
/* The index of the name that it means: the whole of one, or the beginning of only one; -1 = of none, or of several. */
int match_index(const struct match *m);

#endif
