/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/hop.h"

#include "user/core/caps.h"
#include "user/core/hop_identity.h"

enum hop_phase {
	P_OPENING, /* greeting, EHLO, TLS, identity */
	P_READY,
	P_CONTENT, /* between 354 and the end of data */
	P_QUIT,
	P_DEAD,
};

/* --- what is sent, and what is due for it ------------------------------------ */

static void step_init(struct hop_step *step)
{
	step->nsend = step->answers = step->due = 0;
	step->event = HOP_WAIT;
}

static void broken(struct hop *h, const char *why, struct hop_step *step)
{
	h->phase = P_DEAD;
	h->why = why;
	step->nsend = 0;
	step->event = HOP_BROKEN;
}

static void unfit(struct hop *h, const char *why, struct hop_step *step)
{
	h->phase = P_DEAD;
	h->why = why;
	step->event = HOP_UNFIT;
}

static void expect(struct hop *h, enum hop_due due)
{
	h->due[h->ndue++] = (unsigned char)due;
}

static enum hop_due take_due(struct hop *h)
{
	enum hop_due due = hop_due(h);

	if (due != HOP_DUE_NOTHING)
		memmove(h->due, h->due + 1, --h->ndue);
	return due;
}

static void send_line(struct hop *h, struct str line, enum hop_due due, struct hop_step *step)
{
	step->send[step->nsend++] = line;
	step->send[step->nsend++] = STR("\r\n");
	expect(h, due);
}

/* The identity's own lines are composed in out. */
static struct put compose(struct hop *h)
{
	return (struct put){ .p = h->out, .max = sizeof(h->out) };
}

static void send_composed(struct hop *h, const struct put *o, struct hop_step *step)
{
	h->nout = o->n;
	step->send[step->nsend++] = (struct str){ h->out, h->nout };
}

static void send_hello(struct hop *h, struct hop_step *step)
{
	struct put o = compose(h);

	identity_hello(h->conf, h->told, &o);
	send_composed(h, &o, step);
	expect(h, HOP_DUE_EHLO);
}

static void send_xclient(struct hop *h, struct hop_step *step)
{
	struct put o = compose(h);

	identity_xclient(h->conf, h->attributes, &o);
	send_composed(h, &o, step);
	expect(h, HOP_DUE_XCLIENT);
}

/* --- asks ------------------------------------------------------------------- */

static bool pipelines(const struct hop *h)
{
	return h->caps.bits & CAP_PIPELINING;
}

static bool is_line(struct str s)
{
	return s.n && !memchr(s.p, '\r', s.n) && !memchr(s.p, '\n', s.n) && !memchr(s.p, '\0', s.n);
}

static void lacks(struct hop *h, struct hop_step *step)
{
	h->ask = ASK_NONE;
	step->event = HOP_LACKS;
}

/*
 * RFC 2033 section 4.2 has a reply for every recipient after the end of data. A client has room for one, so a message has one
 * recipient; RFC 5321 section 4.5.3.1.10 has the client bring the others in transactions of their own.
 */
static void one_at_a_time(struct hop *h, struct hop_step *step)
{
	reply_init(&h->reply);
	reply_line(&h->reply, STR("452 4.5.3 One recipient at a time here"));
	h->whole = true;
	h->ask = ASK_NONE;
	step->event = HOP_ANSWER;
	step->answers = 1;
}

static void send_rcpt(struct hop *h, struct hop_step *step)
{
	send_line(h, h->line, HOP_DUE_RCPT, step);
	h->ask = ASK_NONE;
}

static void start_rcpt(struct hop *h, struct hop_step *step)
{
	if (!is_line(h->line) || !is_line(h->mail)) {
		broken(h, "an envelope line that is not one line", step);
	} else if (caps_lacking(&h->caps, h->mail, h->line)) {
		lacks(h, step);
	} else if (h->mail_sent && h->conf->lmtp && h->rcpts) {
		one_at_a_time(h, step);
	} else if (h->mail_sent) {
		send_rcpt(h, step);
	} else {
		h->utf8 = caps_used(h->mail) & CAP_SMTPUTF8;
		h->mail_sent = true;
		h->rcpts = 0;
		send_line(h, h->mail, HOP_DUE_MAIL, step);
		if (pipelines(h))
			send_rcpt(h, step);
	}
}

static void start_auth(struct hop *h, struct hop_step *step)
{
	bool first = str_istarts(h->line, STR("AUTH "));

	/* An empty continuation is a legal answer to a challenge (RFC 4954 section 4). */
	if ((h->line.n && !is_line(h->line)) || first == h->auth_open) {
		broken(h, "an AUTH line that does not belong here", step);
		return;
	}
	if (first && caps_lacking(&h->caps, h->mail, h->line)) {
		lacks(h, step);
		return;
	}
	h->spoilt = true;
	send_line(h, h->line, HOP_DUE_AUTH, step);
	h->ask = ASK_NONE;
}

