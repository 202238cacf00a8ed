/* SPDX-License-Identifier: BSD-2-Clause */
/* backend.c: one session's asks on their way. See backend_int.h */
#include "user/backend_int.h"

#include <stdlib.h>
#include <string.h>

#include "user/log.h"

#define HIGH_WATER_BYTES (64 * 1024)
#define ANSWER_SLACK_S	 5 /* the session's own deadline for the end of data comes first */

struct backend {
	LIST_ENTRY(backend) entry;
	struct backends *bs;
	struct backend_client client;
	struct link *link; /* NULL = no connection */
	bool lost;  /* the transaction went down with its connection: nothing but DOWN until it is reset */
	bool stuck; /* so did the login: DOWN for the rest of the session */
	bool *gone; /* set when it is freed while somebody still has work with it */
	unsigned route;		  /* index into conf->route */
	unsigned long long tried; /* fresh connections for this ask, one bit each of conf->backend */
	struct event later;	  /* carries this outcome */
	enum sess_outcome outcome;
	unsigned ask;		 /* enum sess_ask of what is unanswered */
	unsigned asks;		 /* how many: more than one only of ASK_RCPT */
	struct str mail, line;	 /* of the last one, into asked */
	char *asked;
	size_t asked_size;
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

static void destroy(struct backend *b)
{
	disconnect(b);
	LIST_REMOVE(b, entry);
	event_del(&b->later);
	if (b->gone)
		*b->gone = true;
	free(b->asked);
	free(b);
}

/* --- answers ---------------------------------------------------------------- */

/* b may be gone when this returns. */
static void finish(struct backend *b, enum sess_outcome outcome, const struct reply *r, unsigned answers)
{
	bool gone = false;

	b->tried = 0;
	b->gone = &gone;
	do {
		b->asks -= b->asks > 0;
		if (!b->asks)
			b->ask = ASK_NONE;
		b->client.answer(b->client.ctx, outcome, r);
	} while (!gone && --answers);
	if (!gone)
		b->gone = NULL;
}

static unsigned all_asks(const struct backend *b)
{
	return b->asks ? b->asks : 1;
}

/* Said from the event loop: the asker is still in the middle of asking. */
static void finish_later(struct backend *b, enum sess_outcome outcome)
{
	b->outcome = outcome;
	event_active(&b->later, EV_TIMEOUT, 0);
}

static void on_later(evutil_socket_t fd, short what, void *ctx)
{
	struct backend *b = ctx;

	(void)fd, (void)what;
	if (b->outcome == ANSWER_REPLY && b->link)
		finish(b, ANSWER_REPLY, &b->link->hop.reply, 1);
	else
		finish(b, b->outcome == ANSWER_REPLY ? ANSWER_DOWN : b->outcome, NULL, all_asks(b));
}

/* --- where to --------------------------------------------------------------- */

/* Takes a connection that waits, or opens one, at the next backend that has not been tried. False when there is none left. */
static bool connect_next(struct backend *b)
{
	int next;

	while ((next = set_next(b->bs, b->route, b->tried)) >= 0) {
		b->link = link_take(b->bs, (unsigned)next, b);
		if (b->link && link_greet(b->link))
			return true;
		b->tried |= 1ull << next;
		b->link = link_open(b->bs, (unsigned)next, b);
		if (b->link)
			return true;
	}
	return false;
}

/* The ask goes on over the connection, as soon as there is one. False: it is answered already, as *event says. */
static bool pass_on(struct backend *b, enum hop_event *event)
{
	*event = HOP_WAIT;
	if (b->link->connected)
		*event = link_ask(b->link, b->ask, b->mail, b->line);
	return *event == HOP_WAIT;
}

static enum sess_outcome outcome_of(enum hop_event event)
{
	return event == HOP_LACKS ? ANSWER_CAPS : event == HOP_ANSWER ? ANSWER_REPLY : ANSWER_DOWN;
}

/* Nothing is lost by trying another. b may be gone after this. */
static void try_another(struct backend *b)
{
	enum hop_event event;

	disconnect(b);
	if (!connect_next(b))
		finish(b, ANSWER_DOWN, NULL, all_asks(b));
	else if (!pass_on(b, &event))
		finish_later(b, outcome_of(event));
}

/* The ask can be put again elsewhere: no recipient was accepted, nobody logged in, and no other ask hangs on it. */
static bool repeatable(const struct backend *b)
{
	const struct hop *h = &b->link->hop;

	return (b->ask == ASK_RCPT || (b->ask == ASK_AUTH && !hop_ready(h))) && b->asks == 1 && !h->rcpts && !h->authed && !h->auth_open;
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
	if (b->ask != ASK_NONE)
		link_ask(b->link, b->ask, b->mail, b->line); /* waits for the dialogue to stand */
}

void backend_answered(struct backend *b, unsigned answers, bool over)
{
	struct link *l = b->link;

	/* Only the connection was too old for this: the server ends what it has not been asked anything for long. */
	if (over && l->hop.reply.code == 421 && l->hop.worked && !l->hop.mail_open && repeatable(b)) {
		try_another(b);
		return;
	}
	if (over)
		forget(b);
	finish(b, ANSWER_REPLY, &l->hop.reply, answers);
	if (over)
		link_close(l);
}

void backend_lacks(struct backend *b)
{
	finish(b, ANSWER_CAPS, NULL, 1);
}

void backend_unfit(struct backend *b, const char *why)
{
	if (!b->link->hop.reused)
		set_down(b->link, why);
	try_another(b);
}

void backend_dropped(struct backend *b, const char *why)
{
	struct link *l = b->link;
	bool content = hop_content(&l->hop), again = repeatable(b);

	if (l->hop.reused)
		set_flush(l->bs, l->at); /* those that wait are as old */
	else if (!hop_ready(&l->hop))
		set_down(l, why);
	if (!again && (b->ask != ASK_NONE || content))
		log_info("session=%016llx backend=%s %s", b->client.session, conf_of(b)->name, why);
	if (again) {
		try_another(b);
		return;
	}
	disconnect(b);
	if (b->ask != ASK_NONE || content)
		finish(b, ANSWER_DOWN, NULL, all_asks(b));
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
	evtimer_assign(&b->later, bs->base, on_later, b);
	LIST_INSERT_HEAD(&bs->all, b, entry);
	return b;
}

static bool keep_lines(struct backend *b, struct str mail, struct str line)
{
	size_t need = mail.n + line.n + 1;

	if (need > b->asked_size) {
		char *more = realloc(b->asked, need);

		if (!more)
			return false;
		b->asked = more;
		b->asked_size = need;
	}
	memcpy(b->asked, mail.n ? mail.p : "", mail.n);
	memcpy(b->asked + mail.n, line.n ? line.p : "", line.n);
	b->mail = (struct str){ b->asked, mail.n };
	b->line = (struct str){ b->asked + mail.n, line.n };
	return true;
}

static void reset(struct backend *b)
{
	b->lost = false;
	if (b->link && b->link->hop.mail_sent && link_ask(b->link, ASK_RESET, STR(""), STR("")) != HOP_WAIT)
		disconnect(b);
	b->lost = false;
}

static void abort_now(struct backend *b)
{
	disconnect(b);
	b->ask = ASK_NONE;
	b->asks = 0;
	b->lost = false;
}

static void ask_now(struct backend *b)
{
	bool opens = b->ask == ASK_RCPT || b->ask == ASK_AUTH;
	enum hop_event event;

	if (!b->link && (!opens || !connect_next(b)))
		finish_later(b, ANSWER_DOWN);
	else if (!pass_on(b, &event))
		finish_later(b, outcome_of(event));
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
		b->asks++;
		b->tried = 0;
		if (b->lost || b->stuck || !keep_lines(b, mail, line))
			finish_later(b, ANSWER_DOWN);
		else
			ask_now(b);
	}
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
	if (l && b->ask == ASK_NONE && hop_ready(&l->hop) && !b->lost) {
		b->link = NULL;
		link_release(l);
	}
	destroy(b);
}
