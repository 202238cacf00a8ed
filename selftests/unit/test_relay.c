/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/relay.h"

#define CONF "postern.conf"

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	if (!addr_parse(str_of(text), &a))
		fail_msg("\"%s\" is an address", text);
	return a;
}

static struct access_rule rule(const char *text, unsigned line)
{
	struct access_rule r = { .file = CONF, .line = line };

	if (prefix_parse(str_of(text), &r.prefix) != PREFIX_OK)
		fail_msg("\"%s\" is a prefix", text);
	return r;
}

static struct mailbox mailbox(enum mailbox_kind kind, const char *local, const char *domain, bool routed)
{
	struct mailbox m = { .kind = kind, .routed = routed, .nlocal = strlen(local), .ndomain = strlen(domain) };

	memcpy(m.local, local, m.nlocal);
	memcpy(m.domain, domain, m.ndomain);
	return m;
}

/* The gate of the rows below. Lines are those that a decision must name. */
static const struct domain_rule domains[] = {
	{ STR(".sub.example.org"), CONF, 11 },
	{ STR("[192.0.2.10]"), CONF, 12 },
	{ STR("example.org"), CONF, 10 },
};
static struct access_rule refused[2], granted[3];
static struct mailbox traps[2];
static struct relay_rules gate = {
	.connect = { ACCESS_EXCEPT, refused, NROWS(refused), CONF, 20 },
	.relay = { ACCESS_ONLY, granted, NROWS(granted), CONF, 30 },
	.authenticated_may_relay = true,
	.domain = domains,
	.ndomains = NROWS(domains),
	.trap = traps,
	.ntraps = NROWS(traps),
};

static int make_gate(void **state)
{
	(void)state;
	refused[0] = rule("203.0.113.0/24", 21);
	refused[1] = rule("2001:db8:bad::/48", 22);
	granted[0] = rule("10.0.0.0/8", 31);
	granted[1] = rule("2001:db8:1::/64", 32);
	granted[2] = rule("203.0.113.5", 33); /* granted relay, but not let in: both must hold */
	traps[0] = mailbox(MAILBOX_DOMAIN, "trap", "example.org", false);
	traps[1] = mailbox(MAILBOX_DOMAIN, "trap", "foreign.example", false); /* not ours: never looked at */
	return 0;
}

