/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * logline.h: the one form of all lines of the log, for whoever writes them anew or reads them back:
 *
 *   EVENT[ KEY=VALUE]...[: TEXT]
 *
 * EVENT is lower-case letters, digits and hyphens. A VALUE with blanks stands in quotes and is escaped as str_escape() does it. TEXT is for people.
 * Pure. Slices point into the line.
 */
#ifndef LOGLINE_H
#define LOGLINE_H

#include "user/core/str.h"

struct logline {
	struct str event, rest;
	struct str text; /* after the last pair; empty = none */
};

/* False when the line does not begin with an event. */
bool logline_open(struct str line, struct logline *l);
/* The next pair, the value without its quotes and still escaped. False when there is none left: l->text is set then. */
bool logline_next(struct logline *l, struct str *key, struct str *value);
/* The value of the first pair of that key in a line that logline_open() took; p NULL = there is none. */
struct str logline_get(const struct logline *l, const char *key);
/* Takes str_escape() back. Returns the length; what does not fit is left out. */
size_t logline_plain(struct str escaped, char *out, size_t size);

#endif
