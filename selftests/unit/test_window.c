/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "rnd.h"
#include "user/core/window.h"

/* The model: every event's time. */
#define EVENTS 512

struct model {
	__u64 at[EVENTS];
	__u32 n[EVENTS];
	unsigned used;
};

static __u64 between(const struct model *m, __u64 from_ns, __u64 to_ns)
{
	__u64 sum = 0;

	for (unsigned i = 0; i < m->used; i++)
		if (m->at[i] >= from_ns && m->at[i] <= to_ns)
			sum += m->n[i];
	return sum;
}

static __u64 step_of(__u64 slot_ns)
{
	switch (rnd_below(4)) {
	case 0:
		return 0;
	case 1:
		return rnd() % slot_ns;
	case 2:
		return rnd() % (4 * slot_ns);
	default:
		return rnd_below(10) ? rnd() % (slot_ns / 10 + 1) : rnd() % (30 * slot_ns);
	}
}

/* Exactly the events since a moment that lies between 7/8 of the window and the whole of it ago. */
static void is_within_an_eighth(void **state)
{
	(void)state;
	for (int turn = 0; turn < 400; turn++) {
		__u64 slot_ns = 1 + rnd() % 1000000000, now = rnd() % (1ull << 50);
		struct window w = { 0 };
		struct model m = { .used = 0 };

		for (unsigned i = 0; i < EVENTS; i++) {
			__u64 whole = slot_ns * WINDOW_SLOTS, count, from = now > whole - 1 ? now - (whole - 1) : 0, later;
			__u64 below;

			m.at[m.used] = now;
			m.n[m.used++] = rnd_below(5);
			window_add(&w, slot_ns, now, m.n[m.used - 1]);
			count = window_count(&w, slot_ns, now);
			assert_true(count <= between(&m, from, now));
			assert_true(count >= between(&m, now > whole - slot_ns ? now - (whole - slot_ns) + 1 : 0, now));
			if (!count)
				continue;
			later = 1 + rnd_below((unsigned)(count < 1000 ? count : 1000)); /* a ceiling that is reached */
			below = window_below_ns(&w, slot_ns, now, later);
			assert_true(below > now && below <= now + whole);
			assert_true(window_count(&w, slot_ns, below) < later);
			assert_true(window_count(&w, slot_ns, below - 1) >= later);
			assert_int_equal(window_below_ns(&w, slot_ns, now, count + 1), now);
			now += step_of(slot_ns);
		}
	}
}

static void forgets_and_saturates(void **state)
{
	struct window w = { 0 };

	(void)state;
	assert_int_equal(window_count(&w, 10, 12345), 0);
	window_add(&w, 10, 12345, 7);
	assert_int_equal(window_count(&w, 10, 12345), 7);
	assert_int_equal(window_count(&w, 10, 12340 + 79), 7);
	assert_int_equal(window_count(&w, 10, 12340 + 80), 0);
	window_add(&w, 10, 12335, 1); /* a clock that runs back a little */
	assert_int_equal(window_count(&w, 10, 12345), 8);
	assert_int_equal(window_count(&w, 10, 12335), 8);
	window_add(&w, 10, 12345, ~0u);
	window_add(&w, 10, 12345, ~0u);
	assert_int_equal(window_count(&w, 10, 12345), ~0u);
	assert_int_equal(window_count(&w, 10000, 12345), 0); /* another length of slot: nothing is known */
	window_add(&w, 10000, 12345, 3);
	assert_int_equal(window_count(&w, 10000, 12345), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(is_within_an_eighth), cmocka_unit_test(forgets_and_saturates) };

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