static void decides_row_by_row(void **state)
{
	static const struct {
		const char *client;
		bool auth;
		enum mailbox_kind kind;
		const char *local, *domain;
		bool routed;
		enum relay_result result;
		unsigned line;
	} rows[] = {
		/* ours: no grant needed */
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "user", "example.org", 0, RELAY_OWN, 10 },
		{ "10.1.2.3", 1, MAILBOX_DOMAIN, "user", "example.org", 0, RELAY_OWN, 10 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "a.sub.example.org", 0, RELAY_OWN, 11 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "a.b.sub.example.org", 0, RELAY_OWN, 11 },
		{ "198.51.100.7", 0, MAILBOX_LITERAL, "u", "[192.0.2.10]", 0, RELAY_OWN, 12 },
		{ "198.51.100.7", 0, MAILBOX_POSTMASTER, "postmaster", "", 0, RELAY_OWN, 0 },
		/* near misses are foreign */
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "sub.example.org", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "asub.example.org", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "notexample.org", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "example.org.foreign.example", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "example.or", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_LITERAL, "u", "[192.0.2.1]", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_LITERAL, "u", "[x.sub.example.org", 0, RELAY_DENIED, 30 },
		/* grants */
		{ "10.1.2.3", 0, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_BY_ADDRESS, 31 },
		{ "10.1.2.3", 1, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_BY_ADDRESS, 31 },
		{ "2001:db8:1::9", 0, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_BY_ADDRESS, 32 },
		{ "2001:db8:1:1::9", 0, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_DENIED, 30 },
		{ "198.51.100.7", 1, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_BY_AUTH, 30 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_DENIED, 30 },
		/* routing in the local part: refused at home whoever asks, the other domain's business elsewhere */
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u%foreign.example", "example.org", 1, RELAY_ROUTED, 10 },
		{ "10.1.2.3", 1, MAILBOX_DOMAIN, "u%foreign.example", "example.org", 1, RELAY_ROUTED, 10 },
		{ "10.1.2.3", 0, MAILBOX_DOMAIN, "u%x", "foreign.example", 1, RELAY_BY_ADDRESS, 31 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "u%x", "foreign.example", 1, RELAY_DENIED, 30 },
		{ "198.51.100.7", 0, MAILBOX_LITERAL, "u@x", "[192.0.2.10]", 1, RELAY_ROUTED, 12 },
		/* traps: our domain only, any case, whoever asks */
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "trap", "example.org", 0, RELAY_TRAP, 10 },
		{ "10.1.2.3", 1, MAILBOX_DOMAIN, "TraP", "example.org", 0, RELAY_TRAP, 10 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "trap", "a.sub.example.org", 0, RELAY_OWN, 11 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "trap2", "example.org", 0, RELAY_OWN, 10 },
		{ "198.51.100.7", 0, MAILBOX_DOMAIN, "trap", "foreign.example", 0, RELAY_DENIED, 30 },
		/* connection control comes first, for everything */
		{ "203.0.113.5", 0, MAILBOX_DOMAIN, "user", "example.org", 0, RELAY_NO_ACCESS, 21 },
		{ "203.0.113.5", 1, MAILBOX_DOMAIN, "u", "foreign.example", 0, RELAY_NO_ACCESS, 21 },
		{ "203.0.113.9", 0, MAILBOX_POSTMASTER, "postmaster", "", 0, RELAY_NO_ACCESS, 21 },
		{ "2001:db8:bad::1", 0, MAILBOX_DOMAIN, "trap", "example.org", 0, RELAY_NO_ACCESS, 22 },
		/* the null path is no recipient, not even with a grant */
		{ "10.1.2.3", 1, MAILBOX_NULL, "", "", 0, RELAY_DENIED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct relay_client c = { addr(rows[i].client), rows[i].auth };
		struct mailbox m = mailbox(rows[i].kind, rows[i].local, rows[i].domain, rows[i].routed);
		struct relay_decision d = relay_decide(&gate, &c, &m);

		if (d.result != rows[i].result || d.line != rows[i].line)
			fail_msg("row %zu, %s to <%s@%s>: %s, line %u", i, rows[i].client, rows[i].local, rows[i].domain,
				 relay_result_text(d.result), d.line);
		assert_int_equal(d.file != NULL, rows[i].line != 0);
	}
}

/* Whoever sends, and ours or not; it is asked only where there is such a list. */
static void no_mail_comes_first(void **state)
{
	static const struct domain_rule mute[] = { { STR(".mute.example"), "conf", 50 }, { STR("example.org"), "conf", 51 } };
	struct relay_rules r = gate;
	struct relay_client c = { addr("10.1.2.3"), true };
	static const struct {
		const char *domain;
		enum relay_result result;
		unsigned line, steps;
	} rows[] = {
		{ "example.org", RELAY_NO_MAIL, 51, 2 },
		{ "a.mute.example", RELAY_NO_MAIL, 50, 2 },
		{ "mute.example", RELAY_BY_ADDRESS, 31, 4 },
		{ "a.sub.example.org", RELAY_OWN, 11, 5 },
	};

	(void)state;
	r.no_mail = mute;
	r.nno_mail = NROWS(mute);
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct mailbox m = mailbox(MAILBOX_DOMAIN, "u", rows[i].domain, false);
		struct relay_trace t;
		struct relay_decision d = relay_explain(&r, &c, &m, &t);

		if (d.result != rows[i].result || d.line != rows[i].line || t.n != rows[i].steps)
			fail_msg("%s: %s, line %u, %u steps", rows[i].domain, relay_result_text(d.result), d.line, t.n);
	}
	assert_false(relay_allows(RELAY_NO_MAIL));
}

