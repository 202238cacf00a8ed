/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/conn_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/core/addr.h"
#include "user/core/sess_phase.h"
#include "user/core/span.h"
#include "user/core/when.h"
#include "user/kern.h"
#include "user/sock.h"

#define IN_MAX_BYTES	 (16 * 1024) /* offered to the session at once; more waits in the socket */
#define IN_TARPIT_BYTES  (4 * 1024)
#define OUT_MAX_BYTES	 (32 * 1024) /* a client that does not read gets no further command executed */
#define LOOK_NS		 10000000ull
#define LINGER_MAX_BYTES (256 * 1024)
#define CONTENT_BYTES	 (64 * 1024) /* of a message read at once */
#define TURN_STEPS	 256 /* session steps before the others have their turn */
#define CONTENT_STEPS	 16  /* and what such a read counts for */

_Static_assert(IN_MAX_BYTES >= SESS_AUTH_LINE_MAX, "a whole line fits");

/* --- what a step says ------------------------------------------------------- */

/* At once, unless more commands have come already: then their replies leave together. */
static void put_reply(struct conn *c, struct str reply)
{
	if (c->ssl || c->more || c->stutters)
		bufferevent_write(c->bev, reply.p, reply.n);
	else
		sock_send(c->bev, &reply, 1);
}

static void put_received(struct conn *c)
{
	char date[64], field[1024];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
	n = sess_received(&c->sess, date, field, sizeof(field));
	backend_content(c->backend, &(struct str){ field, n }, 1, false);
}

static void put_content(struct conn *c, const struct sess_step *step)
{
	if (!c->backend || !(step->body[0].n || step->body[1].n || step->ask == ASK_END))
		return;
	if (!c->content_begun && backend_wants_received(c->backend))
		put_received(c);
	c->content_begun = true;
	backend_content(c->backend, step->body, 2, step->ask == ASK_END);
}

static void on_answer(void *ctx, enum sess_outcome outcome, const struct reply *r);
static void on_room(void *ctx);

static void put_ask(struct conn *c, const struct sess_step *step)
{
	bool opens = step->ask == ASK_RCPT || step->ask == ASK_AUTH;

	if (!c->backend && opens) {
		struct backend_client client = { c->who.id, c->who.addr, c->local, c->port, c->local_port, &c->sess, &c->score, NULL, NULL, on_answer, on_room, c };

		if (c->ssl) {
			client.tls_version = SSL_get_version(c->ssl);
			client.tls_cipher = SSL_get_cipher_name(c->ssl);
		}

		c->backend = backend_new(&c->cs->backs, &client);
	}
	if (step->ask == ASK_RESET || step->ask == ASK_ABORT) /* is not answered */
		c->asked_ns = 0;
	else if (!c->asked_ns)
		c->asked_ns = kern_now_ns();
	c->content_begun = c->content_begun && step->ask != ASK_DATA;
	if (c->backend)
		backend_ask(c->backend, step->ask, step->route, step->ask_mail, step->ask_line, c->more);
}

