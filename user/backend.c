/* SPDX-License-Identifier: BSD-2-Clause */
/* backend.c: one session's asks on their way. See backend_int.h */
#include "user/backend_int.h"

#include <stdlib.h>
#include <string.h>

#include "user/log.h"

#define HIGH_WATER_BYTES (64 * 1024)
#define BACKEND_ASKS_MAX SESS_RCPTS_MAX
#define ANSWER_SLACK_S	 5 /* the session's own deadline for the end of data comes first */

struct asked {
	unsigned char ask; /* enum sess_ask */
	size_t nmail, nline;
	char *text; /* MAIL, then the line; NULL when memory was out */
};

struct backend {
	LIST_ENTRY(backend) entry;
	struct backends *bs;
	struct backend_client client;
	struct link *link; /* NULL = no connection */
	bool lost;  /* the transaction went down with its connection: nothing but DOWN until it is reset */
	bool stuck; /* so did the login: DOWN for the rest of the session */
	bool *gone; /* set when it is freed while somebody still has work with it */
	unsigned route;		  /* index into conf->route */
	unsigned long long tried; /* fresh connections for these asks, one bit each of conf->backend */
	struct waiter wait;	  /* for a connection */
	struct event later;	  /* carries this outcome, or the end of its patience */
	enum sess_outcome outcome;
	bool deferred;		   /* it does */
	bool more;		   /* bytes of the client behind the ask have come already */
	unsigned answering;	   /* asks that the reply at hand still answers */
	unsigned nasks, npassed;   /* unanswered, oldest first; of them the link has so many */
	struct asked asks[BACKEND_ASKS_MAX]; /* more than one only of ASK_RCPT */
};

static const struct conf_backend *conf_of(const struct backend *b)
{
	return &b->bs->conf->backend[b->link->at];
}

const char *backend_name(const struct backend *b)
{
	return b->link ? conf_of(b)->name : NULL;
}

/* What was bound to the connection is gone with it. The link itself is the caller's to close. */
static struct link *forget(struct backend *b)
{
	struct link *l = b->link;

	b->link = NULL;
	if (!l)
		return NULL;
	b->lost = b->lost || l->hop.rcpts || hop_content(&l->hop) || hop_due(&l->hop) == HOP_DUE_END;
	b->stuck = b->stuck || l->hop.authed || l->hop.auth_open;
	return l;
}

static void disconnect(struct backend *b)
{
	struct link *l = forget(b);

	if (l)
		link_close(l);
}

static void forget_oldest(struct backend *b)
{
	free(b->asks[0].text);
	memmove(b->asks, b->asks + 1, --b->nasks * sizeof(*b->asks));
	b->npassed -= b->npassed > 0;
}

static void forget_asks(struct backend *b)
{
	while (b->nasks)
		forget_oldest(b);
}

static void stop_waiting(struct backend *b)
{
	if (b->wait.in)
		event_del(&b->later);
	wait_leave(b->bs, &b->wait);
}

static void destroy(struct backend *b)
{
	disconnect(b);
	stop_waiting(b);
	LIST_REMOVE(b, entry);
	event_del(&b->later);
	if (b->gone)
		*b->gone = true;
	forget_asks(b);
	free(b);
}

/* --- answers ---------------------------------------------------------------- */

/* Answers the oldest asks. False: b is gone. */
static bool finish(struct backend *b, enum sess_outcome outcome, const struct reply *r, unsigned answers)
{
	bool gone = false;

	b->tried = 0;
	b->gone = &gone;
	for (b->answering = answers; !gone && b->answering;) {
		b->answering--;
		if (b->nasks)
			forget_oldest(b);
		b->client.answer(b->client.ctx, outcome, r);
	}
	if (!gone)
		b->gone = NULL;
	return !gone;
}

/* Nothing that was asked will be answered any more. */
static bool finish_all(struct backend *b, enum sess_outcome outcome)
{
	forget_asks(b);
	return finish(b, outcome, NULL, 1);
}

