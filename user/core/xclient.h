/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xclient.h: the arguments of XCLIENT, with which a trusted balancer says in SMTP who its client is (Postfix's XCLIENT_README).
 * Pure. Whether the sender may be believed is not known here: never give it a stranger's line.
 */
#ifndef XCLIENT_H
#define XCLIENT_H

#include "user/core/account.h"
#include "user/core/addr.h"
#include "user/core/mailbox.h"

#define XCLIENT_OFFER "ADDR PORT NAME HELO PROTO LOGIN" /* in the EHLO reply: what is taken, and nothing else is */

enum xclient_word {
	XCLIENT_UNSAID, /* the attribute was not given */
	XCLIENT_SAID,
	XCLIENT_NONE,	/* [UNAVAILABLE]: there is none */
	XCLIENT_UNSURE, /* [TEMPUNAVAIL]: nobody could tell */
};

enum xclient_flaw {
	XCLIENT_OK,
	XCLIENT_BAD_NAME,  /* no NAME=VALUE, an attribute that is not offered, or one given twice */
	XCLIENT_BAD_VALUE, /* no xtext, or not what the attribute takes */
};

/* PROTO is checked and tells nothing more: the EHLO or HELO that follows shows it. */
struct xclient {
	enum xclient_word addr, port_word, name_word, helo_word, proto, login;
	struct pst_addr client; /* of addr, which is UNSAID or SAID: a client without an address could not be judged */
	unsigned short port;	/* host order */
	size_t nname, nhelo;
	char account[ACCOUNT_MAX + 1];	   /* of login; "" = none that could be an account's name */
	char name[MAILBOX_DOMAIN_MAX + 1]; /* canonical, a domain */
	char helo[MAILBOX_DOMAIN_MAX + 1]; /* canonical, a domain or a literal */
};

enum xclient_flaw xclient_parse(struct str args, struct xclient *out);

#endif
