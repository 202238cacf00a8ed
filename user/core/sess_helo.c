/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_helo.c: tests of the client's name by the DNS of its address, and of whether the one in EHLO or HELO leads to it. DNS is asked
 * while the greeting waits; a recipient waits for an answer that is still to come where that could refuse it and no pass is remembered.
 * No answer is nobody's offence.
 */
#include "user/core/addr.h"
#include "user/core/sess_internal.h"

#define BIT(test) (1u << (test))

static bool may_relay(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return s->authenticated || relay_trusts(s->conf->relay, &c);
}

/* Of an answer that nobody's command waits for: where no greeting can refuse, recipients are refused. */
static void condemn_late(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence)
{
	enum triage_mode mode = test_mode(s, triage_test_of(reason));

	if (mode == TRIAGE_DROP && s->state != S_PAUSE)
		mode = TRIAGE_ENFORCE;
	condemn_as(s, step, mode, reason, evidence, STR(""));
}

/* --- the name by DNS -------------------------------------------------------------------- */

void name_tests(struct sess *s, struct sess_step *step)
{
	if (s->peer.naming || s->name_tested || !s->peer.looked || s->told_name || s->peer.unsure || may_relay(s))
		return;
	s->name_tested = true;
	if (!s->nname && !s->peer.unproven) {
		condemn_late(s, step, PST_RSN_NO_RDNS, STR(""));
		return;
	}
	test_pass(s, TEST_NO_RDNS);
	if (s->nname)
		test_pass(s, TEST_RDNS_OTHER);
	else
		condemn_late(s, step, PST_RSN_RDNS_OTHER, STR(""));
}

/* --- the name that it gives itself -------------------------------------------------------- */

static bool is_literal_of(const struct sess *s, const struct pst_addr *addr)
{
	char text[ADDR_TEXT_MAX + 8];
	struct put o = { .p = text, .max = sizeof(text) };
	char bare[ADDR_TEXT_MAX];

	put_text(&o, addr_is4(addr) ? "[" : "[IPv6:");
	put_text(&o, addr_text(addr, bare));
	put_text(&o, "]");
	return str_ieq(put_done(&o), (struct str){ s->helo, s->nhelo });
}

/* Whose own name it is, or leads to. False: not known yet. */
static bool fits(const struct sess *s, bool *fit)
{
	bool literal = s->helo[0] == '[';

	*fit = literal ? is_literal_of(s, &s->peer.addr) : s->nname && str_ieq((struct str){ s->helo, s->nhelo }, (struct str){ s->name, s->nname });
	return *fit || literal;
}

void helo_asks(struct sess *s, struct sess_step *step)
{
	bool fit;

	if (!s->nhelo || s->told_helo || !s->peer.looked || s->helo_asked || s->helo_tested || test_mode(s, TEST_HELO_OTHER) == TRIAGE_OFF || may_relay(s))
		return;
	if (!fits(s, &fit)) {
		if (s->peer.naming) /* its name may be the one */
			return;
		s->helo_asked = step->helo = true;
		if (s->name_until_ns < s->now_ns + s->conf->name_timeout_s * NS_PER_S)
			s->name_until_ns = s->now_ns + s->conf->name_timeout_s * NS_PER_S;
		return;
	}
	if (fit)
		test_pass(s, TEST_HELO_OTHER);
	else
		condemn_late(s, step, PST_RSN_HELO_OTHER, (struct str){ s->helo, s->nhelo });
}

void sess_helo_led(struct sess *s, struct str helo, bool leads, bool unsure, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED && s->helo_asked && str_eq(helo, (struct str){ s->helo, s->nhelo })) {
		s->helo_asked = s->unnamed = false;
		s->helo_tested = true;
		if (leads)
			test_pass(s, TEST_HELO_OTHER);
		else if (!unsure && !may_relay(s))
			condemn_late(s, step, PST_RSN_HELO_OTHER, helo);
	}
	finish(s, step);
}

void helo_said(struct sess *s, struct sess_step *step)
{
	s->helo_asked = s->helo_tested = false;
	helo_asks(s, step);
}

/* --- waiting ---------------------------------------------------------------------------- */

static bool would_refuse(const struct sess *s, enum triage_test test)
{
	return test_due(s, test) && test_mode(s, test) >= TRIAGE_ENFORCE;
}

bool name_tests_awaited(const struct sess *s)
{
	if (s->condemned || s->known || s->told_name || !s->peer.looked || may_relay(s))
		return false;
	if (s->peer.naming)
		return would_refuse(s, TEST_NO_RDNS) || would_refuse(s, TEST_RDNS_OTHER) || (would_refuse(s, TEST_HELO_OTHER) && !s->told_helo);
	return s->helo_asked && would_refuse(s, TEST_HELO_OTHER);
}