static void start_reset(struct hop *h, struct hop_step *step)
{
	h->mail_sent = h->mail_open = h->utf8 = false;
	h->rcpts = 0;
	send_line(h, STR("RSET"), HOP_DUE_RSET, step);
	h->ask = ASK_NONE;
}

static void start(struct hop *h, struct hop_step *step)
{
	enum sess_ask ask = h->ask;

	if ((ask == ASK_DATA && (!h->mail_open || !h->rcpts)) || (ask == ASK_END) != (h->phase == P_CONTENT)) {
		broken(h, "an ask that does not belong here", step);
	} else if (ask == ASK_RCPT) {
		start_rcpt(h, step);
	} else if (ask == ASK_AUTH) {
		start_auth(h, step);
	} else if (ask == ASK_RESET) {
		start_reset(h, step);
	} else {
		send_line(h, ask == ASK_DATA ? STR("DATA") : STR("."), ask == ASK_DATA ? HOP_DUE_DATA : HOP_DUE_END, step);
		h->phase = P_READY; /* in content no reply is due but this one */
		h->ask = ASK_NONE;
	}
}

/* Replies to these end an ask. */
static bool answers_ask(unsigned char due)
{
	return due == HOP_DUE_MAIL || due == HOP_DUE_RCPT || due == HOP_DUE_AUTH || due == HOP_DUE_DATA || due == HOP_DUE_END;
}

static bool unanswered(const struct hop *h)
{
	for (unsigned i = 0; i < h->ndue; i++)
		if (answers_ask(h->due[i]))
			return true;
	return h->ask != ASK_NONE;
}

/* May this be sent while replies are due? */
static bool may_overtake(const struct hop *h, enum sess_ask ask)
{
	return pipelines(h) && (ask == ASK_RCPT || ask == ASK_RESET) && h->ndue + 2 <= HOP_DUE_MAX;
}

static void go_on(struct hop *h, struct hop_step *step)
{
	if (h->ask != ASK_NONE && h->phase < P_QUIT && h->phase != P_OPENING && (!h->ndue || may_overtake(h, h->ask)))
		start(h, step);
}

/* --- replies ---------------------------------------------------------------- */

static void answer(struct hop *h, unsigned answers, struct hop_step *step)
{
	if (h->reply.code == 421)
		h->phase = P_DEAD;
	step->event = HOP_ANSWER;
	step->answers = answers;
}

/*
 * A refusal before the dialogue stands. Once the backend knows the client, a permanent or temporary
 * no is its word about that client and reaches it; x0z is about syntax and 421 about the service, and so is
 * everything said to the gate itself or after many sessions: then another connection may do better.
 */
static void refused(struct hop *h, const char *why, struct hop_step *step)
{
	bool verdict = h->reply.code >= 400 && h->reply.code / 10 % 10 != 0 && h->reply.code != 421;

	if (h->told && !h->reused && verdict && h->ask != ASK_NONE) {
		answer(h, 1, step);
		h->ask = ASK_NONE;
		h->phase = P_DEAD;
	} else {
		unfit(h, why, step);
	}
}

static void on_greeting(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) != 2)
		unfit(h, "refused in its greeting", step);
	else
		send_hello(h, step);
}

/* The dialogue stands. */
static void stands(struct hop *h, struct hop_step *step)
{
	h->phase = P_READY;
	h->stood = true;
	step->event = HOP_READY;
	go_on(h, step);
}

static void tell(struct hop *h, struct hop_step *step)
{
	bool offered = (h->caps.bits & CAP_XCLIENT) && (h->attributes & (1u << ATTR_ADDR));

	if (h->told || h->conf->xclient == HOP_XCLIENT_NEVER)
		stands(h, step);
	else if (offered)
		send_xclient(h, step);
	else if (h->conf->xclient == HOP_XCLIENT_MUST)
		unfit(h, "does not offer XCLIENT with ADDR to this gate", step);
	else
		stands(h, step);
}

static void on_ehlo(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) != 2) {
		refused(h, "refused EHLO", step);
		return;
	}
	caps_read(&h->reply, &h->caps, &h->attributes);
	if (h->secured || h->conf->tls == HOP_TLS_OFF)
		tell(h, step);
	else if (h->caps.bits & CAP_STARTTLS)
		send_line(h, STR("STARTTLS"), HOP_DUE_STARTTLS, step);
	else if (h->conf->tls == HOP_TLS_REQUIRE)
		unfit(h, "does not offer STARTTLS", step);
	else
		tell(h, step);
}

