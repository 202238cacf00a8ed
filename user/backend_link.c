/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_link.c: one connection to a backend. See backend_int.h */
#include "user/backend_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>

#include "user/sock.h"
#include "user/tls_client.h"

#define LOW_WATER_BYTES (16 * 1024)
#define QUIT_S		5 /* for the reply to QUIT */

static const struct conf_backend *conf_of(const struct link *l)
{
	return &l->bs->conf->backend[l->at];
}

static void arm(struct link *l, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (seconds)
		event_add(&l->timer, &tv);
	else
		event_del(&l->timer);
}

/* Every wait has its own patience. Idle connections and those under way to be one keep theirs. */
static void arm_for_due(struct link *l)
{
	const struct conf_backend *c = conf_of(l);
	enum hop_due due = hop_due(&l->hop);

	if (l->use == LINK_IDLE || l->use == LINK_LEAVING)
		return;
	if (!hop_waits(&l->hop))
		arm(l, 0);
	else if (due == HOP_DUE_GREETING || due == HOP_DUE_TLS)
		arm(l, c->greeting_timeout_s);
	else if (due == HOP_DUE_END && l->owner)
		arm(l, backend_end_timeout_s(l->owner));
	else
		arm(l, c->reply_timeout_s);
}

/* --- ending ----------------------------------------------------------------- */

static void count_busy(struct link *l, int by)
{
	if (l->use != LINK_SERVING && l->use != LINK_LEAVING)
		return;
	l->bs->pick[l->at].live += (unsigned)by;
	if (by < 0)
		wait_room(l->bs);
}

static void drop_socket(struct link *l)
{
	int fd = l->bev ? bufferevent_getfd(l->bev) : -1;

	if (l->bev)
		bufferevent_free(l->bev);
	if (l->ssl)
		SSL_free(l->ssl);
	ERR_clear_error(); /* the next connection must not find this one's troubles in the queue */
	if (fd >= 0)
		close(fd);
	l->bev = NULL;
	l->ssl = NULL;
}

void link_close(struct link *l)
{
	count_busy(l, -1);
	l->bs->state[l->at].nidle -= l->use == LINK_IDLE;
	LIST_REMOVE(l, entry);
	event_del(&l->timer);
	drop_socket(l);
	if (l->gone)
		*l->gone = true;
	free(l);
}

/* Nobody's any more: it ends quietly, or counts as a failed check. */
static void fail(struct link *l, const char *why)
{
	if (l->use == LINK_SERVING) {
		backend_dropped(l->owner, why);
		return;
	}
	if (l->use == LINK_CHECK) {
		if (!set_busy(l, why))
			set_down(l, why);
		set_check_over(l);
	}
	link_close(l);
}

/* --- bytes ------------------------------------------------------------------ */

/* Leaves when the loop turns, with what is queued until then: as one record, not one for each part. */
static void link_queue(struct link *l, const struct str *part, unsigned n)
{
	struct evbuffer *together = evbuffer_new();

	for (unsigned i = 0; together && i < n; i++)
		evbuffer_add(together, part[i].p, part[i].n);
	if (together)
		bufferevent_write_buffer(l->bev, together);
	if (together)
		evbuffer_free(together);
}

void link_send(struct link *l, const struct str *part, unsigned n)
{
	if (l->ssl)
		link_queue(l, part, n);
	else
		sock_send(l->bev, part, n);
}

void link_hold(struct link *l, const struct str *part, unsigned n)
{
	memcpy(l->held, part, n * sizeof(*part));
	l->nheld = n;
}

static void begin_tls(struct link *l);

static void serve(struct link *l, const struct hop_step *step, bool surplus)
{
	struct backend *b = l->owner;

	if (surplus && (step->event == HOP_WAIT || step->event == HOP_READY || step->event == HOP_TLS)) {
		backend_dropped(b, "sent more than one reply");
		return;
	}
	switch (step->event) {
	case HOP_READY:
		set_up(l);
		l->bs->state[l->at].sessions++;
		backend_stands(b);
		return;
	case HOP_TLS:
		begin_tls(l);
		return;
	case HOP_ANSWER:
		/* Whatever follows a reply when no other is due, this connection is out of step. */
		backend_answered(b, step->answers, surplus || !hop_alive(&l->hop));
		return;
	case HOP_LACKS:
		set_up(l);
		backend_lacks(b);
		return;
	case HOP_UNFIT:
		backend_unfit(b, l->hop.why);
		return;
	case HOP_BROKEN:
	case HOP_OVER:
		backend_dropped(b, l->hop.why);
		return;
	case HOP_WAIT:
		return;
	}
}

