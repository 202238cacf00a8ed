/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/ledger.h"

#define NS_PER_S 1000000000ull

static const struct policy policy = { .half_life_s = 3600 };

static struct ledger_entry *room(size_t n)
{
	struct ledger_entry *e = calloc(n, sizeof(*e));

	assert_non_null(e);
	return e;
}

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	assert_true(addr_parse(str_of(text), &a));
	return a;
}

static void knows_sources_not_addresses(void **state)
{
	struct pst_addr four = addr("192.0.2.1"), next = addr("192.0.2.2");
	struct pst_addr six = addr("2001:db8::1"), same = addr("2001:db8::ffff:1:2:3"), other = addr("2001:db8:0:1::1");
	struct ledger_entry *space = room(16), *e;
	struct ledger l;

	(void)state;
	ledger_init(&l, space, 16, 42);
	assert_null(ledger_find(&l, &four));
	e = ledger_take(&l, &four, &policy, 100);
	assert_int_equal(e->first_ns, 100);
	assert_int_equal(e->last_ns, 100);
	assert_int_equal(e->source.len, 128);
	assert_ptr_equal(ledger_take(&l, &four, &policy, 200), e);
	assert_int_equal(e->first_ns, 100);
	assert_int_equal(e->last_ns, 200);
	assert_ptr_equal(ledger_take(&l, &four, &policy, 150), e); /* clocks of two processes */
	assert_int_equal(e->last_ns, 200);
	assert_null(ledger_find(&l, &next));

	e = ledger_take(&l, &six, &policy, 300);
	assert_int_equal(e->source.len, 64);
	assert_ptr_equal(ledger_find(&l, &same), e);
	assert_null(ledger_find(&l, &other));
	assert_int_equal(l.used, 2);

	assert_true(ledger_forget(&l, &same));
	assert_false(ledger_forget(&l, &six));
	assert_null(ledger_find(&l, &six));
	assert_non_null(ledger_find(&l, &four));
	assert_int_equal(l.used, 1);
	free(space);
}

static void keeps_the_last_findings(void **state)
{
	struct ledger_entry e = { 0 };

	(void)state;
	for (unsigned i = 1; i <= 3 * LEDGER_FINDINGS; i++) {
		struct finding f = { .when_ns = i, .reason = (__u16)(i % PST_RSN_MAX) };

		ledger_note(&e, &f);
		assert_int_equal(e.nfindings, i < LEDGER_FINDINGS ? i : LEDGER_FINDINGS);
		for (unsigned k = 0; k < e.nfindings; k++)
			assert_int_equal(e.finding[k].when_ns, i - k);
	}
}

/* Few sources in a big table: nothing is evicted, and it is a plain map. */
static void is_a_map_while_there_is_room(void **state)
{
	enum { N = 4096, SOURCES = 400 };
	struct ledger_entry *space = room(N);
	struct pst_addr who[SOURCES];
	__u64 mark[SOURCES] = { 0 }; /* the model: 0 = unknown */
	struct ledger l;
	size_t used = 0;

	(void)state;
	ledger_init(&l, space, N, rnd());
	for (unsigned i = 0; i < SOURCES; i++)
		who[i] = i % 2 ? rnd_addr4() : rnd_addr6();
	for (int round = 0; round < 200000; round++) {
		unsigned i = rnd_below(SOURCES);
		struct ledger_entry *e = ledger_find(&l, &who[i]);

		assert_int_equal(e != NULL, mark[i] != 0);
		if (e)
			assert_int_equal(e->sessions, mark[i]);
		if (!rnd_below(3)) {
			assert_int_equal(ledger_forget(&l, &who[i]), mark[i] != 0);
			used -= mark[i] != 0;
			mark[i] = 0;
		} else {
			e = ledger_take(&l, &who[i], &policy, (__u64)round);
			used += mark[i] == 0;
			if (!mark[i])
				assert_int_equal(e->sessions + e->nfindings + e->record.score_milli, 0);
			mark[i] = e->sessions = rnd() | 1;
		}
		assert_int_equal(l.used, used);
	}
	assert_int_equal(l.evicted, 0);
	free(space);
}

