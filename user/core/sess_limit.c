/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_limit.c: what the judge's ceilings mean to one session. Nothing here is an error or an offence of it. */
#include "user/core/sess_internal.h"

void sess_limit(struct sess *s, unsigned limits, unsigned limit_s, bool own, __u64 now_ns)
{
	__u64 until_ns = now_ns + limit_s * NS_PER_S;

	if (!own && s->good)
		return;
	for (unsigned i = 0; i < LIMITS; i++)
		if (limits >> i & 1 && s->limited_ns[i] < until_ns)
			s->limited_ns[i] = until_ns;
}

bool limited(const struct sess *s, enum sess_limit limit)
{
	unsigned i = 0;

	if (s->peer.allowed || s->peer.balancer || s->peer.check || s->authenticated)
		return false;
	while (i < LIMITS - 1 && limit >> i != 1)
		i++;
	return s->now_ns < s->limited_ns[i];
}

/* Before its first transaction, and while nobody is asked anything: later it would cost more than it saves. */
bool over_sessions(struct sess *s, struct sess_step *step)
{
	bool early = s->state == S_PAUSE || s->state == S_START || (s->state == S_READY && !s->asked && !s->messages);

	if (!early || !limited(s, LIMIT_SESSIONS))
		return false;
	s->unnamed = false;
	greeted(s, PST_CNT_CONN_BUSY);
	say_last(s, step, "421 4.7.0 Too many connections in a short time, try again later\r\n", PST_CNT_SESS_REFUSED);
	return true;
}

bool over_mail(struct sess *s, struct sess_step *step)
{
	if (!limited(s, LIMIT_MAIL))
		return false;
	tally(s, PST_CNT_MAIL_RATE);
	step->reply = STR("450 4.7.0 Too many messages in a short time, try again later\r\n");
	return true;
}

bool over_rcpt(struct sess *s, struct sess_step *step)
{
	if (!limited(s, LIMIT_RCPT))
		return false;
	tally(s, PST_CNT_RCPT_RATE);
	s->refused = true;
	step->reply = STR("450 4.7.0 Too many recipients in a short time, try again later\r\n");
	return true;
}

bool over_auth(struct sess *s, struct sess_step *step)
{
	if (!limited(s, LIMIT_AUTH))
		return false;
	say_last(s, step, "421 4.7.0 Too many failed logins, try again later\r\n", PST_CNT_SESS_REFUSED);
	return true;
}
