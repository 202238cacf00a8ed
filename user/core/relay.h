/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relay.h: may this client send to this recipient, and by which route? Pure, over tables that
 * the configuration made. Both conditions must hold (connection control, then relay
 * control); mail for our own domains needs no relay grant. Empty lists grant nobody.
 * MAIL FROM, EHLO, AUTH= and headers never count.
 *
 * The order of a decision, first match:
 *   1. connection control lets the client in, or it is refused
 *   2. a recipient in a domain that takes no mail is refused, whoever sends (RFC 7505)
 *   3. <postmaster> is ours; a recipient in our domains is ours, unless it is a trap, its local part is routing, or the recipients
 *      of its domain are listed and it is none of them. postmaster is one everywhere (RFC 5321 section 4.5.1)
 *   4. <> is nobody's
 *   5. the recipient's route lets everybody send to its domains, unless the local part is routing
 *   6. the client is in the route's own entries, unless the local part is routing
 *   7. relay control grants the client
 *   8. the client authenticated, and authenticated clients may relay
 *   9. refused
 * Then what the route demands of who sends there: TLS, a login.
 * A list that names domains speaks of the client's confirmed name. A client without one matches no such entry: it is
 * not among "only these", it is not among those that connection control turns away, and relay control read as "all
 * except these" does not grant it either, for it could be one of them. Where DNS gave no answer at all, what only a name could
 * grant is AWAITS_NAME for ever: the edge of the session defers it (450), it is nobody's offence.
 */
#ifndef RELAY_H
#define RELAY_H

#include "user/core/addr.h"
#include "user/core/mailbox.h"
#include "user/core/recipients.h"

struct access_rule {
	struct pst_prefix prefix; /* when there is no name */
	const char *file;	  /* where it was written, for `explain` */
	unsigned line;
	struct str name; /* a domain, lower case: that very name, or with a leading dot every name below it */
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
	bool named; /* some rule is a domain */
	size_t nsorted; /* so many rules at the head are networks as access_prune() leaves them, searched by halves; the rest is walked */
};

struct domain_rule {
	struct str name; /* lower case; ".name" means sub-domains only; "[192.0.2.10]" a literal */
	const char *file;
	unsigned line;
};

/* Where recipients go, and who may send there besides those that relay control grants. */
struct relay_route {
	const char *name;
	const char *file;
	unsigned line;
	const struct domain_rule *domain; /* in domain_order() */
	size_t ndomains;
	struct access_list entries; /* may send to these domains; ACCESS_ONLY */
	bool open;		    /* so may everybody who may use the gate: a backup MX, a department's server */
	unsigned long long message_size; /* octets; 0 = as the session's. Where both are set, the smaller one holds */
	unsigned rcpt_max;		 /* likewise, and so those that follow */
	unsigned long long session_size; /* octets of all messages of a session with one that goes this way */
	unsigned messages_max;		 /* of a session before one that goes this way */
	unsigned data_timeout_s;
	unsigned data_rate; /* the larger one holds */
	bool needs_tls, needs_auth;	 /* mail to these domains is taken in TLS only, from those only who logged in */
};

struct relay_rules {
	struct access_list connect; /* who may use the gate at all */
	struct access_list relay;   /* who may relay */
	bool authenticated_may_relay;
	const struct domain_rule *domain; /* ours, in domain_order() */
	size_t ndomains;
	const struct domain_rule *no_mail; /* they publish a null MX; in domain_order() */
	size_t nno_mail;
	const struct domain_rule *trap_domain; /* domains that exist only to be spammed, ours or not; in domain_order() */
	size_t ntrap_domains;
	const struct mailbox *trap; /* recipients that only spammers use */
	size_t ntraps;
	struct recipient_rules recipients; /* of our domains */
	const struct relay_route *route; /* [0] is the default route, which names no domains; NULL = there is no other */
	size_t nroutes;
	bool named; /* some list is: clients' names must be looked up */
};

enum relay_result {
	RELAY_OWN,	/* our domain: no grant needed */
	RELAY_BY_ADDRESS,
	RELAY_BY_AUTH,
	RELAY_TRAP,	/* our domain, trap recipient: refused as unknown */
	RELAY_DENIED,	/* foreign domain, no grant: 550 5.7.1 */
	RELAY_ROUTED,	/* our domain, but the local part is routing: 550 5.7.1 */
	RELAY_NO_ACCESS, /* connection control: may not use the gate at all */
	RELAY_BY_ROUTE, /* the route lets everybody send to its domains, or the client is in its entries */
	RELAY_NO_MAIL,	/* the domain takes no mail: 556 5.1.10 */
	RELAY_AWAITS_NAME, /* the client's name would turn the decision and is still being looked up: ask again */
	RELAY_UNKNOWN,	/* our domain, and its recipients are listed without this one: 550 5.1.1 */
	RELAY_NEEDS_TLS, /* the route takes no mail in clear: 550 5.7.10 */
	RELAY_NEEDS_AUTH, /* the route takes mail from users only: 530 5.7.0 */
	RELAY_TRAP_DOMAIN, /* refused as a domain that does not exist */
};