static void check(struct link *l, const struct hop_step *step)
{
	if (step->event == HOP_READY) {
		set_up(l);
		set_check_over(l);
		link_release(l);
	} else if (step->event == HOP_TLS) {
		begin_tls(l);
	} else if (step->event != HOP_WAIT) {
		fail(l, l->hop.why);
	}
}

/* Does what the hop said. left: bytes came behind its reply. l may be gone after this. */
static void obey(struct link *l, const struct hop_step *step, bool left)
{
	bool surplus = left && l->hop.whole && !step->due;

	if (step->nsend)
		link_send(l, step->send, step->nsend);
	arm_for_due(l);
	if (l->use == LINK_SERVING)
		serve(l, step, surplus);
	else if (l->use == LINK_CHECK)
		check(l, step);
	else if (surplus || step->event != HOP_WAIT)
		link_close(l);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct link *l = ctx;
	bool gone = false;
	size_t have;

	l->gone = &gone;
	while ((have = evbuffer_get_length(in)) > 0) {
		size_t n = have < HOP_LINE_MAX ? have : HOP_LINE_MAX;
		unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)n);
		struct hop_step step;

		if (!p) {
			fail(l, "ran out of memory");
			break;
		}
		n = hop_bytes(&l->hop, (struct str){ (const char *)p, n }, &step);
		evbuffer_drain(in, n);
		obey(l, &step, n && have > n);
		if (gone || !n || l->bev != bev)
			break;
	}
	if (!gone)
		l->gone = NULL;
}

static void on_write(struct bufferevent *bev, void *ctx)
{
	struct link *l = ctx;

	(void)bev;
	if (l->use == LINK_SERVING && hop_content(&l->hop))
		backend_drained(l->owner);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct link *l = ctx;

	(void)fd, (void)what;
	if (l->use == LINK_IDLE)
		link_release(l); /* by now it is too old to be kept */
	else
		fail(l, l->connected ? "did not answer in time" : "could not be connected to in time");
}

/* --- beginning -------------------------------------------------------------- */

void backend_speak(const struct conf_backend *c, const char *hostname, struct hop_conf *h)
{
	static const enum hop_proxy proxy[] = { [IDENTITY_PROXY] = HOP_PROXY_V1, [IDENTITY_PROXY2] = HOP_PROXY_V2 };
	static const enum hop_tls tls[] = {
		[BACKEND_TLS_OFF] = HOP_TLS_OFF, [BACKEND_TLS_MAY] = HOP_TLS_MAY,
		[BACKEND_TLS_REQUIRE] = HOP_TLS_REQUIRE, [BACKEND_TLS_VERIFY] = HOP_TLS_REQUIRE,
	};
	enum identity id = c->identity;

	memset(h, 0, sizeof(*h));
	h->hostname = hostname;
	h->proxy = id == IDENTITY_PROXY || id == IDENTITY_PROXY2 ? proxy[id] : HOP_PROXY_NONE;
	h->tls = tls[c->tls];
	h->implicit = c->tls_implicit && c->tls != BACKEND_TLS_OFF;
	h->lmtp = c->protocol == BACKEND_LMTP;
	h->own = true;
}

static void speak_for(struct link *l)
{
	const struct backend_client *client = l->owner ? backend_client_of(l->owner) : NULL;
	enum identity id = conf_of(l)->identity;
	struct hop_conf *h = &l->conf;

	backend_speak(conf_of(l), l->bs->conf->listener[0].sess.hostname, h);
	if (!client) {
		sock_local(bufferevent_getfd(l->bev), &h->client, &h->client_port);
		sock_peer(bufferevent_getfd(l->bev), &h->local, &h->local_port);
		return;
	}
	h->own = false;
	h->hostname = client->sess->conf->hostname;
	h->xclient = id == IDENTITY_XCLIENT ? HOP_XCLIENT_MUST : id == IDENTITY_AUTO ? HOP_XCLIENT_OFFERED : HOP_XCLIENT_NEVER;
	h->helo = (struct str){ client->sess->helo, client->sess->nhelo };
	h->name = (struct str){ client->sess->name, client->sess->nname };
	h->unsure = client->sess->peer.naming || client->sess->peer.unsure;
	h->score = *client->score;
	h->esmtp = client->sess->esmtp;
	h->client = client->addr;
	h->client_port = client->port;
	h->local = client->local;
	h->local_port = client->local_port;
	h->session = client->session;
	h->tls_version = client->tls_version;
	h->tls_cipher = client->tls_cipher;
}

