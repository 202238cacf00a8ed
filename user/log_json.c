/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/log_json.h"

#include <stdio.h>

#include "user/core/logline.h"
#include "user/core/put.h"
#include "user/log_rows.h"

enum { TEXT, NUMBER };

static const struct {
	const char *key;
	int type;
} keys[] = {
#define LOG_X(key, type, meaning) { key, type },
	LOG_KEYS(LOG_X)
#undef LOG_X
};

static bool is_number(struct str key, struct str value)
{
	unsigned long long n;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].type == NUMBER && str_eq(str_of(keys[i].key), key))
			return str_u64(value, &n) && (value.n == 1 || value.p[0] != '0') && value.n < 19;
	return false;
}

/* Octets of the UTF-8 character that s begins with; 0 = none that is valid (RFC 3629). */
static size_t utf8(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	unsigned long code = n == 2 ? c & 0x1f : n == 3 ? c & 0x0f : c & 0x07;

	if (!n || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s.p[i] & 0x3f);
	}
	if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) || (n == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	return n;
}

static void put_string(struct put *o, struct str s)
{
	put_text(o, "\"");
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = utf8(s);

		if (c < ' ' || c == 127 || !n) {
			put_text(o, n ? "?" : "\\ufffd");
			n = 1;
		} else {
			if (c == '"' || c == '\\')
				put_text(o, "\\");
			put_str(o, str_sub(s, 0, n));
		}
		s = str_sub(s, n, s.n);
	}
	put_text(o, "\"");
}

/* The whole member, or nothing of it. */
static void put_member(struct put *o, struct str key, struct str value, bool number)
{
	size_t before = o->n;

	o->full = false;
	put_text(o, before > 1 ? "," : "");
	put_string(o, key);
	put_text(o, ":");
	if (number)
		put_str(o, value);
	else
		put_string(o, value);
	if (o->full)
		o->n = before;
}

static void put_number(struct put *o, const char *key, int value)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", value);

	put_member(o, str_of(key), (struct str){ text, (size_t)n }, true);
}

static void put_head(struct put *o, const struct log_source *from)
{
	char when[64];
	struct tm tm;
	size_t n;

	gmtime_r(&from->when.tv_sec, &tm);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + n, sizeof(when) - n, ".%06ldZ", from->when.tv_nsec / 1000);
	put_number(o, "schema", LOG_JSON_SCHEMA);
	put_member(o, STR("time"), str_of(when), false);
	put_member(o, STR("role"), str_of(from->role), false);
	put_number(o, "process", from->pid);
	put_number(o, "priority", from->priority);
}

/* The head's names are taken: a pair of such a name gets an underscore. */
static void put_pair(struct put *o, struct str key, struct str value)
{
	static const char *const taken[] = { "schema", "time", "role", "process", "priority", "event", "text" };
	char other[32];

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++) {
		if (!str_eq(key, str_of(taken[i])))
			continue;
		snprintf(other, sizeof(other), "of_%s", taken[i]);
		put_member(o, str_of(other), value, is_number(key, value));
		return;
	}
	put_member(o, key, value, is_number(key, value));
}

size_t log_json(const struct log_source *from, struct str line, char *out, size_t size)
{
	struct put o = { .p = out, .max = size - 2 }; /* the brace at the end, and NUL */
	struct str key, value;
	struct logline l;

	put_text(&o, "{");
	put_head(&o, from);
	if (logline_open(line, &l)) {
		put_member(&o, STR("event"), l.event, false);
		while (logline_next(&l, &key, &value))
			put_pair(&o, key, value);
		line = l.text;
	}
	if (line.n)
		put_member(&o, STR("text"), line, false);
	out[o.n++] = '}';
	out[o.n] = 0;
	return o.n;
}