/* An empty list never means everyone by accident. */
static void empty_lists(void **state)
{
	static const struct {
		enum access_mode connect, relay;
		bool auth_grants, authenticated;
		enum relay_result foreign;
	} rows[] = {
		{ ACCESS_ONLY, ACCESS_ONLY, true, true, RELAY_NO_ACCESS },
		{ ACCESS_ONLY, ACCESS_EXCEPT, true, true, RELAY_NO_ACCESS },
		{ ACCESS_EXCEPT, ACCESS_ONLY, false, false, RELAY_DENIED },
		{ ACCESS_EXCEPT, ACCESS_ONLY, false, true, RELAY_DENIED },
		{ ACCESS_EXCEPT, ACCESS_ONLY, true, false, RELAY_DENIED },
		{ ACCESS_EXCEPT, ACCESS_ONLY, true, true, RELAY_BY_AUTH },
		{ ACCESS_EXCEPT, ACCESS_EXCEPT, false, false, RELAY_BY_ADDRESS },
	};
	struct mailbox m = mailbox(MAILBOX_DOMAIN, "u", "foreign.example", false);

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct relay_rules r = {
			.connect = { .mode = rows[i].connect, .file = CONF, .line = 1 },
			.relay = { .mode = rows[i].relay, .file = CONF, .line = 2 },
			.authenticated_may_relay = rows[i].auth_grants,
		};
		struct relay_client c = { addr("198.51.100.7"), rows[i].authenticated };
		struct relay_decision d = relay_decide(&r, &c, &m);

		assert_int_equal(d.result, rows[i].foreign);
		assert_int_equal(d.line, d.result == RELAY_NO_ACCESS ? 1 : 2);
	}
	/* A struct that nobody filled in grants nothing: only and empty are zero. */
	assert_int_equal(relay_decide(&(struct relay_rules){ 0 }, &(struct relay_client){ 0 }, &m).result, RELAY_NO_ACCESS);
}

static bool in_naive(const struct access_list *l, const struct pst_addr *a)
{
	for (size_t i = 0; i < l->nrules; i++) {
		unsigned bit = 0;

		while (bit < l->rule[i].prefix.len &&
		       !((l->rule[i].prefix.addr.b[bit / 8] ^ a->b[bit / 8]) & 0x80 >> bit % 8))
			bit++;
		if (bit == l->rule[i].prefix.len)
			return true;
	}
	return false;
}

static bool lets_in_naive(const struct access_list *l, const struct pst_addr *a)
{
	return l->mode == ACCESS_ONLY ? in_naive(l, a) : !in_naive(l, a);
}

static size_t random_rules(struct access_rule *r, size_t max, const struct pst_addr *near)
{
	size_t n = rnd_below((unsigned)max + 1);

	for (size_t i = 0; i < n; i++) {
		struct pst_addr a = rnd_below(2) ? *near : rnd_below(2) ? rnd_addr4() : rnd_addr6();

		if (rnd_below(2))
			a.b[15 - rnd_below(4)] ^= (__u8)(1 << rnd_below(8));
		r[i] = (struct access_rule){ prefix_of(&a, addr_is4(&a) ? 96 + rnd_below(33) : 1 + rnd_below(128)), CONF, (unsigned)i + 1 };
	}
	return n;
}

/* The two conditions against their plain words, on random clients and rules. */
static void both_conditions_hold(void **state)
{
	unsigned seen[RELAY_NO_ACCESS + 1] = { 0 };
	struct mailbox foreign = mailbox(MAILBOX_DOMAIN, "u", "foreign.example", false);

	(void)state;
	for (int round = 0; round < 300000; round++) {
		struct access_rule crule[4], rrule[4];
		struct relay_client c = { rnd_below(2) ? rnd_addr4() : rnd_addr6(), rnd_below(2) };
		struct relay_rules r = gate;
		struct relay_decision d;
		bool access, relay;

		r.connect = (struct access_list){ rnd_below(2), crule, random_rules(crule, 4, &c.addr), CONF, 100 };
		r.relay = (struct access_list){ rnd_below(2), rrule, random_rules(rrule, 4, &c.addr), CONF, 200 };
		r.authenticated_may_relay = rnd_below(2);
		access = lets_in_naive(&r.connect, &c.addr);
		relay = lets_in_naive(&r.relay, &c.addr);
		d = relay_decide(&r, &c, &foreign);
		seen[d.result]++;

		assert_int_equal(d.result == RELAY_NO_ACCESS, !access);
		assert_int_equal(d.result == RELAY_BY_ADDRESS, access && relay);
		assert_int_equal(d.result == RELAY_BY_AUTH, access && !relay && c.authenticated && r.authenticated_may_relay);
		assert_int_equal(relay_allows(d.result), access && (relay || (c.authenticated && r.authenticated_may_relay)));
		if (d.line < 100) /* a rule was named: it must cover the client */
			assert_true(prefix_covers(&(d.result == RELAY_NO_ACCESS ? crule : rrule)[d.line - 1].prefix, &c.addr));
		else
			assert_int_equal(d.line, access ? 200 : 100);
	}
	assert_true(seen[RELAY_NO_ACCESS] > 1000 && seen[RELAY_BY_ADDRESS] > 1000);
	assert_true(seen[RELAY_BY_AUTH] > 1000 && seen[RELAY_DENIED] > 1000);
}