/* More sources than entries: never full, never NULL, one entry a source, and the books balance. */
static void makes_room(void **state)
{
	enum { N = 256 };
	struct ledger_entry *space = room(N);
	__u64 now = 1, made = 0;
	struct ledger l;

	(void)state;
	ledger_init(&l, space, N, rnd());
	for (int round = 0; round < 100000; round++) {
		struct pst_addr a = rnd_below(2) ? rnd_addr4() : rnd_addr6();
		struct pst_prefix source = prefix_source(&a);
		struct ledger_entry *e;

		made += ledger_find(&l, &a) == NULL;
		e = ledger_take(&l, &a, &policy, ++now);
		assert_int_equal(prefix_cmp(&e->source, &source), 0);
		assert_ptr_equal(ledger_find(&l, &a), e);
		e->record = (struct record){ .score_milli = rnd_below(100000), .updated_ns = now };
		assert_true(l.used <= N);
		assert_int_equal(l.used + l.evicted, made);
	}
	assert_int_equal(l.used, N);
	for (unsigned i = 0; i < N; i++) {
		struct pst_addr a = space[i].source.addr;

		assert_ptr_equal(ledger_find(&l, &a), &space[i]); /* each is found where it stands: no doubles */
	}
	free(space);
}

/* 16 entries are one window: who must go is plain. */
static void gives_away_the_lowest_then_the_oldest(void **state)
{
	struct ledger_entry *space = room(16);
	struct pst_addr who[16], stranger;
	struct ledger l;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		unsigned victim = 0;

		memset(space, 0, 16 * sizeof(*space));
		ledger_init(&l, space, 16, rnd());
		for (unsigned i = 0; i < 16; i++) {
			who[i] = rnd_addr4();
			ledger_take(&l, &who[i], &policy, i + 1)->record =
				(struct record){ .score_milli = 1000 * rnd_below(4), .updated_ns = 100 };
		}
		assert_int_equal(l.used, 16);
		for (unsigned i = 1; i < 16; i++) /* ties: who was seen first, stays the victim */
			if (ledger_find(&l, &who[i])->record.score_milli < ledger_find(&l, &who[victim])->record.score_milli)
				victim = i;
		stranger = rnd_addr6();
		ledger_take(&l, &stranger, &policy, 100);
		assert_int_equal(l.evicted, 1);
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(ledger_find(&l, &who[i]) == NULL, i == victim);
	}
	free(space);
}

/* The score counts as it is now: an old sinner makes room for a fresh small one. */
static void scores_decay_before_they_are_compared(void **state)
{
	const __u64 hour = 3600ull * 1000000000;
	struct ledger_entry *space = room(16);
	struct pst_addr old = addr("192.0.2.1"), stranger = addr("192.0.2.99");
	struct ledger l;

	(void)state;
	ledger_init(&l, space, 16, 7);
	ledger_take(&l, &old, &policy, 0)->record = (struct record){ .score_milli = 100000, .updated_ns = 0 };
	for (int i = 1; i < 16; i++) {
		struct pst_addr a = rnd_addr6();

		ledger_take(&l, &a, &policy, 10 * hour)->record = (struct record){ .score_milli = 2000, .updated_ns = 10 * hour };
	}
	ledger_take(&l, &stranger, &policy, 10 * hour);
	assert_null(ledger_find(&l, &old));
	free(space);
}

/* Neighbours, and the sources of one network, spread; another seed spreads them elsewhere. */
static void the_hash_spreads(void **state)
{
	enum { N = 1024, TAKEN = N * 3 / 4 };
	struct ledger_entry *space = room(N);
	size_t moved = 0;
	unsigned first_home[TAKEN];

	(void)state;
	for (unsigned seed = 1; seed <= 2; seed++) {
		struct ledger l;

		memset(space, 0, N * sizeof(*space));
		ledger_init(&l, space, N, seed);
		for (unsigned i = 0; i < TAKEN; i++) {
			struct pst_addr a = { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, (__u8)(i >> 8), (__u8)i } };
			unsigned home = (unsigned)(ledger_take(&l, &a, &policy, 1) - space);

			if (seed == 1)
				first_home[i] = home;
			else
				moved += home != first_home[i];
		}
		assert_true(l.evicted < TAKEN / 50); /* three quarters full, and the windows hardly overflow */
	}
	assert_true(moved > TAKEN * 9 / 10);
	free(space);
}