/* Said from the event loop: the asker is still in the middle of asking. */
static void finish_later(struct backend *b, enum sess_outcome outcome)
{
	b->outcome = outcome;
	b->deferred = true;
	event_active(&b->later, EV_TIMEOUT, 0);
}

/* --- where to --------------------------------------------------------------- */

enum way { WAY_OPEN, WAY_FULL, WAY_NONE };

/* Takes a connection that waits, or opens one, at the next backend that has not been tried. NONE: none is left. */
static enum way connect_next(struct backend *b)
{
	int next;

	b->npassed = 0;
	while ((next = set_next(b->bs, b->route, b->tried, wait_keep(b->wait.turn))) >= 0) {
		b->link = link_take(b->bs, (unsigned)next, b);
		if (b->link && link_greet(b->link))
			return WAY_OPEN;
		b->tried |= 1ull << next;
		b->link = link_open(b->bs, (unsigned)next, b);
		if (b->link)
			return WAY_OPEN;
	}
	return set_full(b->bs, b->route, b->tried, wait_keep(b->wait.turn)) ? WAY_FULL : WAY_NONE;
}

/* False when it has no patience. */
static bool begin_to_wait(struct backend *b)
{
	struct timeval patience = { .tv_sec = b->bs->conf->backend_wait_s };

	if (!patience.tv_sec)
		return false;
	b->wait.route = b->route;
	b->wait.fresh = !b->tried;
	wait_join(b->bs, &b->wait);
	event_add(&b->later, &patience);
	return true;
}

/* A newcomer does not go before those that wait, but is looked at with them. False: there is nothing to be had. *why: then */
static bool find_way(struct backend *b, enum sess_outcome *why)
{
	enum way way;

	b->wait.turn = (unsigned char)wait_turn(&b->client, b->asks[0].ask);
	way = b->bs->nwaiting ? WAY_FULL : connect_next(b);
	*why = way == WAY_FULL ? ANSWER_BUSY : ANSWER_DOWN;
	if (way != WAY_FULL)
		return way == WAY_OPEN;
	if (!begin_to_wait(b))
		return false;
	wait_room(b->bs);
	return true;
}

static enum hop_event pass_one(struct backend *b)
{
	const struct asked *a = &b->asks[b->npassed];
	bool more = a->ask == ASK_RCPT && (b->more || b->npassed + 1 < b->nasks);

	return link_ask(b->link, a->ask, (struct str){ a->text, a->nmail }, (struct str){ a->text + a->nmail, a->nline }, more);
}

/*
 * The asks go on over the connection as far as it takes them. What cannot be asked there at all is answered in its turn, so behind
 * others it waits.
 */
static void pass_on(struct backend *b)
{
	while (b->link && b->link->connected && !b->deferred && b->npassed < b->nasks) {
		enum hop_event event;

		if (b->npassed && !hop_takes_rcpt(&b->link->hop))
			return;
		event = pass_one(b);
		if (event == HOP_LACKS && b->npassed)
			return;
		if (event == HOP_BROKEN)
			disconnect(b);
		if (event == HOP_WAIT)
			b->npassed++;
		else
			finish_later(b, event == HOP_LACKS ? ANSWER_CAPS : event == HOP_ANSWER ? ANSWER_REPLY : ANSWER_DOWN);
	}
}

static void lose_patience(struct backend *b)
{
	stop_waiting(b);
	b->bs->stats->counter[PST_CNT_BACKEND_GAVE_UP]++;
	finish_all(b, ANSWER_BUSY);
}

