/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/conn.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event_struct.h>

#include "user/conn_log.h"
#include "user/ipc.h"
#include "user/kern.h"
#include "user/log.h"
#include "user/sock.h"

#define IN_MAX_BYTES	 (16 * 1024) /* offered to the session at once; more waits in the socket */
#define OUT_MAX_BYTES	 (32 * 1024) /* a client that does not read gets no further command executed */
#define LINGER_MAX_BYTES (256 * 1024)
#define FLUSH_S		 10 /* for the last reply to leave */
#define LINGER_S	 2  /* for the client to close after it */
#define TURN_STEPS	 256 /* session steps before the others have their turn */

_Static_assert(IN_MAX_BYTES >= SESS_AUTH_LINE_MAX, "a whole line fits");

enum phase {
	OPEN,
	TLS_FLUSH, /* the reply to STARTTLS is leaving */
	TLS_SHAKE,
	FLUSH,	/* the last reply is leaving */
	LINGER, /* it has left: the client closes, or what it still says is discarded, so that no reset overtakes the reply */
};

struct conn {
	struct roster_entry who; /* first: the roster hands this back */
	struct conns *cs;
	int fd;
	unsigned listener;
	unsigned char phase, want;
	bool eof;	/* the client will send no more */
	bool throttled; /* the backend is full: the client is not to blame for silence */
	bool content_begun;
	struct bufferevent *bev;
	SSL *ssl;
	struct event timer;
	__u64 deadline_ns, throttled_ns;
	size_t discarded;
	struct pst_addr local;
	unsigned short port, local_port;
	struct backend *backend; /* NULL until a recipient or a login is asked for */
	struct conn_totals totals;
	struct sess sess;
};

static void drive(struct conn *c);
static void obey(struct conn *c, const struct sess_step *step);

/* --- to the judge ----------------------------------------------------------- */

static void tell_judge(struct conns *cs, const struct ipc_record *r)
{
	if (cs->judge_fd >= 0 && ipc_send(cs->judge_fd, r))
		cs->unsaid++;
}

static void tell_opened(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_OPENED;
	r.session = c->who.id;
	r.addr = c->who.addr;
	tell_judge(c->cs, &r);
}

static void tell_finding(struct conn *c, const struct finding *f)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_FINDING;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.finding = *f;
	tell_judge(c->cs, &r);
}

static void tell_closed(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_CLOSED;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.messages = c->sess.messages;
	r.rcpts = c->totals.rcpts;
	tell_judge(c->cs, &r);
}

/* --- the end of a connection ------------------------------------------------ */

static void arm_s(struct conn *c, unsigned seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	c->deadline_ns = 0;
	event_add(&c->timer, &tv);
}

static void destroy(struct conn *c)
{
	struct conns *cs = c->cs;

	if (c->backend)
		backend_leave(c->backend);
	event_del(&c->timer);
	if (c->bev)
		bufferevent_free(c->bev);
	if (c->ssl)
		SSL_free(c->ssl);
	close(c->fd);
	roster_del(&cs->roster, &c->who);
	free(c);
	if (!cs->roster.used && cs->emptied)
		cs->emptied(cs);
}

static void linger(struct conn *c)
{
	if (c->ssl)
		SSL_shutdown(c->ssl);
	ERR_clear_error(); /* the next session must not find this one's troubles in the queue */
	shutdown(c->fd, SHUT_WR);
	c->phase = LINGER;
	bufferevent_disable(c->bev, EV_WRITE);
	bufferevent_enable(c->bev, EV_READ);
	arm_s(c, LINGER_S);
}

/* The session is over; its last reply is queued. */
static void close_politely(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	if (c->phase >= FLUSH)
		return;
	conn_log_session(&c->sess, &c->totals, c->ssl);
	tell_closed(c);
	if (c->backend)
		backend_leave(c->backend);
	c->backend = NULL;
	evbuffer_drain(in, evbuffer_get_length(in));
	c->phase = FLUSH;
	bufferevent_disable(c->bev, EV_READ);
	arm_s(c, FLUSH_S);
	/* Queued or not, the write callback comes from the loop: no caller up the stack loses c. */
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* The client will say no more; replies that it is owed still leave. */
static void gone(struct conn *c)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_gone(&c->sess, kern_now_ns(), &step);
	obey(c, &step);
}

