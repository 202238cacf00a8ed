/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_grey.c: a stranger's recipient and the greylist. The judge has the table. While it is asked the command is not consumed; it
 * comes again when the answer is there, so replies keep their order. No answer in time is a pass: the greylist never stops mail.
 *
 * The blank sender is asked about at DATA alone, and by its source alone: who calls back to verify an address says <> and goes away
 * before, and must hear what the recipient is, not what the greylist is.
 */
#include "user/core/sess_internal.h"

#define SECONDS_EXACT 60 /* above it whole minutes are said */

void grey_mail(struct sess *s, const struct mailbox *from)
{
	grey_sender(from, s->grey.sender);
	s->grey.spared = s->conf->grey && grey_exempts(&s->conf->grey->exempt_senders, from);
}

/* Nobody who has shown who he is waits. */
static bool is_stranger(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return !s->peer.allowed && !s->authenticated && !s->known && !s->grey.known && !s->lists.skips && !relay_trusts(s->conf->relay, &c);
}

static bool is_due(const struct sess *s)
{
	return s->conf->grey && s->conf->grey->mode != GREY_OFF && !s->grey.spared && is_stranger(s);
}

static bool enforced(const struct sess *s)
{
	return s->conf->grey->mode == GREY_ENFORCE || (s->conf->grey->mode == GREY_STRESS && s->peer.stress);
}

/* The name may make a source of it, or no stranger at all. */
static bool needs_name(const struct sess *s)
{
	return s->peer.naming && (s->conf->grey->by_name || s->conf->relay->relay.named);
}

/* No digits of another reply's code in it: whole minutes never hold them. */
static void defer(struct sess *s, struct sess_step *step)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };
	unsigned seconds = s->grey.seconds;

	if (seconds > SECONDS_EXACT)
		seconds = (seconds + 59) / 60 * 60;
	put_text(&o, "450 4.7.1 Greylisted, try again in ");
	put_u64(&o, seconds);
	put_text(&o, seconds == 1 ? " second\r\n" : " seconds\r\n");
	step->reply = put_done(&o); /* no error of the client's */
}

static bool has_answer(const struct sess *s, const __u64 key[2])
{
	return s->grey.told && s->grey.key[0] == key[0] && s->grey.key[1] == key[1];
}

static void ask_judge(struct sess *s, struct sess_step *step, const __u64 key[2])
{
	s->grey.told = false;
	s->grey.asking = true;
	s->grey.until_ns = s->now_ns + s->conf->grey->timeout_s * NS_PER_S;
	for (int i = 0; i < 2; i++)
		s->grey.key[i] = step->grey[i] = key[i];
}

/* The answer, counted once. True when it lets the mail through. to: for the log, NULL = it is no recipient. */
static bool settle(struct sess *s, struct sess_step *step, const struct mailbox *to)
{
	bool defers = s->grey.said == GREY_DEFER;

	s->grey.told = false;
	if (s->grey.said == GREY_KNOWN)
		s->grey.known = true;
	tally(s, !s->grey.answered	  ? PST_CNT_GREY_UNANSWERED :
		 defers && enforced(s)	  ? PST_CNT_GREY_DEFERRED :
		 defers			  ? PST_CNT_GREY_OBSERVED :
		 s->grey.known		  ? PST_CNT_GREY_KNOWN :
					    PST_CNT_GREY_PASSED);
	if (defers && to) {
		deny(step, to, false, "greylisted", NULL, 0);
		step->denied.observed = !enforced(s);
	}
	if (!defers || !enforced(s))
		return true;
	defer(s, step);
	return false;
}

static bool lets(struct sess *s, struct sess_step *step, const struct mailbox *to, const __u64 key[2])
{
	if (has_answer(s, key))
		return settle(s, step, to);
	if (needs_name(s))
		await_name(s);
	else
		ask_judge(s, step, key);
	return false;
}

bool grey_lets_rcpt(struct sess *s, struct sess_step *step, const struct mailbox *to)
{
	__u64 key[2];

	if (!s->own || !is_due(s) || grey_exempts(&s->conf->grey->exempt_recipients, to))
		return true;
	s->grey.open |= s->blank;
	if (s->blank)
		return true;
	grey_key(s->grey.sender, to, key);
	if (lets(s, step, to, key))
		return true;
	if (step->reply.n) {
		tally(s, PST_CNT_RCPT_GREY);
		s->refused = true;
	}
	return false;
}

bool grey_lets_data(struct sess *s, struct sess_step *step)
{
	if (!s->grey.open || !is_due(s))
		return true;
	if (lets(s, step, NULL, s->grey.sender)) {
		s->grey.open = false;
		return true;
	}
	if (step->reply.n) {
		struct str reply = step->reply;

		drop_transaction(s, step);
		step->reply = reply;
	}
	return false;
}

void sess_greyed(struct sess *s, const __u64 key[2], enum sess_grey said, unsigned seconds, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->grey.asking && s->grey.key[0] == key[0] && s->grey.key[1] == key[1])
		grey_told(s, said, seconds, true);
	finish(s, step);
}

void grey_told(struct sess *s, enum sess_grey said, unsigned seconds, bool answered)
{
	s->grey.asking = false;
	s->grey.told = true;
	s->grey.answered = answered;
	s->grey.said = (unsigned char)said;
	s->grey.seconds = seconds;
}
