/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_filter.c: who may be a message's sender, by the lists and by our own name. */
#include "user/core/sess_internal.h"

static const struct sender_rules none; /* where a configuration has no lists */

/* Its user is known, or its address is: neither a list for strangers nor the care for our own name is about it. */
static bool trusted(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return s->peer.allowed || s->authenticated || relay_trusts(s->conf->relay, &c);
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

bool sender_fits(struct sess *s, struct sess_step *step, const struct mailbox *from, struct str args)
{
	bool trust = trusted(s);
	struct sender_decision d = sender_decide(s->conf->senders ? s->conf->senders : &none, from, trust);
	bool own = s->conf->own_sender != PST_MODE_OFF && !trust && relay_is_own(s->conf->relay, from);
	bool listed = d.list && d.list->action != SENDER_OBSERVE;

	if ((listed || (own && s->conf->own_sender == PST_MODE_ENFORCE)) && !trust && name_would_tell(s, step))
		return false;
	if (listed) {
		s->final |= d.list->action == SENDER_CLOSE;
		return refuse_sender(s, step, PST_RSN_SENDER, args);
	}
	if (own && s->conf->own_sender == PST_MODE_ENFORCE)
		return refuse_sender(s, step, PST_RSN_OWN_SENDER, args);
	tally(s, d.list || own ? PST_CNT_MAIL_OBSERVED : PST_CNT_MAIL_ACCEPTED);
	return true;
}
