/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mend.h: message content made fit for DATA: what came in chunks (BDAT, RFC 3030) is dot-stuffed, and where the operator
 * wants it mended rather than refused, a bare LF becomes CRLF, a bare CR or a NUL a space. Dots behind a line end that was
 * made here are content, so they are stuffed, too: mending never makes an end of data. What comes out goes through
 * body_take() like anything else, which still has the last word.
 */
#ifndef MEND_H
#define MEND_H

#include "user/core/put.h"

struct mend_rules { /* what is mended; the rest passes as it is, for body_take() to refuse */
	bool lf, cr, nul;
};

struct mend {
	unsigned char state; /* where in a line the last octet stood */
	bool chunked;	     /* content without an end of its own: every line's first dot is content */
	bool soft;	     /* the line began where none was sent */
};

#define MEND_GROWTH 3 /* octets out for one octet in, at most */
#define MEND_END    3 /* and at the end of the last chunk */

void mend_init(struct mend *m, bool chunked);
/*
 * Takes octets from in while out has room, and returns how many; all of them if out has room for MEND_GROWTH times as many and
 * MEND_END more. Stops behind an end of data (never in chunks).
 */
size_t mend_take(struct mend *m, const struct mend_rules *rules, struct str in, struct put *out);
/* The last chunk is over: its last line gets the end that it lacks. */
void mend_end(struct mend *m, const struct mend_rules *rules, struct put *out);

#endif
