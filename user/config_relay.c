/* SPDX-License-Identifier: BSD-2-Clause */
/* config_relay.c: what relay control needs besides its settings: domains in order, routes with their backends. */
#include <stdlib.h>

#include "user/config_int.h"

#define DEFAULT_ROUTE "default"

static int by_name(const void *a, const void *b)
{
	return domain_order(((const struct domain_rule *)a)->name, ((const struct domain_rule *)b)->name);
}

static void sort_domains(const struct domain_rule *rule, size_t n)
{
	if (n)
		qsort((void *)rule, n, sizeof(*rule), by_name);
}

/* --- backends of routes -------------------------------------------------------- */

static unsigned backend_named(const struct conf *c, const char *name)
{
	unsigned i = 0;

	while (i < c->nbackends && strcmp(c->backend[i].name, name))
		i++;
	return i;
}

static void add_backend(struct config_reader *r, const struct conf *c, struct conf_route *route, const char *name)
{
	unsigned at = backend_named(c, name);
	char shown[128];

	str_escape(str_of(name), shown, sizeof(shown));
	if (at == c->nbackends) {
		config_err(r, r->path, route->line, "route \"%s\": there is no backend \"%s\"; name one that has a section", route->name, shown);
		return;
	}
	for (size_t i = 0; i < route->nbackends; i++)
		if (route->backend[i] == at)
			config_err(r, r->path, route->line, "route \"%s\": backend \"%s\" is named twice; name it once", route->name, shown);
	route->backend[route->nbackends++] = at;
}

static void own_backends(struct config_reader *r, const struct conf *c, struct conf_route *route)
{
	route->backend = config_alloc(r, (route->nnamed + 1) * sizeof(*route->backend));
	for (size_t i = 0; route->backend && i < route->nnamed; i++)
		add_backend(r, c, route, route->named[i]);
}

static bool is_taken(const struct conf *c, unsigned backend)
{
	for (size_t i = 1; i < c->nroutes; i++)
		for (size_t j = 0; j < c->route[i].nbackends; j++)
			if (c->route[i].backend[j] == backend)
				return true;
	return false;
}

static void default_backends(struct config_reader *r, struct conf *c)
{
	struct conf_route *route = &c->route[0];

	route->backend = config_alloc(r, (c->nbackends + 1) * sizeof(*route->backend));
	for (unsigned i = 0; route->backend && i < c->nbackends; i++)
		if (!is_taken(c, i))
			route->backend[route->nbackends++] = i;
	if (c->nbackends && !route->nbackends && route->backend)
		config_err(r, r->path, c->route[c->nroutes - 1].line,
			   "every backend belongs to a route: recipients of other domains have none; leave one out of the routes");
}

/* --- routes --------------------------------------------------------------------- */

static void check_twice(struct config_reader *r, const struct relay_route *a, const struct relay_route *b)
{
	for (size_t i = 0, j = 0; i < a->ndomains && j < b->ndomains;) {
		int order = domain_order(a->domain[i].name, b->domain[j].name);

		if (!order)
			config_err(r, b->domain[j].file, b->domain[j].line, "route \"%s\": \"" STR_FMT "\" is in route \"%s\" as well (%s:%u); a domain has one route",
				   b->name, STR_ARG(b->domain[j].name), a->name, a->domain[i].file, a->domain[i].line);
		i += order <= 0;
		j += order >= 0;
	}
}

/* A way for messages that sender lists divert needs no domains. */
static bool is_diversion(const struct conf *c, const char *route)
{
	for (size_t i = 0; i < c->senders.nlists; i++)
		if (c->senders.list[i].route_name && !strcmp(c->senders.list[i].route_name, route))
			return true;
	return false;
}

static void check_route(struct config_reader *r, const struct conf *c, size_t i)
{
	const struct conf_route *route = &c->route[i];

	if (!route->rules.ndomains && !is_diversion(c, route->name))
		config_err(r, r->path, route->line, "route \"%s\": no domains; set domains = { \"example.org\" }", route->name);
	if (route->rules.session_size && route->rules.session_size < route->rules.message_size)
		config_err(r, r->path, route->line, "route \"%s\": session_size is less than message_size; a session must have room for one message", route->name);
	if (!strcmp(route->name, DEFAULT_ROUTE))
		config_err(r, r->path, route->line, "route \"%s\": that is the name of the way that all other domains go; choose another", route->name);
	for (size_t j = 1; j < i; j++)
		check_twice(r, &c->route[j].rules, &route->rules);
}

