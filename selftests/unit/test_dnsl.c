/* SPDX-License-Identifier: BSD-2-Clause */
/* test_dnsl.c: filters, questions, what answers mean, and what they weigh together. */
#include "unit.h"

#include <stdio.h>

#include "rnd.h"
#include "user/core/addr.h"
#include "user/core/dnsl.h"

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	if (!addr_parse(str_of(text), &a))
		fail_msg("\"%s\" is an address", text);
	return a;
}

/* --- filters --------------------------------------------------------------------- */

static void filters(void **state)
{
	static const struct { const char *text; unsigned char answer[4]; bool has; } rows[] = {
		{ "127.0.0.2", { 127, 0, 0, 2 }, true },
		{ "127.0.0.2", { 127, 0, 0, 3 }, false },
		{ "127.0.0.[2..11]", { 127, 0, 0, 11 }, true },
		{ "127.0.0.[2..11]", { 127, 0, 0, 12 }, false },
		{ "127.0.0.[2..11;13]", { 127, 0, 0, 13 }, true },
		{ "127.0.[0..255].[1;2]", { 127, 0, 77, 2 }, true },
		{ "127.0.[0..255].[1;2]", { 127, 1, 77, 2 }, false },
		{ "127.[0].0.2", { 127, 0, 0, 2 }, true },
		{ "&0x04", { 127, 0, 0, 4 }, true },
		{ "&0x04", { 127, 0, 0, 6 }, true },
		{ "&0x04", { 127, 0, 0, 2 }, false },
		{ "&0x0100", { 127, 0, 1, 0 }, true },
		{ "&0xFF0000", { 127, 16, 0, 0 }, true },
		{ "&0x04", { 10, 0, 0, 4 }, false },
	};
	struct dnsl_filter f;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		assert_null(dnsl_filter_read(str_of(rows[i].text), &f));
		if (dnsl_filter_has(&f, rows[i].answer) != rows[i].has)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
}

static void filters_that_are_none(void **state)
{
	static const char *const rows[] = {
		"", "127", "127.0.0", "127.0.0.", "127.0.0.2.", "127.0.0.2.3", "127.0.0.256", "127.0.0.0256", "127.0.0.-2", "127.0.0.[2", "127.0.0.2]", "127.0.0.[]",
		"127.0.0.[2;]", "127.0.0.[;2]", "127.0.0.[5..2]", "127.0.0.[2..]", "127.0.0.[2...4]", "127.0.0.2..4", "127.0.0. 2", "10.0.0.2", "[127..128].0.0.2",
		"128.0.0.2", "127.0.0.1", "127.255.255.254", "127.255.255.[0..255]", "127.0.0.x", "*", "&", "&4", "&0x", "&0x0", "&0x1000000", "&0xg", "&0x4 ",
		"::1", "zen.example",
	};
	struct dnsl_filter f;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		if (!dnsl_filter_read(str_of(rows[i]), &f))
			fail_msg("\"%s\" is no filter", rows[i]);
}

#define RANGES 3

/* A pattern as it is thought of: for each octet, a few ranges. */
struct idea {
	unsigned n[3], from[3][RANGES], to[3][RANGES];
};

static size_t write_idea(struct idea *d, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "127");

	for (unsigned o = 0; o < 3; o++) {
		bool bare;

		d->n[o] = 1 + rnd_below(RANGES);
		for (unsigned i = 0; i < d->n[o]; i++) {
			d->from[o][i] = rnd_below(256);
			d->to[o][i] = rnd_below(3) ? d->from[o][i] : d->from[o][i] + rnd_below(256 - d->from[o][i]);
		}
		bare = d->n[o] == 1 && d->from[o][0] == d->to[o][0] && rnd_below(2);
		n += (size_t)snprintf(text + n, size - n, bare ? "." : ".[");
		for (unsigned i = 0; i < d->n[o]; i++) {
			n += (size_t)snprintf(text + n, size - n, i ? ";%u" : "%u", d->from[o][i]);
			if (d->to[o][i] != d->from[o][i])
				n += (size_t)snprintf(text + n, size - n, "..%u", d->to[o][i]);
		}
		n += (size_t)snprintf(text + n, size - n, bare ? "" : "]");
	}
	return n;
}