/* What comes back from the store beside what was heard since; in any order, twice as once. */
static void restores_beside_what_is_there(void **state)
{
	static struct ledger_entry room[64], once[64];
	struct ledger l, m;
	struct policy p;
	__u64 now = 1000 * NS_PER_S;

	(void)state;
	policy_defaults(&p);
	for (int round = 0; round < 2000; round++) {
		struct ledger_entry old = { .source = { rnd_addr4(), 128 }, .first_ns = now - rnd() % (1ull << 52), .last_ns = now - rnd() % (1ull << 50),
					    .sessions = 1 + rnd_below(9), .messages = rnd_below(9) };
		const struct ledger_entry *e;

		old.record = (struct record){ rnd_below(200000), now - rnd() % (1ull << 42), 0, rnd_below(5), rnd_below(9) };
		old.pass_until_ns[TEST_PREGREET] = now + rnd_below(100) * NS_PER_S - 50 * NS_PER_S;
		for (unsigned i = 0; i < LEDGER_FINDINGS / 2; i++) /* newest first, all before the machine was up */
			old.finding[old.nfindings++] = (struct finding){ .when_ns = -(__u64)(i + 1) * NS_PER_S, .addr = old.source.addr, .session = i };
		memset(room, 0, sizeof(room));
		memset(once, 0, sizeof(once));
		ledger_init(&l, room, NROWS(room), 7);
		ledger_init(&m, once, NROWS(once), 7);
		if (rnd_below(2)) { /* it has been heard of since */
			struct ledger_entry *a = ledger_take(&l, &old.source.addr, &p, now);
			const struct finding f = { .when_ns = now, .addr = old.source.addr, .session = 99 };

			a->sessions = 3;
			ledger_note(a, &f);
			*ledger_take(&m, &old.source.addr, &p, now) = *a;
		}
		ledger_restore(&l, &old, &p, now);
		ledger_restore(&m, &old, &p, now);
		ledger_restore(&m, &old, &p, now);
		e = ledger_find(&l, &old.source.addr);
		assert_non_null(e);
		assert_memory_equal(e, ledger_find(&m, &old.source.addr), sizeof(*e));
		assert_true(e->sessions >= old.sessions && e->messages == old.messages && e->record.relapse == old.record.relapse);
		assert_true(e->first_ns == old.first_ns);
		assert_true(judgement_score(&p, &e->record, now) <= (old.record.score_milli + 500) / 1000);
		assert_int_equal(ledger_passes(e, now) >> TEST_PREGREET & 1, old.pass_until_ns[TEST_PREGREET] > now);
		for (unsigned i = 1; i < e->nfindings; i++)
			assert_true((__s64)(e->finding[i - 1].when_ns - e->finding[i].when_ns) > 0);
		assert_int_equal(e->finding[e->nfindings - 1].session, LEDGER_FINDINGS / 2 - 1);
	}
}

/* A place among the last ones is the younger's. */
static void recalls_in_order(void **state)
{
	struct ledger_entry e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3 * LEDGER_FINDINGS; i++) {
		unsigned turn = i * 7 % (3 * LEDGER_FINDINGS); /* every one once, in no order */
		const struct finding f = { .when_ns = (turn + 1) * NS_PER_S, .session = turn };

		ledger_recall(&e, &f);
		ledger_recall(&e, &f);
	}
	assert_int_equal(e.nfindings, LEDGER_FINDINGS);
	for (unsigned i = 0; i < LEDGER_FINDINGS; i++)
		assert_int_equal(e.finding[i].session, 3 * LEDGER_FINDINGS - 1 - i);
}

static void passes_live_as_long_as_they_are_given(void **state)
{
	static struct ledger_entry room[16];
	struct triage_rule rule[TEST_MAX] = { [TEST_PREGREET] = { 0, 100 }, [TEST_DNSL] = { 0, 10 } };
	const unsigned both = 1u << TEST_PREGREET | 1u << TEST_DNSL;
	const __u64 s = 1000000000ull;
	struct pst_addr a = { { [10] = 0xff, [11] = 0xff, [12] = 192, [15] = 7 } };
	struct finding f = { .reason = PST_RSN_EARLY };
	struct ledger_entry *e;
	struct ledger l;

	(void)state;
	memset(room, 0, sizeof(room));
	ledger_init(&l, room, 16, 1);
	e = ledger_take(&l, &a, &policy, s);
	ledger_pass(e, both | 1u << TEST_HANGUP, rule, s); /* the last one's life is 0 */
	assert_int_equal(ledger_passes(e, 2 * s), both);
	assert_int_equal(ledger_passes(e, 11 * s), 1u << TEST_PREGREET);
	ledger_pass(e, both, rule, 3 * s);
	ledger_unpass(&l, TEST_DNSL);
	assert_int_equal(ledger_passes(e, 4 * s), 1u << TEST_PREGREET);
	ledger_note(e, &f);
	assert_int_equal(ledger_passes(e, 4 * s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_sources_not_addresses),
		cmocka_unit_test(keeps_the_last_findings),
		cmocka_unit_test(is_a_map_while_there_is_room),
		cmocka_unit_test(makes_room),
		cmocka_unit_test(gives_away_the_lowest_then_the_oldest),
		cmocka_unit_test(scores_decay_before_they_are_compared),
		cmocka_unit_test(the_hash_spreads),
		cmocka_unit_test(restores_beside_what_is_there),
		cmocka_unit_test(recalls_in_order),
		cmocka_unit_test(passes_live_as_long_as_they_are_given),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
