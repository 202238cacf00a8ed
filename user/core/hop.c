/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/hop.h"

#include "user/core/addr.h"
#include "user/core/caps.h"

#define XCLIENT_LINE_MAX 510 /* RFC 5321 section 4.5.3.1.4, without CRLF */

enum hop_state {
	S_GREETING,
	S_EHLO,
	S_XCLIENT,
	S_READY, /* nothing outstanding */
	S_MAIL,
	S_RCPT,
	S_AUTH,
	S_DATA,
	S_CONTENT, /* between 354 and the end of data */
	S_END,
	S_RSET,
	S_QUIT,
	S_DEAD,
	S_MAX
};

/* --- writing ---------------------------------------------------------------- */

static void put(struct hop *h, struct str s)
{
	size_t room = sizeof(h->out) - h->nout;

	if (s.n > room)
		s.n = room;
	memcpy(h->out + h->nout, s.p, s.n);
	h->nout += s.n;
}

static void put_u16(struct hop *h, unsigned v)
{
	char digit[5];
	size_t n = sizeof(digit);

	do
		digit[--n] = (char)('0' + v % 10);
	while ((v /= 10) && n);
	put(h, (struct str){ digit + n, sizeof(digit) - n });
}

static void put_addr(struct hop *h, const struct pst_addr *a)
{
	char text[ADDR_TEXT_MAX];

	put(h, str_of(addr_text(a, text)));
}

/* RFC 3461 section 4: what is not a plain printable becomes +HH. */
static void put_xtext(struct hop *h, struct str s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char code[3] = { '+', hex[c >> 4], hex[c & 15] };
		bool plain = c > ' ' && c <= '~' && c != '+' && c != '=';

		put(h, plain ? str_sub(s, i, i + 1) : (struct str){ code, 3 });
	}
}

static void send_out(struct hop *h, struct hop_step *step)
{
	step->send[0] = (struct str){ h->out, h->nout };
}

static void send_line(struct hop_step *step, struct str line)
{
	step->send[0] = line;
	step->send[1] = STR("\r\n");
}

static void broken(struct hop *h, const char *why, struct hop_step *step)
{
	h->state = S_DEAD;
	h->why = why;
	step->event = HOP_BROKEN;
}

static void unfit(struct hop *h, const char *why, struct hop_step *step)
{
	h->state = S_DEAD;
	h->why = why;
	step->event = HOP_UNFIT;
}

/* --- greeting, EHLO, identity ----------------------------------------------- */

/* PROXY protocol version 1: "PROXY TCP4 source destination source-port destination-port". */
static void put_proxy(struct hop *h)
{
	const struct hop_conf *c = h->conf;

	put(h, addr_is4(&c->client) ? STR("PROXY TCP4 ") : STR("PROXY TCP6 "));
	put_addr(h, &c->client);
	put(h, STR(" "));
	put_addr(h, &c->local);
	put(h, STR(" "));
	put_u16(h, c->client_port);
	put(h, STR(" "));
	put_u16(h, c->local_port);
	put(h, STR("\r\n"));
}

static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

/* Once told about the client, the backend judges the client's own name; before that the gate speaks for itself. */
static void send_ehlo(struct hop *h, struct hop_step *step)
{
	h->nout = 0;
	put(h, STR("EHLO "));
	put(h, h->told && is_plain(h->conf->helo) ? h->conf->helo : str_of(h->conf->hostname));
	put(h, STR("\r\n"));
	send_out(h, step);
	h->state = S_EHLO;
}

static void put_attribute(struct hop *h, enum caps_attribute a)
{
	const struct hop_conf *c = h->conf;
	size_t before;

	put(h, STR(" "));
	put(h, str_of(caps_attribute_name[a]));
	put(h, STR("="));
	before = h->nout;
	switch (a) {
	case ATTR_ADDR:
		if (!addr_is4(&c->client))
			put(h, STR("IPV6:"));
		put_addr(h, &c->client);
		break;
	case ATTR_PORT:
		put_u16(h, c->client_port);
		break;
	case ATTR_PROTO:
		put(h, c->esmtp ? STR("ESMTP") : STR("SMTP"));
		break;
	case ATTR_HELO:
		put_xtext(h, c->helo);
		break;
	default:
		break;
	}
	if (h->nout == before || h->nout > XCLIENT_LINE_MAX) {
		h->nout = before;
		put(h, STR("[UNAVAILABLE]"));
	}
}

