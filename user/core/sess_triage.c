/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_triage.c: what becomes of a client that a test has found out, by the test's mode, and of one that has passed. The tests
 * themselves stand where their evidence comes by.
 */
#include "user/core/sess_internal.h"

#define BIT(test) (1u << (test))
/* They bear on what the gate itself reads, so nobody is spared them where they are on. */
#define PROTOCOL_TESTS (BIT(TEST_PREGREET) | BIT(TEST_PIPELINING) | BIT(TEST_NON_SMTP) | BIT(TEST_BARE_NEWLINE))

static bool is_spared(const struct sess *s)
{
	return s->peer.allowed || s->peer.check || (s->peer.balancer && !s->told);
}

/* By DNS lists that speak for it, the others' tests. */
static bool is_skipped(const struct sess *s, enum triage_test test)
{
	return s->lists.skips && test != TEST_DNSL;
}

enum triage_mode test_mode(const struct sess *s, enum triage_test test)
{
	if (test >= TEST_MAX || !s->conf->tested || ((is_spared(s) || is_skipped(s, test)) && !(BIT(test) & PROTOCOL_TESTS)))
		return TRIAGE_OFF;
	return (enum triage_mode)s->conf->test[test].mode;
}

bool test_due(const struct sess *s, enum triage_test test)
{
	return test_mode(s, test) != TRIAGE_OFF && !((s->remembered | s->offended) & BIT(test));
}

void test_pass(struct sess *s, enum triage_test test)
{
	if (test_mode(s, test) != TRIAGE_OFF)
		s->passed |= BIT(test);
}

unsigned sess_passes(const struct sess *s)
{
	bool quit = s->end == 0; /* the first SESS_ counter */
	unsigned bits = s->passed;

	if ((quit || s->messages) && s->nhelo)
		bits |= BIT(TEST_PIPELINING) | BIT(TEST_NON_SMTP) | BIT(TEST_BARE_NEWLINE) | BIT(TEST_COMMANDS) | BIT(TEST_HANGUP) |
			(s->conf->backup ? 0 : BIT(TEST_BACKUP));
	for (unsigned i = 0; i < TEST_MAX; i++)
		if (test_mode(s, (enum triage_test)i) == TRIAGE_OFF)
			bits &= ~BIT(i);
	return bits & ~s->offended;
}

static void put_verdict(struct put *o, const struct reason_row *row, struct str text)
{
	put_u64(o, row->code);
	put_text(o, " ");
	put_text(o, row->enhanced);
	put_text(o, " ");
	if (text.n)
		put_str(o, text);
	else
		put_text(o, row->text);
	put_text(o, "\r\n");
}

struct str reply_of(struct sess *s, enum pst_reason reason, struct str text)
{
	struct put o = { .p = s->out, .max = sizeof(s->out) };

	put_verdict(&o, &reason_rows[reason], text);
	return put_done(&o);
}

/* The first one is what its recipients are told. */
static void remember_verdict(struct sess *s, enum pst_reason reason, struct str text)
{
	struct put o = { .p = s->verdict, .max = sizeof(s->verdict) };

	if (s->condemned)
		return;
	put_verdict(&o, &reason_rows[reason], text.n <= SESS_VERDICT_TEXT_MAX ? text : STR(""));
	s->nverdict = put_done(&o).n;
	s->condemned = (unsigned char)reason;
}

void condemn(struct sess *s, struct sess_step *step, enum pst_reason reason, struct str evidence, struct str text)
{
	condemn_as(s, step, test_mode(s, triage_test_of(reason)), reason, evidence, text);
}

void condemn_as(struct sess *s, struct sess_step *step, enum triage_mode mode, enum pst_reason reason, struct str evidence, struct str text)
{
	enum triage_test test = triage_test_of(reason);

	if (mode == TRIAGE_OFF)
		return;
	if (!(s->offended & BIT(test)) || mode == TRIAGE_DROP)
		accuse(s, step, reason, evidence);
	s->offended |= BIT(test);
	if (mode == TRIAGE_ENFORCE && reason_rows[reason].code)
		remember_verdict(s, reason, text);
	if (mode != TRIAGE_DROP || !reason_rows[reason].code)
		return;
	step->reply = reply_of(s, reason, text);
	s->errors++;
	s->final = s->dropped = true;
}

/* RFC 5321 section 4.5.1: whoever is refused for what others say of him can ask why. */
static bool is_help(const struct sess *s, const struct mailbox *to)
{
	struct str local = { to->local, to->nlocal };

	if (BIT(triage_test_of((enum pst_reason)s->condemned)) & (PROTOCOL_TESTS | BIT(TEST_COMMANDS) | BIT(TEST_BACKUP)))
		return false;
	return to->kind == MAILBOX_POSTMASTER || (s->own && (str_ieq(local, STR("postmaster")) || str_ieq(local, STR("abuse"))));
}

/* Its name, which may have come later than the lists' answer, lets it relay. */
static bool may_relay(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return relay_trusts(s->conf->relay, &c);
}

bool rcpt_condemned(struct sess *s, struct sess_step *step, const struct mailbox *to)
{
	if (!s->condemned || s->authenticated || is_help(s, to) || (s->condemned == PST_RSN_DNSL && may_relay(s)))
		return false;
	deny(step, to, false, reason_name(s->condemned), NULL, 0);
	tally(s, PST_CNT_RCPT_TRIAGE);
	s->refused = true;
	step->reply = (struct str){ s->verdict, s->nverdict }; /* no error of the session: a queue may ask for many recipients */
	return true;
}

static void tally_tests(struct sess *s, unsigned passed)
{
	static const struct {
		enum pst_counter taken, failed;
	} rows[TEST_MAX] = {
#define TRIAGE_X(sym, name, reason, mode, life, help) [TEST_##sym] = { PST_CNT_TEST_##sym, PST_CNT_FAILED_##sym },
		TRIAGE_TESTS(TRIAGE_X)
#undef TRIAGE_X
	};

	for (unsigned i = 0; i < TEST_MAX; i++) {
		if ((passed | s->offended) & BIT(i))
			tally(s, rows[i].taken);
		if (s->offended & BIT(i))
			tally(s, rows[i].failed);
	}
}

/* Once a session. One that ended before any test could say anything is none of these. */
void tally_triage(struct sess *s)
{
	unsigned passed = sess_passes(s);

	tally_tests(s, passed);
	if (s->dropped)
		tally(s, PST_CNT_TRIAGE_DROPPED);
	else if (s->condemned)
		tally(s, PST_CNT_TRIAGE_ENFORCED);
	else if (s->offended)
		tally(s, PST_CNT_TRIAGE_OBSERVED);
	else if (s->spared)
		tally(s, PST_CNT_TRIAGE_KNOWN);
	else if (passed)
		tally(s, PST_CNT_TRIAGE_PASSED);
}
