/* SPDX-License-Identifier: BSD-2-Clause */
/* postfix_table.c: lists, and the tables of Postfix that are text. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/postfix.h"

static bool separates(char c)
{
	return isspace((unsigned char)c) || c == ',';
}

struct str postfix_item(struct str *list)
{
	struct str item;
	int level = 0;

	while (list->n && separates(*list->p))
		list->p++, list->n--;
	item = (struct str){ list->p, 0 };
	while (list->n && (level || !separates(*list->p))) {
		level += (*list->p == '{') - (*list->p == '}');
		list->p++, list->n--, item.n++;
	}
	return item;
}

static bool takes_prefix(struct str *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || strncmp(s->p, prefix, n))
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

static struct str trim(struct str s)
{
	while (s.n && isspace((unsigned char)*s.p))
		s.p++, s.n--;
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Key, white space, value. */
static void split_row(struct str line, postfix_row_fn *row, void *ctx, const char *file, unsigned number)
{
	struct str key = line;

	for (key.n = 0; key.n < line.n && !isspace((unsigned char)line.p[key.n]);)
		key.n++;
	row(ctx, key, trim((struct str){ line.p + key.n, line.n - key.n }), file, number);
}

static bool read_file(struct str path, postfix_row_fn *row, void *ctx)
{
	char name[4096], *line = NULL;
	unsigned number = 0;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	snprintf(name, sizeof(name), "%.*s", (int)path.n, path.p);
	f = fopen(name, "re");
	if (!f)
		return false;
	while ((n = getline(&line, &room, f)) >= 0) {
		struct str text = trim((struct str){ line, (size_t)n });

		number++;
		if (text.n && *text.p != '#' && !isspace((unsigned char)*line))
			split_row(text, row, ctx, name, number);
	}
	free(line);
	fclose(f);
	return true;
}

/* {key = value, { key = value with commas }}: white space and commas part them, "=" may have room around it. */
static bool read_inline(struct str body, postfix_row_fn *row, void *ctx)
{
	char text[65536], *save = NULL;
	size_t n = 0;

	if (body.n < 2 || body.p[0] != '{' || body.n > sizeof(text))
		return false;
	for (size_t i = 1; i + 1 < body.n; i++) {
		char c = body.p[i];

		if (c == '{' || c == '}' || c == ',')
			c = ' ';
		if (c == '=')
			while (n && text[n - 1] == ' ')
				n--;
		if (c == ' ' && n && text[n - 1] == '=')
			continue;
		text[n++] = c;
	}
	text[n < sizeof(text) ? n : sizeof(text) - 1] = 0;
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (eq)
			row(ctx, (struct str){ w, (size_t)(eq - w) }, (struct str){ eq + 1, strlen(eq + 1) }, "main.cf", 0);
	}
	return true;
}

bool postfix_table(struct str table, postfix_row_fn *row, void *ctx)
{
	static const char *const of_text[] = { "hash:", "btree:", "lmdb:", "cdb:", "dbm:", "sdbm:", "texthash:", "cidr:" };

	takes_prefix(&table, "proxy:");
	if (table.n && *table.p == '/')
		return read_file(table, row, ctx);
	if (takes_prefix(&table, "inline:"))
		return read_inline(table, row, ctx);
	for (size_t i = 0; i < sizeof(of_text) / sizeof(*of_text); i++)
		if (takes_prefix(&table, of_text[i]))
			return table.n && *table.p == '/' && read_file(table, row, ctx);
	return false;
}
