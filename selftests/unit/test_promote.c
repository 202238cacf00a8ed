/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "rnd.h"
#include "user/core/promote.h"

#define S_NS  1000000000ull
#define HOUR  (3600 * S_NS)

static struct promote *table;
static struct policy policy;

static int fresh(void **state)
{
	(void)state;
	free(table);
	table = calloc(1, sizeof(*table));
	table->seed = 7;
	policy_defaults(&policy);
	return !table;
}

static int gone(void **state)
{
	(void)state;
	free(table);
	table = NULL;
	return 0;
}

static struct pst_addr v4(unsigned net, unsigned host)
{
	return (struct pst_addr){ { [10] = 0xff, 0xff, 198, 51, (__u8)net, (__u8)host } };
}

static struct pst_addr v6(unsigned net, unsigned sub, unsigned host)
{
	return (struct pst_addr){ { 0x20, 1, 0xd, 0xb8, (__u8)(net >> 8), (__u8)net, (__u8)(sub >> 8), (__u8)sub, [15] = (__u8)host } };
}

static const struct promote_rules three = { .sources = 3, .window_s = 3600 };

static struct promotion note(struct pst_addr a, __u64 now_ns)
{
	return promote_note(table, &three, &policy, &a, now_ns);
}

/* Three distinct sources of a prefix in an hour; neighbours of other prefixes and the same source again do not count. */
static void the_third_source_is_one_too_many(void **state)
{
	const struct {
		struct pst_addr a;
		unsigned minute, sources;
		bool due;
	} rows[] = {
		{ v4(1, 1), 0, 1, false }, { v4(1, 1), 1, 1, false }, { v4(2, 2), 1, 1, false }, { v4(1, 2), 2, 2, false },
		{ v4(1, 3), 59, 3, true }, { v4(2, 3), 60, 2, false }, { v4(2, 4), 61, 2, false }, /* the first one was an hour ago */
		{ v6(1, 1, 1), 61, 1, false }, { v6(1, 1, 2), 61, 1, false }, /* one /64 is one source */
		{ v6(1, 2, 1), 61, 2, false }, { v6(2, 3, 1), 61, 1, false }, { v6(1, 0x100, 1), 61, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct promotion v = note(rows[i].a, 1 + rows[i].minute * 60 * S_NS);
		struct pst_prefix p = prefix_of(&rows[i].a, addr_is4(&rows[i].a) ? 120 : 48);

		assert_int_equal(v.sources, rows[i].sources);
		assert_int_equal(v.due, rows[i].due);
		assert_int_equal(prefix_cmp(&v.prefix, &p), 0);
		if (v.due)
			assert_int_equal(v.until_ns, 1 + rows[i].minute * 60 * S_NS + policy.ban_s * S_NS);
	}
}

static void relapses_double_and_a_live_one_is_not_repeated(void **state)
{
	struct promotion v;
	__u64 now = 1;

	(void)state;
	note(v4(1, 1), now);
	note(v4(1, 2), now);
	for (unsigned i = 0; i < 3; i++) {
		note(v4(1, 1), now);
		note(v4(1, 2), now);
		v = note(v4(1, 3 + i), now);
		assert_true(v.due);
		assert_int_equal(v.relapse, i);
		assert_int_equal(v.until_ns, now + (policy.ban_s * S_NS << i));
		promote_done(table, &v);
		assert_false(note(v4(1, 100 + i), v.until_ns - 1).due);
		now = v.until_ns;
	}
	promote_forget(table, &v.prefix);
	assert_null(promote_find(table, &(struct pst_addr){ { [10] = 0xff, 0xff, 198, 51, 1, 9 } }));
	assert_int_equal(note(v4(1, 9), now).sources, 1);
}

static void never_is_never(void **state)
{
	const struct promote_rules off = { .sources = 0, .window_s = 3600 };

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		struct pst_addr a = v4(1, i);

		assert_false(promote_note(table, &off, &policy, &a, 1).due);
	}
	assert_null(promote_find(table, &(struct pst_addr){ { [10] = 0xff, 0xff, 198, 51, 1, 9 } }));
}