/* --- everything together, against a plain oracle ------------------------------ */

static const char *const client_names[] = { "", "a.example", "b.a.example", "c.b.a.example", "xa.example", "example" };
static const char *const name_rules[] = { "a.example", ".a.example", ".example", "b.a.example", "example", "a.b.a.example" };
static const char *const mail_domains[] = { "d.test", "e.d.test", "f.e.d.test", "xd.test", "test", "[192.0.2.1]" };
static const char *const domain_rules[] = { "d.test", ".d.test", ".e.d.test", "e.d.test", ".test", "xd.test", "[192.0.2.1]" };

struct world {
	struct access_rule rule[4][4]; /* connect, relay, two routes */
	struct domain_rule domain[3][3]; /* ours, two routes */
	struct domain_rule mute[1];
	struct relay_route route[3];
	struct relay_rules rules;
};

static int by_name(const void *a, const void *b)
{
	return domain_order(((const struct domain_rule *)a)->name, ((const struct domain_rule *)b)->name);
}

static size_t random_domains(struct domain_rule *d, size_t max)
{
	size_t n = rnd_below((unsigned)max + 1);

	for (size_t i = 0; i < n; i++)
		d[i] = (struct domain_rule){ str_of(domain_rules[rnd_below(NROWS(domain_rules))]), CONF, 1 };
	qsort(d, n, sizeof(*d), by_name);
	return n;
}

static struct access_list random_list(struct access_rule *r, enum access_mode mode, const struct pst_addr *near)
{
	struct access_list l = { mode, r, random_rules(r, 2, near), CONF, 100 };

	while (l.nrules < 4 && rnd_below(3)) {
		r[l.nrules++] = (struct access_rule){ .file = CONF, .line = 50, .name = str_of(name_rules[rnd_below(NROWS(name_rules))]) };
		l.named = true;
	}
	if (rnd_below(2)) { /* as a configuration is read; else as it comes */
		qsort(r, l.nrules, sizeof(*r), access_order);
		l.nrules = access_prune(r, l.nrules, &l.nsorted);
	}
	return l;
}

static void make_world(struct world *w, const struct pst_addr *near)
{
	memset(w, 0, sizeof(*w));
	w->rules.connect = random_list(w->rule[0], rnd_below(4) ? ACCESS_EXCEPT : ACCESS_ONLY, near);
	w->rules.relay = random_list(w->rule[1], rnd_below(2), near);
	w->rules.authenticated_may_relay = rnd_below(2);
	w->rules.domain = w->domain[0];
	w->rules.ndomains = random_domains(w->domain[0], 2);
	w->rules.no_mail = w->mute;
	w->rules.nno_mail = rnd_below(3) ? 0 : random_domains(w->mute, 1);
	w->rules.route = w->route;
	w->rules.nroutes = rnd_below(4);
	for (unsigned i = 1; i < w->rules.nroutes; i++)
		w->route[i] = (struct relay_route){ .domain = w->domain[i], .ndomains = random_domains(w->domain[i], 3),
						    .entries = random_list(w->rule[1 + i], ACCESS_ONLY, near), .open = !rnd_below(3) };
}