/* The client is read while the session may want more; beyond IN_MAX_BYTES its bytes wait in the socket. */
static void set_reading(struct conn *c)
{
	if (c->phase != OPEN)
		return;
	if (c->eof || evbuffer_get_length(bufferevent_get_input(c->bev)) >= (conn_tarpit_speaks(c) ? IN_TARPIT_BYTES : IN_MAX_BYTES))
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

/* A session that stands still for no fault of the client's, because the backend or the tarpit does, has its clock stopped. */
static void throttle(struct conn *c, bool on)
{
	if (c->throttled == on)
		return;
	c->throttled = on;
	if (on) {
		c->throttled_ns = kern_now_ns();
		event_del(&c->timer);
	} else if (c->deadline_ns != ~0ull) {
		__u64 waited_ns = kern_now_ns() - c->throttled_ns;

		sess_waited(&c->sess, waited_ns);
		set_deadline(c, c->deadline_ns + waited_ns);
	}
}

/* In the order that sess.h gives. */
void conn_obey(struct conn *c, const struct sess_step *step)
{
	conn_log_after(&c->sess, &c->totals, step);
	if (c->cs->conf->log_commands)
		conn_log_talk(&c->sess, step);
	for (unsigned i = 0; i < step->nfound; i++)
		conn_judge_finding(c, &step->found[i]);
	if (c->sess.messages != c->told_messages)
		conn_judge_message(c);
	if (step->account.n)
		conn_judge_charge(c, step);
	if (step->reply.n)
		put_reply(c, step->reply);
	put_content(c, step);
	if (step->ask != ASK_NONE)
		put_ask(c, step);
	c->want = (unsigned char)step->want;
	if (step->want == SESS_CLOSE) {
		conn_end(c);
		return;
	}
	set_deadline(c, step->deadline_ns);
	if (conn_tarpit_speaks(c)) {
		throttle(c, true);
		event_del(&c->timer);
	}
	if (step->want == SESS_TLS && c->phase == OPEN) /* the judge's word may come in the middle of a handshake */
		conn_tls_begin(c);
	else if (step->want == SESS_CLIENT)
		conn_client(c, step);
	else if (step->want == SESS_GREY && (step->grey[0] || step->grey[1]))
		conn_judge_grey(c, step->grey);
	if (step->lists)
		conn_ask_lists(c);
	if (step->helo && c->cs->names)
		conn_ask_helo(c);
}

/* --- bytes ------------------------------------------------------------------ */

/* A recipient behind those that are asked for costs no round trip of its own. */
static bool wants_bytes(const struct conn *c)
{
	return c->want == SESS_READ || (c->want == SESS_ASK && c->backend && backend_takes_rcpt(c->backend));
}

static bool may_step(struct conn *c)
{
	throttle(c, (c->backend && backend_full(c->backend)) || conn_tarpit_speaks(c));
	return c->phase == OPEN && wants_bytes(c) && !c->throttled &&
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

		n = have < first ? have : first;
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
	if (sess_phase(&c->sess) == PHASE_GREETING)
		sess_arrived(&c->sess, sock_heard_ns(c->fd, kern_now_ns()));
	n = sess_bytes(&c->sess, bytes, kern_now_ns(), &step);
	c->more = n < evbuffer_get_length(in);
	conn_obey(c, &step);
	if (!n && c->want == SESS_READ && bytes.n < evbuffer_get_length(in)) {
		bytes = offer(c, in, true);
		n = bytes.p ? sess_bytes(&c->sess, bytes, kern_now_ns(), &step) : 0;
		conn_obey(c, &step);
	}
	c->more = false;
	if (c->phase == OPEN) /* otherwise the input was discarded already */
		evbuffer_drain(in, n);
	return n > 0;
}

/*
 * The event loop reads 4 KiB a turn. Message content in clear is read here, as long as there is much of it. End of file and
 * errors are left to the loop.
 */
static bool read_content(struct conn *c, struct evbuffer *in)
{
	struct evbuffer_iovec space;
	ssize_t n = -1;

	if (c->ssl || c->eof || !c->backend || !backend_takes_content(c->backend))
		return false;
	evbuffer_unfreeze(in, 0);
	if (evbuffer_reserve_space(in, CONTENT_BYTES, &space, 1) == 1)
		n = recv(c->fd, space.iov_base, CONTENT_BYTES, MSG_DONTWAIT);
	space.iov_len = n > 0 ? (size_t)n : 0;
	if (n > 0)
		evbuffer_commit_space(in, &space, 1);
	evbuffer_freeze(in, 0);
	return n > 0;
}

/* Gives the session all the bytes that it may have now. */
void conn_drive(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	unsigned steps = 0;

	do {
		while (evbuffer_get_length(in) && may_step(c) && steps++ < TURN_STEPS)
			if (!step_once(c, in))
				break;
		steps += CONTENT_STEPS;
	} while (!evbuffer_get_length(in) && may_step(c) && steps < TURN_STEPS && read_content(c, in));
	if (c->phase != OPEN)
		return;
	set_reading(c);
	if (steps >= TURN_STEPS)
		bufferevent_trigger(c->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
	else if (c->eof && c->want == SESS_READ && may_step(c))
		conn_end_gone(c);
}

/* Of recipients that left together the time of the first reply counts. */
static void count_reply(struct conn *c, enum sess_outcome outcome, const struct reply *r)
{
	if (outcome == ANSWER_REPLY && r->code / 100 >= 2 && r->code / 100 <= 5)
		c->cs->stats->counter[PST_CNT_BACKEND_2XX + r->code / 100 - 2]++;
	if (c->asked_ns && outcome == ANSWER_REPLY)
		span_count(c->cs->stats, PST_SPAN_BACKEND, when_since(c->asked_ns, kern_now_ns()));
	c->asked_ns = 0;
}

static void on_answer(void *ctx, enum sess_outcome outcome, const struct reply *r)
{
	struct conn *c = ctx;
	struct sess_step step;

	count_reply(c, outcome, r);
	throttle(c, conn_tarpit_speaks(c));
	conn_log_before(&c->sess, &c->totals);
	sess_answer(&c->sess, outcome, r, kern_now_ns(), &step);
	conn_obey(c, &step);
	conn_drive(c);
}

static void on_room(void *ctx)
{
	conn_drive(ctx);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct conn *c = ctx;

	if (c->phase == OPEN) {
		conn_drive(c);
	} else if (c->phase == LINGER) {
		c->discarded += evbuffer_get_length(in);
		evbuffer_drain(in, evbuffer_get_length(in));
		if (c->discarded > LINGER_MAX_BYTES)
			conn_end_now(c);
	}
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *ctx)
{
	struct conn *c = ctx;

	if (evbuffer_get_length(bufferevent_get_output(bev)))
		return; /* a callback of our own making came early */
	if (c->phase == TLS_FLUSH)
		conn_tls_shake(c);
	else if (c->phase == FLUSH && c->eof)
		conn_end_now(c);
	else if (c->phase == FLUSH)
		conn_end_linger(c);
	else if (c->phase == OPEN)
		conn_drive(c);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct conn *c = ctx;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED) {
		conn_tls_over(c, true);
	} else if (c->phase == TLS_SHAKE) {
		c->eof = true;
		conn_tls_over(c, false);
	} else if ((what & BEV_EVENT_EOF) && c->phase < FLUSH) {
		/* It may have shut down its sending half only: what it said is still served. */
		c->eof = true;
		if (c->phase == OPEN)
			conn_drive(c);
	} else { /* the socket is dead */
		conn_end_gone(c);
		conn_end_now(c);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct conn *c = ctx;
	struct sess_step step;
	__u64 now_ns = kern_now_ns();

	(void)fd, (void)what;
	if (c->phase >= FLUSH) {
		conn_end_now(c);
	} else if (now_ns < c->deadline_ns) {
		set_deadline(c, c->deadline_ns);
	} else if (!c->looked && sess_phase(&c->sess) == PHASE_GREETING && sock_has_bytes(c->fd)) {
		c->looked = true; /* a busy loop came to the timer first: what was said in the pause is read first */
		set_deadline(c, now_ns + LOOK_NS);
	} else {
		conn_log_before(&c->sess, &c->totals);
		sess_tick(&c->sess, now_ns, &step);
		conn_obey(c, &step);
		conn_drive(c);
	}
}

void conn_listen_to(struct conn *c, struct bufferevent *bev)
{
	bufferevent_setcb(bev, on_read, on_write, on_event, c);
	conn_tarpit_pace(c, bev);
}

/* --- doors ------------------------------------------------------------------ */

void conn_begin(struct conn *c)
{
	struct sess_peer peer = conn_peer(c);
	const struct conf_listener *l = &c->cs->conf->listener[c->listener];
	struct sess_step step;

	c->phase = OPEN;
	sess_open(&c->sess, &l->sess, &peer, c->cs->stats, kern_now_ns(), &step);
	conn_log_before(&c->sess, &c->totals); /* not earlier: it knows the counters only now, and opening decides no message */
	conn_judge_opened(c);
	conn_obey(c, &step);
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
	c->balancer = cs->conf->listener[listener].xclient && conn_is_balancers(cs->conf, listener, addr);
	sock_local(fd, &c->local, &c->local_port);
	sock_tune(fd);
	evtimer_assign(&c->timer, cs->base, on_timer, c);
	conn_listen_to(c, c->bev);
	bufferevent_enable(c->bev, EV_WRITE);
	roster_add(&cs->roster, &c->who);
	cs->live[listener]++;
	if (cs->conf->listener[listener].proxy && conn_is_balancers(cs->conf, listener, addr))
		conn_herald_begin(c);
	else
		conn_begin(c);
	return true;
}

void conn_standing(struct conns *cs, __u64 id, const struct sess_word *word)
{
	struct conn *c = (struct conn *)roster_by_id(&cs->roster, id);
	struct sess_step step;

	if (!c || c->phase >= FLUSH)
		return;
	c->score += word->score; /* the session may have offended already */
	if (word->stutter)
		conn_tarpit(c);
	conn_log_before(&c->sess, &c->totals);
	sess_standing(&c->sess, word, kern_now_ns(), &step);
	conn_obey(c, &step);
	conn_drive(c);
}

void conn_charged(struct conns *cs, __u64 id, bool over)
{
	struct conn *c = (struct conn *)roster_by_id(&cs->roster, id);
	struct sess_step step;

	if (!c || c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_charged(&c->sess, over, kern_now_ns(), &step);
	conn_obey(c, &step);
	conn_drive(c);
}

static void limit_one(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;

	sess_limit(&c->sess, c->cs->word->limits, c->cs->word->limit_s, c->cs->own, kern_now_ns());
}

void conn_limit(struct conns *cs, const struct pst_prefix *p, const struct sess_word *word)
{
	cs->word = word;
	cs->own = p->len >= prefix_source(&p->addr).len;
	roster_each(&cs->roster, p, limit_one);
}

void conn_greyed(struct conns *cs, __u64 id, const __u64 key[2], enum sess_grey said, unsigned seconds)
{
	struct conn *c = (struct conn *)roster_by_id(&cs->roster, id);
	struct sess_step step;

	if (!c || c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_greyed(&c->sess, key, said, seconds, kern_now_ns(), &step);
	conn_obey(c, &step);
	conn_drive(c);
}

static void turn_out(struct conn *c, bool banned)
{
	struct sess_step step;

	if (c->phase >= FLUSH)
		return;
	conn_log_before(&c->sess, &c->totals);
	sess_end(&c->sess, banned, kern_now_ns(), &step);
	conn_obey(c, &step);
}

static void kick(struct roster_entry *e)
{
	struct conn *c = (struct conn *)e;

	if (!c->sess.peer.allowed)
		turn_out(c, true);
}

static void kick_any(struct roster_entry *e)
{
	turn_out((struct conn *)e, true);
}

void conn_kick(struct conns *cs, const struct pst_prefix *p, bool banned)
{
	roster_each(&cs->roster, p, banned ? kick : kick_any);
}

void conn_kick_one(struct conns *cs, __u64 id)
{
	struct conn *c = (struct conn *)roster_by_id(&cs->roster, id);

	if (c)
		turn_out(c, true);
}

void conn_stop_all(struct conns *cs)
{
	struct roster_entry *e, *next;

	for (e = LIST_FIRST(&cs->roster.all); e; e = next) {
		next = LIST_NEXT(e, all);
		turn_out((struct conn *)e, false);
	}
}

void conn_free_all(struct conns *cs)
{
	cs->emptied = NULL;
	while (!LIST_EMPTY(&cs->roster.all))
		conn_end_now((struct conn *)LIST_FIRST(&cs->roster.all));
}
