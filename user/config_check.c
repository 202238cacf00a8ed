/* SPDX-License-Identifier: BSD-2-Clause */
/* config_check.c: what only the whole configuration and the machine can tell: overlaps, loops, users, files. */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "user/config_int.h"
#include "user/core/addr.h"
#include "user/listfile.h"
#include "user/tls.h"
#include "user/tls_client.h"

#define DEAD_MAN_MIN_S 5u

static bool addr_is_any(const struct pst_addr *a, bool *v4)
{
	static const struct pst_addr any6, any4 = { { [10] = 0xff, [11] = 0xff } };

	*v4 = !memcmp(a, &any4, sizeof(*a));
	return *v4 || !memcmp(a, &any6, sizeof(*a));
}

/* Does a socket bound to a also take what is meant for b? :: takes both families. */
static bool addr_covers(const struct pst_addr *a, const struct pst_addr *b)
{
	bool v4;

	if (!memcmp(a, b, sizeof(*a)))
		return true;
	return addr_is_any(a, &v4) && (!v4 || addr_is4(b));
}

static void check_overlap(struct config_reader *r, const struct conf_listener *a, const struct conf_listener *b)
{
	char text[ADDR_TEXT_MAX], place[CONFIG_PLACE_MAX];

	if (!a->port || a->port != b->port || !(addr_covers(&a->addr, &b->addr) || addr_covers(&b->addr, &a->addr)))
		return;
	config_err(r, r->path, b->line, "listener \"%s\" overlaps with listener \"%s\" of %s (%s port %u); give one another address or port",
		   b->name, a->name, config_place(r, a->line, place), addr_text(&a->addr, text), a->port);
}

/* Else loading it might wait for a writer. */
static bool is_file(const char *path, char *why, size_t size)
{
	const char *flaw;
	FILE *f = config_open(path, &flaw);

	if (!f) {
		snprintf(why, size, "%s: %s", path, flaw);
		return false;
	}
	fclose(f);
	return true;
}

/* what: `listener "mx"`. chain and key are both there. */
static void check_pair(struct config_reader *r, const char *what, const char *name, const char *chain, const char *key, unsigned line)
{
	char why[256];
	void *ctx = NULL;

	if (!is_file(chain, why, sizeof(why)) || !is_file(key, why, sizeof(why)) || tls_load(chain, key, &ctx, why, sizeof(why)))
		config_err(r, r->path, line, "%s \"%s\": %s; name a readable PEM certificate chain and its key", what, name, why);
	else
		tls_free(ctx);
}

static void check_certificates(struct config_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->ncertificates; i++) {
		const struct conf_certificate *cert = &c->certificate[i];

		if (!cert->chain || !cert->key)
			config_err(r, r->path, cert->line, "certificate \"%s\": %s is missing; a certificate and its key go together", cert->name,
				   cert->chain ? "key" : "chain");
		else
			check_pair(r, "certificate", cert->name, cert->chain, cert->key, cert->line);
	}
}

static void check_tls(struct config_reader *r, const struct conf_listener *l)
{
	if (l->sess.tls_implicit && l->sess.tls == SESS_OFF)
		config_err(r, r->path, l->line, "listener \"%s\": tls_implicit without tls; set tls = require", l->name);
	if (!l->tls_certificate && !l->tls_key) {
		if (l->sess.tls != SESS_OFF)
			config_err(r, r->path, l->line, "listener \"%s\": tls needs tls_certificate and tls_key; set both, or tls = off", l->name);
		return;
	}
	if (!l->tls_certificate || !l->tls_key) {
		config_err(r, r->path, l->line, "listener \"%s\": %s is missing; a certificate and its key go together", l->name,
			   l->tls_key ? "tls_certificate" : "tls_key");
		return;
	}
	check_pair(r, "listener", l->name, l->tls_certificate, l->tls_key, l->line);
}

/* Behind a PROXY header come the client's own words: XCLIENT among them would be the client's. */
static void check_announced(struct config_reader *r, const struct conf *c, const struct conf_listener *l)
{
	if ((l->proxy || l->xclient) && !c->nbalancers)
		config_err(r, r->path, l->line, "listener \"%s\": %s = yes, but no balancer is believed; set balancers = { \"192.0.2.1\" }", l->name,
			   l->proxy ? "proxy" : "xclient");
	if (l->proxy && l->xclient)
		config_err(r, r->path, l->line, "listener \"%s\": proxy and xclient: a client behind a PROXY header could name itself; choose one",
			   l->name);
}

