/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reply.h: an SMTP reply as a backend gives it, parsed and made fit to be sent to a
 * client: one code, every line CRLF-ended and at most 512 octets, printable ASCII or
 * (after SMTPUTF8) UTF-8. A backend is hostile input too.
 */
#ifndef REPLY_H
#define REPLY_H

#include "user/core/str.h"

#define REPLY_MAX  4096 /* bytes kept; the rest of an endless reply is counted and dropped */
#define REPLY_LINES_MAX 200

enum reply_result { REPLY_MORE, REPLY_DONE, REPLY_BAD };

struct reply {
	unsigned code; /* 200..599 once DONE */
	unsigned lines;
	bool cut; /* did not fit */
	bool utf8; /* set it after reply_init(): the client used SMTPUTF8, so valid UTF-8 is passed; otherwise '?' */
	size_t n, last; /* bytes used; where the last line begins */
	char text[REPLY_MAX]; /* the normalised lines, ready to send */
};

void reply_init(struct reply *r); /* utf8 off */
/* One line as line_take() gave it (without CRLF). BAD: no code, another code than the line before, too many lines. */
enum reply_result reply_line(struct reply *r, struct str line);
/* The text of line i (0-based) without code, separator and CRLF; empty when there is none. */
struct str reply_text(const struct reply *r, unsigned i);

static inline unsigned reply_class(const struct reply *r)
{
	return r->code / 100;
}

#endif
