/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/query.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define TRIES 2

/* One of c-ares' sockets. */
struct watch {
	LIST_ENTRY(watch) entry;
	struct query *q;
	ares_socket_t fd;
	struct event *event;
};

struct query {
	ares_channel channel;
	struct event_base *base;
	struct event *timer;
	LIST_HEAD(, watch) watches;
};

static void set_timer(struct query *q)
{
	struct timeval tv;

	if (!q->timer)
		return;
	if (ares_timeout(q->channel, NULL, &tv))
		evtimer_add(q->timer, &tv);
	else
		evtimer_del(q->timer);
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
	struct watch *w = ctx;
	struct query *q = w->q;

	/* w may be gone after this */
	ares_process_fd(q->channel, what & EV_READ ? fd : ARES_SOCKET_BAD, what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	set_timer(q);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct query *q = ctx;

	(void)fd, (void)what;
	ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	set_timer(q);
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
	struct query *q = ctx;
	struct watch *w;

	LIST_FOREACH(w, &q->watches, entry)
		if (w->fd == fd) {
			drop_watch(w);
			break;
		}
	if ((!readable && !writable) || !(w = calloc(1, sizeof(*w))))
		return;
	w->q = q;
	w->fd = fd;
	w->event = event_new(q->base, fd, what, on_socket, w);
	LIST_INSERT_HEAD(&q->watches, w, entry);
	if (w->event)
		event_add(w->event, NULL);
}

static int set_servers(struct query *q, const struct pst_addr *server, size_t n)
{
	struct ares_addr_node node[n + 1];

	if (!n)
		return ARES_SUCCESS;
	memset(node, 0, sizeof(node));
	for (size_t i = 0; i < n; i++) {
		node[i].next = i + 1 < n ? &node[i + 1] : NULL;
		node[i].family = addr_is4(&server[i]) ? AF_INET : AF_INET6;
		if (addr_is4(&server[i]))
			memcpy(&node[i].addr.addr4, server[i].b + 12, 4);
		else
			memcpy(&node[i].addr.addr6, server[i].b, 16);
	}
	return ares_set_servers(q->channel, node);
}

/* Everything that c-ares would read from a file is set, or read now; only names are asked for as they are written. */
static int open_channel(struct query *q, unsigned timeout_ms)
{
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
		.timeout = (int)(timeout_ms / (TRIES + 1)), /* the second try has twice as long */
		.tries = TRIES,
		.ndots = 1,
		.lookups = (char[]){ "b" },
		.sock_state_cb = on_state,
		.sock_state_cb_data = q,
	};
	int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		  ARES_OPT_DOMAINS | ARES_OPT_NOROTATE;
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	return rc ? rc : ares_init_options(&q->channel, &o, set);
}

struct query *query_open(const struct pst_addr *server, size_t nservers, unsigned timeout_ms, const char **why)
{
	struct query *q = calloc(1, sizeof(*q));
	int rc = q ? open_channel(q, timeout_ms) : ARES_ENOMEM;

	if (!rc)
		rc = set_servers(q, server, nservers);
	if (!rc)
		return q;
	*why = ares_strerror(rc);
	query_free(q);
	return NULL;
}

int query_start(struct query *q, struct event_base *base)
{
	q->base = base;
	q->timer = evtimer_new(base, on_timer, q);
	return q->timer ? 0 : -ENOMEM;
}

void query_ask(struct query *q, const char *name, int type, ares_callback answered, void *ctx)
{
	ares_query(q->channel, name, ns_c_in, type, answered, ctx);
	set_timer(q);
}

bool query_answered(int status)
{
	return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	if (q->channel)
		ares_destroy(q->channel); /* ends every question */
	while (!LIST_EMPTY(&q->watches))
		drop_watch(LIST_FIRST(&q->watches));
	if (q->timer)
		event_free(q->timer);
	ares_library_cleanup();
	free(q);
}