struct relay_decision {
	enum relay_result result;
	/*
	 * The rule that decided, or the list's own setting when no rule of it matched (then
	 * BY_AUTH and DENIED name the relay list); for NO_MAIL, TRAP_DOMAIN, OWN, TRAP, ROUTED and UNKNOWN the domain's rule; for NEEDS_ the route's.
	 * NULL = built in: <postmaster> is ours, <> is nobody's.
	 */
	const char *file;
	unsigned line;
	unsigned route; /* of the recipient, whatever the result: index into relay_rules.route and conf.route */
};

/* Questions in the order in which a decision asks them, as operators are told. */
#define RELAY_STEPS(X) \
	X(CONNECT, "connection control lets the client in") \
	X(NO_MAIL, "the recipient's domain takes no mail") \
	X(TRAP_DOMAIN, "the recipient's domain is a trap") \
	X(OWN, "the recipient's domain is ours") \
	X(TRAP, "the recipient is a trap") \
	X(ROUTING, "the local part asks for routing") \
	X(RECIPIENT, "the recipient is listed, or nobody of its domain is") \
	X(ROUTE, "the route lets everybody send to its domains") \
	X(ENTRIES, "the client is in the route's entries") \
	X(CONTROL, "relay control grants the client") \
	X(AUTH, "the client authenticated, and that is enough") \
	X(TLS, "the client came in TLS, as the route demands") \
	X(LOGIN, "the client authenticated, as the route demands")

enum relay_step {
#define RELAY_X(sym, text) RELAY_STEP_##sym,
	RELAY_STEPS(RELAY_X)
#undef RELAY_X
	RELAY_STEPS_MAX,
};

struct relay_trace {
	unsigned n;
	struct {
		enum relay_step step;
		bool answer, unknown; /* unknown: the client's name would tell */
		const char *file;     /* NULL = no rule says so */
		unsigned line;
	} step[RELAY_STEPS_MAX];
};

struct relay_client {
	struct pst_addr addr;
	bool authenticated;
	bool naming;	 /* its name is still being looked up */
	bool unsure;	 /* nobody answered in time, or only a failure: it may have a name */
	struct str name; /* by reverse DNS and confirmed by forward DNS, lower case, no dot at the end; empty = none or not known */
	bool tls;
};

/* For qsort: networks before names, a network before those within it. */
int access_order(const void *a, const void *b);
/*
 * Takes out the networks that lie within another one of the list. rule is in access_order(). Returns how many rules are left;
 * *nsorted of them, the first, are networks, none within another.
 */
size_t access_prune(struct access_rule *rule, size_t n, size_t *nsorted);

enum access {
	ACCESS_DENIED,
	ACCESS_GRANTED,
	ACCESS_AWAITS_NAME,
};

/* Connection control: may the client use the gate? *why (may be NULL) gets the deciding rule's file and line. */
enum access relay_admits(const struct relay_rules *r, const struct relay_client *c, struct relay_decision *why);
struct relay_decision relay_decide(const struct relay_rules *r, const struct relay_client *c,
				   const struct mailbox *rcpt);
/* As relay_decide(), and writes down every question that was asked. */
struct relay_decision relay_explain(const struct relay_rules *r, const struct relay_client *c, const struct mailbox *rcpt,
				    struct relay_trace *t);
const char *relay_step_text(enum relay_step s);
/* The most specific route that names the recipient's domain: an exact name, then the longest sub-domain rule; 0 when none does. */
unsigned relay_route_of(const struct relay_rules *r, const struct mailbox *rcpt);
/* Is the domain one of ours? Not of <postmaster> and <>, which have none. */
bool relay_is_own(const struct relay_rules *r, const struct mailbox *m);
/* May the client relay at all, by its address or because it authenticated? A name still being looked up counts as none. */
bool relay_trusts(const struct relay_rules *r, const struct relay_client *c);
bool relay_allows(enum relay_result r); /* OWN, BY_ADDRESS, BY_AUTH, BY_ROUTE */
const char *relay_result_text(enum relay_result r);
const char *relay_result_word(enum relay_result r); /* "relay", for logs; of a refusal */

/* <0, 0, >0: how domain rules are ordered. */
int domain_order(struct str a, struct str b);
/* The rule that names the domain exactly, otherwise the longest ".suffix" of it; NULL when none does. One search per label. */
const struct domain_rule *domain_find(const struct domain_rule *rule, size_t n, const struct mailbox *m);

#endif
