/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "user/core/addr.h"
#include "user/core/hop.h"
#include "user/kern.h"
#include "user/log.h"
#include "user/sock.h"

#define HIGH_WATER_BYTES (64 * 1024)
#define LOW_WATER_BYTES	 (16 * 1024)
#define DOWN_NS		 (10 * 1000000000ull) /* a failed backend is tried last for so long */
#define QUIT_S		 5		      /* for the reply to QUIT */
#define ANSWER_SLACK_S	 5 /* the session's own deadline for the end of data comes first */

struct backend {
	LIST_ENTRY(backend) entry;
	struct backends *bs;
	struct backend_client client;
	bool probe, leaving;
	bool lost;  /* the transaction went down with its connection: nothing but DOWN until it is reset */
	bool stuck; /* so did the login: DOWN for the rest of the session */
	unsigned route;	  /* index into conf->route */
	unsigned current; /* index into conf->backend */
	unsigned long long tried; /* for this ask, one bit each of conf->backend */
	struct bufferevent *bev; /* NULL = no connection */
	struct event *timer;	 /* connecting, a reply due, or the answer below */
	bool later;		 /* the timer carries this outcome */
	enum sess_outcome outcome;
	unsigned ask;		 /* enum sess_ask outstanding */
	struct str mail, line;	 /* into asked */
	char *asked;
	struct hop_conf hop_conf;
	struct hop hop;
};

static const struct conf_backend *conf_of(const struct backend *b)
{
	return &b->bs->conf->backend[b->current];
}

static void arm(struct backend *b, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (seconds)
		event_add(b->timer, &tv);
	else
		event_del(b->timer);
}

/* --- up and down ------------------------------------------------------------ */

static void note_up(struct backend *b)
{
	b->bs->caps = b->hop.caps;
	b->bs->answered = true;
	b->bs->stats->counter[PST_CNT_BACKEND_OK]++;
	if (b->bs->down_until_ns[b->current])
		log_info("backend=%s is up again", conf_of(b)->name);
	b->bs->down_until_ns[b->current] = 0;
}

/* Said once, not once per session: the next line is about it being up again. */
static void note_down(struct backend *b, const char *why)
{
	char said[200] = "", addr[ADDR_TEXT_MAX];
	const struct conf_backend *c = conf_of(b);

	b->bs->stats->counter[PST_CNT_BACKEND_FAILED]++;
	if (b->hop.whole && reply_class(&b->hop.reply) >= 4)
		str_escape((struct str){ b->hop.reply.text, strcspn(b->hop.reply.text, "\r") }, said, sizeof(said));
	if (!b->bs->down_until_ns[b->current])
		log_warnx("backend=%s [%s]:%u %s%s%s", c->name, addr_text(&c->addr, addr), c->port, why, said[0] ? ": " : "", said);
	b->bs->down_until_ns[b->current] = kern_now_ns() + DOWN_NS;
}

static void disconnect(struct backend *b)
{
	if (!b->bev)
		return;
	bufferevent_free(b->bev);
	b->bev = NULL;
	b->lost = b->lost || b->hop.mail_open;
	b->stuck = b->stuck || b->hop.authed || b->hop.auth_open;
	b->hop.mail_open = b->hop.auth_open = false;
	arm(b, 0);
}

static void destroy(struct backend *b)
{
	disconnect(b);
	LIST_REMOVE(b, entry);
	event_free(b->timer);
	free(b->asked);
	free(b);
}

/* --- answers ---------------------------------------------------------------- */

/* b may be gone when this returns. */
static void finish(struct backend *b, enum sess_outcome outcome)
{
	b->ask = ASK_NONE;
	b->tried = 0;
	if (!b->bev || !hop_waits(&b->hop))
		arm(b, 0);
	if (b->probe)
		destroy(b);
	else
		b->client.answer(b->client.ctx, outcome, outcome == ANSWER_REPLY ? &b->hop.reply : NULL);
}

/* Said from the event loop: the asker is still in the middle of asking. */
static void finish_later(struct backend *b, enum sess_outcome outcome)
{
	b->later = true;
	b->outcome = outcome;
	event_active(b->timer, EV_TIMEOUT, 0);
}

