/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/relay.h"

/* --- domains ---------------------------------------------------------------- */

int domain_order(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static const struct domain_rule *find(const struct domain_rule *rule, size_t n, struct str name)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = domain_order(name, rule[middle].name);

		if (!order)
			return &rule[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
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
const struct domain_rule *domain_find(const struct domain_rule *rule, size_t n, const struct mailbox *m)
{
	struct str domain = domain_of(m);
	const struct domain_rule *found;

	if (!n || (m->kind != MAILBOX_DOMAIN && m->kind != MAILBOX_LITERAL))
		return NULL;
	found = find(rule, n, domain);
	for (size_t i = 1; !found && m->kind == MAILBOX_DOMAIN && i < domain.n; i++)
		if (domain.p[i] == '.')
			found = find(rule, n, str_sub(domain, i, domain.n));
	return found;
}

/* --- lists of clients ---------------------------------------------------------- */

static bool name_matches(struct str rule, struct str name)
{
	if (rule.p[0] != '.')
		return str_eq(rule, name);
	return name.n > rule.n && str_eq(str_sub(name, name.n - rule.n, name.n), rule);
}

static bool rule_matches(const struct access_rule *rule, const struct relay_client *c)
{
	return rule->name.n ? name_matches(rule->name, c->name) : prefix_covers(&rule->prefix, &c->addr);
}

int access_order(const void *a, const void *b)
{
	const struct access_rule *x = a, *y = b;

	if (!x->name.n && !y->name.n)
		return prefix_cmp(&x->prefix, &y->prefix);
	return x->name.n && y->name.n ? domain_order(x->name, y->name) : x->name.n ? 1 : -1;
}

size_t access_prune(struct access_rule *rule, size_t n, size_t *nsorted)
{
	size_t kept = 0;

	*nsorted = 0;
	for (size_t i = 0; i < n; i++) {
		if (!rule[i].name.n && kept && prefix_within(&rule[kept - 1].prefix, &rule[i].prefix))
			continue;
		rule[kept++] = rule[i];
		*nsorted += !rule[i].name.n;
	}
	return kept;
}

/* Of networks that share no address, only the last that begins at or before the client's can have it. */
static const struct access_rule *network_of(const struct access_list *l, const struct pst_addr *addr)
{
	size_t low = 0, high = l->nsorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&l->rule[middle].prefix.addr, addr, sizeof(*addr)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && prefix_covers(&l->rule[low - 1].prefix, addr) ? &l->rule[low - 1] : NULL;
}

static const struct access_rule *listed(const struct access_list *l, const struct relay_client *c)
{
	const struct access_rule *rule = network_of(l, &c->addr);

	for (size_t i = l->nsorted; !rule && i < l->nrules; i++)
		if (rule_matches(&l->rule[i], c))
			rule = &l->rule[i];
	return rule;
}

static void decided_by(struct relay_decision *why, const char *file, unsigned line)
{
	if (why) {
		why->file = file;
		why->line = line;
	}
}

/* strict: who has no name is not let in by a list that excepts names. */
static enum access judge(const struct access_list *l, const struct relay_client *c, bool strict, struct relay_decision *why)
{
	const struct access_rule *rule = listed(l, c);
	bool nameless = l->named && !c->name.n;

	if (rule)
		decided_by(why, rule->file, rule->line);
	else
		decided_by(why, l->file, l->line);
	if (!rule && l->named && (c->naming || (strict && c->unsure)))
		return ACCESS_AWAITS_NAME;
	if (!rule && l->mode == ACCESS_EXCEPT && strict && nameless)
		return ACCESS_DENIED;
	return !!rule == (l->mode == ACCESS_ONLY) ? ACCESS_GRANTED : ACCESS_DENIED;
}

enum access relay_admits(const struct relay_rules *r, const struct relay_client *c, struct relay_decision *why)
{
	return judge(&r->connect, c, false, why);
}

/* --- the decision ---------------------------------------------------------------- */

/* Case of a trap's local part does not matter: a harvester's spelling is no excuse. */
static bool is_trap(const struct relay_rules *r, const struct mailbox *m)
{
	for (size_t i = 0; i < r->ntraps; i++)
		if (r->trap[i].kind == m->kind && str_ieq(local_of(&r->trap[i]), local_of(m)) &&
		    str_eq(domain_of(&r->trap[i]), domain_of(m)))
			return true;
	return false;
}

/* What one decision is made from, and the questions it has asked; trace may be NULL. */
struct asking {
	const struct relay_rules *r;
	const struct relay_client *c;
	const struct mailbox *rcpt;
	struct relay_trace *trace;
};

static void note(const struct asking *a, enum relay_step step, enum access answer, const struct relay_decision *why)
{
	struct relay_trace *t = a->trace;

	if (!t || t->n == RELAY_STEPS_MAX)
		return;
	t->step[t->n].step = step;
	t->step[t->n].answer = answer == ACCESS_GRANTED;
	t->step[t->n].unknown = answer == ACCESS_AWAITS_NAME;
	t->step[t->n].file = why ? why->file : NULL;
	t->step[t->n].line = why ? why->line : 0;
	t->n++;
}

static bool is_so(const struct asking *a, enum relay_step step, bool so, const struct relay_decision *why)
{
	note(a, step, so ? ACCESS_GRANTED : ACCESS_DENIED, why);
	return so;
}

static bool is_known(const struct asking *a)
{
	bool postmaster = str_ieq(local_of(a->rcpt), STR("postmaster"));
	const struct recipient_rule *rule = NULL;
	struct relay_decision why = { .file = NULL };
	bool known;

	if (!a->r->recipients.nrules)
		return true;
	known = recipients_ask(&a->r->recipients, a->rcpt, &rule) != RECIPIENT_UNKNOWN || postmaster;
	if (rule)
		decided_by(&why, rule->file, rule->line);
	return is_so(a, RELAY_STEP_RECIPIENT, known, &why);
}

static enum relay_result decide_own(const struct asking *a, const struct relay_decision *d)
{
	if (is_so(a, RELAY_STEP_TRAP, is_trap(a->r, a->rcpt), NULL))
		return RELAY_TRAP;
	if (is_so(a, RELAY_STEP_ROUTING, a->rcpt->routed, d))
		return RELAY_ROUTED;
	return is_known(a) ? RELAY_OWN : RELAY_UNKNOWN;
}

/* What the route itself grants; DENIED when it grants nothing. */
static enum relay_result by_route(const struct asking *a, const struct relay_route *route, struct relay_decision *d)
{
	enum access access = ACCESS_GRANTED;

	decided_by(d, route->file, route->line);
	if (!is_so(a, RELAY_STEP_ROUTE, route->open, d)) {
		access = judge(&route->entries, a->c, true, d);
		note(a, RELAY_STEP_ENTRIES, access, d);
	}
	if (access == ACCESS_DENIED)
		return RELAY_DENIED;
	if (is_so(a, RELAY_STEP_ROUTING, a->rcpt->routed, d))
		return RELAY_ROUTED;
	return access == ACCESS_GRANTED ? RELAY_BY_ROUTE : RELAY_AWAITS_NAME;
}

static enum relay_result by_relay_control(const struct asking *a, struct relay_decision *d)
{
	enum access access = judge(&a->r->relay, a->c, true, d);

	note(a, RELAY_STEP_CONTROL, access, d);
	if (access == ACCESS_GRANTED)
		return RELAY_BY_ADDRESS;
	if (is_so(a, RELAY_STEP_AUTH, a->c->authenticated && a->r->authenticated_may_relay, NULL))
		return RELAY_BY_AUTH;
	return access == ACCESS_DENIED ? RELAY_DENIED : RELAY_AWAITS_NAME;
}

static void decide_foreign(const struct asking *a, struct relay_decision *d)
{
	struct relay_decision route = *d;

	route.result = d->route ? by_route(a, &a->r->route[d->route], &route) : RELAY_DENIED;
	if (route.result == RELAY_BY_ROUTE) {
		*d = route;
		return;
	}
	d->result = by_relay_control(a, d);
	if (d->result == RELAY_DENIED && route.result != RELAY_DENIED)
		*d = route;
}

static bool takes_no_mail(const struct asking *a, struct relay_decision *d)
{
	const struct domain_rule *rule = domain_find(a->r->no_mail, a->r->nno_mail, a->rcpt);
	struct relay_decision why = { .file = rule ? rule->file : NULL, .line = rule ? rule->line : 0 };

	if (!a->r->nno_mail || !is_so(a, RELAY_STEP_NO_MAIL, rule, &why))
		return false;
	decided_by(d, why.file, why.line);
	d->result = RELAY_NO_MAIL;
	return true;
}

static bool is_trap_domain(const struct asking *a, struct relay_decision *d)
{
	const struct domain_rule *rule = domain_find(a->r->trap_domain, a->r->ntrap_domains, a->rcpt);
	struct relay_decision why = { .file = rule ? rule->file : NULL, .line = rule ? rule->line : 0 };

	if (!a->r->ntrap_domains || !is_so(a, RELAY_STEP_TRAP_DOMAIN, rule, &why))
		return false;
	decided_by(d, why.file, why.line);
	d->result = RELAY_TRAP_DOMAIN;
	return true;
}

static void decide_admitted(const struct asking *a, struct relay_decision *d)
{
	const struct domain_rule *own = domain_find(a->r->domain, a->r->ndomains, a->rcpt);
	bool postmaster = a->rcpt->kind == MAILBOX_POSTMASTER; /* ours wherever we are: RFC 5321 section 4.5.1 */

	if (takes_no_mail(a, d) || is_trap_domain(a, d))
		return;
	decided_by(d, own ? own->file : NULL, own ? own->line : 0);
	if (is_so(a, RELAY_STEP_OWN, own || postmaster, d))
		d->result = postmaster ? RELAY_OWN : decide_own(a, d);
	else if (a->rcpt->kind == MAILBOX_NULL) /* no grant makes the null path a recipient */
		d->result = RELAY_DENIED;
	else
		decide_foreign(a, d);
}

/* What the recipient's route demands, whoever may send there. */
static void decide_demands(const struct asking *a, struct relay_decision *d)
{
	const struct relay_route *route = d->route < a->r->nroutes ? &a->r->route[d->route] : NULL;
	struct relay_decision demands = *d;

	if (!route || !relay_allows(d->result))
		return;
	decided_by(&demands, route->file, route->line);
	if (route->needs_tls && !is_so(a, RELAY_STEP_TLS, a->c->tls, &demands))
		demands.result = RELAY_NEEDS_TLS;
	else if (route->needs_auth && !is_so(a, RELAY_STEP_LOGIN, a->c->authenticated, &demands))
		demands.result = RELAY_NEEDS_AUTH;
	else
		return;
	*d = demands;
}

struct relay_decision relay_explain(const struct relay_rules *r, const struct relay_client *c, const struct mailbox *rcpt,
				    struct relay_trace *t)
{
	const struct asking a = { r, c, rcpt, t };
	struct relay_decision d = { .result = RELAY_NO_ACCESS, .route = relay_route_of(r, rcpt) };
	enum access access = relay_admits(r, c, &d);

	if (t)
		t->n = 0;
	note(&a, RELAY_STEP_CONNECT, access, &d);
	if (access == ACCESS_AWAITS_NAME)
		d.result = RELAY_AWAITS_NAME;
	else if (access == ACCESS_GRANTED)
		decide_admitted(&a, &d);
	decide_demands(&a, &d);
	return d;
}

struct relay_decision relay_decide(const struct relay_rules *r, const struct relay_client *c, const struct mailbox *rcpt)
{
	return relay_explain(r, c, rcpt, NULL);
}

const char *relay_step_text(enum relay_step s)
{
	static const char *const text[] = {
#define RELAY_X(sym, words) words,
		RELAY_STEPS(RELAY_X)
#undef RELAY_X
	};

	return s < RELAY_STEPS_MAX ? text[s] : "?";
}

unsigned relay_route_of(const struct relay_rules *r, const struct mailbox *rcpt)
{
	unsigned best = 0;
	size_t length = 0;

	for (size_t i = 1; i < r->nroutes; i++) {
		const struct domain_rule *rule = domain_find(r->route[i].domain, r->route[i].ndomains, rcpt);
		size_t n = !rule ? 0 : rule->name.p[0] == '.' ? rule->name.n : MAILBOX_DOMAIN_MAX + 1;

		if (n > length) {
			length = n;
			best = (unsigned)i;
		}
	}
	return best;
}

bool relay_is_own(const struct relay_rules *r, const struct mailbox *m)
{
	return domain_find(r->domain, r->ndomains, m) != NULL;
}

bool relay_trusts(const struct relay_rules *r, const struct relay_client *c)
{
	return (c->authenticated && r->authenticated_may_relay) || judge(&r->relay, c, true, NULL) == ACCESS_GRANTED;
}

bool relay_allows(enum relay_result r)
{
	return r == RELAY_OWN || r == RELAY_BY_ADDRESS || r == RELAY_BY_AUTH || r == RELAY_BY_ROUTE;
}

const char *relay_result_text(enum relay_result r)
{
	switch (r) {
	case RELAY_OWN:
		return "accepted: the domain is ours";
	case RELAY_BY_ADDRESS:
		return "accepted: the client may relay by its address or name";
	case RELAY_BY_AUTH:
		return "accepted: authenticated clients may relay";
	case RELAY_BY_ROUTE:
		return "accepted: the route lets the client send to its domains";
	case RELAY_TRAP:
		return "refused: trap recipient";
	case RELAY_DENIED:
		return "refused: foreign domain, and nothing grants relay";
	case RELAY_ROUTED:
		return "refused: sender-specified routing at a domain that needs no grant";
	case RELAY_NO_MAIL:
		return "refused: the domain takes no mail";
	case RELAY_NO_ACCESS:
		return "refused: the client may not use the gate";
	case RELAY_AWAITS_NAME:
		return "undecided: the client's name would tell";
	case RELAY_UNKNOWN:
		return "refused: the recipients of the domain are listed, and this is none";
	case RELAY_NEEDS_TLS:
		return "refused: the route takes mail in TLS only";
	case RELAY_NEEDS_AUTH:
		return "refused: the route takes mail from authenticated clients only";
	case RELAY_TRAP_DOMAIN:
		return "refused: trap domain";
	}
	return "?";
}

const char *relay_result_word(enum relay_result r)
{
	static const char *const words[] = {
		[RELAY_TRAP] = "trap",	     [RELAY_DENIED] = "relay",	     [RELAY_ROUTED] = "routing",    [RELAY_NO_ACCESS] = "access",
		[RELAY_NO_MAIL] = "no-mail", [RELAY_AWAITS_NAME] = "nameless", [RELAY_UNKNOWN] = "recipient", [RELAY_NEEDS_TLS] = "tls",
		[RELAY_NEEDS_AUTH] = "auth", [RELAY_TRAP_DOMAIN] = "trap-domain",
	};

	return r < sizeof(words) / sizeof(*words) && words[r] ? words[r] : "?";
}
