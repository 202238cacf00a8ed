/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <ctype.h>
#include <stdio.h>

#include "rnd.h"
#include "user/core/names.h"
#include "user/core/parts.h"
#include "user/core/triage.h"

/* In printed order rows of a family stand together, its help is in the first row and only there, no sample is there twice. */
static void counters_partition_into_families(void **state)
{
	bool seen[PST_CNT_MAX] = { false };

	(void)state;
	for (unsigned i = 0; i < PST_CNT_MAX; i++) {
		const struct counter_row *r = &counter_rows[counter_nth(i)];
		bool first = !i || strcmp(r->family, counter_rows[counter_nth(i - 1)].family) != 0;

		assert_false(seen[counter_nth(i)]);
		seen[counter_nth(i)] = true;
		assert_int_equal(first, r->help[0] != '\0');
		for (unsigned j = 0; j < i; j++) {
			const struct counter_row *before = &counter_rows[counter_nth(j)];
			bool same = !strcmp(r->family, before->family);

			assert_false(first && same);
			assert_false(same && !strcmp(r->labels, before->labels));
		}
	}
}

/* A family that is labelled by somebody else's rows names them as those do, in their order. */
static void rows_of_others_have_their_names(void **state)
{
	char want[64];

	(void)state;
	for (unsigned i = 0; i < TEST_MAX; i++) {
		snprintf(want, sizeof(want), "test=\"%s\"", triage_name(i));
		assert_string_equal(counter_rows[PST_CNT_TEST_PREGREET + i].labels, want);
		assert_string_equal(counter_rows[PST_CNT_FAILED_PREGREET + i].labels, want);
	}
#define PARTS_X(sym, name, meaning, advice) assert_string_equal(counter_rows[PST_CNT_DEGRADED_##sym].labels, "part=\"" name "\"");
	PARTS(PARTS_X)
#undef PARTS_X
}

/* What can fall. */
static bool is_gauge(const char *family)
{
	static const char *const gauges[] = { "ban_table", "dnsl_zones", "store_up", "breaker_open", "gate_interfaces", "backends", "sessions_live",
					       "worker_files", "stressed_workers", "degraded" };

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		if (!strcmp(family, gauges[i]))
			return true;
	return false;
}

/* What the outputs rely on: names of OpenMetrics, labels as k="v" with nothing to escape, one line of help. */
static void counters_need_no_escaping(void **state)
{
	(void)state;
	for (int i = 0; i < PST_CNT_MAX; i++) {
		const struct counter_row *r = &counter_rows[i];
		const char *total = strstr(r->family, "_total");
		int quotes = 0;

		assert_true(total ? total > r->family && !total[6] : is_gauge(r->family));
		for (const char *c = r->family; *c; c++)
			assert_true(islower(*c) || isdigit(*c) || *c == '_');
		for (const char *c = r->labels; *c; c++) {
			assert_true(islower(*c) || isdigit(*c) || strchr("_=\",", *c));
			quotes += *c == '"';
		}
		assert_int_equal(quotes % 2, 0);
		for (const char *c = r->help; *c; c++)
			assert_true(isprint(*c) && *c != '\\' && *c != '"');
	}
}

/* Outside testers look for "250", "251" or "530" anywhere in a reply: no text may hold digits at all. */
static void reasons_are_fit_to_be_said(void **state)
{
	(void)state;
	for (int i = 0; i < PST_RSN_MAX; i++) {
		const struct reason_row *r = &reason_rows[i];
		unsigned class = r->enhanced[0] ? (unsigned)(r->enhanced[0] - '0') : 0;

		assert_int_equal(r->code / 100, class);
		assert_true(!r->code || (r->code >= 400 && r->code < 600));
		assert_int_equal(r->code == 0, r->text[0] == '\0');
		assert_true(r->why[0] != '\0');
		for (const char *c = r->text; *c; c++)
			assert_true(isprint(*c) && (!isdigit(*c) || (c > r->text && c[1] == '-')));
		for (const char *c = r->name; *c; c++)
			assert_true(islower(*c) || *c == '-');
	}
}