static void on_read(struct bufferevent *bev, void *ctx);
static void on_write(struct bufferevent *bev, void *ctx);
static void on_event(struct bufferevent *bev, short what, void *ctx);

/* The route's first backend not tried for this ask, those known to be down last; -1 when all were. */
static int next_candidate(const struct backend *b)
{
	const struct conf_route *route = &b->bs->conf->route[b->route];
	__u64 now_ns = kern_now_ns();

	for (int down = 0; down < 2; down++)
		for (size_t i = 0; i < route->nbackends; i++) {
			unsigned at = route->backend[i];

			if (at < BACKENDS_MAX && !(b->tried >> at & 1) && (b->bs->down_until_ns[at] > now_ns) == down)
				return (int)at;
		}
	return -1;
}

static bool begin_connect(struct backend *b)
{
	const struct conf_backend *c = conf_of(b);
	struct timeval stalled = { .tv_sec = c->reply_timeout_s };
	struct sockaddr_storage to;
	socklen_t n = sock_fill(&c->addr, c->port, &to);

	memset(&b->hop, 0, sizeof(b->hop));
	b->bev = bufferevent_socket_new(b->bs->base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!b->bev)
		return false;
	bufferevent_setcb(b->bev, on_read, on_write, on_event, b);
	bufferevent_setwatermark(b->bev, EV_WRITE, LOW_WATER_BYTES, 0);
	bufferevent_setwatermark(b->bev, EV_READ, 0, 4 * HOP_LINE_MAX);
	bufferevent_set_timeouts(b->bev, NULL, &stalled);
	if (bufferevent_socket_connect(b->bev, (struct sockaddr *)&to, (int)n))
		return false;
	arm(b, c->connect_timeout_s);
	return true;
}

/* Connects to the next candidate. False when there is none left. */
static bool connect_next(struct backend *b)
{
	int next;

	while ((next = next_candidate(b)) >= 0) {
		b->current = (unsigned)next;
		b->tried |= 1ull << next;
		if (begin_connect(b))
			return true;
		note_down(b, "cannot be connected to");
		disconnect(b);
	}
	return false;
}

/* This connection is no good and nothing is lost by trying another. b may be gone after this. */
static void try_another(struct backend *b, const char *why)
{
	note_down(b, why);
	disconnect(b);
	if (!connect_next(b))
		finish(b, ANSWER_DOWN);
}

/* The connection is gone, for whatever reason. b may be gone after this. */
static void dropped(struct backend *b, const char *why)
{
	bool content = hop_content(&b->hop);
	bool fresh = !b->hop.mail_open && !b->hop.authed && !b->hop.auth_open;

	if (b->leaving || (b->probe && hop_ready(&b->hop))) {
		destroy(b);
	} else if (!hop_ready(&b->hop)) {
		try_another(b, why);
	} else if (b->ask == ASK_RCPT && fresh) {
		/* Most likely it had waited too long for this transaction. */
		disconnect(b);
		if (!connect_next(b))
			finish(b, ANSWER_DOWN);
	} else {
		disconnect(b);
		if (b->ask != ASK_NONE || content) {
			log_info("session=%016llx backend=%s %s", b->client.session, conf_of(b)->name, why);
			finish(b, ANSWER_DOWN);
		}
	}
}

/* --- the dialogue ----------------------------------------------------------- */

static void await(struct backend *b)
{
	unsigned seconds = conf_of(b)->reply_timeout_s;

	if (b->ask == ASK_END)
		seconds = b->client.sess->conf->answer_timeout_s + ANSWER_SLACK_S;
	arm(b, hop_waits(&b->hop) ? seconds : 0);
}

/* False when b must not be touched again. */
static bool on_ready(struct backend *b)
{
	note_up(b);
	if (!b->probe)
		return true;
	backend_leave(b);
	return false;
}

