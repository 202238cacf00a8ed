/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <math.h>

#include "rnd.h"
#include "user/core/judgement.h"
#include "user/core/names.h"

#define S_NS 1000000000ull

static struct finding offence(enum pst_reason reason)
{
	return (struct finding){ .reason = (__u16)reason };
}

static struct verdict judge(const struct policy *p, const struct record *r, enum pst_reason reason, __u64 now_ns)
{
	struct finding f = offence(reason);

	return judgement(p, r, &f, false, now_ns);
}

static struct policy random_policy(void)
{
	struct policy p = {
		.threshold = 1 + rnd_below(300),
		.half_life_s = 1 + rnd_below(1u << rnd_below(32)),
		.ban_s = rnd_below(1u << rnd_below(31)),
		.ban_max_s = rnd_below(1u << rnd_below(31)),
		.relapse_s = rnd_below(1u << rnd_below(31)),
	};

	for (int i = 0; i < PST_RSN_MAX; i++)
		p.points[i] = rnd_below(3) ? rnd_below(120) : 0;
	return p;
}

/* A time step: nothing, moments, hours, years. */
static __u64 random_step(void)
{
	return rnd_below(4) ? rnd() % (1ull << rnd_below(56) | 1) : 0;
}

static void defaults_are_the_documented_ones(void **state)
{
	struct policy p;

	(void)state;
	policy_defaults(&p);
	assert_int_equal(p.threshold, 100);
	assert_int_equal(p.half_life_s, 3600);
	assert_int_equal(p.ban_s, 600);
	assert_int_equal(p.ban_max_s, 604800);
	assert_int_equal(p.relapse_s, 30 * 86400);
	assert_int_equal(p.action, PST_ACT_DROP);
	assert_false(p.observe);
	for (int i = 0; i < PST_RSN_MAX; i++)
		assert_int_equal(p.points[i], reason_rows[i].points);
}

/* A score is told and compared in whole points, to the nearest: what decays in half a minute is not let off. */
static void two_halves_make_a_whole(void **state)
{
	static const struct {
		__u64 apart_s;
		unsigned score;
		bool ban;
	} rows[] = { { 0, 100, true }, { 1, 100, true }, { 30, 100, true }, { 60, 99, false } };
	struct policy p;

	(void)state;
	policy_defaults(&p);
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct record r = { 0 };
		struct verdict v;

		r = judge(&p, &r, PST_RSN_RELAY, S_NS).next;
		v = judge(&p, &r, PST_RSN_RELAY, (1 + rows[i].apart_s) * S_NS);
		assert_int_equal(v.score, rows[i].score);
		assert_int_equal(v.ban, rows[i].ban);
	}
}

/* One source through a year, by the defaults. */
static void a_career(void **state)
{
	static const struct {
		__u64 after_s; /* since the row before */
		enum pst_reason reason;
		unsigned score;
		bool ban;
		unsigned ban_s, relapse;
	} rows[] = {
		{ 0, PST_RSN_RELAY, 50, false, 0, 0 },
		{ 3600, PST_RSN_RELAY, 75, false, 0, 0 },
		{ 0, PST_RSN_RELAY, 125, true, 600, 0 },
		{ 60, PST_RSN_SLOW, 126, true, 600, 0 },    /* still banned: prolonged, no relapse */
		{ 7200, PST_RSN_EARLY, 91, false, 0, 0 },   /* 125.5 / 4 + 60 */
		{ 0, PST_RSN_UNKNOWN, 101, true, 1200, 1 }, /* back within 30 days: twice as long */
		{ 86400, PST_RSN_TRAP, 100, true, 2400, 2 },
		{ 86400 * 31, PST_RSN_TRAP, 100, true, 600, 0 }, /* a month of peace: a first ban again */
		{ 86400, PST_RSN_OPERATOR, 0, false, 0, 0 },
	};
	struct record r = { 0 };
	struct policy p;
	__u64 now = 5 * S_NS;

	(void)state;
	policy_defaults(&p);
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct verdict v;

		now += rows[i].after_s * S_NS;
		v = judge(&p, &r, rows[i].reason, now);
		assert_int_equal(v.score, rows[i].score);
		assert_int_equal(v.ban, rows[i].ban);
		assert_int_equal(v.would_ban, rows[i].ban);
		assert_int_equal(v.next.findings, i + 1);
		if (v.ban) {
			assert_int_equal(v.until_ns, now + rows[i].ban_s * S_NS);
			assert_int_equal(v.relapse, rows[i].relapse);
			assert_int_equal(v.next.banned_until_ns, v.until_ns);
		} else {
			assert_int_equal(v.next.banned_until_ns, r.banned_until_ns);
		}
		r = v.next;
	}
}

