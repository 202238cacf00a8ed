/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_data.c: message content on its way through, and what is wrong with it. */
#include "user/core/sess_internal.h"

/* Worst first: the first that applies is the answer. */
static const struct {
	unsigned flaws;
	int reason; /* enum pst_reason, -1 = no offence */
	const char *reply; /* NULL = the reason's own */
} flaw_row[] = {
	{ BODY_BARE_LF | BODY_BARE_CR, PST_RSN_BARE_LF, NULL },
	{ BODY_NUL,		       PST_RSN_NUL_BYTE, NULL },
	{ BODY_HEADERS,		       PST_RSN_HEADERS, NULL },
	{ BODY_LOOP,		       -1, "554 5.4.6 Too many hops, mail is looping\r\n" },
	{ BODY_SIZE,		       -1, "552 5.3.4 Message is over the size limit\r\n" },
};

/* What is left to this message: its own limit, or what the messages before it left of the session's. */
static unsigned long long room(const struct sess *s)
{
	unsigned long long size = size_limit(s), max = session_max(s);

	if (!max || !s->content)
		return size;
	max = max > s->content ? max - s->content : 1;
	return size && size < max ? size : max;
}

/* The message would have had room in a session of its own. */
static bool over_session_only(const struct sess *s)
{
	unsigned long long size = size_limit(s);

	return s->body.flaws == BODY_SIZE && room(s) != size && (!size || s->body.bytes <= size);
}

/* Says what is wrong with the message. */
static void refuse_message(struct sess *s, struct sess_step *step)
{
	size_t i;

	if (over_session_only(s)) {
		say_last(s, step, "421 4.7.0 Session size limit reached\r\n", PST_CNT_SESS_REFUSED);
		return;
	}
	for (i = 0; i < sizeof(flaw_row) / sizeof(flaw_row[0]); i++)
		if (s->body.flaws & flaw_row[i].flaws)
			break;
	if (flaw_row[i].reason >= 0)
		found(s, step, (enum pst_reason)flaw_row[i].reason, STR(""));
	else
		say(s, step, flaw_row[i].reply);
}

void data_begin(struct sess *s)
{
	body_init(&s->body);
	mend_init(&s->mend, s->chunking);
	s->data_ns = s->now_ns;
	enter(s, s->chunking ? S_CHUNK : S_DATA);
}

void data_broken_off(struct sess *s, struct sess_step *step)
{
	if (s->body.flaws)
		refuse_message(s, step);
}

/* A reply that the backend gave too early, or will never give. */
static void pass_held(struct sess *s, struct sess_step *step)
{
	memcpy(s->out, s->held, s->nheld);
	step->reply = (struct str){ s->out, s->nheld };
	s->final |= s->nheld >= 3 && !memcmp(s->out, "421", 3);
	fate(s, s->out[0] == '5' ? PST_CNT_MSG_REJECTED : PST_CNT_MSG_DEFERRED);
}

/* The end of data was read and nothing of the message may be delivered. */
static void refuse(struct sess *s, struct sess_step *step)
{
	if (s->body.flaws) {
		fate(s, over_session_only(s) ? PST_CNT_MSG_DEFERRED : PST_CNT_MSG_REJECTED);
		enter(s, S_MAIL);
		refuse_message(s, step);
	} else {
		pass_held(s, step);
		enter(s, S_MAIL);
	}
	drop_transaction(s, step);
	step->ask = ASK_ABORT;
}

/* A refused message is read to its end, so that its lines do not become commands; but not for ever. */
static bool out_of_patience(const struct sess *s)
{
	unsigned long long limit = size_limit(s);

	return limit && s->body.bytes > 2 * limit + 1048576;
}

void data_deadline(struct sess *s)
{
	const struct relay_route *route = own_route(s);
	unsigned rate = route && route->data_rate > s->conf->data_rate ? route->data_rate : s->conf->data_rate;
	__u64 seconds, fair_ns;

	if (s->state != S_DATA && s->state != S_CHUNK)
		return;
	s->deadline_ns = s->now_ns + stricter(s->conf->data_timeout_s, route ? route->data_timeout_s : 0) * NS_PER_S;
	seconds = rate ? s->body.bytes / rate + SESS_RATE_GRACE_S : 0;
	fair_ns = s->data_ns + seconds * NS_PER_S;
	if (rate && seconds < DURATION_MAX_S && fair_ns < s->deadline_ns)
		s->deadline_ns = fair_ns;
}

static bool mends(const struct sess *s)
{
	const struct mend_rules *m = &s->conf->mend;

	return s->chunking || m->lf || m->cr || m->nul;
}

/* Octets on their way, unless nothing of the message is passed any more. */
static size_t pass(struct sess *s, struct sess_step *step, struct str content, bool *end)
{
	struct body_limits limits = s->conf->body;
	struct body_out out;
	size_t n;

	limits.size = room(s);
	n = body_take(&s->body, &limits, content, &out);
	if (!s->lost) {
		step->body[0] = out.held;
		step->body[1] = out.now;
	}
	*end = out.end;
	return n;
}

size_t data_take(struct sess *s, struct sess_step *step, struct str in, bool last, bool *end)
{
	struct put o = { .p = s->peer.room, .max = s->peer.nroom };
	size_t n;

	if (!mends(s))
		return pass(s, step, in, end);
	n = mend_take(&s->mend, &s->conf->mend, in, &o);
	if (last && n == in.n)
		mend_end(&s->mend, &s->conf->mend, &o);
	pass(s, step, put_done(&o), end);
	return n;
}

void data_end(struct sess *s, struct sess_step *step)
{
	s->content += s->body.bytes;
	if (s->body.flaws || s->lost) {
		refuse(s, step);
		return;
	}
	enter(s, S_END);
	ask(s, step, ASK_END);
}

void data_give_up(struct sess *s, struct sess_step *step)
{
	if (!s->body.flaws || !out_of_patience(s))
		return;
	refuse(s, step);
	s->final = true;
}

size_t data_bytes(struct sess *s, struct sess_step *step, struct str in)
{
	bool end;
	size_t n = data_take(s, step, in, false, &end);

	if (end)
		data_end(s, step);
	else
		data_give_up(s, step);
	return n;
}
