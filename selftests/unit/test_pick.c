/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice among backends: shares, priorities, full and down ones, coming back slowly. */
#include <string.h>

#include "unit.h"

#include "rnd.h"
#include "user/core/pick.h"

#define S 1000000000ull
#define ALL (~0ull)

static const struct pick_conf plain = { .weight = 1, .down_after = 1, .up_after = 1, .checked = true };

static void shares_follow_the_weights(void **state)
{
	static const unsigned weight[] = { 5, 1, 1, 0, 3 };
	struct pick_conf conf[5];
	struct pick p[5] = { 0 };
	unsigned got[5] = { 0 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		conf[i] = plain;
		conf[i].weight = weight[i];
		p[i].conf = &conf[i];
	}
	for (int n = 0; n < 1000; n++)
		got[pick_next(p, 5, ALL, 0, S)]++;
	for (int i = 0; i < 5; i++)
		assert_int_equal(got[i], weight[i] * 100);
}

/* Smooth: the heavy one does not get all of its turns in a row. */
static void turns_are_interleaved(void **state)
{
	static const int want[] = { 0, 0, 1, 0, 2, 0, 0 };
	struct pick_conf heavy = plain;
	struct pick p[3] = { { .conf = &heavy }, { .conf = &plain }, { .conf = &plain } };

	(void)state;
	heavy.weight = 5;
	for (int n = 0; n < 14; n++)
		assert_int_equal(pick_next(p, 3, ALL, 0, S), want[n % 7]);
}

static void down_after_and_up_after(void **state)
{
	struct pick_conf conf = plain;
	struct pick p = { .conf = &conf };

	(void)state;
	conf.down_after = 3;
	conf.up_after = 2;
	assert_false(pick_failed(&p, S));
	assert_false(pick_failed(&p, S));
	assert_false(pick_good(&p, S)); /* not in a row */
	assert_false(pick_failed(&p, S));
	assert_false(pick_failed(&p, S));
	assert_true(pick_failed(&p, S));
	assert_false(pick_failed(&p, S)); /* said once */
	assert_false(pick_is_up(&p, 100 * S));
	assert_false(pick_good(&p, S));
	assert_false(pick_failed(&p, S));
	assert_false(pick_good(&p, S));
	assert_true(pick_good(&p, S));
	assert_true(pick_is_up(&p, S));
}

static void unchecked_ones_are_tried_again(void **state)
{
	struct pick_conf conf = plain;
	struct pick p[2] = { { .conf = &conf }, { .conf = &plain } };

	(void)state;
	conf.checked = false;
	pick_failed(&p[0], S);
	for (int n = 0; n < 10; n++)
		assert_int_equal(pick_next(p, 2, ALL, 0, S + PICK_AGAIN_NS - 1), 1);
	assert_true(pick_is_up(&p[0], S + PICK_AGAIN_NS));
}

static void who_takes_no_more_is_full_for_a_while(void **state)
{
	struct pick p = { .conf = &plain, .live = 3 };

	(void)state;
	assert_false(pick_busy(&p, 0, S));
	assert_false(pick_is_full(&p, 0, S));
	assert_true(pick_busy(&p, 3, S));
	assert_true(pick_is_full(&p, 0, S + PICK_MOST_NS - 1));
	assert_int_equal(pick_next(&p, 1, ALL, 0, S), -1);
	p.live = 2;
	assert_int_equal(pick_next(&p, 1, ALL, 0, S), 0);
	p.live = 3;
	assert_int_equal(pick_next(&p, 1, ALL, 0, S + PICK_MOST_NS), 0);
}

static void weight_grows_back(void **state)
{
	struct pick_conf conf = plain;
	struct pick p = { .conf = &conf };

	(void)state;
	conf.weight = 10;
	conf.slow_start_s = 100;
	assert_int_equal(pick_weight(&p, S), 10000); /* it never was down */
	pick_failed(&p, S);
	pick_good(&p, S);
	assert_int_equal(pick_weight(&p, S), 1000);
	assert_int_equal(pick_weight(&p, 51 * S), 5500);
	assert_int_equal(pick_weight(&p, 101 * S), 10000);
	assert_int_equal(pick_weight(&p, ~0ull), 10000);
}

static bool has_room(const struct pick *p, unsigned keep, unsigned long long now_ns)
{
	unsigned max = p->conf->max, kept = 0;

	if (p->most && now_ns < p->most_until_ns && (!max || p->most < max))
		max = p->most;
	while ((kept + 1) * 100 <= max * keep)
		kept++;
	return !max || p->live + kept < max;
}

/* What pick.h promises, said naively. */
static bool may_follow(const struct pick *p, size_t n, unsigned long long may, unsigned keep, int got, unsigned long long now_ns)
{
	bool some_up = false, some = false;
	unsigned best = ~0u;

	for (size_t i = 0; i < n; i++) {
		if (!(may >> i & 1) || !has_room(&p[i], keep, now_ns))
			continue;
		if (pick_is_up(&p[i], now_ns) && !some_up) {
			some_up = true;
			best = ~0u;
		}
		some = true;
		if (pick_is_up(&p[i], now_ns) == some_up && p[i].conf->priority < best)
			best = p[i].conf->priority;
	}
	if (!some || got < 0)
		return !some && got < 0;
	return (may >> got & 1) && has_room(&p[got], keep, now_ns) && p[got].conf->priority == best &&
	       (!some_up || pick_is_up(&p[got], now_ns));
}

static void whatever_happens(void **state)
{
	struct pick_conf conf[PICK_MAX];
	struct pick p[PICK_MAX];

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = 1 + rnd() % PICK_MAX;

		memset(p, 0, sizeof(p));
		for (size_t i = 0; i < n; i++) {
			conf[i] = (struct pick_conf){ rnd() % 4, rnd() % 3, rnd() % 7, 1 + rnd() % 3, 1 + rnd() % 3, rnd() % 60, rnd() % 2 };
			p[i].conf = &conf[i];
		}
		for (unsigned long long now_ns = S; now_ns < 200 * S; now_ns += rnd() % S) {
			unsigned long long may = (unsigned long long)rnd() << 32 | rnd();
			unsigned keep = rnd() % 2 * (rnd() % 101);
			int got = pick_next(p, n, may, keep, now_ns);
			size_t any = rnd() % n;

			assert_true(may_follow(p, n, may, keep, got, now_ns));
			if (got >= 0)
				p[got].live += rnd() % 2;
			p[any].live -= p[any].live > 0;
			if (rnd() % 50 == 0)
				assert_int_equal(pick_busy(&p[any], p[any].live, now_ns), p[any].live > 0);
			if (rnd() % 3)
				pick_good(&p[any], now_ns);
			else
				pick_failed(&p[any], now_ns);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_the_weights),
		cmocka_unit_test(turns_are_interleaved),
		cmocka_unit_test(down_after_and_up_after),
		cmocka_unit_test(unchecked_ones_are_tried_again),
		cmocka_unit_test(who_takes_no_more_is_full_for_a_while),
		cmocka_unit_test(weight_grows_back),
		cmocka_unit_test(whatever_happens),
	};

	return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}
