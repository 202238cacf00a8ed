/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox.h: RFC 5321 section 4.1.2 paths, by the grammar and nothing looser
 * (RFC 6531 after SMTPUTF8). The canonical form is what policy judges and what,
 * re-emitted, is all that a backend ever sees.
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "user/core/str.h"

#define MAILBOX_LOCAL_MAX  64  /* octets, RFC 5321 section 4.5.3.1.1 */
#define MAILBOX_DOMAIN_MAX 255 /* octets, 4.5.3.1.2 */
#define MAILBOX_PATH_MAX   256 /* octets as written, route and punctuation included, and as re-emitted, 4.5.3.1.3 */
#define MAILBOX_TEXT_MAX   (2 * MAILBOX_LOCAL_MAX + MAILBOX_DOMAIN_MAX + 8)

enum mailbox_flaw {
	MAILBOX_OK,
	MAILBOX_SYNTAX,	    /* 501 5.1.3 (RCPT) or 5.1.7 (MAIL) */
	MAILBOX_NO_DOMAIN,  /* a local part alone: never completed with a default domain */
	MAILBOX_TOO_LONG,
	MAILBOX_NEEDS_UTF8, /* 553 5.6.7: non-ASCII without SMTPUTF8 */
	MAILBOX_BAD_UTF8,   /* not UTF-8, or a domain that IDNA2008 does not allow */
};

enum mailbox_kind {
	MAILBOX_NULL,	    /* <> (MAIL only) */
	MAILBOX_POSTMASTER, /* <postmaster> without a domain (RCPT only), any case */
	MAILBOX_DOMAIN,	    /* local@domain */
	MAILBOX_LITERAL,    /* local@[address] */
};

struct mailbox {
	enum mailbox_kind kind;
	bool utf8;	/* the local part holds non-ASCII: MAIL must carry SMTPUTF8 */
	bool routed;	/* the dequoted local part holds @ % ! or a control byte or space: sender-specified routing when the domain is ours */
	size_t nlocal, ndomain;
	char local[MAILBOX_LOCAL_MAX + 1];    /* dequoted, NUL-terminated too */
	char domain[MAILBOX_DOMAIN_MAX + 1];  /* lower-case ASCII (U-labels as their A-labels); literals as "[...]" around canonical address text */
};

/*
 * Parses a Path from the head of *in ("<...>", the closing > included) and moves *in behind it.
 * A source route is parsed and dropped (RFC 5321 appendix C). reverse: MAIL FROM, where <> is
 * allowed; otherwise RCPT TO, where <postmaster> is. On a flaw *out is not to be used.
 */
enum mailbox_flaw mailbox_path(struct str *in, bool reverse, bool smtputf8, struct mailbox *out);

/* "<local@domain>" with the local part quoted only if need be. Returns the length; out is NUL-terminated. */
size_t mailbox_text(const struct mailbox *m, char out[MAILBOX_TEXT_MAX]);

/* The Domain or address literal in text, canonical, as out->domain. False when the grammar does not hold. */
bool mailbox_domain(struct str text, bool smtputf8, struct mailbox *out);
/* RFC 5321 Domain or address literal, as EHLO gives it. True when the grammar holds. */
bool mailbox_is_domain(struct str s);

#endif
