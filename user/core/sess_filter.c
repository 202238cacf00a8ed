/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_filter.c: who may be a message's sender, by the lists, by our own name and by the account; and what is said to recipients that relay control refuses. */
#include "user/core/sess_internal.h"

static const struct sender_rules none; /* where a configuration has no lists */

/* Its user is known, or its address is: neither a list for strangers nor the care for our own name is about it. */
static bool trusted(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return s->peer.allowed || s->authenticated || relay_trusts(s->conf->relay, &c);
}

void deny(struct sess_step *step, const struct mailbox *m, bool sender, const char *why, const char *file, unsigned line)
{
	struct sess_denied *d = &step->denied;

	d->why = why;
	d->sender = sender;
	d->file = file;
	d->line = line;
	d->npath = mailbox_text(m, d->path);
}

/* What a refusal is, by its result: the counter, the finding, or the line where it is none. */
void refuse_rcpt(struct sess *s, struct sess_step *step, const struct relay_decision *d, const struct mailbox *to, struct str args)
{
	if (d->result == RELAY_AWAITS_NAME && s->peer.naming) {
		await_name(s);
		return;
	}
	deny(step, to, false, relay_result_word(d->result), d->file, d->line);
	s->refused = true;
	switch (d->result) {
	case RELAY_AWAITS_NAME:
		defer_rcpt(s, step, "450 4.7.1 Your name cannot be looked up now, try again later\r\n");
		return;
	case RELAY_NO_MAIL: /* RFC 7504 section 5: who did not look is told, and is no spammer for it */
		tally(s, PST_CNT_RCPT_REJECTED);
		say(s, step, "556 5.1.10 Domain accepts no mail\r\n");
		return;
	case RELAY_UNKNOWN: /* as if the backend had said so */
		tally(s, PST_CNT_RCPT_REJECTED);
		found(s, step, PST_RSN_HARVEST, args);
		say(s, step, "550 5.1.1 No such recipient here\r\n");
		return;
	case RELAY_NEEDS_TLS:
		tally(s, PST_CNT_RCPT_REJECTED);
		say(s, step, "550 5.7.10 Encryption needed for this recipient\r\n");
		return;
	case RELAY_NEEDS_AUTH:
		tally(s, PST_CNT_RCPT_REJECTED);
		say(s, step, "530 5.7.0 Authentication required for this recipient\r\n");
		return;
	case RELAY_TRAP_DOMAIN:
		tally(s, PST_CNT_RCPT_TRAP);
		found(s, step, PST_RSN_TRAP_DOMAIN, args);
		return;
	case RELAY_TRAP:
		tally(s, PST_CNT_RCPT_TRAP);
		found(s, step, PST_RSN_TRAP, args);
		return;
	default:
		tally(s, PST_CNT_RCPT_RELAY);
		found(s, step, PST_RSN_RELAY, args);
	}
}

static bool refuse_sender(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str args)
{
	tally(s, PST_CNT_MAIL_REFUSED);
	found(s, step, reason, args);
	return false;
}

/* Would the client be trusted if it had the name that is not known yet, or not at all now? Then it is not refused for want of it. */
static bool name_would_tell(struct sess *s, struct sess_step *step)
{
	if (!s->conf->relay->relay.named || !(s->peer.naming || s->peer.unsure))
		return false;
	if (s->peer.naming) {
		await_name(s);
	} else {
		tally(s, PST_CNT_MAIL_REFUSED);
		step->reply = STR("450 4.7.1 Your name cannot be looked up now, try again later\r\n");
	}
	return true;
}

/*
 * An account whose name nobody told (a mechanism that hides it, a balancer's word) owns nothing. Users are not accused: a wrong
 * setting in a mail program is no offence.
 */
static bool account_fits(struct sess *s, struct sess_step *step, const struct mailbox *from)
{
	if (!s->authenticated || !s->conf->accounts || s->conf->account_sender == PST_MODE_OFF ||
	    account_owns(s->conf->accounts, str_of(s->account), from, NULL))
		return true;
	deny(step, from, true, "account", NULL, 0);
	step->denied.observed = s->conf->account_sender != PST_MODE_ENFORCE;
	if (step->denied.observed)
		return true;
	tally(s, PST_CNT_MAIL_REFUSED);
	say(s, step, "553 5.7.1 Sender address is not owned by your account\r\n");
	return false;
}

bool sender_fits(struct sess *s, struct sess_step *step, const struct mailbox *from, struct str args)
{
	bool trust = trusted(s);
	struct sender_decision d = sender_decide(s->conf->senders ? s->conf->senders : &none, from, trust);
	bool own = s->conf->own_sender != PST_MODE_OFF && !trust && relay_is_own(s->conf->relay, from);
	bool diverts = d.list && d.list->action == SENDER_DIVERT;
	bool listed = d.list && (d.list->action >= SENDER_REFUSE || (diverts && logged_in(s))); /* a login is bound to its backend */
	bool not_us = own && s->conf->own_sender == PST_MODE_ENFORCE;

	if ((listed || not_us) && !trust && name_would_tell(s, step))
		return false;
	if (d.list || own)
		deny(step, from, true, d.list ? (diverts ? "diverted" : "sender") : "own-sender", d.list ? d.rule->file : NULL, d.list ? d.rule->line : 0);
	if (listed) {
		s->final |= d.list->action == SENDER_CLOSE;
		return refuse_sender(s, step, PST_RSN_SENDER, args);
	}
	if (not_us)
		return refuse_sender(s, step, PST_RSN_OWN_SENDER, args);
	step->denied.observed = d.list || own;
	if (!account_fits(s, step, from))
		return false;
	s->diverted = diverts ? d.list->route : 0;
	tally(s, diverts ? PST_CNT_MAIL_DIVERTED : step->denied.observed ? PST_CNT_MAIL_OBSERVED : PST_CNT_MAIL_ACCEPTED);
	return true;
}