static void on_starttls(struct hop *h, struct hop_step *step)
{
	if (h->reply.code == 220) {
		expect(h, HOP_DUE_TLS);
		step->event = HOP_TLS;
	} else if (h->conf->tls == HOP_TLS_MAY && reply_class(&h->reply) >= 4 && h->reply.code != 421) {
		tell(h, step);
	} else {
		unfit(h, "refused STARTTLS", step);
	}
}

static void on_xclient(struct hop *h, struct hop_step *step)
{
	h->told = true;
	if (reply_class(&h->reply) != 2)
		refused(h, "refused XCLIENT", step);
	else
		send_hello(h, step);
}

/* A refused MAIL answers every RCPT behind it; what the backend says to those is nobody's answer. */
static void on_mail(struct hop *h, struct hop_step *step)
{
	unsigned behind = h->ask == ASK_RCPT;

	if (reply_class(&h->reply) == 2) {
		h->mail_open = true;
		go_on(h, step);
		return;
	}
	h->ask = ASK_NONE;
	h->mail_sent = h->utf8 = false;
	for (unsigned i = 0; i < h->ndue; i++) {
		behind += h->due[i] == HOP_DUE_RCPT;
		if (h->due[i] == HOP_DUE_RCPT)
			h->due[i] = HOP_DUE_SKIP;
	}
	answer(h, behind, step);
}

static void on_rcpt(struct hop *h, struct hop_step *step)
{
	h->rcpts += reply_class(&h->reply) == 2;
	answer(h, 1, step);
}

static void on_skip(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) == 2)
		broken(h, "accepted a recipient without a sender", step);
	else if (h->reply.code == 421)
		broken(h, "ended the session", step);
	else
		go_on(h, step);
}

static void on_auth(struct hop *h, struct hop_step *step)
{
	h->auth_open = h->reply.code == 334;
	h->authed = h->authed || reply_class(&h->reply) == 2;
	answer(h, 1, step);
}

static void on_data(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) == 2) {
		broken(h, "accepted DATA without taking a message", step);
		return;
	}
	if (h->reply.code == 354)
		h->phase = P_CONTENT;
	answer(h, 1, step);
}

/* A refusal while content still comes is the message's fate; an early acceptance means nothing. */
static void on_content(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) < 4) {
		broken(h, "replied in the middle of a message", step);
	} else {
		answer(h, 1, step);
		h->phase = P_DEAD;
	}
}

static void on_end(struct hop *h, struct hop_step *step)
{
	h->worked = true;
	h->mail_sent = h->mail_open = h->utf8 = false;
	h->rcpts = 0;
	answer(h, 1, step);
}

static void on_rset(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) == 2)
		go_on(h, step);
	else
		broken(h, "refused RSET", step);
}

static void on_quit(struct hop *h, struct hop_step *step)
{
	h->phase = P_DEAD;
	step->event = HOP_OVER;
}

static void on_tls(struct hop *h, struct hop_step *step)
{
	broken(h, "spoke before the handshake", step);
}

static void on_nothing(struct hop *h, struct hop_step *step)
{
	if (h->phase == P_CONTENT)
		on_content(h, step);
	else
		broken(h, h->reply.code == 421 ? "ended the session" : "sent a reply to nothing", step);
}

/* What a reply means is a matter of what was sent for it; 3xx only ever answers AUTH and DATA. */
static const struct {
	void (*on_reply)(struct hop *h, struct hop_step *step);
	unsigned intermediate;
} due_row[] = {
	[HOP_DUE_GREETING] = { on_greeting, 0 }, [HOP_DUE_EHLO] = { on_ehlo, 0 },
	[HOP_DUE_STARTTLS] = { on_starttls, 0 }, [HOP_DUE_TLS] = { on_tls, 0 },
	[HOP_DUE_XCLIENT] = { on_xclient, 0 },	 [HOP_DUE_MAIL] = { on_mail, 0 },
	[HOP_DUE_RCPT] = { on_rcpt, 0 },	 [HOP_DUE_SKIP] = { on_skip, 0 },
	[HOP_DUE_AUTH] = { on_auth, 334 },	 [HOP_DUE_DATA] = { on_data, 354 },
	[HOP_DUE_END] = { on_end, 0 },		 [HOP_DUE_RSET] = { on_rset, 0 },
	[HOP_DUE_QUIT] = { on_quit, 0 },	 [HOP_DUE_NOTHING] = { on_nothing, 0 },
};

/* --- doors ------------------------------------------------------------------ */

