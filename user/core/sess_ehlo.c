/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_ehlo.c: EHLO and HELO: what this client is promised, here and now. */
#include "user/core/sess_internal.h"
#include "user/core/xclient.h"

/* What of the backend's offer may be promised on this connection, as it stands now. */
static void take_caps(struct sess *s)
{
	unsigned keep = CAP_8BITMIME | CAP_DSN | CAP_SIZE | CAP_DELIVERBY | CAP_MT_PRIORITY, i;

	if (s->peer.caps)
		s->caps = *s->peer.caps;
	else
		memset(&s->caps, 0, sizeof(s->caps));
	if (s->caps.bits & CAP_8BITMIME)
		keep |= CAP_SMTPUTF8;
	if (s->conf->auth != SESS_OFF && (s->tls || s->conf->auth_cleartext) && s->caps.mechs[0])
		keep |= CAP_AUTH;
	if (s->tls) /* RFC 8689 section 2: it means nothing on a wire in clear */
		keep |= CAP_REQUIRETLS;
	for (i = 0; i < EXT_CHUNKING; i++)
		if (s->conf->hide[i])
			keep &= ~(1u << i);
	s->caps.bits &= keep;
	if (!(s->caps.bits & CAP_SIZE))
		s->caps.size = 0;
}

static void put_line(struct put *o, const char *keyword)
{
	put_text(o, "250-");
	put_text(o, keyword);
	put_text(o, "\r\n");
}

static void put_with(struct put *o, const char *keyword, const char *words)
{
	put_text(o, "250-");
	put_text(o, keyword);
	put_text(o, *words ? " " : "");
	put_text(o, words);
	put_text(o, "\r\n");
}

static void put_number(struct put *o, const char *before, unsigned long long v)
{
	put_text(o, before);
	put_u64(o, v);
}

static void put_deliverby(const struct sess *s, struct put *o)
{
	if (!(s->caps.bits & CAP_DELIVERBY))
		return;
	put_text(o, "250-DELIVERBY");
	if (s->caps.deliverby_min_s)
		put_number(o, " ", s->caps.deliverby_min_s);
	put_text(o, "\r\n");
}

/* RFC 9422: what 452 and 421 would say later. */
static void put_limits(const struct sess *s, struct put *o)
{
	if (s->conf->hide[EXT_LIMITS] || (!s->conf->messages_max && !s->conf->rcpt_max))
		return;
	put_text(o, "250-LIMITS");
	if (s->conf->messages_max)
		put_number(o, " MAILMAX=", s->conf->messages_max);
	if (s->conf->rcpt_max)
		put_number(o, " RCPTMAX=", s->conf->rcpt_max);
	put_text(o, "\r\n");
}

/* Passed on as the backend offers them, in this order. */
static const struct {
	unsigned cap;
	const char *keyword;
} plain[] = {
	{ CAP_8BITMIME, "8BITMIME" }, { CAP_SMTPUTF8, "SMTPUTF8" }, { CAP_DSN, "DSN" }, { CAP_REQUIRETLS, "REQUIRETLS" },
};

static void put_ehlo(const struct sess *s, struct put *o)
{
	put_line(o, s->conf->hostname);
	if (!s->conf->hide[EXT_PIPELINING])
		put_line(o, "PIPELINING");
	put_text(o, "250-SIZE");
	if (size_limit(s))
		put_number(o, " ", size_limit(s));
	put_text(o, "\r\n");
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (s->caps.bits & plain[i].cap)
			put_line(o, plain[i].keyword);
	if (!s->conf->hide[EXT_CHUNKING])
		put_line(o, "CHUNKING");
	if (s->conf->tls != SESS_OFF && !s->tls)
		put_line(o, "STARTTLS");
	if (s->caps.bits & CAP_AUTH)
		put_with(o, "AUTH", s->caps.mechs);
	if (may_xclient(s))
		put_with(o, "XCLIENT", XCLIENT_OFFER);
	if (s->caps.bits & CAP_MT_PRIORITY)
		put_with(o, "MT-PRIORITY", s->caps.profile);
	put_deliverby(s, o);
	put_limits(s, o);
	put_text(o, "250 ENHANCEDSTATUSCODES\r\n");
}

static bool take_helo(struct sess *s, struct sess_step *step, struct str args)
{
	struct mailbox m;

	if (!mailbox_domain(args, false, &m)) {
		syntax(s, step, "501 5.5.4 Invalid domain name or address literal\r\n", args);
		return false;
	}
	drop_transaction(s, step);
	s->met |= s->told;
	if (!s->told_helo) {
		memcpy(s->helo, m.domain, m.ndomain + 1);
		s->nhelo = m.ndomain;
	}
	enter(s, S_READY);
	helo_said(s, step);
	return true;
}

void run_ehlo(struct sess *s, struct sess_step *step, struct str args)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	if (!take_helo(s, step, args))
		return;
	s->esmtp = true;
	take_caps(s);
	put_ehlo(s, &o);
	step->reply = put_done(&o);
	test_helo(s, step);
}

void run_helo(struct sess *s, struct sess_step *step, struct str args)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	if (!take_helo(s, step, args))
		return;
	s->esmtp = false;
	memset(&s->caps, 0, sizeof(s->caps));
	put_text(&o, "250 ");
	put_text(&o, s->conf->hostname);
	put_text(&o, "\r\n");
	step->reply = put_done(&o);
	test_helo(s, step);
}
