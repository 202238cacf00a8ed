/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/reply.h"

#define LINE_TEXT_MAX (512 - 4 - 2) /* RFC 5321 section 4.5.3.1.5, without code, separator and CRLF */

void reply_init(struct reply *r)
{
	r->code = 0;
	r->lines = 0;
	r->cut = false;
	r->utf8 = false;
	r->n = 0;
	r->last = 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The code at the head of line, 0 when there is none that may be passed on. */
static unsigned line_code(struct str line)
{
	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) || !is_digit(line.p[2]))
		return 0;
	if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
		return 0;
	return (unsigned)(line.p[0] - '0') * 100 + (unsigned)(line.p[1] - '0') * 10 + (unsigned)(line.p[2] - '0');
}

static bool in_range(unsigned char c, unsigned lo, unsigned hi)
{
	return c >= lo && c <= hi;
}

/* Length of the well-formed UTF-8 sequence (RFC 3629 section 4) at the head of s, 0 when there is none or it is C1. */
static size_t utf8_sequence(struct str s)
{
	/* first byte from..to, second byte from..to, length */
	static const struct {
		unsigned char lo, hi, lo2, hi2, n;
	} row[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, { 0xc3, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (!in_range(p[0], row[i].lo, row[i].hi))
			continue;
		if (s.n < row[i].n || !in_range(p[1], row[i].lo2, row[i].hi2))
			return 0;
		for (size_t k = 2; k < row[i].n; k++)
			if (!in_range(p[k], 0x80, 0xbf))
				return 0;
		return row[i].n;
	}
	return 0;
}

/* Copies text to out, at most room bytes, with '?' for what a client must not be sent. Returns the length. */
static size_t copy_clean(struct str text, bool utf8, char *out, size_t room)
{
	size_t n = 0;

	while (text.n && n < room) {
		size_t take = 1;

		if (text.p[0] >= ' ' && text.p[0] <= '~') {
			out[n++] = text.p[0];
		} else if (utf8 && (take = utf8_sequence(text)) > 0) {
			if (take > room - n)
				break;
			memcpy(out + n, text.p, take);
			n += take;
		} else {
			take = 1;
			out[n++] = text.p[0] == '\t' ? ' ' : '?';
		}
		text = str_sub(text, take, text.n);
	}
	return n;
}

static void append(struct reply *r, struct str line, bool last)
{
	char *out = r->text + r->n;
	struct str text = line.n > 4 ? str_sub(line, 4, line.n) : STR("");
	size_t room = REPLY_MAX - r->n;

	/* A line is kept whole or not at all, so that what was kept is always a reply. */
	if (room < 6 + (text.n < LINE_TEXT_MAX ? text.n : LINE_TEXT_MAX)) {
		r->cut = true;
		if (last)
			r->text[r->last + 3] = ' ';
		return;
	}
	if (text.n > LINE_TEXT_MAX)
		r->cut = true;
	memcpy(out, line.p, 3);
	out[3] = last ? ' ' : '-';
	size_t n = 4 + copy_clean(text, r->utf8, out + 4, LINE_TEXT_MAX);
	memcpy(out + n, "\r\n", 2);
	r->last = r->n;
	r->n += n + 2;
}

enum reply_result reply_line(struct reply *r, struct str line)
{
	unsigned code = line_code(line);
	bool last = line.n == 3 || (line.n > 3 && line.p[3] == ' ');

	if (!code || (r->lines && code != r->code) || r->lines == REPLY_LINES_MAX)
		return REPLY_BAD;
	r->code = code;
	r->lines++;
	append(r, line, last);
	return last ? REPLY_DONE : REPLY_MORE;
}

struct str reply_text(const struct reply *r, unsigned i)
{
	struct str rest = { r->text, r->n };

	while (rest.n) {
		const char *end = memchr(rest.p, '\r', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;

		if (!i--)
			return str_sub(rest, 4, n);
		rest = n + 2 < rest.n ? str_sub(rest, n + 2, rest.n) : STR("");
	}
	return STR("");
}
