/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_answer.c: what the backend says, and what of it the client is told. A backend that is gone or out of
 * step is a temporary failure, never a permanent one and never success.
 */
#include "user/core/sess_internal.h"

/* "2.1.5 " at the head of a reply's text: class, subject and detail (RFC 2034 section 4, RFC 3463 section 2). */
static bool has_enhanced(struct str text, unsigned class)
{
	size_t i, field, digits;

	if (text.n < 5 || text.p[0] != (char)('0' + class) || text.p[1] != '.')
		return false;
	for (i = 2, field = 0; field < 2; field++) {
		for (digits = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
			digits++;
		if (digits < 1 || digits > 3 || (!field && (i >= text.n || text.p[i++] != '.')))
			return false;
	}
	return i == text.n || text.p[i] == ' ';
}

#define REPLY_LINE_MAX 512 /* RFC 5321 section 4.5.3.1.5; both buffers take one such line */

static void put_line(struct put *o, unsigned code, struct str text)
{
	static const char *const plain[] = { "", "", "2.0.0 ", "", "4.0.0 ", "5.0.0 " };
	unsigned class = code / 100;
	const char *enhanced = class == 3 || has_enhanced(text, class) ? "" : plain[class];
	size_t room = REPLY_LINE_MAX - 4 - strlen(enhanced) - 2;

	put_u64(o, code);
	put_text(o, "-");
	put_text(o, enhanced);
	put_str(o, str_sub(text, 0, text.n < room ? text.n : room));
	put_text(o, "\r\n");
}

/*
 * Writes the reply, whole lines only, each with an enhanced code where RFC 2034 wants one: a backend without
 * them gets its class' "x.0.0". Lines that do not fit are left out.
 */
static struct str write_reply(const struct reply *r, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };
	size_t last = 0;
	unsigned i;

	for (i = 0; !i || (i < r->lines && !o.full); i++) {
		size_t at = o.n;

		put_line(&o, r->code, reply_text(r, i));
		if (o.full)
			o.n = at;
		else
			last = at;
	}
	out[last + 3] = ' ';
	return put_done(&o);
}

static bool is_enhanced(const struct reply *r)
{
	for (unsigned i = 0; i < r->lines && !r->cut; i++)
		if (!has_enhanced(reply_text(r, i), r->code / 100))
			return false;
	return !r->cut;
}

/* Whole, as it came; where codes have to be added, as many lines as there is room for. */
static void pass(struct sess *s, struct sess_step *step, const struct reply *r)
{
	step->reply = is_enhanced(r) ? (struct str){ r->text, r->n } : write_reply(r, s->out, sizeof(s->out));
	s->final |= r->code == 421; /* RFC 5321 section 3.8: the channel closes */
}

/* Every recipient that is asked for hears the same line. */
static void answer_all_rcpts(struct sess *s, struct sess_step *step, const char *line)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	for (; s->nrcpt; s->nrcpt--) {
		put_text(&o, line);
		tally(s, PST_CNT_RCPT_DEFERRED);
	}
	s->nline = 0;
	s->asked = ASK_NONE;
	s->refused = true;
	step->reply = put_done(&o);
}

/* The backend's reply cannot be trusted to mean anything: what it may have accepted must not count. */
static void out_of_step(struct sess *s, struct sess_step *step, struct str line)
{
	drop_transaction(s, step);
	step->ask = ASK_ABORT;
	step->reply = line;
}

#define DOWN "451 4.4.1 Mail server is not reachable, try again later\r\n"
#define BUSY "451 4.4.5 Mail server is busy, try again later\r\n"

_Static_assert(SESS_RCPTS_MAX * (sizeof(DOWN) - 1) <= SESS_OUT_MAX, "every recipient hears of it");

/*
 * Permanent codes that say "no such recipient". A full mailbox, a refused sender and a
 * policy are not what a harvester is after.
 */
static bool is_unknown_recipient(const struct reply *r)
{
	struct str text = reply_text(r, 0);

	if (!has_enhanced(text, 5) || str_istarts(text, STR("5.4.1 ")) || str_istarts(text, STR("5.0.0 ")))
		return r->code != 552;
	return str_istarts(text, STR("5.1.")) && !str_istarts(text, STR("5.1.7")) && !str_istarts(text, STR("5.1.8"));
}

static void rcpt_refused(struct sess *s, struct sess_step *step, const struct reply *r)
{
	s->refused = true;
	tally(s, reply_class(r) == 5 ? PST_CNT_RCPT_REJECTED : PST_CNT_RCPT_DEFERRED);
	if (reply_class(r) == 5 && s->rcpt[0].own && is_unknown_recipient(r))
		found(s, step, PST_RSN_HARVEST, (struct str){ s->line, s->rcpt[0].nline });
	pass(s, step, r);
}

/* What the backend knew of this session is gone with its connection: the client must begin again. */
static void lost(struct sess *s, struct sess_step *step)
{
	s->begun = false;
	if (s->rcpts || logged_in(s))
		say_last(s, step, "421 4.4.2 Connection to the mail server was lost\r\n", PST_CNT_SESS_REFUSED);
}

static void rcpts_down(struct sess *s, struct sess_step *step)
{
	answer_all_rcpts(s, step, DOWN);
	lost(s, step);
}

static void forget_first_rcpt(struct sess *s)
{
	size_t n = s->rcpt[0].nline;

	s->nline -= n;
	memmove(s->line, s->line + n, s->nline);
	memmove(s->rcpt, s->rcpt + 1, --s->nrcpt * sizeof(*s->rcpt));
	s->asked = s->nrcpt ? ASK_RCPT : ASK_NONE;
}

