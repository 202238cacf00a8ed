/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smtp.h: the grammar of SMTP commands: verbs, arguments, and MAIL and RCPT as they are re-emitted to a
 * backend. It knows no session: whether a command is legal now is sess's business. Slices in the
 * results point into the caller's line.
 */
#ifndef SMTP_H
#define SMTP_H

#include "user/core/mailbox.h"

/* Every verb that is answered by name. What is not here is SMTP_UNKNOWN, or SMTP_FOREIGN when another protocol speaks so. */
#define SMTP_VERBS(X) \
	X(EHLO) X(HELO) X(MAIL) X(RCPT) X(DATA) X(RSET) X(NOOP) X(QUIT) X(VRFY) X(EXPN) X(HELP) X(STARTTLS) X(AUTH) \
	X(ETRN) X(TURN) X(ATRN) X(SEND) X(SOML) X(SAML) X(BDAT) X(XCLIENT)

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_FOREIGN,
#define SMTP_X(verb) SMTP_##verb,
	SMTP_VERBS(SMTP_X)
#undef SMTP_X
	SMTP_VERBS_MAX
};

struct smtp_command {
	enum smtp_verb verb;
	struct str args; /* behind the verb and one space; white space at the end is gone (RFC 5321 section 4.1.1) */
};

struct smtp_command smtp_command(struct str line);

/* True when a first byte can only be another protocol's: a TLS record comes without any CRLF to wait for. */
bool smtp_is_foreign_byte(unsigned char c);

/* Why arguments are refused. */
enum smtp_flaw {
	SMTP_OK,
	SMTP_BAD_ARGUMENT,  /* 501 5.5.4: no FROM: or TO:, no "<", a malformed or repeated parameter */
	SMTP_BAD_PATH,	    /* 501 5.1.3 or 5.1.7 */
	SMTP_NEEDS_UTF8,    /* 553 5.6.7 */
	SMTP_BAD_UTF8,	    /* 501 5.5.2 */
	SMTP_UNPROMISED,    /* 555 5.5.4: a parameter of an extension that was not offered here */
	SMTP_NO_RESOURCES,  /* 452 4.3.1: does not fit when re-emitted */
};

enum smtp_notify { NOTIFY_NEVER = 1 << 0, NOTIFY_SUCCESS = 1 << 1, NOTIFY_FAILURE = 1 << 2, NOTIFY_DELAY = 1 << 3 };

struct smtp_mail {
	struct mailbox from;
	unsigned long long size;
	bool sized, utf8, auth;
	bool binary; /* BODY=BINARYMIME: never promised, for content goes on as lines */
	bool requiretls; /* RFC 8689 */
	bool prioritized;
	int priority; /* -9 .. 9, RFC 6710 */
	const char *body, *ret; /* static text, NULL = not given */
	struct str by; /* BY=, checked: RFC 2852 section 4.4; a number of seconds, ";", N or R, perhaps T */
	struct str envid;	/* xtext */
};

struct smtp_rcpt {
	struct mailbox to;
	unsigned notify; /* enum smtp_notify */
	struct str type, orcpt; /* ORCPT=type;xtext */
};

/* caps: enum sess_cap bits promised to the client. utf8: MAIL carried SMTPUTF8. */
enum smtp_flaw smtp_mail(struct str args, unsigned caps, struct smtp_mail *out);
enum smtp_flaw smtp_rcpt(struct str args, unsigned caps, bool utf8, struct smtp_rcpt *out);

/*
 * The line for the backend, without CRLF, from parsed values only; 0 when it does not fit. AUTH= is always
 * re-emitted as AUTH=<> (RFC 4954 section 5: the gate vouches for nobody) and SIZE only if the backend takes it.
 */
size_t smtp_mail_text(const struct smtp_mail *m, unsigned caps, char *out, size_t size);
size_t smtp_rcpt_text(const struct smtp_rcpt *r, char *out, size_t size);

/*
 * Takes one character of xtext (RFC 3461 section 4) from *s, which is not empty: its value, or -1. Encoded control bytes are refused: a
 * decoder behind the gate would make a NUL or a line end of them. UTF-8 stands for itself where utf8 allows it (RFC 6533).
 */
int smtp_xtext_take(struct str *s, bool utf8);
/* "AUTH" arguments: mechanism and initial response ("" = none). False when the syntax is wrong. */
bool smtp_auth(struct str args, struct str *mechanism, struct str *initial);
/* RFC 4648 section 4, padded, whole quanta; "" is base64. */
bool smtp_is_base64(struct str s);

#endif
