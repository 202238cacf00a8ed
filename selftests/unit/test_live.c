/* SPDX-License-Identifier: BSD-2-Clause */
/* test_live.c: the table of live sessions against a list that is searched from end to end. */
#include "unit.h"

#include <string.h>

#include "rnd.h"
#include "user/core/addr.h"
#include "user/live.h"

#define S_NS 1000000000ull
#define IDS  400
#define SLOTS 3

static struct ipc_record record(__u64 id, unsigned messages)
{
	return (struct ipc_record){ .tag = IPC_STATE, .session = id, .messages = messages, .addr = { { [10] = 0xff, 0xff, 192, 0, 2, id & 255 } } };
}

static bool one_more(void *ctx, const struct live_session *s)
{
	assert_true(s->id);
	++*(unsigned *)ctx;
	return true;
}

static unsigned count(const struct live *l, const char *prefix, __u64 now)
{
	struct pst_prefix p = { .len = 0 };
	unsigned n = 0;

	if (prefix)
		assert_int_equal(prefix_parse(str_of(prefix), &p), PREFIX_OK);
	live_each(l, &p, now, one_more, &n);
	return n;
}

/* The table is large for so few: nothing is left out, so both know the same. */
static void test_against_model(void **state)
{
	struct { bool lives; unsigned slot, messages; __u64 heard; } model[IDS + 1] = { 0 };
	__u64 now = S_NS;
	struct live l;

	(void)state;
	assert_int_equal(live_init(&l, 8 * IDS, 99), 0);
	for (unsigned step = 0; step < 40000; step++) {
		__u64 id = 1 + rnd() % IDS;
		unsigned slot = rnd() % SLOTS, what = rnd() % 100;
		bool stale = model[id].lives && now - model[id].heard > LIVE_STALE_S * S_NS, mine = model[id].slot == slot;
		struct ipc_record r = record(id, step);

		if (what < 60) {
			live_hear(&l, slot, &r, now);
			if (!model[id].lives || stale || mine) {
				model[id].lives = true;
				model[id].slot = slot;
				model[id].messages = step;
				model[id].heard = now;
			}
		} else if (what < 98) {
			live_close(&l, slot, id);
			model[id].lives &= !mine;
		} else {
			live_drop(&l, slot);
			for (unsigned i = 1; i <= IDS; i++)
				model[i].lives &= model[i].slot != slot;
		}
		now += rnd() % S_NS;
		id = 1 + rnd() % IDS;
		stale = model[id].lives && now - model[id].heard > LIVE_STALE_S * S_NS;
		const struct live_session *s = live_find(&l, id, now);

		assert_int_equal(s != NULL, model[id].lives && !stale);
		if (s)
			assert_int_equal(s->messages, model[id].messages);
	}
	assert_int_equal(l.left_out, 0);
	live_free(&l);
}

static void test_bounded(void **state)
{
	struct live l;

	(void)state;
	assert_int_equal(live_init(&l, 1, 5), 0);
	for (__u64 id = 1; id <= 10000; id++) {
		struct ipc_record r = record(id, 0);

		live_hear(&l, 0, &r, S_NS);
	}
	assert_true(l.used <= 1ul << l.bits);
	assert_int_equal(l.used + l.left_out, 10000);
	assert_int_equal(count(&l, NULL, S_NS), l.used);
	live_free(&l);
}

static void test_prefix(void **state)
{
	struct live l;

	(void)state;
	assert_int_equal(live_init(&l, 100, 5), 0);
	for (__u64 id = 1; id <= 20; id++) {
		struct ipc_record r = record(id, 0);

		live_hear(&l, 0, &r, S_NS);
	}
	assert_int_equal(count(&l, "192.0.2.0/24", S_NS), 20);
	assert_int_equal(count(&l, "192.0.2.7", S_NS), 1);
	assert_int_equal(count(&l, "2001:db8::/32", S_NS), 0);
	assert_int_equal(count(&l, NULL, (LIVE_STALE_S + 2) * S_NS), 0);
	live_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