/* --- TLS -------------------------------------------------------------------- */

static void on_read(struct bufferevent *bev, void *ctx);
static void on_write(struct bufferevent *bev, void *ctx);
static void on_event(struct bufferevent *bev, short what, void *ctx);

static void secured(struct conn *c, bool ok)
{
	struct sess_step step;

	c->phase = OPEN;
	conn_log_before(&c->sess, &c->totals);
	sess_secured(&c->sess, ok, kern_now_ns(), &step);
	obey(c, &step);
	if (ok)
		drive(c);
}

/* RFC 3207 section 4.2: what came in clear after STARTTLS is discarded, here and in the session. */
static void begin_tls(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	bufferevent_disable(c->bev, EV_READ);
	c->phase = TLS_FLUSH;
	bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

static void shake_hands(struct conn *c)
{
	SSL_CTX *ctx = c->cs->tls[c->listener];
	struct bufferevent *bev = NULL;

	c->ssl = ctx ? SSL_new(ctx) : NULL;
	if (c->ssl)
		bev = bufferevent_openssl_socket_new(c->cs->base, c->fd, c->ssl, BUFFEREVENT_SSL_ACCEPTING, 0);
	if (!bev) {
		log_warnx("session=%016llx no TLS: out of memory, or none is configured", c->who.id);
		secured(c, false);
		return;
	}
	bufferevent_free(c->bev);
	c->bev = bev;
	c->phase = TLS_SHAKE;
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* --- what a step says ------------------------------------------------------- */

static void put_received(struct conn *c)
{
	char date[64], field[1024];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	n = sess_received(&c->sess, date, field, sizeof(field));
	backend_content(c->backend, (struct str){ field, n });
}

static void put_content(struct conn *c, const struct sess_step *step)
{
	if (!c->backend || !(step->body[0].n || step->body[1].n || step->ask == ASK_END))
		return;
	if (!c->content_begun && backend_wants_received(c->backend))
		put_received(c);
	c->content_begun = true;
	backend_content(c->backend, step->body[0]);
	backend_content(c->backend, step->body[1]);
}

static void on_answer(void *ctx, enum sess_outcome outcome, const struct reply *r);
static void on_room(void *ctx);

static void put_ask(struct conn *c, const struct sess_step *step)
{
	bool opens = step->ask == ASK_RCPT || step->ask == ASK_AUTH;

	if (!c->backend && opens) {
		struct backend_client client = { c->who.id,	c->who.addr, c->local, c->port, c->local_port,
						 &c->sess, on_answer,	on_room, c };

		c->backend = backend_new(&c->cs->backs, &client);
	}
	c->content_begun = c->content_begun && step->ask != ASK_DATA;
	if (c->backend)
		backend_ask(c->backend, step->ask, step->ask_mail, step->ask_line);
}

/* The client is read while the session may want more; beyond IN_MAX_BYTES its bytes wait in the socket. */
static void set_reading(struct conn *c)
{
	if (c->phase != OPEN)
		return;
	if (c->eof || evbuffer_get_length(bufferevent_get_input(c->bev)) >= IN_MAX_BYTES)
		bufferevent_disable(c->bev, EV_READ);
	else
		bufferevent_enable(c->bev, EV_READ);
}

static void set_deadline(struct conn *c, __u64 deadline_ns)
{
	__u64 now_ns = kern_now_ns(), wait_us;
	struct timeval tv;

	c->deadline_ns = deadline_ns;
	if (deadline_ns == ~0ull) {
		event_del(&c->timer);
		return;
	}
	wait_us = deadline_ns > now_ns ? (deadline_ns - now_ns) / 1000 + 1 : 0;
	tv.tv_sec = (time_t)(wait_us / 1000000);
	tv.tv_usec = (suseconds_t)(wait_us % 1000000);
	event_add(&c->timer, &tv);
}

/* In the order that sess.h gives. */
static void obey(struct conn *c, const struct sess_step *step)
{
	conn_log_after(&c->sess, &c->totals, step);
	for (unsigned i = 0; i < step->nfound; i++)
		tell_finding(c, &step->found[i]);
	if (step->reply.n)
		bufferevent_write(c->bev, step->reply.p, step->reply.n);
	put_content(c, step);
	if (step->ask != ASK_NONE)
		put_ask(c, step);
	c->want = (unsigned char)step->want;
	if (step->want == SESS_CLOSE) {
		close_politely(c);
		return;
	}
	set_deadline(c, step->deadline_ns);
	if (step->want == SESS_TLS)
		begin_tls(c);
}

/* --- bytes ------------------------------------------------------------------ */

/* A session that stands still because the backend does is nobody's offence: its clock stops. */
static void throttle(struct conn *c, bool on)
{
	if (c->throttled == on)
		return;
	c->throttled = on;
	if (on) {
		c->throttled_ns = kern_now_ns();
		event_del(&c->timer);
	} else if (c->deadline_ns != ~0ull) {
		set_deadline(c, c->deadline_ns + (kern_now_ns() - c->throttled_ns));
	}
}

static bool may_step(struct conn *c)
{
	throttle(c, c->backend && backend_full(c->backend));
	return c->phase == OPEN && c->want == SESS_READ && !c->throttled &&
	       evbuffer_get_length(bufferevent_get_output(c->bev)) <= OUT_MAX_BYTES;
}

/*
 * What to offer: message content as it lies, without copying; commands in one piece, for what follows a
 * command is judged too.
 */
static struct str offer(struct conn *c, struct evbuffer *in, bool whole)
{
	size_t have = evbuffer_get_length(in), n = have < IN_MAX_BYTES ? have : IN_MAX_BYTES;

	if (!whole && c->backend && backend_takes_content(c->backend)) {
		size_t first = evbuffer_get_contiguous_space(in);

		n = n < first ? n : first;
	}
	return (struct str){ (const char *)evbuffer_pullup(in, (ev_ssize_t)n), n };
}

/* One step of the session. False when it needs more bytes than there are. */
static bool step_once(struct conn *c, struct evbuffer *in)
{
	struct str bytes = offer(c, in, false);
	struct sess_step step;
	size_t n;

	if (!bytes.p)
		return false;
	conn_log_before(&c->sess, &c->totals);
	n = sess_bytes(&c->sess, bytes, kern_now_ns(), &step);
	obey(c, &step);
	if (!n && c->want == SESS_READ && bytes.n < evbuffer_get_length(in)) {
		bytes = offer(c, in, true);
		n = bytes.p ? sess_bytes(&c->sess, bytes, kern_now_ns(), &step) : 0;
		obey(c, &step);
	}
	if (c->phase == OPEN) /* otherwise the input was discarded already */
		evbuffer_drain(in, n);
	return n > 0;
}

/* Gives the session all the bytes that it may have now. */
static void drive(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	unsigned steps = 0;

	while (evbuffer_get_length(in) && may_step(c) && steps++ < TURN_STEPS)
		if (!step_once(c, in))
			break;
	if (c->phase != OPEN)
		return;
	set_reading(c);
	if (steps > TURN_STEPS)
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
	else if (c->eof && may_step(c))
		gone(c);
}

static void on_answer(void *ctx, enum sess_outcome outcome, const struct reply *r)
{
	struct conn *c = ctx;
	struct sess_step step;

	throttle(c, false);
	conn_log_before(&c->sess, &c->totals);
	sess_answer(&c->sess, outcome, r, kern_now_ns(), &step);
	obey(c, &step);
	drive(c);
}

static void on_room(void *ctx)
{
	drive(ctx);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct conn *c = ctx;

	if (c->phase == OPEN) {
		drive(c);
	} else if (c->phase == LINGER) {
		c->discarded += evbuffer_get_length(in);
		evbuffer_drain(in, evbuffer_get_length(in));
		if (c->discarded > LINGER_MAX_BYTES)
			destroy(c);
	}
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;

	if (evbuffer_get_length(bufferevent_get_output(bev)))
		return; /* a callback of our own making came early */
	if (c->phase == TLS_FLUSH)
		shake_hands(c);
	else if (c->phase == FLUSH && c->eof)
		destroy(c);
	else if (c->phase == FLUSH)
		linger(c);
	else if (c->phase == OPEN)
		drive(c);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct conn *c = ctx;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		secured(c, true);
	} else if (c->phase == TLS_SHAKE) {
		c->eof = true;
		secured(c, false);
	} else if ((what & BEV_EVENT_EOF) && c->phase < FLUSH) {
		/* It may have shut down its sending half only: what it said is still served. */
		c->eof = true;
		if (c->phase == OPEN)
			drive(c);
	} else { /* the socket is dead */
		gone(c);
		destroy(c);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	struct sess_step step;
	__u64 now_ns = kern_now_ns();

	(void)fd, (void)what;
	if (c->phase >= FLUSH) {
		destroy(c);
	} else if (now_ns < c->deadline_ns) {
		set_deadline(c, c->deadline_ns);
	} else {
		conn_log_before(&c->sess, &c->totals);
		sess_tick(&c->sess, now_ns, &step);
		obey(c, &step);
		drive(c);
	}
}

/* --- doors ------------------------------------------------------------------ */

static bool is_allowed(const struct conf *conf, const struct pst_addr *a)
{
	for (size_t i = 0; i < conf->nallow; i++)
		if (prefix_covers(&conf->allow[i], a))
			return true;
	return false;
}

static void greet(struct conn *c)
{
	struct sess_peer peer = { c->who.addr, c->who.id, is_allowed(c->cs->conf, &c->who.addr), &c->cs->backs.caps };
	const struct conf_listener *l = &c->cs->conf->listener[c->listener];
	struct sess_step step;

	sess_open(&c->sess, &l->sess, &peer, c->cs->stats, kern_now_ns(), &step);
	conn_log_before(&c->sess, &c->totals); /* not earlier: it knows the counters only now, and opening decides no message */
	tell_opened(c);
	obey(c, &step);
	set_reading(c);
}

bool conn_open(struct conns *cs, int fd, unsigned listener, __u64 id, const struct pst_addr *addr, unsigned short port)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	c->bev = bufferevent_socket_new(cs->base, fd, 0);
	if (!c->bev) {
		free(c);
		return false;
	}
	c->cs = cs;
	c->fd = fd;
	c->listener = listener;
	c->who.id = id;
	c->who.addr = *addr;
	c->port = port;
	sock_local(fd, &c->local, &c->local_port);
	sock_tune(fd);
	evtimer_assign(&c->timer, cs->base, on_timer, c);
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_enable(c->bev, EV_WRITE);
	roster_add(&cs->roster, &c->who);
	greet(c);
	return true;
}

void conn_standing(struct conns *cs, __u64 id, enum sess_standing standing)
{
	struct conn *c = (struct conn *)roster_by_id(&cs->roster, id);
	struct sess_step step;

	if (!c || c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_standing(&c->sess, standing, kern_now_ns(), &step);
	obey(c, &step);
	drive(c);
}

static void end(struct conn *c, bool banned)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_end(&c->sess, banned, kern_now_ns(), &step);
	obey(c, &step);
}

static void kick(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;

	if (!c->sess.peer.allowed)
		end(c, true);
}

void conn_kick(struct conns *cs, const struct pst_prefix *p)
{
	roster_each(&cs->roster, p, kick);
}

void conn_stop_all(struct conns *cs)
{
	struct roster_entry *e, *next;

	for (e = LIST_FIRST(&cs->roster.all); e; e = next) {
		next = LIST_NEXT(e, all);
		end((struct conn *)e, false);
	}
}

void conn_free_all(struct conns *cs)
{
	cs->emptied = NULL;
	while (!LIST_EMPTY(&cs->roster.all))
		destroy((struct conn *)LIST_FIRST(&cs->roster.all));
}
