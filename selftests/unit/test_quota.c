/* SPDX-License-Identifier: BSD-2-Clause */
/* test_quota.c: allowances by the hour against a model that refills in small steps, and a table that is full. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/quota.h"

#define S_NS	 1000000000ull
#define ACCOUNTS 3

static struct quotas table;
static double left[ACCOUNTS][QUOTAS];
static __u64 touched_ns[ACCOUNTS];

static void refill(unsigned account, const unsigned hourly[QUOTAS], __u64 now)
{
	for (int i = 0; i < QUOTAS; i++) {
		left[account][i] += (double)(now - touched_ns[account]) * hourly[i] / QUOTA_HOUR_NS;
		if (left[account][i] > hourly[i])
			left[account][i] = hourly[i];
	}
	touched_ns[account] = now;
}

/* Near the limit the model's fractions and the table's nanoseconds may differ: no turn is asked within a thousandth of a unit of it. */
static int model(unsigned account, const unsigned n[QUOTAS], const unsigned hourly[QUOTAS])
{
	bool fits = true;

	for (int i = 0; i < QUOTAS; i++) {
		double over = n[i] - left[account][i];

		if (!hourly[i])
			continue;
		if (over > -0.001 && over < 0.001 && left[account][i] < hourly[i])
			return -1;
		fits &= over <= 0;
	}
	for (int i = 0; fits && i < QUOTAS; i++)
		left[account][i] -= n[i];
	return fits;
}

static void test_model(void **state)
{
	unsigned taken = 0, refused = 0;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		const unsigned hourly[QUOTAS] = { rnd_below(4) ? 1 + rnd_below(50) : 0, rnd_below(4) ? 1 + rnd_below(3000) : 0 };
		__u64 now = S_NS * (1 + rnd_below(1000000));

		memset(&table, 0, sizeof(table));
		for (unsigned a = 0; a < ACCOUNTS; a++) {
			touched_ns[a] = now;
			for (int i = 0; i < QUOTAS; i++)
				left[a][i] = hourly[i];
		}
		for (unsigned turn = 0; turn < 300; turn++) {
			const unsigned n[QUOTAS] = { rnd_below(2), rnd_below(10) ? 1 : rnd_below(200) };
			unsigned a = rnd_below(ACCOUNTS), wait_s;
			__u64 key[2];
			char name[16];
			int expected;
			bool fits;

			snprintf(name, sizeof(name), "user%u", a);
			quota_key(str_of(name), key);
			now += rnd_below(3) ? rnd_below(S_NS) : (__u64)rnd_below(900) * S_NS + 1;
			refill(a, hourly, now);
			expected = model(a, n, hourly);
			if (expected < 0)
				continue;
			fits = quota_take(&table, key, n, hourly, now, &wait_s);
			if (fits != expected)
				fail_msg("round %u, turn %u: %s of %u and %u", round, turn, fits ? "taken" : "refused", n[0], n[1]);
			assert_int_equal(wait_s == 0, fits);
			taken += fits;
			refused += !fits;
		}
	}
	assert_true(taken > 1000 && refused > 1000);
}

/* After the wait that was told it is there, a second before it is not. */
static void test_wait(void **state)
{
	static const unsigned hourly[QUOTAS] = { 10, 100 }, all[QUOTAS] = { 10, 100 }, one[QUOTAS] = { 1, 1 }, over[QUOTAS] = { 0, 101 };
	const __u64 key[2] = { 1, 2 };
	unsigned wait_s, again_s;

	(void)state;
	memset(&table, 0, sizeof(table));
	assert_false(quota_take(&table, key, over, hourly, S_NS, &wait_s));
	assert_true(quota_take(&table, key, all, hourly, S_NS, &wait_s));
	assert_false(quota_take(&table, key, one, hourly, S_NS, &wait_s));
	assert_int_equal(wait_s, 360);
	assert_false(quota_take(&table, key, one, hourly, 360 * S_NS, &again_s));
	assert_int_equal(again_s, 1);
	assert_true(quota_take(&table, key, one, hourly, 361 * S_NS, &wait_s));
	assert_false(quota_take(&table, key, (const unsigned[]){ ~0u, ~0u }, hourly, 1ull << 60, &wait_s));
}

/* More accounts than there is room for: whoever waits longest is remembered. */
static void test_full(void **state)
{
	static const unsigned hourly[QUOTAS] = { 100, 100 }, all[QUOTAS] = { 100, 100 }, one[QUOTAS] = { 1, 0 };
	__u64 spammer[2], key[2];
	unsigned wait_s;
	char name[32];

	(void)state;
	memset(&table, 0, sizeof(table));
	quota_key(STR("spammer"), spammer);
	assert_true(quota_take(&table, spammer, all, hourly, S_NS, &wait_s));
	for (unsigned i = 0; i < 3 * QUOTA_ENTRIES; i++) {
		snprintf(name, sizeof(name), "user%u@example.org", i);
		quota_key(str_of(name), key);
		assert_true(quota_take(&table, key, one, hourly, S_NS, &wait_s));
	}
	assert_false(quota_take(&table, spammer, one, hourly, S_NS, &wait_s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