static void send_xclient(struct hop *h, struct hop_step *step)
{
	h->nout = 0;
	put(h, STR("XCLIENT"));
	for (unsigned a = 0; a < ATTR_MAX; a++)
		if (h->attributes & (1u << a))
			put_attribute(h, a);
	put(h, STR("\r\n"));
	send_out(h, step);
	h->state = S_XCLIENT;
}

/* --- asks ------------------------------------------------------------------- */

static bool is_line(struct str s)
{
	return s.n && !memchr(s.p, '\r', s.n) && !memchr(s.p, '\n', s.n) && !memchr(s.p, '\0', s.n);
}

static void start_rcpt(struct hop *h, struct hop_step *step)
{
	if (!is_line(h->line) || !is_line(h->mail)) {
		broken(h, "an envelope line that is not one line", step);
		return;
	}
	if (caps_lacking(&h->caps, h->mail, h->line)) {
		step->event = HOP_LACKS;
		h->ask = ASK_NONE;
		return;
	}
	h->utf8 = caps_used(h->mail) & CAP_SMTPUTF8;
	h->state = h->mail_open ? S_RCPT : S_MAIL;
	send_line(step, h->mail_open ? h->line : h->mail);
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
		step->event = HOP_LACKS;
		h->ask = ASK_NONE;
		return;
	}
	h->state = S_AUTH;
	send_line(step, h->line);
}

static void start(struct hop *h, struct hop_step *step)
{
	enum sess_ask ask = h->ask;

	if ((ask == ASK_DATA && !h->mail_open) || (ask == ASK_END) != (h->state == S_CONTENT)) {
		broken(h, "an ask that does not belong here", step);
		return;
	}
	switch (ask) {
	case ASK_RCPT:
		start_rcpt(h, step);
		break;
	case ASK_AUTH:
		start_auth(h, step);
		break;
	case ASK_DATA:
		h->state = S_DATA;
		send_line(step, STR("DATA"));
		break;
	case ASK_END:
		h->state = S_END;
		send_line(step, STR("."));
		break;
	case ASK_RESET:
		h->ask = ASK_NONE;
		h->state = S_RSET;
		send_line(step, STR("RSET"));
		break;
	default:
		break;
	}
}

/* --- replies ---------------------------------------------------------------- */

static void ready(struct hop *h, struct hop_step *step)
{
	h->state = S_READY;
	if (h->ask != ASK_NONE)
		start(h, step);
}

static void answer(struct hop *h, enum hop_state next, struct hop_step *step)
{
	h->ask = ASK_NONE;
	h->state = h->reply.code == 421 ? S_DEAD : next;
	step->event = HOP_ANSWER;
}

/*
 * A refusal before the dialogue stands. Once the backend knows the client, a permanent or temporary
 * no is its word about that client and reaches it; x0z is about syntax and 421 about the service, and so is
 * everything said to the gate itself: then another backend may do better.
 */
static void refused(struct hop *h, const char *why, struct hop_step *step)
{
	bool verdict = h->reply.code >= 400 && h->reply.code / 10 % 10 != 0 && h->reply.code != 421;

	if (h->told && verdict && h->ask != ASK_NONE)
		answer(h, S_DEAD, step);
	else
		unfit(h, why, step);
}

static void on_greeting(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) != 2)
		unfit(h, "refused in its greeting", step);
	else
		send_ehlo(h, step);
}

static void on_ehlo(struct hop *h, struct hop_step *step)
{
	bool xclient = h->conf->xclient != HOP_XCLIENT_NEVER && !h->told;

	if (reply_class(&h->reply) != 2) {
		refused(h, "refused EHLO", step);
		return;
	}
	caps_read(&h->reply, &h->caps, &h->attributes);
	xclient = xclient && (h->caps.bits & CAP_XCLIENT) && (h->attributes & (1u << ATTR_ADDR));
	if (xclient) {
		send_xclient(h, step);
	} else if (h->conf->xclient == HOP_XCLIENT_MUST && !h->told) {
		unfit(h, "does not offer XCLIENT with ADDR to this gate", step);
	} else {
		step->event = HOP_READY;
		ready(h, step);
	}
}

static void on_xclient(struct hop *h, struct hop_step *step)
{
	h->told = true;
	if (reply_class(&h->reply) != 2)
		refused(h, "refused XCLIENT", step);
	else
		send_ehlo(h, step);
}

static void on_mail(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) != 2) {
		answer(h, S_READY, step);
		return;
	}
	h->mail_open = true;
	h->state = S_RCPT;
	send_line(step, h->line);
}

