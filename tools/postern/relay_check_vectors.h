/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay_check_vectors.h: what an outside tester asks a mail server to relay. One row is one recipient, with a sender.
 *
 * In a row's text: {u}@{r} is the foreign address, {l} the server's own domain, {h} its name, {i} its address as in a literal,
 * {s} the tester's address, {n} a user whom the server's domain has not, {R} the foreign domain in capitals, {e} with +2E for its
 * dots; {1} the own domain with a Cyrillic first letter, {2} with an ideographic dot, {3} with a soft hyphen, {4} with a joiner.
 */
#ifndef RELAY_CHECK_VECTORS_H
#define RELAY_CHECK_VECTORS_H

#include "user/core/str.h"

/* symbol, name, why it is tried */
#define RELAY_CLASSES(X) \
	X(SENDER, "sender", "anyone can write any sender: it may never open the way") \
	X(PERCENT, "percent hack", "\"%\" in a local part is an old request to send on to another host") \
	X(NODOMAIN, "no domain", "an address without a domain is completed with a local one and then read again") \
	X(QUOTE, "quoting", "quotes hide a second address inside the local part") \
	X(LIST, "several addresses", "two servers, or two parts of one, take different parts of it for the address") \
	X(ROUTE, "source route", "the domain before the colon is checked, the mailbox behind it is served") \
	X(BANG, "bang path", "\"host!user\" asks for sending on, as UUCP did") \
	X(CAPSULE, "encapsulation", "an address inside a local part that a gateway unpacks") \
	X(DOMAIN, "domain spelling", "case, dots and labels that make a foreign domain pass for a local one") \
	X(BYTE, "control byte", "what reads on behind a NUL, CR or tab sees another address") \
	X(UTF8, "look-alike", "bytes over 127 that one part folds into ASCII and another does not") \
	X(COMMENT, "comment or space", "comments and spaces are taken out by one part and looked at by another") \
	X(LITERAL, "address literal", "an IP address in place of a domain passes a list of domains") \
	X(LIMIT, "length or special name", "what is cut off, or is taken for postmaster, is not what was checked") \
	X(PARAM, "parameter", "a parameter, real or glued on, changes how the address is read") \
	X(SPLIT, "parser split", "known to be read differently by two parsers of one server")

enum relay_class {
#define X(symbol, name, why) RELAY_CLASS_##symbol,
	RELAY_CLASSES(X)
#undef X
	RELAY_CLASSES_MAX
};

struct relay_vector {
	const char *id; /* stable: never given to another row */
	enum relay_class class;
	bool foreign; /* accepted = relays; otherwise it might be a user of the server's own domain */
	bool utf8;    /* only after SMTPUTF8 in MAIL */
	struct str mail, rcpt; /* what follows "MAIL FROM:" and "RCPT TO:"; mail.p NULL = <{s}> */
};

extern const struct relay_vector relay_vectors[];
extern const size_t relay_nvectors;

const char *relay_class_name(enum relay_class c);
const char *relay_class_why(enum relay_class c);

#endif
