/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_dnsl.c: what DNS lists say of the client. The edge asks them as soon as the judge has spoken, while the greeting waits; the
 * pause is all that anybody waits for them. What comes later holds from then on: for recipients still to come, never for a
 * message that is under way.
 */
#include "user/core/sess_internal.h"

/* Nobody who may relay anyway is asked about: lists of dial-up networks would name the operator's own customers. */
static bool is_due(const struct sess *s)
{
	struct relay_client c = client_of(s);

	return s->conf->dnsl && s->conf->dnsl->nrules && test_due(s, TEST_DNSL) && !s->authenticated && !relay_trusts(s->conf->relay, &c);
}

void lists_ask(struct sess *s, struct sess_step *step)
{
	if (s->lists.asked || s->final || s->state == S_CLOSED || !is_due(s))
		return;
	s->lists.asked = step->lists = true;
}

bool lists_awaited(const struct sess *s)
{
	return !s->lists.told && is_due(s);
}

/* In place of the rule's own text. */
static struct str default_text(const struct dnsl_rule *worst, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };

	put_text(&o, "Your address is on DNS list ");
	put_text(&o, worst->name);
	return o.full ? STR("") : put_done(&o);
}

static struct str text_of(const struct dnsl_rule *worst, char *out, size_t size)
{
	if (!worst)
		return STR("");
	return worst->text[0] ? str_of(worst->text) : default_text(worst, out, size);
}

/* A ban lasts as long as the answers that cause it. */
static void accuse_ban(struct sess *s, struct sess_step *step, const struct dnsl_verdict *v, struct str told)
{
	unsigned n = step->nfound;

	accuse(s, step, PST_RSN_DNSL_BAN, told);
	if (step->nfound > n)
		step->found[n].life_s = v->life_s;
}

/* A greeting can refuse the whole session; later there may be no reply that is owed, so its recipients are refused. */
static void listed(struct sess *s, struct sess_step *step, const struct dnsl_verdict *v)
{
	enum triage_mode mode = test_mode(s, TEST_DNSL);
	char told[FINDING_EVIDENCE_MAX], text[SESS_VERDICT_TEXT_MAX];
	struct str evidence = { told, dnsl_told(s->conf->dnsl, v, told, sizeof(told)) };

	if (mode == TRIAGE_DROP && s->state != S_PAUSE)
		mode = TRIAGE_ENFORCE;
	if (v->does == DNSL_BAN && mode != TRIAGE_OBSERVE)
		accuse_ban(s, step, v, evidence);
	condemn_as(s, step, mode, PST_RSN_DNSL, evidence, text_of(v->worst, text, sizeof(text)));
	if (s->final)
		greeted(s, PST_CNT_CONN_ACCEPTED);
}

static void passed(struct sess *s, const struct dnsl_verdict *v)
{
	test_pass(s, TEST_DNSL);
	s->lists.until_ns = s->now_ns + v->life_s * NS_PER_S;
}

static void take_verdict(struct sess *s, struct sess_step *step, const struct dnsl_verdict *v)
{
	s->lists.told = true;
	if (v->does == DNSL_ENFORCE || v->does == DNSL_BAN)
		listed(s, step, v);
	else if (v->does == DNSL_SKIP && !s->offended)
		s->lists.skips = s->spared = true;
	else if (v->does == DNSL_PASS && v->sure)
		passed(s, v);
	pause_over(s, step);
}

void sess_listed(struct sess *s, const struct dnsl_verdict *v, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state != S_CLOSED && s->lists.asked && !s->lists.told)
		take_verdict(s, step, v);
	finish(s, step);
}