static void on_rcpt(struct hop *h, struct hop_step *step)
{
	answer(h, S_READY, step);
}

static void on_auth(struct hop *h, struct hop_step *step)
{
	h->auth_open = h->reply.code == 334;
	h->authed = h->authed || reply_class(&h->reply) == 2;
	answer(h, S_READY, step);
}

static void on_data(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) == 2)
		broken(h, "accepted DATA without taking a message", step);
	else
		answer(h, h->reply.code == 354 ? S_CONTENT : S_READY, step);
}

/* A refusal while content still comes is the message's fate; an early acceptance means nothing. */
static void on_content(struct hop *h, struct hop_step *step)
{
	if (reply_class(&h->reply) < 4)
		broken(h, "replied in the middle of a message", step);
	else
		answer(h, S_DEAD, step);
}

static void on_end(struct hop *h, struct hop_step *step)
{
	h->mail_open = false;
	h->utf8 = false;
	answer(h, S_READY, step);
}

static void on_rset(struct hop *h, struct hop_step *step)
{
	h->mail_open = false;
	h->utf8 = false;
	if (reply_class(&h->reply) == 2)
		ready(h, step);
	else
		broken(h, "refused RSET", step);
}

static void on_quit(struct hop *h, struct hop_step *step)
{
	h->state = S_DEAD;
	step->event = HOP_OVER;
}

static void on_nothing(struct hop *h, struct hop_step *step)
{
	broken(h, h->reply.code == 421 ? "ended the session" : "sent a reply to nothing", step);
}

/* What a reply means is a matter of what was sent last; 3xx only ever answers AUTH and DATA. */
static const struct {
	void (*on_reply)(struct hop *h, struct hop_step *step);
	unsigned intermediate;
} state_row[S_MAX] = {
	[S_GREETING] = { on_greeting, 0 }, [S_EHLO] = { on_ehlo, 0 },	     [S_XCLIENT] = { on_xclient, 0 },
	[S_READY] = { on_nothing, 0 },	   [S_MAIL] = { on_mail, 0 },	     [S_RCPT] = { on_rcpt, 0 },
	[S_AUTH] = { on_auth, 334 },	   [S_DATA] = { on_data, 354 },	     [S_CONTENT] = { on_content, 0 },
	[S_END] = { on_end, 0 },	   [S_RSET] = { on_rset, 0 },	     [S_QUIT] = { on_quit, 0 },
	[S_DEAD] = { on_nothing, 0 },
};

/* --- doors ------------------------------------------------------------------ */

static void step_init(struct hop_step *step)
{
	step->send[0] = step->send[1] = (struct str){ NULL, 0 };
	step->event = HOP_WAIT;
}

void hop_init(struct hop *h, const struct hop_conf *conf, struct hop_step *step)
{
	step_init(step);
	memset(h, 0, sizeof(*h));
	h->conf = conf;
	reply_init(&h->reply);
	if (conf->proxy) {
		h->told = true;
		put_proxy(h);
		send_out(h, step);
	}
}

void hop_ask(struct hop *h, enum sess_ask ask, struct str mail, struct str line, struct hop_step *step)
{
	step_init(step);
	if (h->state == S_DEAD || h->state == S_QUIT || h->ask != ASK_NONE) {
		broken(h, "asked out of turn", step);
		return;
	}
	h->ask = ask;
	h->mail = mail;
	h->line = line;
	if (h->state == S_READY || h->state == S_CONTENT)
		start(h, step);
}

static void take_line(struct hop *h, const struct line *line, struct hop_step *step)
{
	enum reply_result result = line->flaws & LINE_LONG ? REPLY_BAD : reply_line(&h->reply, line->text);

	if (result == REPLY_MORE)
		return;
	h->whole = true;
	if (result == REPLY_BAD || (reply_class(&h->reply) == 3 && h->reply.code != state_row[h->state].intermediate))
		broken(h, "sent what is no SMTP reply here", step);
	else
		state_row[h->state].on_reply(h, step);
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
	if (h->state != S_READY)
		return;
	h->state = S_QUIT;
	send_line(step, STR("QUIT"));
}

bool hop_ready(const struct hop *h)
{
	return h->state > S_XCLIENT;
}

bool hop_alive(const struct hop *h)
{
	return h->state < S_QUIT;
}

bool hop_waits(const struct hop *h)
{
	return h->state != S_READY && h->state != S_CONTENT && h->state != S_DEAD;
}

bool hop_content(const struct hop *h)
{
	return h->state == S_CONTENT;
}
