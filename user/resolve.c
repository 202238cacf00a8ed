/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/resolve.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "user/core/addr.h"
#include "user/kern.h"
#include "user/query.h"

#define S_NS	      1000000000ull
#define TTL_MAX_S     86400 /* a name may move within a day, whatever its records say */
#define DENIED_MAX_S  3600
#define FAILED_TTL_S  10 /* no answer: the next client need not wait for the same silence */

/* One address whose name is being looked up. */
struct lookup {
	LIST_ENTRY(lookup) entry;
	struct resolver *r;
	struct pst_addr addr;
	struct resolve_names names;
	unsigned at;	/* of names: being confirmed */
	unsigned ttl_s; /* the least so far */
	bool failed;	/* some question had no answer */
	bool own;	/* resolve_name() is still in the call that began it */
};

struct resolver {
	struct query *query;
	struct resolve_cache *cache;
	size_t ncache;
	LIST_HEAD(, lookup) lookups;
	unsigned nlookups;
	char said[MAILBOX_DOMAIN_MAX + 1]; /* of a lookup that ended within the call that began it */
	size_t nsaid;
	enum sess_lack said_lack;
	bool ended, freed;
	unsigned nleads;
	const struct resolve_calls *calls;
	void *ctx;
};

/* --- one lookup ------------------------------------------------------------------ */

static void finish(struct lookup *l, struct str name, unsigned ttl_s)
{
	struct resolver *r = l->r;
	enum sess_lack lack = name.n ? LACK_NAME : l->failed ? LACK_ANSWER : l->names.n ? LACK_PROOF : LACK_NAME;

	if (ttl_s)
		resolve_cache_put(r->cache, &l->addr, name, lack, kern_now_ns() + ttl_s * S_NS);
	LIST_REMOVE(l, entry);
	r->nlookups--;
	if (l->own) {
		memcpy(r->said, name.p, name.n);
		r->nsaid = name.n;
		r->said_lack = lack;
		r->ended = true;
	} else if (!r->freed) {
		r->calls->named(r->ctx, &l->addr, name, lack);
	}
	free(l);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void finish_unnamed(struct lookup *l)
{
	finish(l, STR(""), l->failed ? FAILED_TTL_S : least(l->ttl_s, DENIED_MAX_S));
}

static void confirm(struct lookup *l);

static void on_addresses(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct lookup *l = ctx;
	unsigned ttl_s = 0;
	bool has = resolve_has_addr(reply, query_answered(status) ? n : 0, &l->addr, &ttl_s);

	(void)timeouts;
	if (has) {
		finish(l, str_of(l->names.name[l->at]), least(least(l->names.ttl_s, ttl_s), TTL_MAX_S));
		return;
	}
	l->failed |= !query_answered(status);
	l->ttl_s = least(l->ttl_s, ttl_s);
	l->at++;
	confirm(l);
}

/* Asks the next name for its addresses. */
static void confirm(struct lookup *l)
{
	if (l->at == l->names.n || l->r->freed)
		finish_unnamed(l);
	else
		query_ask(l->r->query, l->names.name[l->at], addr_is4(&l->addr) ? ns_t_a : ns_t_aaaa, on_addresses, l);
}

static void on_names(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct lookup *l = ctx;

	(void)timeouts;
	l->failed = !query_answered(status);
	resolve_read_names(reply, l->failed ? 0 : n, &l->names);
	l->ttl_s = l->names.ttl_s;
	confirm(l);
}

static struct lookup *lookup_of(struct resolver *r, const struct pst_addr *addr)
{
	struct lookup *l;

	LIST_FOREACH(l, &r->lookups, entry)
		if (!memcmp(&l->addr, addr, sizeof(*addr)))
			break;
	return l;
}

/* True when it ended within the call. */
static bool look_up(struct resolver *r, const struct pst_addr *addr)
{
	struct lookup *l = calloc(1, sizeof(*l));
	char arpa[RESOLVE_ARPA_MAX];

	r->nsaid = 0;
	r->said_lack = LACK_ANSWER;
	r->ended = false;
	if (!l)
		return true;
	l->r = r;
	l->addr = *addr;
	l->own = true;
	LIST_INSERT_HEAD(&r->lookups, l, entry);
	r->nlookups++;
	resolve_arpa(addr, arpa);
	query_ask(r->query, arpa, ns_t_ptr, on_names, l);
	if (r->ended)
		return true;
	l->own = false;
	return false;
}

/* --- whether a name leads to an address --------------------------------------------- */

struct lead {
	struct resolver *r;
	struct pst_addr addr;
	char name[MAILBOX_DOMAIN_MAX + 1];
};

static void on_lead(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct lead *l = ctx;
	struct resolver *r = l->r;
	unsigned ttl_s;
	bool answered = query_answered(status), leads = resolve_has_addr(reply, answered ? n : 0, &l->addr, &ttl_s);

	(void)timeouts;
	r->nleads--;
	if (!r->freed)
		r->calls->led(r->ctx, &l->addr, str_of(l->name), leads, !answered);
	free(l);
}

/* --- doors ------------------------------------------------------------------------ */

struct resolver *resolve_open(const struct conf_dns *conf, const char **why)
{
	struct resolver *r = calloc(1, sizeof(*r));

	*why = "out of memory";
	if (r)
		r->query = query_open(conf->server, conf->nservers, conf->timeout_s * 1000, why);
	if (!r || !r->query) {
		free(r);
		return NULL;
	}
	r->ncache = conf->cache;
	return r;
}

int resolve_start(struct resolver *r, struct event_base *base, __u64 seed,
		  const struct resolve_calls *calls, void *ctx)
{
	r->calls = calls;
	r->ctx = ctx;
	r->cache = resolve_cache_new(r->ncache, seed);
	return r->cache ? query_start(r->query, base) : -ENOMEM;
}

bool resolve_name(struct resolver *r, const struct pst_addr *addr, struct str *name, enum sess_lack *lack)
{
	if (resolve_cache_find(r->cache, addr, kern_now_ns(), name, lack))
		return true;
	if (lookup_of(r, addr))
		return false;
	if (r->nlookups == RESOLVE_LOOKUPS_MAX) {
		*name = STR("");
		*lack = LACK_ANSWER;
		return true;
	}
	if (!look_up(r, addr))
		return false;
	*name = (struct str){ r->said, r->nsaid };
	*lack = r->said_lack;
	return true;
}

bool resolve_leads(struct resolver *r, const struct pst_addr *addr, const char *name)
{
	struct lead *l = r->nleads < RESOLVE_LOOKUPS_MAX ? calloc(1, sizeof(*l)) : NULL;

	if (!l)
		return false;
	l->r = r;
	l->addr = *addr;
	memcpy(l->name, name, strnlen(name, MAILBOX_DOMAIN_MAX));
	r->nleads++;
	query_ask(r->query, l->name, addr_is4(addr) ? ns_t_a : ns_t_aaaa, on_lead, l);
	return true;
}

void resolve_free(struct resolver *r)
{
	if (!r)
		return;
	r->freed = true;
	query_free(r->query); /* ends every lookup */
	resolve_cache_free(r->cache);
	free(r);
}