static void doubles_to_the_cap(void **state)
{
	struct record r = { 0 };
	struct policy p;
	__u64 now = 1;

	(void)state;
	policy_defaults(&p);
	for (unsigned i = 0; i < 300; i++) {
		struct verdict v = judge(&p, &r, PST_RSN_TRAP, now);
		__u64 want_s = i < 11 && 600ull << i < 604800 ? 600ull << i : 604800;

		assert_true(v.ban);
		assert_int_equal(v.until_ns - now, want_s * S_NS);
		assert_int_equal(v.relapse, i < 255 ? i : 255);
		r = v.next;
		now = v.until_ns; /* the ban ends here: now < until is being banned */
	}
}

/* The record remembers a ban for relapse_s after its end, the last nanosecond included. */
static void a_relapse_is_forgotten_in_time(void **state)
{
	struct policy p;
	struct record r = { 0 };
	__u64 last;

	(void)state;
	policy_defaults(&p);
	r = judge(&p, &r, PST_RSN_TRAP, 1).next;
	last = r.banned_until_ns + p.relapse_s * S_NS;
	assert_int_equal(judge(&p, &r, PST_RSN_TRAP, last).relapse, 1);
	assert_int_equal(judge(&p, &r, PST_RSN_TRAP, last + 1).relapse, 0);
	r.relapse = 200;
	p.ban_s = 0; /* nothing doubled is nothing */
	assert_int_equal(judge(&p, &r, PST_RSN_TRAP, last).until_ns, last);
}

/* Integers against the real curve, with the bound that judgement.c promises. */
static void decays_by_halves(void **state)
{
	(void)state;
	for (int round = 0; round < 300000; round++) {
		struct policy p = { .half_life_s = 1 + rnd_below(1u << rnd_below(32)) };
		struct record r = { .score_milli = rnd() >> (32 + rnd_below(32)), .updated_ns = rnd() >> 20 };
		__u64 half_ns = p.half_life_s * S_NS;
		__u64 past = half_ns / 1000 * rnd_below(20000) + rnd_below(1000);
		struct verdict v = judge(&p, &r, PST_RSN_OPERATOR, r.updated_ns + past);
		double want = (double)r.score_milli * exp2(-(double)past / (double)half_ns);

		assert_true((double)v.next.score_milli <= want * 1.00025 + 1e-3);
		assert_true((double)v.next.score_milli >= want - 1.001);
	}
}

static void whole_half_lives_are_exact(void **state)
{
	struct policy p = { .half_life_s = 3600 };

	(void)state;
	for (unsigned n = 0; n < 70; n++) {
		struct record r = { .score_milli = 4000000000, .updated_ns = 7 };

		assert_int_equal(judge(&p, &r, 0, 7 + n * 3600 * S_NS).next.score_milli, n < 32 ? 4000000000 >> n : 0);
	}
}

static void time_only_lowers_a_score(void **state)
{
	(void)state;
	for (int round = 0; round < 100000; round++) {
		struct policy p = random_policy();
		struct record r = { .score_milli = rnd() >> rnd_below(64), .updated_ns = rnd() >> 8 };
		__u64 now = r.updated_ns;
		unsigned last = judgement_score(&p, &r, now);

		assert_int_equal(judgement_score(&p, &r, now - rnd_below(1000)), last); /* running back is no time */
		for (int i = 0; i < 6; i++) {
			unsigned score = judgement_score(&p, &r, now += random_step());

			assert_true(score <= last);
			last = score;
		}
	}
}

/* A random life. Checked on every step: what must hold in any life. */
static void an_offence_never_shortens_a_ban(void **state)
{
	unsigned bans = 0, prolonged = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct policy p = random_policy();
		struct record r = { 0 };
		__u64 now = rnd() >> 20;

		for (int i = 0; i < 30; i++) {
			struct finding f = offence(rnd_below(PST_RSN_MAX));
			struct verdict v, again;

			now += random_step();
			v = judgement(&p, &r, &f, false, now);
			again = judgement(&p, &r, &f, false, now);
			assert_memory_equal(&v.next, &again.next, sizeof(v.next));
			assert_int_equal(v.until_ns, again.until_ns);
			assert_int_equal(v.ban, again.ban);

			assert_true(v.next.banned_until_ns >= r.banned_until_ns);
			assert_int_equal(v.ban, v.would_ban);
			assert_int_equal(v.ban, p.points[f.reason] && v.score >= p.threshold);
			assert_int_equal(v.score, judgement_score(&p, &v.next, now));
			if (v.ban) {
				bans++;
				prolonged += now < r.banned_until_ns;
				assert_true(v.until_ns >= now);
				assert_true(v.until_ns <= now + p.ban_max_s * S_NS || v.until_ns == r.banned_until_ns);
				assert_true(v.next.relapse == v.relapse + 1);
			} else {
				assert_int_equal(v.next.relapse, r.relapse);
				assert_int_equal(v.until_ns, 0);
			}
			r = v.next;
		}
	}
	assert_true(bans > 10000 && prolonged > 1000);
}