static bool below(const char *rule, const char *name)
{
	size_t r = strlen(rule), n = strlen(name);

	return rule[0] == '.' ? n > r && !strcmp(name + n - r, rule) : !strcmp(rule, name);
}

/* 1 = in the list, 0 = not, -1 = its name would tell */
static int listed_naive(const struct access_list *l, const struct relay_client *c, const char *name, bool may_have_one)
{
	for (size_t i = 0; i < l->nrules; i++) {
		struct access_list one = { .rule = &l->rule[i], .nrules = 1 };

		if (l->rule[i].name.n ? below(l->rule[i].name.p, name) : in_naive(&one, &c->addr))
			return 1;
	}
	return l->named && may_have_one ? -1 : 0;
}

static bool has_domain_naive(const struct domain_rule *d, size_t n, const char *domain, size_t *closest)
{
	bool has = false;

	for (size_t i = 0; i < n; i++)
		if (d[i].name.p[0] != '.' || domain[0] != '[')
			if (below(d[i].name.p, domain)) {
				size_t close = d[i].name.p[0] == '.' ? d[i].name.n : 1000;

				*closest = close > *closest ? close : *closest;
				has = true;
			}
	return has;
}

static unsigned route_naive(const struct relay_rules *r, const char *domain)
{
	size_t best = 0, length = 0;

	for (size_t i = 1; i < r->nroutes; i++) {
		size_t close = 0;

		if (has_domain_naive(r->route[i].domain, r->route[i].ndomains, domain, &close) && close > length) {
			length = close;
			best = i;
		}
	}
	return (unsigned)best;
}

/* The order of relay.h in plain words. */
static enum relay_result decide_naive(const struct relay_rules *r, const struct relay_client *c, const char *name, const char *domain, bool routed)
{
	bool maybe = c->naming || c->unsure;
	int connect = listed_naive(&r->connect, c, name, c->naming), relay = listed_naive(&r->relay, c, name, maybe), entry = 0;
	unsigned route = route_naive(r, domain);
	size_t closest = 0;
	bool awaits = false;

	if (connect < 0)
		return RELAY_AWAITS_NAME;
	if (connect != (r->connect.mode == ACCESS_ONLY))
		return RELAY_NO_ACCESS;
	if (has_domain_naive(r->no_mail, r->nno_mail, domain, &closest))
		return RELAY_NO_MAIL;
	if (has_domain_naive(r->domain, r->ndomains, domain, &closest))
		return routed ? RELAY_ROUTED : RELAY_OWN;
	if (route) {
		entry = r->route[route].open ? 1 : listed_naive(&r->route[route].entries, c, name, maybe);
		if (entry == 1 && !routed)
			return RELAY_BY_ROUTE;
		awaits = entry < 0 && !routed;
	}
	if (relay >= 0) {
		bool nameless = r->relay.named && !*name;

		if (r->relay.mode == ACCESS_ONLY ? relay == 1 : relay == 0 && !nameless)
			return RELAY_BY_ADDRESS;
	}
	if (c->authenticated && r->authenticated_may_relay)
		return RELAY_BY_AUTH;
	if (relay < 0 || awaits)
		return RELAY_AWAITS_NAME;
	return route && routed && entry ? RELAY_ROUTED : RELAY_DENIED;
}

