/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_account.c: the hourly limits of an account. The judge keeps them, for all workers have the account's sessions. It is asked for
 * every recipient, so that sessions side by side share one allowance; meanwhile the command is not consumed and comes again when the
 * answer is there. No answer in time is a yes: a judge that is away stops no mail.
 */
#include "user/core/sess_internal.h"

static bool is_due(const struct sess *s)
{
	const struct account_rules *r = s->conf->accounts;

	return s->authenticated && s->account[0] && r && (r->messages || r->rcpts);
}

static void ask_judge(struct sess *s, struct sess_step *step)
{
	s->quota.asking = true;
	s->quota.until_ns = s->now_ns + QUOTA_WAIT_S * NS_PER_S;
	step->account = str_of(s->account);
	step->charge[QUOTA_MESSAGES] = !s->quota.charged;
	step->charge[QUOTA_RCPTS] = 1;
}

bool quota_lets(struct sess *s, struct sess_step *step, const struct mailbox *to)
{
	if (!is_due(s))
		return true;
	if (!s->quota.told) {
		ask_judge(s, step);
		return false;
	}
	s->quota.told = false;
	s->quota.charged |= !s->quota.over;
	if (!s->quota.over)
		return true;
	tally(s, PST_CNT_RCPT_RATE);
	deny(step, to, false, "quota", NULL, 0);
	s->refused = true;
	step->reply = STR("450 4.7.1 Your account has sent too much in a short time, try again later\r\n");
	return false;
}

void quota_told(struct sess *s, bool over)
{
	s->quota.asking = false;
	s->quota.told = true;
	s->quota.over = over;
}

void sess_charged(struct sess *s, bool over, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->quota.asking)
		quota_told(s, over);
	finish(s, step);
}