static void answer_first_rcpt(struct sess *s, struct sess_step *step, const struct reply *r)
{
	if (!r) {
		s->refused = true;
		tally(s, PST_CNT_RCPT_DEFERRED);
		step->reply = STR("451 4.3.0 Mail server has changed, try again later\r\n");
	} else if (reply_class(r) == 2) {
		s->rcpts++;
		tally(s, PST_CNT_RCPT_ACCEPTED);
		pass(s, step, r);
	} else {
		rcpt_refused(s, step, r);
	}
	forget_first_rcpt(s);
}

static void answer_rcpt(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	if (outcome == ANSWER_DOWN) {
		rcpts_down(s, step);
	} else if (outcome == ANSWER_BUSY) {
		answer_all_rcpts(s, step, BUSY);
	} else if (outcome == ANSWER_REPLY && reply_class(r) == 3) {
		answer_all_rcpts(s, step, "451 4.3.0 Mail server is out of step\r\n");
		out_of_step(s, step, step->reply);
	} else {
		answer_first_rcpt(s, step, outcome == ANSWER_REPLY ? r : NULL);
	}
}

static void answer_auth(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	unsigned code = outcome == ANSWER_REPLY ? r->code : 0;

	enter(s, S_READY);
	if (code == 334) {
		enter(s, S_AUTH);
		pass(s, step, r);
		return;
	}
	tally(s, code == 235 ? PST_CNT_AUTH_OK : PST_CNT_AUTH_FAILED);
	if (code == 235) {
		s->authenticated = true;
		pass(s, step, r);
	} else if (code >= 400) {
		s->errors++;
		s->auth_failures += code == 535;
		if (code == 535)
			found(s, step, PST_RSN_AUTH, STR(""));
		pass(s, step, r);
	} else {
		step->reply = STR("454 4.7.0 Temporary authentication failure\r\n");
		if (code)
			step->ask = ASK_ABORT;
	}
}

static void answer_data(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	unsigned code = outcome == ANSWER_REPLY ? r->code : 0;

	if (code == 354) {
		step->reply = s->chunking ? STR("") : STR("354 End data with <CR><LF>.<CR><LF>\r\n");
		data_begin(s);
	} else if (code >= 400) {
		drop_transaction(s, step);
		pass(s, step, r);
	} else {
		out_of_step(s, step, STR("451 4.4.2 Connection to the mail server was lost\r\n"));
		if (!code)
			step->ask = ASK_NONE;
		s->final |= logged_in(s);
	}
}

static void data_answered(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	bool chunking = s->chunking;

	answer_data(s, step, outcome, r);
	if (chunking)
		chunk_answered(s, step);
}

/* The only place where a message is said to be accepted. */
static void answer_end(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	unsigned class = outcome == ANSWER_REPLY ? reply_class(r) : 0;

	s->begun = false; /* the end of data ended it there too */
	fate(s, class == 2 ? PST_CNT_MSG_ACCEPTED : class == 5 ? PST_CNT_MSG_REJECTED : PST_CNT_MSG_DEFERRED);
	s->messages += class == 2;
	drop_transaction(s, step);
	if (class == 2 || class >= 4) {
		pass(s, step, r);
		return;
	}
	step->reply = STR("451 4.4.2 Connection to the mail server was lost\r\n");
	s->final |= logged_in(s);
	if (class)
		step->ask = ASK_ABORT;
}

/* Before the end of data: held until the client has said all it has to say. Success cannot be had so early. */
static void hold(struct sess *s, enum sess_outcome outcome, const struct reply *r)
{
	struct put o = { .p = s->held, .max = sizeof(s->held) };

	if (s->lost)
		return;
	s->lost = true;
	if (outcome == ANSWER_REPLY && reply_class(r) >= 4)
		o.n = write_reply(r, s->held, sizeof(s->held)).n;
	else
		put_text(&o, "451 4.4.2 Connection to the mail server was lost\r\n");
	s->nheld = o.n;
}

void take_answer(struct sess *s, struct sess_step *step, enum sess_outcome outcome, const struct reply *r)
{
	unsigned asked = s->asked;

	s->asked = ASK_NONE;
	if (asked == ASK_RCPT)
		answer_rcpt(s, step, outcome, r);
	else if (asked == ASK_AUTH)
		answer_auth(s, step, outcome, r);
	else if (asked == ASK_DATA)
		data_answered(s, step, outcome, r);
	else if (asked == ASK_END)
		answer_end(s, step, outcome, r);
	else if (in_content(s))
		hold(s, outcome, r);
	else
		lost(s, step);
}

/* RFC 5321 section 4.4, RFC 3848, RFC 6531 section 3.7.3 */
static void put_protocol(const struct sess *s, struct put *o)
{
	put_text(o, s->utf8 ? "UTF8SMTP" : s->esmtp ? "ESMTP" : "SMTP");
	if (s->esmtp && s->tls)
		put_text(o, "S");
	if (s->esmtp && s->authenticated)
		put_text(o, "A");
}

size_t sess_received(const struct sess *s, const char *date, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };
	char addr[ADDR_TEXT_MAX];

	put_text(&o, "Received: from ");
	put_text(&o, s->nhelo ? s->helo : "unknown");
	put_text(&o, " (");
	put_str(&o, (struct str){ s->name, s->nname });
	put_text(&o, s->nname ? " [" : "[");
	put_text(&o, addr_is4(&s->peer.addr) ? "" : "IPv6:");
	put_text(&o, addr_text(&s->peer.addr, addr));
	put_text(&o, "])\r\n\tby ");
	put_text(&o, s->conf->hostname);
	put_text(&o, " with ");
	put_protocol(s, &o);
	put_text(&o, " id ");
	put_hex64(&o, s->peer.id);
	put_text(&o, ";\r\n\t");
	put_text(&o, date);
	put_text(&o, "\r\n");
	return o.full ? 0 : o.n;
}
