/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.h: may this client send to this recipient? Pure, over tables that the
 * configuration made. Both conditions must hold (connection control, then relay
 * control); mail for our own domains needs no relay grant. Empty lists grant nobody.
 * MAIL FROM, EHLO, AUTH= and headers never count.
 */
#ifndef RELAY_H
#define RELAY_H

#include "user/core/addr.h"
#include "user/core/mailbox.h"

struct access_rule {
	struct pst_prefix prefix;
	const char *file; /* where it was written, for `explain` */
	unsigned line;
};

enum access_mode {
	ACCESS_ONLY,   /* only these */
	ACCESS_EXCEPT, /* all except these */
};

struct access_list {
	enum access_mode mode;
	const struct access_rule *rule;
	size_t nrules;
	const char *file; /* of the list's own setting */
	unsigned line;
};

struct domain_rule {
	struct str name; /* lower case; ".name" means sub-domains only; "[192.0.2.10]" a literal */
	const char *file;
	unsigned line;
};

struct relay_rules {
	struct access_list connect; /* who may use the gate at all */
	struct access_list relay;   /* who may relay */
	bool authenticated_may_relay;
	const struct domain_rule *domain; /* ours */
	size_t ndomains;
	const struct mailbox *trap; /* recipients that only spammers use */
	size_t ntraps;
};

enum relay_result {
	RELAY_OWN,	/* our domain: no grant needed */
	RELAY_BY_ADDRESS,
	RELAY_BY_AUTH,
	RELAY_TRAP,	/* our domain, trap recipient: refused as unknown */
	RELAY_DENIED,	/* foreign domain, no grant: 550 5.7.1 */
	RELAY_ROUTED,	/* our domain, but the local part is routing: 550 5.7.1 */
	RELAY_NO_ACCESS, /* connection control: may not use the gate at all */
};

struct relay_decision {
	enum relay_result result;
	/*
	 * The rule that decided, or the list's own setting when no rule of it matched (then
	 * BY_AUTH and DENIED name the relay list); for OWN, TRAP and ROUTED the domain's rule.
	 * NULL = built in: <postmaster> is ours, <> is nobody's.
	 */
	const char *file;
	unsigned line;
};

struct relay_client {
	struct pst_addr addr;
	bool authenticated;
};

/* Whether addr is let in by the list; *why (may be NULL) gets the deciding rule's file and line. */
bool access_allows(const struct access_list *l, const struct pst_addr *addr,
		   struct relay_decision *why);
struct relay_decision relay_decide(const struct relay_rules *r, const struct relay_client *c,
				   const struct mailbox *rcpt);
/* Is the domain one of ours? Not of <postmaster> and <>, which have none. */
bool relay_is_own(const struct relay_rules *r, const struct mailbox *m);
/* May the client relay at all, by its address or because it authenticated? */
bool relay_trusts(const struct relay_rules *r, const struct relay_client *c);
bool relay_allows(enum relay_result r); /* OWN, BY_ADDRESS, BY_AUTH */
const char *relay_result_text(enum relay_result r);

#endif