/* Many networks, half of them within others: sorted and pruned they hold the same addresses. */
static void many_networks(void **state)
{
	static struct access_rule plain[4000], sorted[4000];
	struct access_list a = { ACCESS_ONLY, plain, NROWS(plain), CONF, 1 }, b = { ACCESS_ONLY, sorted, NROWS(sorted), CONF, 1 };
	unsigned in = 0;

	(void)state;
	for (size_t i = 0; i < NROWS(plain); i++) {
		struct pst_addr at = i && rnd_below(2) ? plain[rnd_below((unsigned)i)].prefix.addr : rnd_below(4) ? rnd_addr4() : rnd_addr6();

		plain[i] = (struct access_rule){ .prefix = prefix_of(&at, addr_is4(&at) ? 96 + 12 + rnd_below(21) : 20 + rnd_below(109)), .file = CONF };
	}
	memcpy(sorted, plain, sizeof(sorted));
	qsort(sorted, b.nrules, sizeof(*sorted), access_order);
	b.nrules = access_prune(sorted, b.nrules, &b.nsorted);
	assert_int_equal(b.nrules, b.nsorted);
	assert_true(b.nrules < NROWS(plain) * 3 / 4);
	for (int round = 0; round < 20000; round++) {
		struct pst_addr at = rnd_below(2) ? plain[rnd_below(NROWS(plain))].prefix.addr : rnd_below(2) ? rnd_addr4() : rnd_addr6();
		struct relay_rules ra = { .connect = a }, rb = { .connect = b };
		struct relay_client c = { .addr = at };

		c.addr.b[15] ^= (__u8)rnd_below(4);
		in += relay_admits(&ra, &c, NULL) == ACCESS_GRANTED;
		assert_int_equal(relay_admits(&ra, &c, NULL), relay_admits(&rb, &c, NULL));
	}
	assert_true(in > 5000 && in < 19000);
}

/* What was asked last decided, and nothing that granted was asked before it in vain. */
static void check_trace(const struct relay_trace *t, const struct relay_decision *d)
{
	assert_true(t->n > 0);
	assert_int_equal(t->step[0].step, RELAY_STEP_CONNECT);
	for (unsigned i = 1; i < t->n; i++)
		assert_true(t->step[i].step != t->step[i - 1].step);
	if (d->result == RELAY_OWN || d->result == RELAY_BY_ROUTE)
		assert_int_equal(t->step[t->n - 1].answer, t->step[t->n - 1].step == RELAY_STEP_OWN);
	else if (relay_allows(d->result))
		assert_true(t->step[t->n - 1].answer);
	else if (d->result == RELAY_NO_ACCESS)
		assert_int_equal(t->n, 1);
}

static void decides_as_the_oracle(void **state)
{
	unsigned seen[RELAY_AWAITS_NAME + 1] = { 0 };
	struct world w;

	(void)state;
	for (int round = 0; round < 1000000; round++) {
		const char *name = client_names[rnd_below(NROWS(client_names))], *domain = mail_domains[rnd_below(NROWS(mail_domains))];
		struct relay_client c = { rnd_below(2) ? rnd_addr4() : rnd_addr6(), !rnd_below(3), !*name && rnd_below(2), !*name && rnd_below(2), str_of(name) };
		bool routed = !rnd_below(4);
		struct mailbox m = mailbox(domain[0] == '[' ? MAILBOX_LITERAL : MAILBOX_DOMAIN, routed ? "u%x" : "u", domain, routed);
		struct relay_decision d;
		struct relay_trace t;

		make_world(&w, &c.addr);
		d = relay_explain(&w.rules, &c, &m, &t);
		seen[d.result]++;
		assert_int_equal(d.result, decide_naive(&w.rules, &c, name, domain, routed));
		assert_int_equal(d.route, route_naive(&w.rules, domain));
		check_trace(&t, &d);
	}
	for (unsigned r = 0; r < NROWS(seen); r++)
		assert_true(r == RELAY_TRAP || seen[r] > 1000);
}

static void every_result_has_words(void **state)
{
	(void)state;
	assert_int_equal(!strncmp(relay_result_text(RELAY_AWAITS_NAME), "undecided: ", 11), true);
	assert_false(relay_allows(RELAY_AWAITS_NAME));
	for (unsigned r = RELAY_OWN; r < RELAY_AWAITS_NAME; r++) {
		bool ok = relay_allows(r);

		assert_int_equal(!strncmp(relay_result_text(r), "accepted: ", 10), ok);
		assert_int_equal(!strncmp(relay_result_text(r), "refused: ", 9), !ok);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_row_by_row),
		cmocka_unit_test(no_mail_comes_first),
		cmocka_unit_test(empty_lists),
		cmocka_unit_test(both_conditions_hold),
		cmocka_unit_test(many_networks),
		cmocka_unit_test(decides_as_the_oracle),
		cmocka_unit_test(every_result_has_words),
	};

	return cmocka_run_group_tests_name("relay", tests, make_gate, NULL);
}
