/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/logline.h"

static bool is_event(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t span(struct str s, bool (*is)(char c))
{
	size_t n = 0;

	while (n < s.n && is(s.p[n]))
		n++;
	return n;
}

static struct str from(struct str s, size_t n)
{
	return str_sub(s, n, s.n);
}

bool logline_open(struct str line, struct logline *l)
{
	size_t n = span(line, is_event);

	*l = (struct logline){ .event = str_sub(line, 0, n), .rest = from(line, n) };
	return n && (n == line.n || line.p[n] == ' ' || line.p[n] == ':');
}

/* The length of a quoted value with both quotes; 0 when the second one is missing. */
static size_t quoted(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* Up to a blank, or to the colon in front of the text. */
static size_t bare(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != ' ' && !(s.p[n] == ':' && (n + 1 == s.n || s.p[n + 1] == ' ')))
		n++;
	return n;
}

static bool end(struct logline *l)
{
	struct str t = l->rest;

	if (t.n && t.p[0] == ':')
		t = from(t, 1);
	l->text = str_trim(t);
	return false;
}

bool logline_next(struct logline *l, struct str *key, struct str *value)
{
	struct str s = l->rest;
	size_t n;

	if (!s.n || s.p[0] != ' ')
		return end(l);
	s = str_trim(s);
	n = span(s, is_key);
	if (!n || n == s.n || s.p[n] != '=')
		return end(l);
	*key = str_sub(s, 0, n);
	s = from(s, n + 1);
	if (s.n && s.p[0] == '"') {
		n = quoted(s);
		if (!n)
			return end(l);
		*value = str_sub(s, 1, n - 1);
	} else {
		n = bare(s);
		*value = str_sub(s, 0, n);
	}
	l->rest = from(s, n);
	return true;
}

struct str logline_get(const struct logline *l, const char *key)
{
	struct logline copy = *l;
	struct str k, v;

	while (logline_next(&copy, &k, &v))
		if (str_eq(k, str_of(key)))
			return v;
	return (struct str){ NULL, 0 };
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t logline_plain(struct str in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && n < size; i++) {
		char c = in.p[i];

		if (c == '\\' && i + 3 < in.n && in.p[i + 1] == 'x' && hex(in.p[i + 2]) >= 0 && hex(in.p[i + 3]) >= 0) {
			c = (char)(hex(in.p[i + 2]) << 4 | hex(in.p[i + 3]));
			i += 3;
		} else if (c == '\\' && i + 1 < in.n) {
			c = in.p[++i];
		}
		out[n++] = c;
	}
	return n;
}