/* --- against a model: every ban ever noted, of the prefix, in a list ---------------------- */

struct noted {
	struct pst_addr a;
	__u64 when_ns;
};

static struct noted history[4096];

/* Distinct sources of a's prefix among the noted within the window. */
static unsigned model_count(size_t n, const struct pst_addr *a, unsigned window_s, __u64 now_ns)
{
	struct pst_prefix whole = promote_prefix(a), seen[PROMOTE_SOURCES * 8];
	unsigned count = 0;

	for (size_t i = 0; i < n; i++) {
		struct pst_prefix source = prefix_source(&history[i].a);
		bool old = now_ns - history[i].when_ns >= window_s * S_NS;

		for (unsigned k = 0; k < count && !old; k++)
			old = !prefix_cmp(&seen[k], &source);
		if (!old && prefix_covers(&whole, &history[i].a))
			seen[count++] = source;
	}
	return count;
}

static void counts_as_a_list_would(void **state)
{
	unsigned promoted = 0;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct promote_rules r = { .sources = 1 + rnd_below(PROMOTE_SOURCES), .window_s = 1 + rnd_below(7200) };
		__u64 now = rnd() >> 20;

		fresh(NULL);
		for (size_t n = 0; n < 400; n++) {
			struct pst_addr a = rnd_below(2) ? v4(rnd_below(4), rnd_below(1u << rnd_below(9))) : v6(rnd_below(4), rnd_below(60), rnd_below(3));
			struct promotion v;
			unsigned want;

			now += rnd_below(3) ? rnd_below(60) * S_NS : 0;
			history[n] = (struct noted){ a, now };
			v = promote_note(table, &r, &policy, &a, now);
			want = model_count(n + 1, &a, r.window_s, now);
			if (want <= PROMOTE_SOURCES)
				assert_int_equal(v.sources, want);
			else
				assert_int_equal(v.sources, PROMOTE_SOURCES);
			assert_true(!v.due || (v.sources >= r.sources && v.until_ns >= now));
			promoted += v.due;
			if (v.due)
				promote_done(table, &v);
		}
	}
	assert_true(promoted > 100);
}

/* Bans of one instant, in another order: the same is remembered. More sources than there is room for, too. */
static void the_same_instant_commutes(void **state)
{
	(void)state;
	for (int round = 0; round < 500; round++) {
		unsigned n = 1 + rnd_below(PROMOTE_SOURCES * 2);
		__u64 now = 1 + rnd_below(1000) * HOUR, later = now + rnd_below(2) * HOUR / 2;
		struct pst_addr a[PROMOTE_SOURCES * 2], next = v4(1, 255);
		struct promotion once, again;

		for (unsigned i = 0; i < n; i++)
			a[i] = v4(1, rnd_below(256));
		fresh(NULL);
		for (unsigned i = 0; i < n; i++)
			note(a[i], now);
		once = note(next, later);
		fresh(NULL);
		for (unsigned i = n; i--;)
			note(a[i], now);
		again = note(next, later);
		assert_int_equal(once.sources, again.sources);
		assert_int_equal(once.due, again.due);
		assert_int_equal(once.until_ns, again.until_ns);
	}
}

/* More prefixes than there is room for: nothing breaks, and who is heard of stays. */
static void a_full_table_forgets_the_oldest(void **state)
{
	struct pst_addr kept = v4(1, 1);

	(void)state;
	for (unsigned i = 0; i < 4 * PROMOTE_ENTRIES; i++) {
		struct pst_addr a = { { 0x20, 1, (__u8)(i >> 24), (__u8)(i >> 16), (__u8)(i >> 8), (__u8)i } };

		note(a, 1 + i);
		note(kept, 1 + i);
		assert_non_null(promote_find(table, &kept));
	}
	assert_true(table->evicted > 2 * PROMOTE_ENTRIES);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, gone)
	const struct CMUnitTest tests[] = {
		TEST(the_third_source_is_one_too_many),
		TEST(relapses_double_and_a_live_one_is_not_repeated),
		TEST(never_is_never),
		TEST(counts_as_a_list_would),
		TEST(the_same_instant_commutes),
		TEST(a_full_table_forgets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