/* The shorter of the two lengths, whatever the relapse; a ban that lives is not shortened by it. */
static void what_is_true_for_a_time_bans_no_longer(void **state)
{
	struct policy p;

	(void)state;
	policy_defaults(&p);
	for (unsigned i = 0; i < 2000; i++) {
		struct record r = { 0 };
		__u64 now = 1000 * S_NS;

		for (unsigned j = 0; j < 8; j++) {
			struct finding f = { .reason = PST_RSN_DNSL_BAN, .when_ns = now, .life_s = rnd_below(3) ? rnd_below(7200) : 0 }, whole = f;
			__u64 old = r.banned_until_ns, bound = now + f.life_s * S_NS;
			struct verdict v = judgement(&p, &r, &f, false, now), w;

			whole.life_s = 0;
			w = judgement(&p, &r, &whole, false, now);
			assert_true(v.ban);
			if (!f.life_s || bound >= w.until_ns)
				assert_int_equal(v.until_ns, w.until_ns);
			else
				assert_int_equal(v.until_ns, bound > old ? bound : old);
			r = v.next;
			now += rnd_below(3000) * S_NS;
		}
	}
}

/* Mixed exempt and not, in any order: a verdict on an exempt source bans nobody and leaves the ban history alone. */
static void the_exempt_are_never_banned(void **state)
{
	unsigned spared = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct policy p = random_policy();
		struct record r = { 0 };
		__u64 now = rnd() >> 20;

		p.observe = rnd_below(2);
		for (int i = 0; i < 20; i++) {
			bool exempt = rnd_below(2);
			struct finding f = offence(rnd_below(PST_RSN_MAX));
			struct verdict v = judgement(&p, &r, &f, exempt, now += random_step());

			if (exempt || p.observe) {
				assert_false(v.ban);
				assert_int_equal(v.next.relapse, r.relapse);
				assert_int_equal(v.next.banned_until_ns, r.banned_until_ns);
				assert_int_equal(v.would_ban, v.until_ns != 0);
				spared += v.would_ban;
			}
			assert_int_equal(v.next.findings, r.findings + 1);
			r = v.next;
		}
	}
	assert_true(spared > 1000);
}

static void findings_of_one_instant_commute(void **state)
{
	(void)state;
	for (int round = 0; round < 50000; round++) {
		struct policy p = random_policy();
		struct record a = { .score_milli = rnd() >> rnd_below(64), .updated_ns = rnd() >> 20 }, b = a;
		__u64 now = a.updated_ns + random_step();
		enum pst_reason reason[6];
		unsigned n = 1 + rnd_below(6), turn = rnd_below(n);

		for (unsigned i = 0; i < n; i++)
			reason[i] = rnd_below(PST_RSN_MAX);
		for (unsigned i = 0; i < n; i++) {
			a = judge(&p, &a, reason[i], now).next;
			b = judge(&p, &b, reason[(i + turn) % n], now).next;
		}
		assert_int_equal(a.score_milli, b.score_milli);
		assert_int_equal(a.findings, b.findings);
	}
}

static void survives_odd_numbers(void **state)
{
	struct policy p, zero = { 0 };
	struct record full = { ~0ull, ~0ull, ~0ull, ~0u, ~0u }, r = { 0 };
	struct verdict v;

	(void)state;
	policy_defaults(&p);
	v = judge(&p, &full, PST_RSN_TRAP, 1); /* as read from a damaged store */
	assert_true(v.ban);
	assert_int_equal(v.until_ns, ~0ull);
	assert_int_equal(v.relapse, 254);
	assert_int_equal(v.next.findings, ~0u);
	assert_int_equal(v.next.relapse, 255);
	v = judge(&p, &r, PST_RSN_MAX, 1); /* a reason of another version */
	assert_int_equal(v.score, 0);
	assert_int_equal(v.next.findings, 1);
	v = judge(&p, &r, 0xffff, 1);
	assert_int_equal(v.score, 0);
	r.score_milli = 5000;
	assert_int_equal(judgement_score(&zero, &r, 0), 5); /* no half-life: gone with the first moment */
	assert_int_equal(judgement_score(&zero, &r, 1), 0);
	assert_false(judge(&zero, &r, PST_RSN_TRAP, 0).ban); /* no points, no ban, even over a threshold of none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(two_halves_make_a_whole),
		cmocka_unit_test(a_career),
		cmocka_unit_test(doubles_to_the_cap),
		cmocka_unit_test(a_relapse_is_forgotten_in_time),
		cmocka_unit_test(decays_by_halves),
		cmocka_unit_test(whole_half_lives_are_exact),
		cmocka_unit_test(time_only_lowers_a_score),
		cmocka_unit_test(an_offence_never_shortens_a_ban),
		cmocka_unit_test(what_is_true_for_a_time_bans_no_longer),
		cmocka_unit_test(the_exempt_are_never_banned),
		cmocka_unit_test(findings_of_one_instant_commute),
		cmocka_unit_test(survives_odd_numbers),
	};

	return cmocka_run_group_tests_name("judgement", tests, NULL, NULL);
}