static bool idea_has(const struct idea *d, const unsigned char answer[4])
{
	for (unsigned o = 0; o < 3; o++) {
		bool in = false;

		for (unsigned i = 0; i < d->n[o]; i++)
			in |= answer[o + 1] >= d->from[o][i] && answer[o + 1] <= d->to[o][i];
		if (!in)
			return false;
	}
	return answer[0] == 127;
}

static void filters_as_they_are_meant(void **state)
{
	struct dnsl_filter f;
	struct idea d;
	char text[256];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = write_idea(&d, text, sizeof(text));

		if (dnsl_filter_read((struct str){ text, n }, &f))
			continue; /* errors alone; two in a million */
		for (unsigned j = 0; j < 200; j++) {
			unsigned char a[4] = { rnd_below(20) ? 127 : (unsigned char)rnd(), 0, 0, 0 };

			for (unsigned o = 0; o < 3; o++) { /* near an edge as often as not */
				unsigned edge = rnd_below(2) ? d.from[o][rnd_below(d.n[o])] : d.to[o][rnd_below(d.n[o])];

				a[o + 1] = (unsigned char)(rnd_below(4) ? edge + rnd_below(3) - 1 : rnd());
			}
			if (dnsl_filter_has(&f, a) != idea_has(&d, a))
				fail_msg("%s: %u.%u.%u.%u", text, a[0], a[1], a[2], a[3]);
		}
	}
}

/* A text near a filter is read within its bounds, and what is read cannot have what is no listing on purpose. */
static void filters_at_random(void **state)
{
	static const char letters[] = "127.0.0.[2..11;13]&0x4";
	struct dnsl_filter f;
	char text[24];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		size_t n = rnd_below(sizeof(text));

		for (size_t j = 0; j < n; j++)
			text[j] = letters[rnd_below(sizeof(letters) - 1)];
		if (!dnsl_filter_read((struct str){ text, n }, &f))
			assert_true(f.mask ? f.bits && f.bits <= 0xffffff : f.octet[0][0] | f.octet[0][1] | f.octet[0][2] | f.octet[0][3]);
	}
}

/* --- questions and answers --------------------------------------------------------- */

static void questions(void **state)
{
	static const struct { const char *addr, *name; } rows[] = {
		{ "198.51.100.7", "7.100.51.198.zen.example" },
		{ "127.0.0.2", "2.0.0.127.zen.example" },
		{ "2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example" },
	};
	char name[DNSL_NAME_MAX + 1], longest[DNSL_DOMAIN_MAX + 1];
	struct pst_addr six = addr("2001:db8::1");

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_addr a = addr(rows[i].addr);

		assert_int_equal(dnsl_name(&a, !addr_is4(&a), "zen.example", name), strlen(rows[i].name));
		assert_string_equal(name, rows[i].name);
	}
	memset(longest, 'x', DNSL_DOMAIN_MAX);
	longest[DNSL_DOMAIN_MAX] = '\0';
	assert_int_equal(dnsl_name(&six, true, longest, name), DNSL_NAME_MAX);
}

static const struct dnsl_filter any_low = { .octet = { { 1 }, { 1 }, { 0xfff } } }; /* 127.0.0.[0..11] */

