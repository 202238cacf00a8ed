/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line.h: cuts a byte stream at CRLF and names every flaw; it decides nothing.
 * Only CRLF ends a line (RFC 5321 section 2.3.8). A bare LF or CR is a flaw inside the line that
 * the next CRLF ends, so no byte of a flawed line can become a command of its own.
 */
#ifndef LINE_H
#define LINE_H

#include "user/core/str.h"

enum line_flaw {
	LINE_BARE_LF = 1 << 0,
	LINE_BARE_CR = 1 << 1,
	LINE_NUL = 1 << 2,
	LINE_CTRL = 1 << 3, /* other control bytes; TAB is not one of them */
	LINE_8BIT = 1 << 4,
	LINE_LONG = 1 << 5, /* over the limit: text holds the first LINE_HEAD_MAX bytes only */
};

struct line {
	struct str text; /* without CRLF; points into the caller's bytes */
	unsigned flaws;	 /* enum line_flaw, or-ed */
};

#define LINE_HEAD_MAX 64

struct line_cut {
	bool skipping;	/* the rest of an over-long line is being discarded */
	bool cr;	/* the last byte discarded was a CR */
	unsigned flaws; /* of the part discarded so far */
	size_t skipped; /* bytes discarded so far: the caller may lose patience */
	char head[LINE_HEAD_MAX];
};

/*
 * Takes one line from in. limit: bytes allowed, CRLF included. Returns the bytes consumed, 0 when more
 * are needed; *done tells whether *out holds a line. An over-long line is consumed as it comes (memory
 * stays bounded) and reported once, flaw LINE_LONG, when its CRLF has come. The caller must be able to offer
 * limit bytes at once. While *done is false, out->flaws holds LINE_BARE_LF as soon as one was seen. How
 * the bytes are cut into calls never changes the lines that come out.
 */
size_t line_take(struct line_cut *c, struct str in, size_t limit, struct line *out, bool *done);
/* As line_take(), but LF alone ends a line, too: for commands, where nobody behind the gate reads the bytes another way. */
size_t line_take_lf(struct line_cut *c, struct str in, size_t limit, struct line *out, bool *done);

#endif