static void on_later(evutil_socket_t fd, short what, void *ctx)
{
	struct backend *b = ctx;
	bool there;

	(void)fd, (void)what;
	if (b->wait.in) {
		lose_patience(b);
		return;
	}
	b->deferred = false;
	if (!b->nasks)
		return;
	if (b->outcome == ANSWER_REPLY && b->link)
		there = finish(b, ANSWER_REPLY, &b->link->hop.reply, 1);
	else if (b->outcome == ANSWER_CAPS)
		there = finish(b, ANSWER_CAPS, NULL, 1);
	else
		there = finish_all(b, b->outcome == ANSWER_BUSY ? ANSWER_BUSY : ANSWER_DOWN);
	if (there)
		pass_on(b);
}

/* Nothing is lost by trying another. b may be gone after this. */
static void try_another(struct backend *b)
{
	enum sess_outcome why;

	disconnect(b);
	if (find_way(b, &why))
		pass_on(b);
	else
		finish_all(b, why);
}

bool backend_enter(struct backend *b)
{
	enum way way = connect_next(b);

	if (way == WAY_FULL)
		return false;
	stop_waiting(b);
	if (way == WAY_OPEN)
		pass_on(b);
	else
		finish_later(b, ANSWER_DOWN);
	return true;
}

/* The asks can be put again elsewhere: no recipient was accepted and nobody logged in. */
static bool repeatable(const struct backend *b)
{
	const struct hop *h = &b->link->hop;
	unsigned ask = b->nasks ? b->asks[0].ask : ASK_NONE;

	return (ask == ASK_RCPT || (ask == ASK_AUTH && !hop_ready(h))) && !h->rcpts && !h->authed && !h->auth_open;
}

/* --- what the link says ----------------------------------------------------- */

const struct backend_client *backend_client_of(const struct backend *b)
{
	return &b->client;
}

unsigned backend_end_timeout_s(const struct backend *b)
{
	return b->client.sess->conf->answer_timeout_s + ANSWER_SLACK_S;
}

void backend_connected(struct backend *b)
{
	pass_on(b); /* the first waits for the dialogue to stand */
}

void backend_stands(struct backend *b)
{
	pass_on(b);
}

/* The connection ended with an answer, and other asks had none yet. */
static void go_on_without(struct backend *b)
{
	if (b->lost || b->stuck)
		finish_all(b, ANSWER_DOWN);
	else
		try_another(b);
}

void backend_answered(struct backend *b, unsigned answers, bool over)
{
	struct link *l = b->link;
	bool there;

	/* Only the connection was too old for this: the server ends what it has not been asked anything for long. */
	if (over && l->hop.reply.code == 421 && l->hop.worked && !l->hop.mail_open && repeatable(b)) {
		try_another(b);
		return;
	}
	if (over)
		forget(b);
	there = finish(b, ANSWER_REPLY, &l->hop.reply, answers);
	if (over)
		link_close(l);
	if (there && b->nasks && !b->link && !b->deferred)
		go_on_without(b);
	else if (there)
		pass_on(b);
}

void backend_lacks(struct backend *b)
{
	if (finish(b, ANSWER_CAPS, NULL, 1))
		pass_on(b);
}

void backend_unfit(struct backend *b, const char *why)
{
	struct link *l = b->link;

	if (!l->hop.reused && set_busy(l, why))
		b->tried &= ~(1ull << l->at); /* it is waited for */
	else if (!l->hop.reused)
		set_down(l, why);
	try_another(b);
}

void backend_dropped(struct backend *b, const char *why)
{
	struct link *l = b->link;
	bool content = hop_content(&l->hop), again = repeatable(b), asked = b->nasks || content;

	if (l->hop.reused)
		set_flush(l->bs, l->at); /* those that wait are as old */
	else if (!hop_ready(&l->hop))
		set_down(l, why);
	if (again) {
		try_another(b);
		return;
	}
	if (asked)
		log_info("backend-lost session=%016llx backend=%s: %s", b->client.session, conf_of(b)->name, why);
	disconnect(b);
	if (asked)
		finish_all(b, ANSWER_DOWN);
}

void backend_drained(struct backend *b)
{
	b->client.room(b->client.ctx);
}

/* --- doors ------------------------------------------------------------------ */

