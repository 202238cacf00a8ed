/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * body.h: message content between 354 and CRLF.CRLF (RFC 5321 section 4.1.1.4). Finds the one true end,
 * passes the octets on as they came (dot-stuffing included) and never passes a CR or LF
 * outside CRLF, a NUL, or any part of an end-of-data sequence.
 */
#ifndef BODY_H
#define BODY_H

#include "user/core/str.h"

enum body_flaw {
	BODY_BARE_LF = 1 << 0,
	BODY_BARE_CR = 1 << 1,
	BODY_NUL = 1 << 2,
	BODY_HEADERS = 1 << 3, /* the header section is over its limit */
	BODY_SIZE = 1 << 4,    /* the message is over its limit */
	BODY_LOOP = 1 << 5,    /* over the limit of Received fields (RFC 5321 section 6.3) */
};

struct body {
	unsigned char state; /* where in CRLF.CRLF the last byte stood */
	unsigned char field; /* where in a header field it stood; 0 = past the header section */
	unsigned flaws;	     /* once set, nothing more is passed; scanning for the end goes on */
	unsigned received;   /* Received fields seen */
	unsigned long long bytes, header_bytes; /* without dot-stuffing and the end of data */
};

struct body_limits {
	unsigned long long size;
	unsigned header_bytes;
	unsigned received;
};

struct body_out {
	struct str held; /* bytes kept back from earlier calls, to pass first (static text) */
	struct str now;	 /* then these, a slice of in */
	bool end;	 /* the end of data was reached; pass ".\r\n" yourself when committing */
};

void body_init(struct body *b);
/*
 * Returns the bytes of in consumed: all of them, or up to and including the end of data. A limit of 0 is no
 * limit. How the bytes are cut into calls never changes what is passed, the flaws or the end.
 */
size_t body_take(struct body *b, const struct body_limits *l, struct str in, struct body_out *out);

#endif
