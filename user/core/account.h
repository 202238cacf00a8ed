/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.h: whose account a client logs in to, and which senders that account may use. Pure. The name is read from the client's
 * first response of an AUTH exchange (RFC 4954), byte by byte and no further than its end: a password is never decoded.
 * Whether the name is right is known only when the backend has said 235.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "user/core/sender.h"

#define ACCOUNT_MAX 255

/* How the first response of a mechanism holds the name. */
enum account_form {
	ACCOUNT_HIDDEN, /* it does not: GSSAPI and what is not known here */
	ACCOUNT_PLAIN,	/* authzid NUL authcid NUL password (RFC 4616): the one whose password it is */
	ACCOUNT_LOGIN,	/* all of it */
	ACCOUNT_CRAM,	/* name, space, digest (RFC 2195) */
	ACCOUNT_SCRAM,	/* gs2 header, "n=" name (RFC 5802) */
	ACCOUNT_XOAUTH2, /* "user=" name ^A */
	ACCOUNT_BEARER, /* gs2 header with "a=" name (RFC 7628) */
};

enum account_form account_form(struct str mechanism);
/*
 * The name in response (base64 with whole quanta; "=" is an empty one) as accounts are compared: ASCII in lower case. False and an
 * empty out when there is none, or it is longer than ACCOUNT_MAX, or holds a control byte.
 */
bool account_name(enum account_form form, struct str response, char out[ACCOUNT_MAX + 1]);

/* Another's word on the name (XCLIENT, a configuration), as account_name() would have it. */
bool account_fold(struct str name, char out[ACCOUNT_MAX + 1]);

/* One sender that an account may use. key: as sender_key() makes it, or "*" = any. */
struct account_owner {
	struct str account; /* as account_name() has it */
	struct sender_rule sender;
};

/* <0, 0, >0: by account, then by key. */
int account_order(const struct account_owner *a, const struct account_owner *b);

struct account_rules {
	const struct account_owner *owner; /* in account_order() */
	size_t nowners;
	unsigned messages, rcpts; /* of an account in an hour; 0 = no limit */
};

/*
 * May the account say MAIL FROM this? It may where a rule of its own has the address, its domain or one above it, or "*"; where
 * the account is that very address; and with the blank sender, in whose name nobody can speak. *rule (may be NULL) gets the rule that
 * says yes, NULL where none had to. One search per label of the domain.
 */
bool account_owns(const struct account_rules *r, struct str account, const struct mailbox *from, const struct sender_rule **rule);

#endif