static void records(void **state)
{
	static const struct { unsigned char a[4]; enum dnsl_meaning means; } rows[] = {
		{ { 127, 0, 0, 2 }, DNSL_LISTED },	   { { 127, 0, 0, 0 }, DNSL_LISTED },	{ { 127, 255, 254, 255 }, DNSL_LISTED },
		{ { 127, 0, 0, 1 }, DNSL_ERROR },	   { { 127, 255, 255, 252 }, DNSL_ERROR }, { { 127, 255, 255, 254 }, DNSL_ERROR },
		{ { 127, 255, 255, 255 }, DNSL_ERROR }, { { 126, 0, 0, 2 }, DNSL_ERROR },	{ { 128, 0, 0, 2 }, DNSL_ERROR },
		{ { 203, 0, 113, 9 }, DNSL_ERROR },	   { { 0, 0, 0, 0 }, DNSL_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_int_equal(dnsl_record(rows[i].a), rows[i].means);
}

static void answers(void **state)
{
	static const struct dnsl_zone zones[2] = { { .name = "a" }, { .name = "b" } };
	static const struct dnsl_rule rules[] = {
		{ .name = "low", .zone = 0, .filter = &any_low, .nfilters = 1, .weight = 1 },
		{ .name = "all", .zone = 0, .weight = 2 },
		{ .name = "other", .zone = 1, .weight = 4 },
	};
	const struct dnsl_rules r = { zones, 2, rules, 3, 1, 0, 0 };
	static const struct { unsigned zone; unsigned char a[3][4]; size_t n; enum dnsl_meaning means; __u64 matched; } rows[] = {
		{ 0, { { 0 } }, 0, DNSL_CLEAN, 0 },
		{ 0, { { 127, 0, 0, 2 } }, 1, DNSL_LISTED, 3 },
		{ 0, { { 127, 0, 0, 2 }, { 127, 0, 0, 3 }, { 127, 0, 0, 4 } }, 3, DNSL_LISTED, 3 }, /* once each */
		{ 0, { { 127, 0, 0, 99 } }, 1, DNSL_LISTED, 2 },
		{ 1, { { 127, 0, 0, 2 } }, 1, DNSL_LISTED, 4 },
		{ 0, { { 127, 0, 0, 1 } }, 1, DNSL_ERROR, 0 },
		{ 0, { { 127, 0, 0, 2 }, { 127, 255, 255, 254 } }, 2, DNSL_ERROR, 0 },
		{ 0, { { 203, 0, 113, 1 }, { 127, 0, 0, 2 } }, 2, DNSL_ERROR, 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		__u64 matched = 0;

		assert_int_equal(dnsl_answer(&r, rows[i].zone, rows[i].a, rows[i].n, &matched), rows[i].means);
		assert_int_equal(matched, rows[i].matched);
	}
}

static void lives(void **state)
{
	static const unsigned rows[][2] = { { 0, 60 }, { 59, 60 }, { 60, 60 }, { 61, 61 }, { 3599, 3599 }, { 3600, 3600 }, { 3601, 3600 }, { ~0u, 3600 } };

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_int_equal(dnsl_life(rows[i][0]), rows[i][1]);
}

/* --- the sum ------------------------------------------------------------------------ */

#define ZONES 4
#define RULES 7

static unsigned verdict_of(const struct dnsl_rules *r, int score)
{
	return r->ban && score >= r->ban ? DNSL_BAN : score >= r->enforce ? DNSL_ENFORCE : r->skip && score <= r->skip ? DNSL_SKIP : DNSL_PASS;
}

static int sum_of(const struct dnsl_rules *r, __u64 matched)
{
	int sum = 0;

	for (size_t i = 0; i < r->nrules; i++)
		sum += matched >> i & 1 ? r->rule[i].weight : 0;
	return sum;
}

/* What every possible future agrees on: the sum is made anew for each. */
static unsigned verdict_of_all(const struct dnsl_rules *r, const struct dnsl_known *k)
{
	unsigned seen = 0;

	for (__u64 future = 0; future < 1u << r->nrules; future++) {
		bool possible = true;

		for (size_t i = 0; i < r->nrules; i++)
			possible &= !(future >> i & 1) || k->asked >> r->rule[i].zone & 1;
		if (possible)
			seen |= 1u << verdict_of(r, sum_of(r, k->matched | future));
	}
	if (seen == 1u << DNSL_BAN || seen == 1u << DNSL_SKIP || seen == 1u << DNSL_PASS || seen == 1u << DNSL_ENFORCE)
		return seen == 1u << DNSL_BAN ? DNSL_BAN : seen == 1u << DNSL_SKIP ? DNSL_SKIP : seen == 1u << DNSL_PASS ? DNSL_PASS : DNSL_ENFORCE;
	return seen == (1u << DNSL_BAN | 1u << DNSL_ENFORCE) ? DNSL_ENFORCE : DNSL_OPEN;
}

static void sums(void **state)
{
	unsigned seen[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct dnsl_zone zones[ZONES] = { { 0 } };
		struct dnsl_rule rules[RULES] = { { 0 } };
		struct dnsl_rules r = { zones, ZONES, rules, RULES, 1 + (int)rnd_below(6), 0, 0 };
		struct dnsl_known k = { .asked = (__u32)rnd_below(1 << ZONES) & (rnd_below(2) ? ~0u : 0), .failed = 0, .life_s = 60 + rnd_below(100) };
		struct dnsl_verdict v;
		int heaviest = 0;

		r.ban = rnd_below(2) ? r.enforce + (int)rnd_below(4) : 0;
		r.skip = rnd_below(2) ? -1 - (int)rnd_below(4) : 0;
		for (unsigned j = 0; j < RULES; j++) {
			rules[j].zone = rnd_below(ZONES);
			rules[j].weight = (int)rnd_below(9) - 4;
			if (!(k.asked >> rules[j].zone & 1) && rnd_below(2))
				k.matched |= 1ull << j;
		}
		k.failed = (__u32)rnd_below(1 << ZONES) & ~k.asked;
		v = dnsl_weigh(&r, &k);
		assert_int_equal(v.does, verdict_of_all(&r, &k));
		assert_int_equal(v.score, sum_of(&r, k.matched));
		assert_int_equal(v.over, !k.asked);
		assert_int_equal(v.sure, !k.asked && !k.failed);
		assert_int_equal(v.life_s, k.life_s);
		for (unsigned j = 0; j < RULES; j++)
			if (k.matched >> j & 1 && rules[j].weight > heaviest)
				heaviest = rules[j].weight;
		assert_int_equal(v.worst ? v.worst->weight : 0, heaviest);
		assert_true(v.does != DNSL_ENFORCE || v.worst);
		assert_true(!v.over || v.does != DNSL_OPEN);
		seen[v.does]++;
	}
	for (unsigned i = 0; i < 5; i++)
		assert_true(seen[i] > 100);
}

/* What a zone answers to its test questions, in their order; '-' nothing, 'e' an error code, 'l' a listing. */
static void tests_of_a_zone(void **state)
{
	static const unsigned char listing[1][4] = { { 127, 0, 0, 2 } }, refusal[1][4] = { { 127, 255, 255, 254 } };
	static const struct { bool four, six; const char *says; enum dnsl_why why; } rows[] = {
		{ true, false, "l-", DNSL_WHY_NONE },	   { true, true, "l-l-", DNSL_WHY_NONE },      { false, true, "l-", DNSL_WHY_NONE },
		{ true, false, "--", DNSL_WHY_EMPTY },	   { true, false, "ll", DNSL_WHY_EVERYBODY },  { true, true, "l---", DNSL_WHY_EMPTY6 },
		{ true, true, "l-ll", DNSL_WHY_EVERYBODY6 }, { true, false, "e-", DNSL_WHY_REFUSES }, { true, false, "le", DNSL_WHY_REFUSES },
		{ false, true, "ll", DNSL_WHY_EVERYBODY6 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct dnsl_zone z = { .asked4 = rows[i].four, .asked6 = rows[i].six };
		enum dnsl_why why = DNSL_WHY_NONE;
		struct dnsl_test t;
		unsigned n = 0;

		for (; dnsl_test(&z, n, &t); n++)
			if (!why)
				why = dnsl_tested(&t, rows[i].says[n] == 'e' ? refusal : listing, rows[i].says[n] != '-');
		assert_int_equal(n, strlen(rows[i].says));
		assert_int_equal(why, rows[i].why);
	}
}

static void test_questions(void **state)
{
	static const char *const names[] = {
		"2.0.0.127.z", "1.0.0.127.z",
		"2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z", /* RFC 5782 section 5 */
		"1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.z",
	};
	struct dnsl_zone z = { .asked4 = true, .asked6 = true };
	char name[DNSL_NAME_MAX + 1];
	struct dnsl_test t;

	(void)state;
	for (unsigned i = 0; i < NROWS(names); i++) {
		assert_true(dnsl_test(&z, i, &t));
		dnsl_name(&t.addr, t.nibbles, "z", name);
		assert_string_equal(name, names[i]);
	}
}

static void told(void **state)
{
	static const struct dnsl_zone zone = { .name = "z" };
	static const struct dnsl_rule rules[] = { { .name = "zen.example", .weight = 3 }, { .name = "quiet.example", .weight = 9 }, { .name = "dnswl.example", .weight = -2 } };
	const struct dnsl_rules r = { &zone, 1, rules, 3, 1, 0, 0 };
	struct dnsl_verdict v = { .score = 1, .matched = 5 }, minus = { .score = -2, .matched = 4 };
	char out[64];
	size_t n;

	(void)state;
	n = dnsl_told(&r, &v, out, sizeof(out));
	assert_memory_equal(out, "score 1, zen.example 3, dnswl.example -2", n);
	assert_int_equal(n, strlen("score 1, zen.example 3, dnswl.example -2"));
	n = dnsl_told(&r, &minus, out, sizeof(out));
	assert_int_equal(n, strlen("score -2, dnswl.example -2"));
	assert_int_equal(dnsl_told(&r, &v, out, 30), strlen("score 1, zen.example 3"));
}

/* Whatever a verdict hangs on makes another print; what clients are told does not. */
static void prints(void **state)
{
	struct dnsl_filter f = { 0 }, g = { 0 };
	struct dnsl_zone zone[] = { { "a.example", "a.example", true, true, false } }, other[] = { { "a.example", "key.a.example", true, true, false } };
	struct dnsl_rule rule[] = { { "a.example", 0, &f, 1, 2, "", 1 } }, text[] = { { "a.example", 0, &f, 1, 2, "x", 9 } };
	struct dnsl_rule heavy[] = { { "a.example", 0, &f, 1, 3, "", 1 } }, filter[] = { { "a.example", 0, &g, 1, 2, "", 1 } };
	struct dnsl_rule all[] = { { "a.example", 0, NULL, 0, 2, "", 1 } };
	const struct dnsl_rules rows[] = {
		{ zone, 1, rule, 1, 1, 0, 0 }, { other, 1, rule, 1, 1, 0, 0 }, { zone, 1, heavy, 1, 1, 0, 0 }, { zone, 1, filter, 1, 1, 0, 0 },
		{ zone, 1, all, 1, 1, 0, 0 }, { zone, 1, rule, 1, 2, 0, 0 }, { zone, 1, rule, 1, 1, 2, 0 }, { zone, 1, rule, 1, 1, 0, -1 }, { zone, 1, rule, 0, 1, 0, 0 },
	};

	(void)state;
	assert_null(dnsl_filter_read(STR("127.0.0.2"), &f));
	assert_null(dnsl_filter_read(STR("127.0.0.3"), &g));
	for (size_t i = 0; i < NROWS(rows); i++)
		for (size_t k = 0; k < NROWS(rows); k++)
			if ((dnsl_rules_print(&rows[i]) == dnsl_rules_print(&rows[k])) != (i == k))
				fail_msg("rows %zu and %zu", i, k);
	assert_true(dnsl_rules_print(&rows[0]) == dnsl_rules_print(&(struct dnsl_rules){ zone, 1, text, 1, 1, 0, 0 }));
	assert_true(dnsl_print(&zone[0]) == dnsl_print(&other[0]) && dnsl_print(&zone[0]) != dnsl_print(&(struct dnsl_zone){ .name = "b.example" }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters),	 cmocka_unit_test(filters_that_are_none), cmocka_unit_test(filters_as_they_are_meant),
		cmocka_unit_test(filters_at_random), cmocka_unit_test(questions),	  cmocka_unit_test(records),
		cmocka_unit_test(answers),	 cmocka_unit_test(lives),		  cmocka_unit_test(sums),
		cmocka_unit_test(told), cmocka_unit_test(tests_of_a_zone), cmocka_unit_test(test_questions), cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests_name("dnsl", tests, NULL, NULL);
}
