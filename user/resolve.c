/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/resolve.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "user/core/addr.h"
#include "user/kern.h"

#define S_NS	      1000000000ull
#define TTL_MAX_S     86400 /* a name may move within a day, whatever its records say */
#define DENIED_MAX_S  3600
#define FAILED_TTL_S  10 /* no answer: the next client need not wait for the same silence */
#define TRIES	      2

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

/* One of c-ares' sockets. */
struct watch {
	LIST_ENTRY(watch) entry;
	struct resolver *r;
	ares_socket_t fd;
	struct event *event;
};

struct resolver {
	ares_channel channel;
	struct event_base *base;
	struct event *timer;
	struct resolve_cache *cache;
	size_t ncache;
	LIST_HEAD(, lookup) lookups;
	LIST_HEAD(, watch) watches;
	unsigned nlookups;
	char said[MAILBOX_DOMAIN_MAX + 1]; /* of a lookup that ended within the call that began it */
	size_t nsaid;
	bool ended, freed, said_unsure;
	void (*named)(void *ctx, const struct pst_addr *addr, struct str name, bool unsure);
	void *ctx;
};

/* --- c-ares in the loop ------------------------------------------------------- */

static void set_timer(struct resolver *r)
{
	struct timeval tv;

	if (!r->timer)
		return;
	if (ares_timeout(r->channel, NULL, &tv))
		evtimer_add(r->timer, &tv);
	else
		evtimer_del(r->timer);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *w = ctx;
	struct resolver *r = w->r;

	/* w may be gone after this */
	ares_process_fd(r->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(r);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct resolver *r = ctx;

	(void)fd, (void)what;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(r);
}

static void drop_watch(struct watch *w)
{
	LIST_REMOVE(w, entry);
	if (w->event)
		event_free(w->event);
	free(w);
}

/* c-ares wants to know of fd, or no more. Without memory its own time limit ends the question. */
static void on_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	short what = (short)(EV_PERSIST | (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
	struct resolver *r = ctx;
	struct watch *w;

	LIST_FOREACH(w, &r->watches, entry)
		if (w->fd == fd) {
			drop_watch(w);
			break;
		}
	if ((!readable && !writable) || !(w = calloc(1, sizeof(*w))))
		return;
	w->r = r;
	w->fd = fd;
	w->event = event_new(r->base, fd, what, on_socket, w);
	LIST_INSERT_HEAD(&r->watches, w, entry);
	if (w->event)
		event_add(w->event, NULL);
}

/* --- one lookup ------------------------------------------------------------------ */

static void finish(struct lookup *l, struct str name, unsigned ttl_s)
{
	struct resolver *r = l->r;
	bool unsure = !name.n && l->failed;

	if (ttl_s)
		resolve_cache_put(r->cache, &l->addr, name, unsure, kern_now_ns() + ttl_s * S_NS);
	LIST_REMOVE(l, entry);
	r->nlookups--;
	if (l->own) {
		memcpy(r->said, name.p, name.n);
		r->nsaid = name.n;
		r->said_unsure = unsure;
		r->ended = true;
	} else if (!r->freed) {
		r->named(r->ctx, &l->addr, name, unsure);
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

/* Whether the server answered at all, be it that there is nothing. */
static bool is_answer(int status)
{
	return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

static void confirm(struct lookup *l);

static void on_addresses(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct lookup *l = ctx;
	unsigned ttl_s = 0;
	bool has = resolve_has_addr(reply, is_answer(status) ? n : 0, &l->addr, &ttl_s);

	(void)timeouts;
	if (has) {
		finish(l, str_of(l->names.name[l->at]), least(least(l->names.ttl_s, ttl_s), TTL_MAX_S));
		return;
	}
	l->failed |= !is_answer(status);
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
		ares_query(l->r->channel, l->names.name[l->at], ns_c_in, addr_is4(&l->addr) ? ns_t_a : ns_t_aaaa, on_addresses, l);
}

static void on_names(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct lookup *l = ctx;

	(void)timeouts;
	l->failed = !is_answer(status);
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
	r->said_unsure = true;
	r->ended = false;
	if (!l)
		return true;
	l->r = r;
	l->addr = *addr;
	l->own = true;
	LIST_INSERT_HEAD(&r->lookups, l, entry);
	r->nlookups++;
	resolve_arpa(addr, arpa);
	ares_query(r->channel, arpa, ns_c_in, ns_t_ptr, on_names, l);
	if (r->ended)
		return true;
	l->own = false;
	set_timer(r);
	return false;
}

/* --- doors ------------------------------------------------------------------------ */

static int set_servers(struct resolver *r, const struct conf_dns *conf)
{
	struct ares_addr_node node[conf->nservers];

	if (!conf->nservers)
		return ARES_SUCCESS;
	memset(node, 0, sizeof(node));
	for (size_t i = 0; i < conf->nservers; i++) {
		const struct pst_addr *a = &conf->server[i];

		node[i].next = i + 1 < conf->nservers ? &node[i + 1] : NULL;
		node[i].family = addr_is4(a) ? AF_INET : AF_INET6;
		if (addr_is4(a))
			memcpy(&node[i].addr.addr4, a->b + 12, 4);
		else
			memcpy(&node[i].addr.addr6, a->b, 16);
	}
	return ares_set_servers(r->channel, node);
}

/* Everything that c-ares would read from a file is set, or read now; only names are asked for as they are written. */
static int open_channel(struct resolver *r, const struct conf_dns *conf)
{
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)(conf->timeout_s * 1000 / (TRIES + 1)),
		.tries = TRIES,
		.ndots = 1,
		.lookups = (char[]){ "b" },
		.sock_state_cb = on_state,
		.sock_state_cb_data = r,
	};
	int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		  ARES_OPT_DOMAINS | ARES_OPT_NOROTATE;
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	return rc ? rc : ares_init_options(&r->channel, &o, set);
}

struct resolver *resolve_open(const struct conf_dns *conf, const char **why)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc = r ? open_channel(r, conf) : ARES_ENOMEM;

	if (!rc)
		rc = set_servers(r, conf);
	if (rc) {
		*why = ares_strerror(rc);
		resolve_free(r);
		return NULL;
	}
	r->ncache = conf->cache;
	return r;
}

int resolve_start(struct resolver *r, struct event_base *base, __u64 seed,
		  void (*named)(void *ctx, const struct pst_addr *addr, struct str name, bool unsure), void *ctx)
{
	r->base = base;
	r->named = named;
	r->ctx = ctx;
	r->cache = resolve_cache_new(r->ncache, seed);
	r->timer = evtimer_new(base, on_timer, r);
	return r->cache && r->timer ? 0 : -ENOMEM;
}

bool resolve_name(struct resolver *r, const struct pst_addr *addr, struct str *name, bool *unsure)
{
	if (resolve_cache_find(r->cache, addr, kern_now_ns(), name, unsure))
		return true;
	if (lookup_of(r, addr))
		return false;
	if (r->nlookups == RESOLVE_LOOKUPS_MAX) {
		*name = STR("");
		*unsure = true;
		return true;
	}
	if (!look_up(r, addr))
		return false;
	*name = (struct str){ r->said, r->nsaid };
	*unsure = r->said_unsure;
	return true;
}

void resolve_free(struct resolver *r)
{
	if (!r)
		return;
	r->freed = true;
	if (r->channel)
		ares_destroy(r->channel); /* ends every lookup */
	while (!LIST_EMPTY(&r->watches))
		drop_watch(LIST_FIRST(&r->watches));
	if (r->timer)
		event_free(r->timer);
	resolve_cache_free(r->cache);
	ares_library_cleanup();
	free(r);
}
