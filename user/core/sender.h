/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sender.h: may a message come from this address? Lists of addresses, domains and the blank sender, each with an
 * action of its own, over tables that the configuration made. Pure. It judges the envelope's reverse-path (RFC 5321
 * section 3.3) in canonical form and nothing else: no header field counts, and <> is the blank sender, not an
 * empty display name.
 */
#ifndef SENDER_H
#define SENDER_H

#include "user/core/mailbox.h"

#define SENDER_KEY_MAX (MAILBOX_LOCAL_MAX + 1 + MAILBOX_DOMAIN_MAX)

/* In the order of strictness. */
#define SENDER_ACTIONS(X) X(OBSERVE, "observe") X(DIVERT, "divert") X(REFUSE, "refuse") X(CLOSE, "close")

enum sender_action {
#define SENDER_X(sym, name) SENDER_##sym,
	SENDER_ACTIONS(SENDER_X)
#undef SENDER_X
};

/*
 * key, lower case: "local@example.org" one address, "@example.org" a domain or literal, "@.example.org" every name
 * below it, "" the blank sender.
 */
struct sender_rule {
	struct str key;
	const char *file; /* where it was written */
	unsigned line;
};

struct sender_list {
	const char *name;
	const struct sender_rule *rule; /* in sender_order() */
	size_t nrules;
	enum sender_action action;
	const char *route_name; /* of DIVERT, as written; NULL = not */
	unsigned route;		/* of DIVERT: index into the configuration's routes; never the default one */
	bool trusted; /* also for clients that authenticated or may relay by their address */
	unsigned line;
};

struct sender_rules {
	const struct sender_list *list;
	size_t nlists;
};

struct sender_decision {
	const struct sender_list *list; /* whose action it is; NULL = no list speaks of the sender */
	const struct sender_rule *rule;
};

/* The key of what a list's entry means. False when it is neither an address, a domain, ".domain", "@..." nor "<>". */
bool sender_key(struct str entry, char out[SENDER_KEY_MAX + 1]);
/*
 * Asks for every key that speaks of the sender until one is: the address, its domain, then every domain above that; "" alone for the
 * blank sender. True when one was.
 */
bool sender_any_key(const struct mailbox *from, bool (*is)(void *ctx, struct str key), void *ctx);
/* <0, 0, >0: how the rules of a list are ordered. */
int sender_order(struct str a, struct str b);
/* The strictest list that speaks of the sender; of equals the first. A list costs one binary search per label of the domain. */
struct sender_decision sender_decide(const struct sender_rules *r, const struct mailbox *from, bool trusted);

#endif