struct backend *backend_new(struct backends *bs, const struct backend_client *client)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->bs = bs;
	b->client = *client;
	b->wait.owner = b;
	evtimer_assign(&b->later, bs->base, on_later, b);
	LIST_INSERT_HEAD(&bs->all, b, entry);
	return b;
}

/* False when memory is out: it cannot be passed on. */
static bool keep_ask(struct backend *b, enum sess_ask ask, struct str mail, struct str line)
{
	struct asked *a = &b->asks[b->nasks++];

	*a = (struct asked){ (unsigned char)ask, mail.n, line.n, malloc(mail.n + line.n + 1) };
	if (!a->text)
		return false;
	memcpy(a->text, mail.n ? mail.p : "", mail.n);
	memcpy(a->text + mail.n, line.n ? line.p : "", line.n);
	return true;
}

static void reset(struct backend *b)
{
	b->lost = false;
	if (b->link && b->link->hop.mail_sent && link_ask(b->link, ASK_RESET, STR(""), STR(""), false) != HOP_WAIT)
		disconnect(b);
	b->lost = false;
}

static void abort_now(struct backend *b)
{
	disconnect(b);
	stop_waiting(b);
	forget_asks(b);
	b->answering = 0;
	b->lost = false;
}

static void ask_now(struct backend *b, enum sess_ask ask, struct str mail, struct str line)
{
	bool opens = ask == ASK_RCPT || ask == ASK_AUTH;
	enum sess_outcome why = ANSWER_DOWN;

	if (!keep_ask(b, ask, mail, line)) {
		disconnect(b);
		finish_later(b, ANSWER_DOWN);
	} else if (b->lost || b->stuck || (!b->link && !b->wait.in && (!opens || !find_way(b, &why)))) {
		finish_later(b, why);
	} else {
		pass_on(b);
	}
}

/* Nothing was accepted there in this transaction, so nothing is lost with it. */
static void change_route(struct backend *b, unsigned route)
{
	if (b->route != route && b->link && !b->stuck) {
		link_release(b->link);
		b->link = NULL;
		b->lost = false;
	}
	b->route = route;
}

void backend_ask(struct backend *b, enum sess_ask ask, unsigned route, struct str mail, struct str line, bool more)
{
	b->more = more;
	if ((ask == ASK_RCPT || ask == ASK_AUTH) && !b->nasks)
		change_route(b, route);
	if (ask == ASK_RESET) {
		reset(b);
	} else if (ask == ASK_ABORT) {
		abort_now(b);
	} else if (ask != ASK_NONE && b->nasks < BACKEND_ASKS_MAX) {
		b->tried = b->nasks ? b->tried : 0;
		ask_now(b, ask, mail, line);
	}
}

bool backend_takes_rcpt(const struct backend *b)
{
	return (b->link || b->wait.in) && b->nasks && b->nasks < BACKEND_ASKS_MAX && b->asks[0].ask == ASK_RCPT && !b->answering && !b->deferred;
}

void backend_content(struct backend *b, const struct str *part, unsigned n, bool end)
{
	if (!backend_takes_content(b))
		return;
	if (end)
		link_hold(b->link, part, n);
	else
		link_send(b->link, part, n);
}

bool backend_takes_content(const struct backend *b)
{
	return b->link && hop_content(&b->link->hop);
}

bool backend_full(const struct backend *b)
{
	return b->link && evbuffer_get_length(bufferevent_get_output(b->link->bev)) > HIGH_WATER_BYTES;
}

bool backend_wants_received(const struct backend *b)
{
	enum identity id = conf_of(b)->identity;

	return id == IDENTITY_RECEIVED || (id == IDENTITY_AUTO && !b->link->hop.told);
}

void backend_leave(struct backend *b)
{
	struct link *l = b->link;

	event_del(&b->later);
	if (l && !b->nasks && hop_ready(&l->hop) && !b->lost) {
		b->link = NULL;
		link_release(l);
	}
	destroy(b);
}
