/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_closed.c: whether what a file opens is closed in it: sections, lists, strings, comments. libconfuse takes the end
 * of the file for the end of a section or of a comment, so that settings could be missing without a word, and in the next file of the folder
 * it still is in the comment. Tokens are those of its lexer; what they mean is its business.
 */
#include "user/config_int.h"

#define DEPTH_SAID 8 /* sections do not nest, so a lost brace is within the first ones */

struct closed_scan {
	const char *p;
	unsigned line;
	unsigned depth;
	unsigned opened[DEPTH_SAID]; /* line of each brace that is open */
};

static void take(struct closed_scan *s, size_t n)
{
	for (; n; n--)
		s->line += *s->p++ == '\n';
}

/* "${NAME}", a value from the environment, is one token, whatever stands between the braces. */
static size_t variable_len(const char *p)
{
	const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;

	return end ? (size_t)(end - p) + 1 : 0;
}

/* Behind the quote that ends a string, or at the end of the text. In '...' the environment has no say. */
static bool skip_string(struct closed_scan *s)
{
	char quote = *s->p;

	for (take(s, 1); *s->p && *s->p != quote;) {
		size_t n = quote == '"' ? variable_len(s->p) : 0;

		take(s, n ? n : *s->p == '\\' && s->p[1] ? 2 : 1);
	}
	if (!*s->p)
		return false;
	take(s, 1);
	return true;
}

static bool skip_comment(struct closed_scan *s)
{
	const char *end = strstr(s->p + 2, "*/");

	take(s, end ? (size_t)(end - s->p) + 2 : strlen(s->p));
	return end;
}

/* A word of a value. A comment begins only where no word goes on: 10.0.0.0/8 and http://example are words. */
static size_t word_len(const char *p)
{
	return strcspn(p, " #\"'\t\n\r={}()+,*");
}

static void skip_plain(struct closed_scan *s)
{
	size_t n = variable_len(s->p);

	n = n ? n : word_len(s->p);
	if (*s->p == '#' || (n == strspn(s->p, "/") && n > 1))
		n = strcspn(s->p, "\n");
	take(s, n ? n : 1);
}

static void brace(struct closed_scan *s)
{
	if (*s->p == '{') {
		if (s->depth < DEPTH_SAID)
			s->opened[s->depth] = s->line;
		s->depth++;
	} else if (s->depth) { /* otherwise libconfuse says so */
		s->depth--;
	}
	take(s, 1);
}

bool config_closed(struct config_reader *r, const char *path, const char *text)
{
	struct closed_scan s = { .p = text, .line = 1 };

	while (*s.p) {
		unsigned line = s.line;

		if (*s.p == '{' || *s.p == '}') {
			brace(&s);
		} else if (*s.p == '"' || *s.p == '\'') {
			char quote = *s.p;

			if (!skip_string(&s))
				config_err(r, path, line, "the text that a %s quote begins here is never closed; write the quote that is missing, here or above", quote == '"' ? "double" : "single");
		} else if (s.p[0] == '/' && s.p[1] == '*') {
			if (!skip_comment(&s))
				config_err(r, path, line, "the comment that begins here is never closed; write its end, or # before each of its lines");
		} else {
			skip_plain(&s);
		}
	}
	for (unsigned i = 0; i < s.depth && i < DEPTH_SAID; i++)
		config_err(r, path, s.opened[i], "the section or list that begins here is never closed; write the } that is missing");
	return !r->errors;
}