static void name_rules(struct conf *c, struct conf_route *route)
{
	struct relay_route *rules = &route->rules;

	rules->name = route->name;
	rules->file = rules->entries.file = conf_file(c, route->line);
	rules->line = rules->entries.line = conf_line(route->line);
	sort_domains(rules->domain, rules->ndomains);
}

static void take_routes(struct config_reader *r, struct conf *c, const struct conf_route *titled, size_t n)
{
	c->route = config_alloc(r, (n + 1) * sizeof(*c->route));
	if (!c->route || !titled)
		return;
	c->nroutes = n + 1;
	c->route[0].name = DEFAULT_ROUTE;
	c->route[0].line = r->last_line;
	memcpy(c->route + 1, titled, n * sizeof(*titled));
	for (size_t i = 0; i <= n; i++) {
		name_rules(c, &c->route[i]);
		own_backends(r, c, &c->route[i]);
	}
	default_backends(r, c);
	for (size_t i = 1; i <= n; i++) {
		check_route(r, c, i);
		if (!c->route[i].nnamed) {
			c->route[i].backend = c->route[0].backend;
			c->route[i].nbackends = c->route[0].nbackends;
		}
	}
}

static unsigned route_named(const struct conf *c, const char *name)
{
	unsigned i = 1;

	while (i < c->nroutes && strcmp(c->route[i].name, name))
		i++;
	return i;
}

static void divert(struct config_reader *r, const struct conf *c, struct sender_list *l)
{
	char shown[128] = "";

	if (l->route_name)
		str_escape(str_of(l->route_name), shown, sizeof(shown));
	if (l->action != SENDER_DIVERT && l->route_name)
		config_err(r, r->path, l->line, "sender \"%s\": route is for action = divert; set that, or leave route out", l->name);
	if (l->action != SENDER_DIVERT)
		return;
	l->route = l->route_name ? route_named(c, l->route_name) : (unsigned)c->nroutes;
	if (!l->route_name)
		config_err(r, r->path, l->line, "sender \"%s\": action = divert where to? set route to the name of a route", l->name);
	else if (l->route >= c->nroutes)
		config_err(r, r->path, l->line, "sender \"%s\": there is no route \"%s\"; name one that has a section", l->name, shown);
}

/* For the core, which knows of no backends. */
static void copy_rules(struct config_reader *r, struct conf *c)
{
	struct relay_route *v = config_alloc(r, (c->nroutes + 1) * sizeof(*v));

	for (size_t i = 0; v && i < c->nroutes; i++)
		v[i] = c->route[i].rules;
	c->relay.route = v;
	c->relay.nroutes = v ? c->nroutes : 0;
}

static bool order_list(struct access_list *l)
{
	struct access_rule *rule = (struct access_rule *)l->rule;

	if (!l->nrules)
		return false;
	qsort(rule, l->nrules, sizeof(*rule), access_order);
	l->nrules = access_prune(rule, l->nrules, &l->nsorted);
	l->named = l->nrules > l->nsorted;
	return l->named;
}

static int by_recipient(const void *a, const void *b)
{
	return recipient_order(((const struct recipient_rule *)a)->key, ((const struct recipient_rule *)b)->key);
}

static int by_account(const void *a, const void *b)
{
	return account_order(a, b);
}

static void sort_people(struct conf *c)
{
	if (c->relay.recipients.nrules)
		qsort((void *)c->relay.recipients.rule, c->relay.recipients.nrules, sizeof(*c->relay.recipients.rule), by_recipient);
	if (c->accounts.nowners)
		qsort((void *)c->accounts.owner, c->accounts.nowners, sizeof(*c->accounts.owner), by_account);
}

void config_relay(struct config_reader *r, struct conf *c, struct conf_route *titled, size_t n)
{
	sort_domains(c->relay.domain, c->relay.ndomains);
	sort_domains(c->relay.no_mail, c->relay.nno_mail);
	sort_domains(c->relay.trap_domain, c->relay.ntrap_domains);
	sort_people(c);
	c->relay.named = order_list(&c->relay.connect);
	c->relay.named |= order_list(&c->relay.relay);
	for (size_t i = 0; titled && i < n; i++)
		c->relay.named |= order_list(&titled[i].rules.entries);
	take_routes(r, c, titled, n);
	for (size_t i = 0; i < c->senders.nlists; i++)
		divert(r, c, (struct sender_list *)&c->senders.list[i]);
	copy_rules(r, c);
}