/* Does what the hop said. left: bytes came behind its reply. False when b must not be touched again. */
static bool do_step(struct backend *b, const struct hop_step *step, bool left)
{
	if (step->send[0].n || step->send[1].n)
		sock_send(b->bev, step->send[0], step->send[1]);
	await(b);
	if (left && b->hop.whole && (step->event == HOP_WAIT || step->event == HOP_READY)) {
		dropped(b, "sent more than one reply");
		return false;
	}
	switch (step->event) {
	case HOP_WAIT:
		return true;
	case HOP_READY:
		return on_ready(b);
	case HOP_ANSWER:
		/* Whatever follows a reply that was not asked for more, this connection is out of step. */
		if (left || !hop_alive(&b->hop))
			disconnect(b);
		finish(b, ANSWER_REPLY);
		return false;
	case HOP_LACKS:
		finish(b, ANSWER_CAPS);
		return false;
	case HOP_UNFIT:
		try_another(b, b->hop.why);
		return false;
	case HOP_BROKEN:
		dropped(b, b->hop.why);
		return false;
	case HOP_OVER:
		destroy(b);
		return false;
	}
	return true;
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct backend *b = ctx;
	size_t have;

	while ((have = evbuffer_get_length(in)) > 0) {
		size_t n = have < HOP_LINE_MAX ? have : HOP_LINE_MAX;
		unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)n);
		struct hop_step step;

		if (!p) {
			dropped(b, "ran out of memory");
			return;
		}
		n = hop_bytes(&b->hop, (struct str){ (const char *)p, n }, &step);
		evbuffer_drain(in, n);
		if (!do_step(b, &step, n && have > n) || !n)
			return;
	}
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct backend *b = ctx;

	(void)bev;
	if (!b->leaving && hop_content(&b->hop))
		b->client.room(b->client.ctx);
}

static void on_connected(struct backend *b)
{
	int fd = bufferevent_getfd(b->bev);
	const struct backend_client *c = &b->client;
	enum identity id = conf_of(b)->identity;
	struct hop_conf *h = &b->hop_conf;
	struct hop_step step;

	sock_tune(fd);
	memset(h, 0, sizeof(*h));
	h->hostname = b->bs->conf->listener[0].sess.hostname;
	h->proxy = id == IDENTITY_PROXY;
	if (b->probe) { /* the client of a probe is the gate itself */
		sock_local(fd, &h->client, &h->client_port);
		sock_peer(fd, &h->local, &h->local_port);
	} else {
		h->hostname = c->sess->conf->hostname;
		h->xclient = id == IDENTITY_XCLIENT ? HOP_XCLIENT_MUST : id == IDENTITY_AUTO ? HOP_XCLIENT_OFFERED : HOP_XCLIENT_NEVER;
		h->helo = (struct str){ c->sess->helo, c->sess->nhelo };
		h->esmtp = c->sess->esmtp;
		h->client = c->addr;
		h->client_port = c->port;
		h->local = c->local;
		h->local_port = c->local_port;
	}
	hop_init(&b->hop, h, &step);
	bufferevent_enable(b->bev, EV_READ | EV_WRITE);
	if (do_step(b, &step, false) && b->ask != ASK_NONE) {
		hop_ask(&b->hop, b->ask, b->mail, b->line, &step);
		do_step(b, &step, false);
	}
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct backend *b = ctx;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		on_connected(b);
	else if (what & BEV_EVENT_TIMEOUT)
		dropped(b, "takes no more bytes");
	else
		dropped(b, what & BEV_EVENT_EOF ? "closed the connection" : strerror(EVUTIL_SOCKET_ERROR()));
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct backend *b = ctx;

	(void)fd, (void)what;
	if (b->later) {
		b->later = false;
		finish(b, b->outcome);
	} else if (b->bev) {
		dropped(b, "did not answer in time");
	}
}

/* --- doors ------------------------------------------------------------------ */

struct backend *backend_new(struct backends *bs, const struct backend_client *client)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->bs = bs;
	b->timer = evtimer_new(bs->base, on_timer, b);
	if (!b->timer) {
		free(b);
		return NULL;
	}
	if (client)
		b->client = *client;
	LIST_INSERT_HEAD(&bs->all, b, entry);
	return b;
}

