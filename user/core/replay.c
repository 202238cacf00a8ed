/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/replay.h"

void replay_init(struct replay *r, const struct replay_rules *rules, struct ledger_entry *room, size_t nentries, struct promote *prefixes)
{
	*r = (struct replay){ .rules = *rules, .prefixes = prefixes };
	ledger_init(&r->ledger, room, nentries, REPLAY_SEED);
}

static bool is_off(const struct replay_rules *rules, unsigned reason)
{
	enum triage_test test = triage_test_of(reason);

	return rules->test && test < TEST_MAX && rules->test[test].mode == TRIAGE_OFF;
}

static bool is_allowed(const struct replay_rules *rules, const struct pst_addr *a)
{
	for (size_t i = 0; i < rules->nallow; i++)
		if (prefix_covers(&rules->allow[i], a))
			return true;
	return false;
}

static bool is_never(const struct replay_rules *rules, const struct pst_prefix *p)
{
	for (size_t i = 0; i < rules->nnever; i++)
		if (prefix_within(&rules->never[i], p) || prefix_within(p, &rules->never[i]))
			return true;
	return false;
}

/* A ban that only observes keeps nobody out; who is allow-listed is in no prefix's ban. */
static bool is_kept_out(const struct replay *r, const struct ledger_entry *e, const struct pst_addr *a)
{
	const struct promote_entry *whole = r->rules.promote ? promote_find(r->prefixes, a) : NULL;

	if (r->rules.policy->action == PST_ACT_OBSERVE)
		return false;
	return e->record.banned_until_ns > r->now_ns || (whole && whole->record.banned_until_ns > r->now_ns && !is_allowed(&r->rules, a));
}

/* As the judge has it: what is true of a source for a time says nothing of its neighbours. */
static void promote_source(struct replay *r, const struct finding *f, struct promotion *whole)
{
	if (!r->rules.promote || f->life_s)
		return;
	*whole = promote_note(r->prefixes, r->rules.promote, r->rules.policy, &f->addr, r->now_ns);
	if (!whole->due)
		return;
	whole->due = !is_never(&r->rules, &whole->prefix) && !r->rules.policy->observe;
	if (whole->due)
		promote_done(r->prefixes, whole);
}

enum replay_said replay_finding(struct replay *r, const struct finding *f, struct verdict *v, struct promotion *whole)
{
	struct ledger_entry *e;
	bool exempt;

	*v = (struct verdict){ 0 };
	*whole = (struct promotion){ 0 };
	if (f->when_ns > r->now_ns)
		r->now_ns = f->when_ns;
	if (is_off(&r->rules, f->reason))
		return REPLAY_OFF;
	e = ledger_take(&r->ledger, &f->addr, r->rules.policy, r->now_ns);
	if (is_kept_out(r, e, &f->addr))
		return REPLAY_SPARED;
	exempt = is_allowed(&r->rules, &f->addr) || is_never(&r->rules, &e->source);
	*v = judgement(r->rules.policy, &e->record, f, exempt, r->now_ns);
	e->record = v->next;
	ledger_note(e, f);
	if (v->ban) {
		promote_source(r, f, whole);
		return REPLAY_BANNED;
	}
	if (v->would_ban)
		return exempt ? REPLAY_EXEMPT : REPLAY_WOULD;
	return REPLAY_NOTED;
}

void replay_unban(struct replay *r, const struct pst_prefix *p)
{
	struct ledger_entry *e = ledger_find(&r->ledger, &p->addr);

	if (e && prefix_within(p, &e->source))
		e->record = (struct record){ .findings = e->record.findings };
	if (r->rules.promote)
		promote_forget(r->prefixes, p);
}
