/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postfix.h: a Postfix configuration, read: settings by name with their references filled in, and the tables that are text. By
 * postconf(1), which knows every default, where there is one; else by itself. Nothing is written.
 */
#ifndef POSTFIX_H
#define POSTFIX_H

#include <stdbool.h>
#include <stddef.h>

#include "user/core/str.h"

struct postfix;

/* Reads folder/main.cf. NULL: err says why. By postfix_free(). */
struct postfix *postfix_read(const char *folder, char *err, size_t errsize);
void postfix_free(struct postfix *p);
/* The value, or Postfix's default of it; "" when it has none or is not known. Lives as long as p. */
const char *postfix_get(struct postfix *p, const char *name);
/* Does main.cf set it? Line is where, or 0. */
unsigned postfix_line(const struct postfix *p, const char *name);
/* The i-th setting of main.cf; NULL = no more. */
const char *postfix_name(const struct postfix *p, size_t i);

/*
 * Takes the next item off a list: separated by white space and commas, {...} held together. Empty when there is none.
 */
struct str postfix_item(struct str *list);

typedef void postfix_row_fn(void *ctx, struct str key, struct str value, const char *file, unsigned line);
/*
 * Calls row for every line of a table: "hash:/path" (and what else is made of text files of that form), "cidr:/path", "inline:{...}", and
 * "/path", which has keys alone. "if" and "endif" of cidr tables come as rows. False: a table of another kind, or one without its text; nothing was called.
 */
bool postfix_table(struct str table, postfix_row_fn *row, void *ctx);

#endif