static bool keep_lines(struct backend *b, struct str mail, struct str line)
{
	char *copy = malloc(mail.n + line.n + 1);

	if (!copy)
		return false;
	if (mail.n)
		memcpy(copy, mail.p, mail.n);
	if (line.n)
		memcpy(copy + mail.n, line.p, line.n);
	free(b->asked);
	b->asked = copy;
	b->mail = (struct str){ copy, mail.n };
	b->line = (struct str){ copy + mail.n, line.n };
	return true;
}

static void reset(struct backend *b)
{
	struct hop_step step;

	b->lost = false;
	if (!b->bev || !b->hop.mail_open)
		return;
	hop_ask(&b->hop, ASK_RESET, STR(""), STR(""), &step);
	if (step.event == HOP_BROKEN) {
		disconnect(b);
		b->lost = false;
	} else {
		do_step(b, &step, false);
	}
}

static void abort_now(struct backend *b)
{
	disconnect(b);
	b->ask = ASK_NONE;
	b->lost = false;
}

static void ask_now(struct backend *b)
{
	struct hop_step step;

	if (!b->bev) {
		if (b->ask != ASK_RCPT && b->ask != ASK_AUTH)
			finish_later(b, ANSWER_DOWN);
		else if (!connect_next(b))
			finish_later(b, ANSWER_DOWN);
		return;
	}
	hop_ask(&b->hop, b->ask, b->mail, b->line, &step);
	if (step.event == HOP_WAIT)
		do_step(b, &step, false);
	else
		finish_later(b, step.event == HOP_LACKS ? ANSWER_CAPS : ANSWER_DOWN);
}

/* Nothing was accepted there in this transaction, so nothing is lost with it. */
static void change_route(struct backend *b, unsigned route)
{
	if (b->route != route && b->bev && !b->stuck) {
		disconnect(b);
		b->lost = b->stuck = false;
	}
	b->route = route;
}

void backend_ask(struct backend *b, enum sess_ask ask, unsigned route, struct str mail, struct str line)
{
	if (ask == ASK_RCPT || ask == ASK_AUTH)
		change_route(b, route);
	if (ask == ASK_RESET) {
		reset(b);
	} else if (ask == ASK_ABORT) {
		abort_now(b);
	} else if (ask != ASK_NONE) {
		b->ask = ask;
		b->tried = 0;
		if (b->lost || b->stuck || !keep_lines(b, mail, line))
			finish_later(b, ANSWER_DOWN);
		else
			ask_now(b);
	}
}

void backend_content(struct backend *b, struct str bytes)
{
	if (bytes.n && backend_takes_content(b))
		bufferevent_write(b->bev, bytes.p, bytes.n);
}

bool backend_takes_content(const struct backend *b)
{
	return b->bev && hop_content(&b->hop);
}

bool backend_full(const struct backend *b)
{
	return b->bev && evbuffer_get_length(bufferevent_get_output(b->bev)) > HIGH_WATER_BYTES;
}

bool backend_wants_received(const struct backend *b)
{
	enum identity id = conf_of(b)->identity;

	return id == IDENTITY_RECEIVED || (id == IDENTITY_AUTO && !b->hop.told);
}

void backend_leave(struct backend *b)
{
	struct hop_step step = { .event = HOP_WAIT };

	b->leaving = true;
	b->later = false;
	if (b->bev && hop_ready(&b->hop) && b->ask == ASK_NONE)
		hop_quit(&b->hop, &step);
	if (!step.send[0].n) {
		destroy(b);
		return;
	}
	sock_send(b->bev, step.send[0], step.send[1]);
	arm(b, QUIT_S);
}

void backends_init(struct backends *bs, struct event_base *base, const struct conf *conf, struct pst_stats *stats)
{
	memset(bs, 0, sizeof(*bs));
	bs->base = base;
	bs->conf = conf;
	bs->stats = stats;
	bs->caps.bits = CAP_PIPELINING;
	LIST_INIT(&bs->all);
}

void backends_free(struct backends *bs)
{
	while (!LIST_EMPTY(&bs->all))
		destroy(LIST_FIRST(&bs->all));
}

void backends_probe(struct backends *bs)
{
	struct backend *b = backend_new(bs, NULL);

	if (!b)
		return;
	b->probe = true;
	if (!connect_next(b))
		destroy(b);
}
