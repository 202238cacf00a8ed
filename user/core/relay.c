/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/relay.h"

bool access_allows(const struct access_list *l, const struct pst_addr *addr,
		   struct relay_decision *why)
{
	const char *file = l->file;
	unsigned line = l->line;
	bool listed = false;

	for (size_t i = 0; i < l->nrules && !listed; i++) {
		if (!prefix_covers(&l->rule[i].prefix, addr))
			continue;
		listed = true;
		file = l->rule[i].file;
		line = l->rule[i].line;
	}
	if (why) {
		why->file = file;
		why->line = line;
	}
	return listed == (l->mode == ACCESS_ONLY);
}

static struct str domain_of(const struct mailbox *m)
{
	return (struct str){ m->domain, m->ndomain };
}

static struct str local_of(const struct mailbox *m)
{
	return (struct str){ m->local, m->nlocal };
}

/* ".example.org" takes in every name below example.org, never example.org and never a literal. */
static bool domain_matches(struct str rule, const struct mailbox *m)
{
	struct str domain = domain_of(m);

	if (!rule.n || rule.p[0] != '.')
		return str_eq(rule, domain);
	return m->kind == MAILBOX_DOMAIN && domain.n > rule.n &&
	       str_eq(str_sub(domain, domain.n - rule.n, domain.n), rule);
}

static const struct domain_rule *own_domain(const struct relay_rules *r, const struct mailbox *m)
{
	if (m->kind != MAILBOX_DOMAIN && m->kind != MAILBOX_LITERAL)
		return NULL;
	for (size_t i = 0; i < r->ndomains; i++)
		if (domain_matches(r->domain[i].name, m))
			return &r->domain[i];
	return NULL;
}

/* Case of a trap's local part does not matter: a harvester's spelling is no excuse. */
static bool is_trap(const struct relay_rules *r, const struct mailbox *m)
{
	for (size_t i = 0; i < r->ntraps; i++)
		if (r->trap[i].kind == m->kind && str_ieq(local_of(&r->trap[i]), local_of(m)) &&
		    str_eq(domain_of(&r->trap[i]), domain_of(m)))
			return true;
	return false;
}

static enum relay_result decide_own(const struct relay_rules *r, const struct mailbox *rcpt)
{
	if (is_trap(r, rcpt))
		return RELAY_TRAP;
	return rcpt->routed ? RELAY_ROUTED : RELAY_OWN;
}

struct relay_decision relay_decide(const struct relay_rules *r, const struct relay_client *c,
				   const struct mailbox *rcpt)
{
	struct relay_decision d = { .result = RELAY_NO_ACCESS };
	const struct domain_rule *own = own_domain(r, rcpt);

	if (!access_allows(&r->connect, &c->addr, &d))
		return d;
	if (rcpt->kind == MAILBOX_POSTMASTER) /* ours wherever we are: RFC 5321 section 4.5.1 */
		return (struct relay_decision){ .result = RELAY_OWN };
	if (own)
		return (struct relay_decision){ decide_own(r, rcpt), own->file, own->line };
	if (rcpt->kind == MAILBOX_NULL) /* no grant makes the null path a recipient */
		return (struct relay_decision){ .result = RELAY_DENIED };
	if (access_allows(&r->relay, &c->addr, &d))
		d.result = RELAY_BY_ADDRESS;
	else if (c->authenticated && r->authenticated_may_relay)
		d.result = RELAY_BY_AUTH;
	else
		d.result = RELAY_DENIED;
	return d;
}

bool relay_is_own(const struct relay_rules *r, const struct mailbox *m)
{
	return own_domain(r, m) != NULL;
}

bool relay_trusts(const struct relay_rules *r, const struct relay_client *c)
{
	return (c->authenticated && r->authenticated_may_relay) || access_allows(&r->relay, &c->addr, NULL);
}

bool relay_allows(enum relay_result r)
{
	return r == RELAY_OWN || r == RELAY_BY_ADDRESS || r == RELAY_BY_AUTH;
}

const char *relay_result_text(enum relay_result r)
{
	switch (r) {
	case RELAY_OWN:
		return "accepted: the domain is ours";
	case RELAY_BY_ADDRESS:
		return "accepted: the client's address may relay";
	case RELAY_BY_AUTH:
		return "accepted: authenticated clients may relay";
	case RELAY_TRAP:
		return "refused: trap recipient";
	case RELAY_DENIED:
		return "refused: foreign domain, and nothing grants relay";
	case RELAY_ROUTED:
		return "refused: sender-specified routing at our own domain";
	case RELAY_NO_ACCESS:
		return "refused: the client may not use the gate";
	}
	return "?";
}