void hop_init(struct hop *h, const struct hop_conf *conf, struct hop_step *step)
{
	struct put o;

	step_init(step);
	memset(h, 0, sizeof(*h));
	h->conf = conf;
	reply_init(&h->reply);
	if (conf->proxy != HOP_PROXY_NONE) {
		o = compose(h);
		h->told = true;
		if (conf->proxy == HOP_PROXY_V1)
			identity_proxy1(conf, &o);
		else
			identity_proxy2(conf, &o);
		send_composed(h, &o, step);
	}
	expect(h, conf->implicit ? HOP_DUE_TLS : HOP_DUE_GREETING);
	step->event = conf->implicit ? HOP_TLS : HOP_WAIT;
}

void hop_secured(struct hop *h, bool verified, struct hop_step *step)
{
	step_init(step);
	if (take_due(h) != HOP_DUE_TLS) {
		broken(h, "a handshake that does not belong here", step);
		return;
	}
	h->secured = true;
	h->verified = verified;
	memset(&h->cut, 0, sizeof(h->cut));
	if (h->conf->implicit)
		expect(h, HOP_DUE_GREETING);
	else
		send_hello(h, step); /* RFC 3207 section 4.2: what was offered in clear is forgotten */
}

void hop_ask(struct hop *h, enum sess_ask ask, struct str mail, struct str line, struct hop_step *step)
{
	step_init(step);
	if (h->phase >= P_QUIT || (unanswered(h) && !(ask == ASK_RCPT && hop_takes_rcpt(h)))) {
		broken(h, "asked out of turn", step);
		return;
	}
	h->ask = (unsigned char)ask;
	h->mail = mail;
	h->line = line;
	go_on(h, step);
}

static void take_line(struct hop *h, const struct line *line, struct hop_step *step)
{
	enum reply_result result = line->flaws & LINE_LONG ? REPLY_BAD : reply_line(&h->reply, line->text);
	enum hop_due due;

	if (result == REPLY_MORE)
		return;
	h->whole = true;
	due = take_due(h);
	step->due = h->ndue;
	h->spoilt |= result == REPLY_DONE && reply_class(&h->reply) >= 4;
	if (result == REPLY_BAD || (reply_class(&h->reply) == 3 && h->reply.code != due_row[due].intermediate))
		broken(h, "sent what is no SMTP reply here", step);
	else
		due_row[due].on_reply(h, step);
}

size_t hop_bytes(struct hop *h, struct str in, struct hop_step *step)
{
	struct line line;
	bool done = false;
	size_t n;

	step_init(step);
	n = line_take(&h->cut, in, HOP_LINE_MAX, &line, &done);
	if (!done)
		return n;
	if (h->whole) { /* the last reply was read by whoever asked: this line begins the next */
		h->whole = false;
		reply_init(&h->reply);
		h->reply.utf8 = h->utf8;
	}
	take_line(h, &line, step);
	return n;
}

void hop_quit(struct hop *h, struct hop_step *step)
{
	step_init(step);
	if (h->phase != P_READY || h->ask != ASK_NONE || (h->ndue && !may_overtake(h, ASK_RESET)))
		return;
	h->phase = P_QUIT;
	send_line(h, STR("QUIT"), HOP_DUE_QUIT, step);
}

void hop_reuse(struct hop *h, struct hop_step *step)
{
	step_init(step);
	if (!hop_free(h, true)) {
		broken(h, "a connection that may not be used again", step);
		return;
	}
	h->reused = h->worked = true;
	if (h->told) {
		h->phase = P_OPENING;
		h->stood = false;
		send_xclient(h, step);
	} else {
		step->event = HOP_READY;
	}
}

bool hop_ready(const struct hop *h)
{
	return h->stood;
}

bool hop_alive(const struct hop *h)
{
	return h->phase < P_QUIT;
}

bool hop_waits(const struct hop *h)
{
	return h->ndue && h->phase != P_DEAD;
}

bool hop_content(const struct hop *h)
{
	return h->phase == P_CONTENT;
}

bool hop_takes_rcpt(const struct hop *h)
{
	unsigned rcpts = 0;

	for (unsigned i = 0; i < h->ndue; i++)
		rcpts += h->due[i] == HOP_DUE_RCPT;
	return h->phase == P_READY && h->mail_sent && h->ask == ASK_NONE && !h->conf->lmtp && may_overtake(h, ASK_RCPT) &&
	       rcpts < HOP_RCPTS_MAX;
}

bool hop_free(const struct hop *h, bool idle)
{
	bool tellable = !h->told || h->attributes & (1u << ATTR_ADDR);

	return h->phase == P_READY && h->ask == ASK_NONE && !h->mail_sent && !h->spoilt && tellable &&
	       h->conf->proxy == HOP_PROXY_NONE && (!idle || !h->ndue);
}

enum hop_due hop_due(const struct hop *h)
{
	return h->ndue ? (enum hop_due)h->due[0] : HOP_DUE_NOTHING;
}
