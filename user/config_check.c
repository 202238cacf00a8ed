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
	char text[ADDR_TEXT_MAX];

	if (!a->port || a->port != b->port || !(addr_covers(&a->addr, &b->addr) || addr_covers(&b->addr, &a->addr)))
		return;
	config_err(r, r->path, b->line, "listener \"%s\" overlaps with listener \"%s\" of line %u (%s port %u); give one another address or port",
		   b->name, a->name, a->line, addr_text(&a->addr, text), a->port);
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

static void check_tls(struct config_reader *r, const struct conf_listener *l)
{
	char why[256];
	void *ctx = NULL;

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
	if (!is_file(l->tls_certificate, why, sizeof(why)) || !is_file(l->tls_key, why, sizeof(why)) ||
	    tls_load(l->tls_certificate, l->tls_key, &ctx, why, sizeof(why)))
		config_err(r, r->path, l->line, "listener \"%s\": %s; name a readable PEM certificate chain and its key", l->name, why);
	else
		tls_free(ctx);
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

		if (addr_is_any(&b->addr, &v4))
			config_err(r, r->path, b->line, "backend \"%s\": its address is the wildcard; name the mail server's address", b->name);
		for (size_t j = 0; j < c->nlisteners; j++)
			if (is_loop(b, &c->listener[j], own))
				config_err(r, r->path, b->line, "backend \"%s\" is our own listener \"%s\": a loop; name the mail server's port", b->name,
					   c->listener[j].name);
	}
	freeifaddrs(own);
}

static void check_relay(struct config_reader *r, const struct config_whole *w)
{
	const struct access_list *l = &w->conf.relay.relay;

	if (l->mode == ACCESS_EXCEPT && !l->nrules && !w->open_relay)
		config_err(r, r->path, l->line,
			   "relay: mode = except without entries lets everybody relay; name who may not, or set open_relay = \"i-know\"");
	if (!w->conf.relay.ndomains && l->mode == ACCESS_ONLY && !l->nrules && !w->conf.relay.authenticated_may_relay)
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

void config_check(struct config_reader *r, const struct config_whole *w)
{
	const struct conf *c = &w->conf;

	check_listeners(r, c);
	check_backends(r, c);
	check_relay(r, w);
	check_users(r, c);
	check_lists(r, c);
	too_many(r, "interface", config_line(r, "", "interface"), c->ninterfaces, CONF_INTERFACES_MAX);
	too_many(r, "allow", config_line(r, "", "allow"), c->nallow, PST_ALLOW_MAX);
	too_many(r, "guard_addresses", config_line(r, "", "guard_addresses"), c->nguards, PST_GUARD_ADDRS_MAX);
	if (c->policy.ban_max_s < c->policy.ban_s)
		config_err(r, r->path, config_line(r, "ban", "max"), "ban: max is shorter than first; set max to first or longer");
}