static void check_listeners(struct config_reader *r, const struct conf *c)
{
	if (!c->nlisteners)
		config_err(r, r->path, r->last_line, "no listener; add one: listener \"mx\" { address = \"::\" port = 25 }");
	for (size_t i = 0; i < c->nlisteners; i++) {
		const struct conf_listener *l = &c->listener[i];

		for (size_t j = 0; j < i; j++)
			check_overlap(r, &c->listener[j], l);
		check_tls(r, l);
		check_announced(r, c, l);
		if (l->sess.session_max && (!l->sess.body.size || l->sess.session_max < l->sess.body.size))
			config_err(r, r->path, l->line, "listener \"%s\": session_size is less than message_size; a session must have room for one message",
				   l->name);
		if (l->sess.auth != SESS_OFF && l->sess.tls == SESS_OFF && !l->sess.auth_cleartext)
			config_err(r, r->path, l->line,
				   "listener \"%s\": auth would never be offered: there is no TLS; set tls = offer, or auth_cleartext = yes",
				   l->name);
	}
}

static bool addr_is_own(const struct pst_addr *a, const struct ifaddrs *own)
{
	for (; own; own = own->ifa_next) {
		struct pst_addr b = { { [10] = 0xff, [11] = 0xff } };

		if (!own->ifa_addr)
			continue;
		if (own->ifa_addr->sa_family == AF_INET)
			memcpy(&b.b[12], &((struct sockaddr_in *)own->ifa_addr)->sin_addr, 4);
		else if (own->ifa_addr->sa_family == AF_INET6)
			memcpy(&b, &((struct sockaddr_in6 *)own->ifa_addr)->sin6_addr, 16);
		else
			continue;
		if (!memcmp(a, &b, sizeof(b)))
			return true;
	}
	return false;
}

static bool addr_is_loopback(const struct pst_addr *a)
{
	static const struct pst_addr one6 = { { [15] = 1 } };

	return (addr_is4(a) && a->b[12] == 127) || !memcmp(a, &one6, sizeof(*a));
}

/* Would connecting to the backend reach the listener itself? Port 0: the setting was wrong, and that was said. */
static bool is_loop(const struct conf_backend *b, const struct conf_listener *l, const struct ifaddrs *own)
{
	if (!b->port || b->port != l->port || !addr_covers(&l->addr, &b->addr))
		return false;
	return !memcmp(&l->addr, &b->addr, sizeof(b->addr)) || addr_is_loopback(&b->addr) || addr_is_own(&b->addr, own);
}

static void check_backend_tls(struct config_reader *r, const struct conf_backend *b)
{
	char why[256];
	void *ctx;

	if (b->tls == BACKEND_TLS_OFF && b->tls_implicit)
		config_err(r, r->path, b->line, "backend \"%s\": tls_implicit without TLS; set tls = require or verify", b->name);
	if (b->tls != BACKEND_TLS_VERIFY && b->tls_ca)
		config_err(r, r->path, b->line, "backend \"%s\": tls_ca is read for tls = verify only; set that, or leave it out", b->name);
	if (b->tls == BACKEND_TLS_OFF)
		return;
	if (tls_client_load(b->tls_ca, b->tls == BACKEND_TLS_VERIFY, &ctx, why, sizeof(why)))
		config_err(r, r->path, b->line, "backend \"%s\": %s", b->name, why);
	else
		tls_free(ctx);
}

static void check_backends(struct config_reader *r, const struct conf *c)
{
	struct ifaddrs *own = NULL;
	bool v4;

	if (!c->nbackends)
		config_err(r, r->path, r->last_line, "no backend; add one: backend \"main\" { address = \"127.0.0.1\" port = 10025 }");
	if (getifaddrs(&own))
		own = NULL;
	for (size_t i = 0; i < c->nbackends; i++) {
		const struct conf_backend *b = &c->backend[i];

		check_backend_tls(r, b);
		if (addr_is_any(&b->addr, &v4))
			config_err(r, r->path, b->line, "backend \"%s\": its address is the wildcard; name the mail server's address", b->name);
		for (size_t j = 0; j < c->nlisteners; j++)
			if (is_loop(b, &c->listener[j], own))
				config_err(r, r->path, b->line, "backend \"%s\" is our own listener \"%s\": a loop; name the mail server's port", b->name,
					   c->listener[j].name);
	}
	freeifaddrs(own);
}

/* All of IPv4, or all of global IPv6, in as few words. */
static bool is_everybody(const struct access_rule *rule)
{
	return !rule->name.n && (prefix_is4(&rule->prefix) ? rule->prefix.len == 96 : rule->prefix.len <= 3);
}

static void check_grants(struct config_reader *r, const struct config_whole *w)
{
	const struct access_list *l = &w->conf.relay.relay;

	for (size_t i = 0; i < l->nrules && l->mode == ACCESS_ONLY && !w->open_relay; i++)
		if (is_everybody(&l->rule[i]))
			config_err(r, l->rule[i].file, l->rule[i].line,
				   "relay: entries: this lets everybody relay; name who may, or set open_relay = \"i-know\"");
}

