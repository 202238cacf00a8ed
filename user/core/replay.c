/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/replay.h"

void replay_init(struct replay *r, const struct replay_rules *rules, struct ledger_entry *room, size_t nentries)
{
	*r = (struct replay){ .rules = *rules };
	ledger_init(&r->ledger, room, nentries, REPLAY_SEED);
}

static bool is_off(const struct replay_rules *rules, unsigned reason)
{
	enum triage_test test = triage_test_of(reason);

	return rules->test && test < TEST_MAX && rules->test[test].mode == TRIAGE_OFF;
}

/* As allow_has() and never_find() have it. */
static bool is_exempt(const struct replay_rules *rules, const struct pst_addr *a)
{
	struct pst_prefix source = prefix_source(a);

	for (size_t i = 0; i < rules->nallow; i++)
		if (prefix_covers(&rules->allow[i], a))
			return true;
	for (size_t i = 0; i < rules->nnever; i++)
		if (prefix_within(&rules->never[i], &source) || prefix_within(&source, &rules->never[i]))
			return true;
	return false;
}

/* A ban that only observes keeps nobody out. */
static bool is_kept_out(const struct replay *r, const struct ledger_entry *e)
{
	return r->rules.policy->action != PST_ACT_OBSERVE && e->record.banned_until_ns > r->now_ns;
}

enum replay_said replay_finding(struct replay *r, const struct finding *f, struct verdict *v)
{
	struct ledger_entry *e;
	bool exempt;

	*v = (struct verdict){ 0 };
	if (f->when_ns > r->now_ns)
		r->now_ns = f->when_ns;
	if (is_off(&r->rules, f->reason))
		return REPLAY_OFF;
	e = ledger_take(&r->ledger, &f->addr, r->rules.policy, r->now_ns);
	if (is_kept_out(r, e))
		return REPLAY_SPARED;
	exempt = is_exempt(&r->rules, &f->addr);
	*v = judgement(r->rules.policy, &e->record, f, exempt, r->now_ns);
	e->record = v->next;
	ledger_note(e, f);
	if (v->ban)
		return REPLAY_BANNED;
	if (v->would_ban)
		return exempt ? REPLAY_EXEMPT : REPLAY_WOULD;
	return REPLAY_NOTED;
}

void replay_unban(struct replay *r, const struct pst_prefix *p)
{
	struct ledger_entry *e = ledger_find(&r->ledger, &p->addr);

	if (e && prefix_within(p, &e->source))
		e->record = (struct record){ .findings = e->record.findings };
}
