/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "rnd.h"
#include "user/core/addr.h"
#include "user/core/amnesty.h"

#define NOW 1000000000ull

static const struct pst_addr four = { { [10] = 0xff, 0xff, 192, 0, 2, 1 } }, six = { { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

static struct pst_ban banned(enum pst_action action, enum pst_origin origin, unsigned tries)
{
	return (struct pst_ban){ .until_ns = NOW + 1, .action = (__u8)action, .origin = (__u8)origin, .score = tries << 16 | 0xff000078 };
}

static void rows(void **state)
{
	static const struct {
		const struct pst_addr *a;
		unsigned len, action, origin, tries, wanted;
		bool due;
	} row[] = {
		{ &four, 128, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 3, 3, true },
		{ &four, 128, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 2, 3, false },
		{ &four, 128, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 255, 255, true },
		{ &four, 128, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 255, 0, false },
		{ &four, 128, PST_ACT_RESET, PST_ORIGIN_AUTOMATIC, 3, 3, true },
		{ &four, 128, PST_ACT_OBSERVE, PST_ORIGIN_AUTOMATIC, 3, 3, false },
		{ &four, 128, PST_ACT_REFUSE, PST_ORIGIN_AUTOMATIC, 3, 3, false },
		{ &four, 128, PST_ACT_BANNER, PST_ORIGIN_AUTOMATIC, 3, 3, false },
		{ &four, 128, PST_ACT_DROP, PST_ORIGIN_OPERATOR, 3, 3, false },
		{ &four, 120, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 3, 3, false },
		{ &six, 64, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 3, 3, true },
		{ &six, 128, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 3, 3, true },
		{ &six, 48, PST_ACT_DROP, PST_ORIGIN_AUTOMATIC, 3, 3, false },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(row); i++) {
		struct pst_prefix p = prefix_of(row[i].a, row[i].len);
		struct pst_ban b = banned(row[i].action, row[i].origin, row[i].tries);

		assert_int_equal(amnesty_due(&p, &b, row[i].wanted, NOW), row[i].due);
		assert_false(amnesty_due(&p, &b, row[i].wanted, NOW + 1)); /* the ban is over */
	}
}

/* Whatever a ban holds: only silence of a machine's making is lifted, and what is written then is not lifted again. */
static void any_ban(void **state)
{
	unsigned due = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		struct pst_prefix p = prefix_of(rnd_below(2) ? &four : &six, 1 + rnd_below(128));
		struct pst_ban b = { .until_ns = NOW + rnd_below(2), .score = (__u32)rnd(), .action = (__u8)rnd_below(PST_ACT_MAX),
				     .origin = (__u8)rnd_below(PST_ORIGIN_MAX) };
		unsigned wanted = rnd_below(256);

		if (!amnesty_due(&p, &b, wanted, NOW))
			continue;
		due++;
		assert_true(b.origin == PST_ORIGIN_AUTOMATIC && (b.action == PST_ACT_DROP || b.action == PST_ACT_RESET));
		assert_true(wanted && PST_BAN_RETRIES(b.score) >= wanted && b.until_ns > NOW);
		b.action = PST_ACT_REFUSE;
		assert_false(amnesty_due(&p, &b, wanted, NOW));
	}
	assert_true(due > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rows), cmocka_unit_test(any_ban) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
