/* SPDX-License-Identifier: BSD-2-Clause */
/* line.c: see line.h */
#include "user/core/line.h"

/*
 * Offset of the CR of the first CRLF, or in.n when there is none yet. Flags a bare LF on the way: that
 * much is known without the end, and the caller may not want to wait for it.
 */
static size_t find_crlf(struct str in, bool cr_before, unsigned *flaws)
{
	const char *at = in.p, *end = in.p + in.n;

	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		if (at > in.p ? at[-1] == '\r' : cr_before)
			return (size_t)(at - in.p) - (at > in.p);
		*flaws |= LINE_BARE_LF;
		at++;
	}
	return in.n;
}

static unsigned byte_flaw(unsigned char c)
{
	if (c >= 0x80)
		return LINE_8BIT;
	if (c == '\r')
		return LINE_BARE_CR;
	if (c == '\n')
		return LINE_BARE_LF;
	if (!c)
		return LINE_NUL;
	return (c < 0x20 && c != '\t') || c == 0x7f ? LINE_CTRL : 0;
}

static unsigned flaws_of(struct str s)
{
	unsigned flaws = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		flaws |= byte_flaw((unsigned char)s.p[i]);
	return flaws;
}

/* Discards one piece of an over-long line: a CR at the piece's end is judged when the next byte is known. */
static size_t skip(struct line_cut *c, struct str in, struct line *out, bool *done)
{
	size_t crlf = find_crlf(in, c->cr, &c->flaws);
	bool ends = crlf < in.n || (in.n && c->cr && in.p[0] == '\n');
	bool split = ends && c->cr && in.p[0] == '\n'; /* CR in the piece before, LF first in this one */
	size_t n = split ? 0 : crlf, consumed = ends ? n + (split ? 1 : 2) : in.n;
	struct str piece = { in.p, n };

	if (c->cr && !split && in.n)
		c->flaws |= LINE_BARE_CR;
	if (!ends) {
		c->cr = in.n ? in.p[in.n - 1] == '\r' : c->cr;
		piece.n -= in.n && c->cr;
	}
	c->flaws |= flaws_of(piece);
	c->skipped += consumed;
	out->flaws = c->flaws | LINE_LONG;
	if (ends) {
		out->text = (struct str){ c->head, LINE_HEAD_MAX };
		c->skipping = c->cr = false;
		c->flaws = 0;
		c->skipped = 0;
		*done = true;
	}
	return consumed;
}

size_t line_take(struct line_cut *c, struct str in, size_t limit, struct line *out, bool *done)
{
	struct str first = { in.p, in.n < limit ? in.n : limit };
	size_t crlf;

	*out = (struct line){ { in.p, 0 }, 0 };
	*done = false;
	if (!in.n)
		return 0;
	if (c->skipping)
		return skip(c, in, out, done);
	crlf = find_crlf(first, false, &out->flaws);
	if (crlf < first.n) {
		out->text = (struct str){ in.p, crlf };
		out->flaws |= flaws_of(out->text);
		*done = true;
		return crlf + 2;
	}
	if (in.n < limit)
		return 0;
	c->skipping = true;
	memcpy(c->head, in.p, LINE_HEAD_MAX < limit ? LINE_HEAD_MAX : limit);
	return skip(c, first, out, done);
}

size_t line_take_lf(struct line_cut *c, struct str in, size_t limit, struct line *out, bool *done)
{
	const char *lf = memchr(in.p, '\n', in.n < limit ? in.n : limit);
	size_t n = lf ? (size_t)(lf - in.p) : 0;

	if (c->skipping || !lf || (n && in.p[n - 1] == '\r'))
		return line_take(c, in, limit, out, done);
	out->text = (struct str){ in.p, n };
	out->flaws = flaws_of(out->text);
	*done = true;
	return n + 1;
}