static void names_go_both_ways(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PST_ACT_MAX; i++)
		assert_int_equal(action_by_name(str_of(action_name(i))), i);
	for (unsigned i = 0; i < PST_MODE_MAX; i++)
		assert_int_equal(mode_by_name(str_of(mode_name(i))), i);
	assert_string_equal(origin_name(PST_ORIGIN_OPERATOR), "operator");
	assert_string_equal(reason_name(PST_RSN_MAX), "?");
	assert_string_equal(action_name(PST_ACT_MAX), "?");
	assert_string_equal(origin_name(PST_ORIGIN_MAX), "?");
	assert_string_equal(mode_name(~0u), "?");
	assert_int_equal(action_by_name(STR("DROP")), -1);
	assert_int_equal(mode_by_name(STR("enforc")), -1);
}

static void actions_have_an_order(void **state)
{
	static const enum pst_action order[] = { PST_ACT_OBSERVE, PST_ACT_REFUSE, PST_ACT_BANNER, PST_ACT_RESET, PST_ACT_DROP };

	(void)state;
	assert_int_equal(NROWS(order), PST_ACT_MAX);
	for (size_t i = 1; i < NROWS(order); i++)
		assert_true(action_rank(order[i]) > action_rank(order[i - 1]));
	assert_int_equal(action_rank(PST_ACT_MAX), action_rank(PST_ACT_DROP));
}

static void reads_durations(void **state)
{
	static const struct {
		struct str text;
		bool ok;
		unsigned long long s;
	} rows[] = {
		{ STR("90s"), true, 90 },
		{ STR("10m"), true, 600 },
		{ STR("1h"), true, 3600 },
		{ STR("7d"), true, 604800 },
		{ STR("2w"), true, 1209600 },
		{ STR("1h30m"), true, 5400 },
		{ STR("1w1d1h1m1s"), true, 694861 },
		{ STR("0s"), true, 0 },
		{ STR("36500d"), true, DURATION_MAX_S },
		{ STR("forever"), true, ~0ull },
		{ STR("36500d1s"), false, 0 },
		{ STR("36501d"), false, 0 },
		{ STR("99999999999999999w"), false, 0 },
		{ STR("18446744073709551616s"), false, 0 },
		{ STR("90"), false, 0 },
		{ STR("1h30"), false, 0 },
		{ STR("h"), false, 0 },
		{ STR(""), false, 0 },
		{ STR("1 h"), false, 0 },
		{ STR("-1h"), false, 0 },
		{ STR("1H"), false, 0 },
		{ STR("1.5h"), false, 0 },
		{ STR("30m1h"), false, 0 },
		{ STR("1h1h"), false, 0 },
		{ STR("1y"), false, 0 },
		{ STR("Forever"), false, 0 },
		{ STR("forever1s"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		unsigned long long s = 4711;

		if (duration_parse(rows[i].text, &s) != rows[i].ok)
			fail_msg("\"" STR_FMT "\"", STR_ARG(rows[i].text));
		assert_int_equal(s, rows[i].ok ? rows[i].s : 4711);
	}
}

static void writes_durations(void **state)
{
	static const struct {
		unsigned long long s;
		const char *text;
	} rows[] = {
		{ 0, "0s" },	       { 1, "1s" },	     { 60, "1m" },
		{ 90, "1m30s" },       { 3600, "1h" },	     { 604800, "7d" },
		{ 86401, "1d1s" },     { ~0ull, "forever" }, { ~0ull - 1, "213503982334601d7h14s" },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_string_equal(duration_text(rows[i].s, out), rows[i].text);
	for (int round = 0; round < 100000; round++) {
		unsigned long long s = rnd() % (DURATION_MAX_S + 1) >> rnd_below(32), back;

		assert_true(duration_parse(str_of(duration_text(s, out)), &back));
		assert_int_equal(s, back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_partition_into_families),
		cmocka_unit_test(rows_of_others_have_their_names),
		cmocka_unit_test(counters_need_no_escaping),
		cmocka_unit_test(reasons_are_fit_to_be_said),
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(actions_have_an_order),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(writes_durations),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