static void on_connected(struct link *l)
{
	struct hop_step step;
	bool gone = false;

	sock_tune(bufferevent_getfd(l->bev));
	l->connected = true;
	speak_for(l);
	hop_init(&l->hop, &l->conf, &step);
	bufferevent_enable(l->bev, EV_READ | EV_WRITE);
	l->gone = &gone;
	obey(l, &step, false);
	if (gone)
		return;
	l->gone = NULL;
	if (l->use == LINK_SERVING)
		backend_connected(l->owner);
}

static void on_event(struct bufferevent *bev, short what, void *ctx);

static void listen_to(struct link *l)
{
	struct timeval stalled = { .tv_sec = conf_of(l)->data_timeout_s };

	bufferevent_setcb(l->bev, on_read, on_write, on_event, l);
	bufferevent_setwatermark(l->bev, EV_WRITE, LOW_WATER_BYTES, 0);
	bufferevent_setwatermark(l->bev, EV_READ, 0, 4 * HOP_LINE_MAX);
	bufferevent_set_timeouts(l->bev, NULL, &stalled);
}

/* What came in clear behind the reply to STARTTLS is an attempt to be heard as if it had come under TLS: obey() dropped it. */
static void begin_tls(struct link *l)
{
	const struct conf_backend *c = conf_of(l);
	int fd = bufferevent_getfd(l->bev);
	struct bufferevent *bev = NULL;

	if (!evbuffer_get_length(bufferevent_get_output(l->bev)))
		l->ssl = tls_client_new(l->bs->tls ? l->bs->tls[l->at] : NULL, &c->addr, c->tls_name, c->tls == BACKEND_TLS_VERIFY);
	if (l->ssl)
		bev = bufferevent_openssl_socket_new(l->bs->base, fd, l->ssl, BUFFEREVENT_SSL_CONNECTING, 0);
	if (!bev) {
		fail(l, "cannot be spoken TLS with: out of memory");
		return;
	}
	bufferevent_free(l->bev);
	l->bev = bev;
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	listen_to(l);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void on_secured(struct link *l)
{
	struct hop_step step;

	hop_secured(&l->hop, conf_of(l)->tls == BACKEND_TLS_VERIFY && SSL_get_verify_result(l->ssl) == X509_V_OK, &step);
	obey(l, &step, false);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct link *l = ctx;

	if (what & BEV_EVENT_CONNECTED && l->connected)
		on_secured(l);
	else if (what & BEV_EVENT_CONNECTED)
		on_connected(l);
	else if (what & BEV_EVENT_TIMEOUT)
		fail(l, "takes no more bytes");
	else if (l->ssl && hop_due(&l->hop) == HOP_DUE_TLS)
		fail(l, tls_client_why(l->ssl, bufferevent_get_openssl_error(bev)));
	else
		fail(l, what & BEV_EVENT_EOF ? "closed the connection" : strerror(EVUTIL_SOCKET_ERROR()));
}

/* One that waits unused counts at the backend as any other does. */
static void make_room(struct backends *bs, unsigned at)
{
	struct backend_state *state = &bs->state[at];

	if (state->pick.max && state->nidle && bs->pick[at].live + state->nidle >= state->pick.max)
		link_release(LIST_FIRST(&state->idle));
}

struct link *link_open(struct backends *bs, unsigned at, struct backend *owner)
{
	const struct conf_backend *c = &bs->conf->backend[at];
	struct link *l = calloc(1, sizeof(*l));
	struct sockaddr_storage to;
	socklen_t n = sock_fill(&c->addr, c->port, &to);

	if (!l)
		return NULL;
	if (owner)
		make_room(bs, at);
	l->bs = bs;
	l->at = at;
	l->owner = owner;
	l->use = owner ? LINK_SERVING : LINK_CHECK;
	l->sessions = 1;
	LIST_INSERT_HEAD(&bs->links, l, entry);
	evtimer_assign(&l->timer, bs->base, on_timer, l);
	count_busy(l, 1);
	l->bev = bufferevent_socket_new(bs->base, -1, 0);
	if (l->bev)
		listen_to(l);
	if (!l->bev || bufferevent_socket_connect(l->bev, (struct sockaddr *)&to, (int)n)) {
		link_close(l);
		return NULL;
	}
	arm(l, c->connect_timeout_s);
	return l;
}

/* --- one session after another ---------------------------------------------- */

struct link *link_take(struct backends *bs, unsigned at, struct backend *owner)
{
	struct link *l;

	LIST_FOREACH(l, &bs->state[at].idle, entry)
		if (hop_free(&l->hop, true))
			break;
	if (!l)
		return NULL;
	LIST_REMOVE(l, entry);
	LIST_INSERT_HEAD(&bs->links, l, entry);
	bs->state[at].nidle--;
	l->use = LINK_SERVING;
	l->owner = owner;
	l->sessions++;
	count_busy(l, 1);
	arm(l, 0);
	return l;
}

bool link_greet(struct link *l)
{
	struct hop_step step;

	speak_for(l);
	hop_reuse(&l->hop, &step);
	if (step.event == HOP_BROKEN) {
		link_close(l);
		return false;
	}
	l->bs->stats->counter[PST_CNT_BACKEND_REUSED]++;
	l->bs->state[l->at].sessions += step.event == HOP_READY;
	if (step.nsend)
		link_send(l, step.send, step.nsend);
	arm_for_due(l);
	return true;
}

enum hop_event link_ask(struct link *l, enum sess_ask ask, struct str mail, struct str line, bool more)
{
	struct hop_step step;
	struct str part[LINK_PARTS_MAX + HOP_SEND_MAX];
	unsigned n = l->nheld;

	hop_ask(&l->hop, ask, mail, line, &step);
	memcpy(part, l->held, n * sizeof(*part));
	memcpy(part + n, step.send, step.nsend * sizeof(*part));
	l->nheld = 0;
	if (step.event == HOP_WAIT && more)
		link_queue(l, part, n + step.nsend);
	else if (step.event == HOP_WAIT && n + step.nsend)
		link_send(l, part, n + step.nsend);
	arm_for_due(l);
	return step.event;
}

/* What the session began is undone at the backend, and the connection is as it was. */
static bool undo(struct link *l)
{
	struct hop_step step;

	if (!l->hop.mail_sent)
		return true;
	hop_ask(&l->hop, ASK_RESET, STR(""), STR(""), &step);
	if (step.event != HOP_WAIT)
		return false;
	link_send(l, step.send, step.nsend);
	return true;
}

static bool may_wait(const struct link *l)
{
	const struct conf_backend *c = conf_of(l);

	return l->use == LINK_SERVING && l->connected && l->bs->state[l->at].nidle < c->idle_max && l->sessions < c->sessions_max &&
	       !l->hop.spoilt && !hop_waits(&l->hop) && !evbuffer_get_length(bufferevent_get_output(l->bev));
}

static void wait_for_another(struct link *l)
{
	struct backend_state *state = &l->bs->state[l->at];

	count_busy(l, -1);
	l->use = LINK_IDLE;
	l->owner = NULL;
	l->conf.helo = l->conf.name = STR(""); /* they lived in the session */
	LIST_REMOVE(l, entry);
	LIST_INSERT_HEAD(&state->idle, l, entry);
	state->nidle++;
	arm(l, conf_of(l)->idle_timeout_s);
}

void link_release(struct link *l)
{
	struct hop_step step;

	if (may_wait(l) && undo(l) && hop_free(&l->hop, false)) {
		wait_for_another(l);
		return;
	}
	hop_quit(&l->hop, &step);
	if (!l->connected || !step.nsend) {
		link_close(l);
		return;
	}
	if (l->use == LINK_IDLE) {
		LIST_REMOVE(l, entry);
		LIST_INSERT_HEAD(&l->bs->links, l, entry);
		l->bs->state[l->at].nidle--;
	}
	l->owner = NULL;
	if (l->use != LINK_SERVING)
		l->bs->pick[l->at].live++; /* from now on it is counted as one that leaves */
	l->use = LINK_LEAVING;
	link_send(l, step.send, step.nsend);
	arm(l, QUIT_S);
}