static void check_relay(struct config_reader *r, const struct config_whole *w)
{
	const struct access_list *l = &w->conf.relay.relay;

	if (l->mode == ACCESS_EXCEPT && !l->nrules && !w->open_relay)
		config_err(r, r->path, l->line,
			   "relay: mode = except without entries lets everybody relay; name who may not, or set open_relay = \"i-know\"");
	check_grants(r, w);
	if (!w->conf.relay.ndomains && w->conf.nroutes < 2 && l->mode == ACCESS_ONLY && !l->nrules && !w->conf.relay.authenticated_may_relay)
		config_err(r, r->path, r->last_line, "no mail could pass: no own domains and nobody may relay; set domains = { \"example.org\" }");
}

static void check_users(struct config_reader *r, const struct conf *c)
{
	if (c->worker_user && c->judge_user && !strcmp(c->worker_user, c->judge_user))
		config_err(r, r->path, config_line(r, "", "judge_user"), "worker_user and judge_user are both \"%s\"; give each its own", c->worker_user);
}

static void too_many(struct config_reader *r, const char *setting, unsigned line, size_t n, size_t max)
{
	if (n > max)
		config_err(r, r->path, line, "%s: %zu entries; %zu at most", setting, n, max);
}

/* A line is the list file's own error; a list that cannot be read at all is the setting's. */
static void check_list_file(struct config_reader *r, const struct conf_list *l)
{
	const struct listfile_options options = { .everything = l->everything };
	struct listfile file = { 0 };
	char why[512] = "";
	int rc = listfile_read(l->file, &options, &file, why, sizeof(why));

	if (rc == -EINVAL || rc == -E2BIG)
		config_say(r, why);
	else if (rc)
		config_err(r, r->path, l->line, "list \"%s\": %s; name a readable list file or folder", l->name, why);
	listfile_free(&file);
}

static void check_list(struct config_reader *r, const struct conf_list *l)
{
	if (strlen(l->name) >= PST_LIST_NAME_MAX)
		config_err(r, r->path, l->line, "list \"%s\": the name is too long; %d characters at most", l->name, PST_LIST_NAME_MAX - 1);
	if (!l->file)
		config_err(r, r->path, l->line, "list \"%s\": no file; set file = \"/etc/postern/drop.txt\"", l->name);
	else if (r->lists)
		check_list_file(r, l);
}

static void check_lists(struct config_reader *r, const struct conf *c)
{
	too_many(r, "list", r->last_line, c->nlists, PST_LISTS_MAX);
	for (size_t i = 0; i < c->nlists; i++)
		check_list(r, &c->list[i]);
}

static void check_senders(struct config_reader *r, const struct conf *c)
{
	for (size_t i = 0; i < c->senders.nlists; i++)
		if (!c->senders.list[i].nrules)
			config_err(r, r->path, c->senders.list[i].line, "sender \"%s\": no entries; set entries = { \"bad.example\" }",
				   c->senders.list[i].name);
}

static void check_grey(struct config_reader *r, const struct grey_rules *g)
{
	if (g->window_s <= g->delay_s)
		config_err(r, r->path, config_line(r, "greylist", "window"), "greylist: window is not longer than delay; nobody could pass. Set it to hours");
	if (g->keep_s <= g->window_s)
		config_err(r, r->path, config_line(r, "greylist", "keep"), "greylist: keep is not longer than window; set it to days");
}

void config_check(struct config_reader *r, const struct config_whole *w)
{
	const struct conf *c = &w->conf;

	check_listeners(r, c);
	check_certificates(r, c);
	check_backends(r, c);
	check_relay(r, w);
	check_senders(r, c);
	check_grey(r, &c->grey);
	check_users(r, c);
	check_lists(r, c);
	too_many(r, "interface", config_line(r, "", "interface"), c->ninterfaces, CONF_INTERFACES_MAX);
	too_many(r, "allow and balancers", config_line(r, "", "allow"), c->nallow + c->nbalancers, PST_ALLOW_MAX);
	too_many(r, "guard_addresses", config_line(r, "", "guard_addresses"), c->nguards, PST_GUARD_ADDRS_MAX);
	if (c->tarpit.sessions && c->tarpit.sessions < c->workers)
		config_err(r, r->path, config_line(r, "tarpit", "sessions"), "tarpit: sessions: fewer than workers; one of each worker at least, or 0");
	if (c->dead_man_s && c->dead_man_s < DEAD_MAN_MIN_S)
		config_err(r, r->path, config_line(r, "", "dead_man"), "dead_man: too short for a daemon that restarts; 0s, or %us or more", DEAD_MAN_MIN_S);
	if (c->policy.ban_max_s < c->policy.ban_s)
		config_err(r, r->path, config_line(r, "ban", "max"), "ban: max is shorter than first; set max to first or longer");
}
