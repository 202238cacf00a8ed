/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "rnd.h"
#include "user/core/breaker.h"

#define S_NS 1000000000ull

static const struct breaker_rules rules = { .share = 20, .sources = 3, .pause_s = 900, .half_life_s = 86400 };

/* n sources that have each sent m messages. */
static void deliver(struct breaker *b, struct breaker_count *source, unsigned n, unsigned m, __u64 now_ns)
{
	for (unsigned i = 0; i < n; i++)
		breaker_mail(b, &rules, &source[i], m, now_ns);
}

/* Ten senders of equal weight: two bans are a fifth, the third would be more, and three sources is what it takes. */
static void opens_at_the_share(void **state)
{
	struct breaker b = { .open_until_ns = 0 };
	struct breaker_count source[10] = { { 0 } }, stranger = { 0 };

	(void)state;
	deliver(&b, source, 10, 7, S_NS);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(breaker_ban(&b, &rules, &stranger, S_NS), BREAKER_PASS);
	assert_int_equal(breaker_ban(&b, &rules, &source[0], S_NS), BREAKER_PASS);
	assert_int_equal(breaker_ban(&b, &rules, &source[1], S_NS), BREAKER_PASS);
	assert_int_equal(breaker_share(&b, &rules, S_NS), 20);
	assert_int_equal(breaker_ban(&b, &rules, &source[2], S_NS), BREAKER_OPENS);
	assert_int_equal(breaker_share(&b, &rules, S_NS), 20); /* what was not done is not counted */
	assert_int_equal(breaker_ban(&b, &rules, &stranger, 2 * S_NS), BREAKER_IS_OPEN);
	assert_int_equal(breaker_ban(&b, &rules, &stranger, 901 * S_NS - 1), BREAKER_IS_OPEN);
	assert_int_equal(breaker_ban(&b, &rules, &stranger, 901 * S_NS), BREAKER_PASS);
	assert_int_equal(breaker_ban(&b, &rules, &source[3], 901 * S_NS), BREAKER_OPENS); /* nothing has become better */
	assert_int_equal(breaker_ban(&b, &rules, &source[4], 1000 * S_NS), BREAKER_IS_OPEN);
	assert_true(breaker_is_open(&b, &rules, 1900 * S_NS - 1)); /* from the last one that would have hit */
	assert_false(breaker_is_open(&b, &rules, 1900 * S_NS));
}

static void few_sources_never_open_it(void **state)
{
	struct breaker b = { .open_until_ns = 0 };
	struct breaker_count source[2] = { { 0 } };

	(void)state;
	deliver(&b, source, 2, 1000, S_NS);
	assert_int_equal(breaker_ban(&b, &rules, &source[0], S_NS), BREAKER_PASS);
	assert_int_equal(breaker_ban(&b, &rules, &source[1], S_NS), BREAKER_PASS);
	assert_int_equal(breaker_share(&b, &rules, S_NS), 100);
}

static void off_is_off(void **state)
{
	struct breaker_rules off = rules;
	struct breaker b = { .open_until_ns = ~0ull };
	struct breaker_count source[20] = { { 0 } };

	(void)state;
	off.share = 0;
	deliver(&b, source, 20, 5, S_NS);
	assert_false(breaker_is_open(&b, &off, S_NS));
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(breaker_ban(&b, &off, &source[i], S_NS), BREAKER_PASS);
}

/* In any life, with numbers of any size: what is banned never exceeds the share once enough sources are hit; time closes; it can be replayed. */
static void any_life(void **state)
{
	unsigned opened = 0, passed = 0;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct breaker_rules r = { .share = 1 + rnd_below(100), .sources = 1 + rnd_below(6), .pause_s = 1 + rnd_below(3600),
					   .half_life_s = 60 + rnd_below(1u << (8 + rnd_below(14))) };
		struct breaker b = { .open_until_ns = 0 }, before;
		struct breaker_count source[16] = { { 0 } };
		__u64 now = rnd() >> 24;

		for (int i = 0; i < 80; i++) {
			struct breaker_count *s = &source[rnd_below(16)];
			enum breaker_word word, again;

			now += rnd_below(3) ? 0 : rnd_below(1u << rnd_below(13)) * S_NS;
			if (rnd_below(3)) {
				breaker_mail(&b, &r, s, rnd_below(1u << rnd_below(20)), now);
				continue;
			}
			before = b;
			word = breaker_ban(&b, &r, s, now);
			again = breaker_ban(&before, &r, s, now);
			assert_int_equal(word, again);
			assert_memory_equal(&b, &before, sizeof(b));
			assert_int_equal(word == BREAKER_PASS, !breaker_is_open(&b, &r, now));
			opened += word == BREAKER_OPENS;
			if (word == BREAKER_PASS && breaker_count(s, &r, now)) {
				passed++;
				assert_true(breaker_count(&b.sources, &r, now) < r.sources || breaker_share(&b, &r, now) <= r.share + 1);
				*s = (struct breaker_count){ .milli = 0 }; /* it sends no more */
			}
			assert_false(breaker_is_open(&b, &r, now + r.pause_s * S_NS));
		}
	}
	assert_true(opened > 1000 && passed > 1000);
}

/* A busy year: the sums neither overflow nor lose what they hold. */
static void large_numbers(void **state)
{
	struct breaker_rules r = { .share = 20, .sources = 1, .pause_s = 60, .half_life_s = 30 * 86400 };
	struct breaker_count source = { 0 }, bad = { 0 };
	struct breaker b = { .open_until_ns = 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		breaker_mail(&b, &r, i % 4 ? &source : &bad, 4000000000u, S_NS);
	assert_int_equal(breaker_count(&b.good, &r, S_NS), 400000000000000ull);
	assert_int_equal(breaker_count(&b.good, &r, S_NS + 30 * 86400 * S_NS), 200000000000000ull);
	assert_int_equal(breaker_ban(&b, &r, &bad, S_NS), BREAKER_OPENS); /* a quarter */
	r.share = 26;
	assert_int_equal(breaker_ban(&b, &r, &bad, 100 * S_NS), BREAKER_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_at_the_share),
		cmocka_unit_test(few_sources_never_open_it),
		cmocka_unit_test(off_is_off),
		cmocka_unit_test(any_life),
		cmocka_unit_test(large_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
