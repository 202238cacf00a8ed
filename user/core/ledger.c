/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/ledger.h"

#include "user/core/hash.h"
#include "user/core/when.h"

/*
 * A source lives in one of PROBE neighbouring entries, the first of which is its hash. A search
 * looks at all of them, so an entry can be freed without a tombstone and no chain ever forms.
 */
#define PROBE 16

static bool is_free(const struct ledger_entry *e)
{
	return !e->source.len;
}

static struct ledger_entry *window(struct ledger *l, __u64 h, unsigned i)
{
	return &l->entry[(h + i) & (l->nentries - 1)];
}

static struct ledger_entry *look_up(struct ledger *l, const struct pst_prefix *source, __u64 h)
{
	for (unsigned i = 0; i < PROBE; i++) {
		struct ledger_entry *e = window(l, h, i);

		if (!is_free(e) && !prefix_cmp(&e->source, source))
			return e;
	}
	return NULL;
}

/* Which entry is given away: a free one, else the lowest score, of equals the longest unseen. */
static struct ledger_entry *least(struct ledger *l, __u64 h, const struct policy *p, __u64 now_ns)
{
	struct ledger_entry *best = NULL;
	unsigned best_score = 0;

	for (unsigned i = 0; i < PROBE; i++) {
		struct ledger_entry *e = window(l, h, i);
		unsigned score;

		if (is_free(e))
			return e;
		score = judgement_score(p, &e->record, now_ns);
		if (!best || score < best_score ||
		    (score == best_score && when_before(e->last_ns, best->last_ns))) {
			best = e;
			best_score = score;
		}
	}
	return best;
}

void ledger_init(struct ledger *l, struct ledger_entry *room, size_t nentries, __u64 seed)
{
	*l = (struct ledger){ .entry = room, .nentries = nentries, .seed = seed };
}

struct ledger_entry *ledger_find(struct ledger *l, const struct pst_addr *a)
{
	struct pst_prefix source = prefix_source(a);

	return look_up(l, &source, hash_addr(&source.addr, l->seed));
}

struct ledger_entry *ledger_take(struct ledger *l, const struct pst_addr *a,
				 const struct policy *p, __u64 now_ns)
{
	struct pst_prefix source = prefix_source(a);
	__u64 h = hash_addr(&source.addr, l->seed);
	struct ledger_entry *e = look_up(l, &source, h);

	if (!e) {
		e = least(l, h, p, now_ns);
		if (is_free(e))
			l->used++;
		else
			l->evicted++;
		*e = (struct ledger_entry){ .source = source, .first_ns = now_ns };
	}
	if (when_before(e->last_ns, now_ns))
		e->last_ns = now_ns;
	return e;
}

void ledger_note(struct ledger_entry *e, const struct finding *f)
{
	enum triage_test test = triage_test_of(f->reason);

	if (test < TEST_MAX)
		e->pass_until_ns[test] = 0;
	if (e->nfindings < LEDGER_FINDINGS)
		e->nfindings++;
	memmove(&e->finding[1], &e->finding[0], (e->nfindings - 1u) * sizeof(*f));
	e->finding[0] = *f;
}

void ledger_pass(struct ledger_entry *e, unsigned passes, const struct triage_rule *rule, __u64 now_ns)
{
	for (unsigned i = 0; i < TEST_MAX; i++) {
		__u64 until_ns = now_ns + rule[i].life_s * 1000000000ull;

		if (passes >> i & 1 && until_ns > now_ns && e->pass_until_ns[i] < until_ns)
			e->pass_until_ns[i] = until_ns;
	}
}

void ledger_unpass(struct ledger *l, enum triage_test test)
{
	for (size_t i = 0; i < l->nentries; i++)
		l->entry[i].pass_until_ns[test] = 0;
}

unsigned ledger_passes(const struct ledger_entry *e, __u64 now_ns)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < TEST_MAX; i++)
		bits |= (unsigned)(e->pass_until_ns[i] > now_ns) << i;
	return bits;
}

static bool has_finding(const struct ledger_entry *e, const struct finding *f)
{
	for (unsigned i = 0; i < e->nfindings; i++)
		if (e->finding[i].when_ns == f->when_ns && e->finding[i].reason == f->reason && e->finding[i].session == f->session)
			return true;
	return false;
}

/* Newest first; what has no place is the oldest. */
void ledger_recall(struct ledger_entry *e, const struct finding *f)
{
	unsigned at = 0, n = e->nfindings < LEDGER_FINDINGS ? e->nfindings : LEDGER_FINDINGS - 1;

	while (at < e->nfindings && !when_before(e->finding[at].when_ns, f->when_ns))
		at++;
	if (at == LEDGER_FINDINGS || has_finding(e, f))
		return;
	memmove(&e->finding[at + 1], &e->finding[at], (n - at) * sizeof(*f));
	e->finding[at] = *f;
	e->nfindings = (__u8)(n + 1);
}

static void join(struct ledger_entry *e, const struct ledger_entry *old, const struct policy *p, __u64 now_ns)
{
	e->record = record_join(p, &e->record, &old->record, now_ns);
	if (when_before(old->first_ns, e->first_ns))
		e->first_ns = old->first_ns;
	if (when_before(e->last_ns, old->last_ns))
		e->last_ns = old->last_ns;
	if (e->sessions < old->sessions)
		e->sessions = old->sessions;
	if (e->messages < old->messages)
		e->messages = old->messages;
	for (unsigned i = 0; i < TEST_MAX; i++)
		if (when_before(now_ns, old->pass_until_ns[i]) && e->pass_until_ns[i] < old->pass_until_ns[i])
			e->pass_until_ns[i] = old->pass_until_ns[i];
	for (unsigned i = 0; i < old->nfindings; i++)
		ledger_recall(e, &old->finding[i]);
}

void ledger_restore(struct ledger *l, const struct ledger_entry *old, const struct policy *p, __u64 now_ns)
{
	struct ledger_entry *e = ledger_find(l, &old->source.addr);

	if (e) {
		join(e, old, p, now_ns);
		return;
	}
	e = ledger_take(l, &old->source.addr, p, now_ns);
	*e = *old;
	if (when_before(old->record.updated_ns, 0)) /* a judgement wants no such moments */
		e->record = record_settle(p, &old->record, now_ns);
	for (unsigned i = 0; i < TEST_MAX; i++)
		if (!when_before(now_ns, e->pass_until_ns[i]))
			e->pass_until_ns[i] = 0;
}

bool ledger_forget(struct ledger *l, const struct pst_addr *a)
{
	struct ledger_entry *e = ledger_find(l, a);

	if (!e)
		return false;
	*e = (struct ledger_entry){ 0 };
	l->used--;
	return true;
}
