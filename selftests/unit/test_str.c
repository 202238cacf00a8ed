/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "rnd.h"
#include "user/core/str.h"

static void compares_bytes(void **state)
{
	static const struct {
		struct str a, b;
		bool eq, ieq, istarts;
	} rows[] = {
		{ STR(""), STR(""), true, true, true },
		{ STR("a"), STR(""), false, false, true },
		{ STR(""), STR("a"), false, false, false },
		{ STR("abc"), STR("abc"), true, true, true },
		{ STR("aBc"), STR("AbC"), false, true, true },
		{ STR("abcd"), STR("ABC"), false, false, true },
		{ STR("ab"), STR("abc"), false, false, false },
		{ STR("a\0b"), STR("a\0b"), true, true, true },
		{ STR("a\0b"), STR("a\0c"), false, false, false },
		{ STR("@[`{"), STR("`{@["), false, false, false }, /* neighbours of the letters */
		{ STR("\xc4"), STR("\xe4"), false, false, false }, /* no case outside ASCII */
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		assert_int_equal(str_eq(rows[i].a, rows[i].b), rows[i].eq);
		assert_int_equal(str_ieq(rows[i].a, rows[i].b), rows[i].ieq);
		assert_int_equal(str_istarts(rows[i].a, rows[i].b), rows[i].istarts);
	}
	assert_true(str_eq((struct str){ NULL, 0 }, STR("")));
}

static void trims_and_takes_words(void **state)
{
	struct str rest = STR(" \tone  two\tthree\n \t");

	(void)state;
	assert_true(str_eq(str_trim(STR("  ")), STR("")));
	assert_true(str_eq(str_trim(STR("\t a b \t")), STR("a b")));
	assert_true(str_eq(str_trim(STR("\ra\n")), STR("\ra\n")));
	assert_true(str_eq(str_word(&rest), STR("one")));
	assert_true(str_eq(str_word(&rest), STR("two")));
	assert_true(str_eq(str_word(&rest), STR("three\n")));
	assert_true(str_eq(str_word(&rest), STR("")));
	assert_true(str_eq(rest, STR("")));
	rest = (struct str){ NULL, 0 };
	assert_int_equal(str_word(&rest).n, 0);
}

static void reads_numbers(void **state)
{
	static const struct {
		struct str text;
		bool ok;
		unsigned long long value;
	} rows[] = {
		{ STR("0"), true, 0 },
		{ STR("007"), true, 7 },
		{ STR("18446744073709551615"), true, ~0ull },
		{ STR("18446744073709551616"), false, 0 },
		{ STR("18446744073709551620"), false, 0 },
		{ STR("99999999999999999999"), false, 0 },
		{ STR(""), false, 0 },
		{ STR("-1"), false, 0 },
		{ STR("+1"), false, 0 },
		{ STR(" 1"), false, 0 },
		{ STR("1 "), false, 0 },
		{ STR("0x1"), false, 0 },
		{ STR("1\0"), false, 0 },
		{ STR("/"), false, 0 },
		{ STR(":"), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		unsigned long long v = 4711;

		assert_int_equal(str_u64(rows[i].text, &v), rows[i].ok);
		assert_int_equal(v, rows[i].ok ? rows[i].value : 4711);
	}
}

static void escapes(void **state)
{
	static const struct {
		struct str in;
		size_t size;
		const char *out;
	} rows[] = {
		{ STR("plain ~"), 64, "plain ~" },
		{ STR("a\\b\"c"), 64, "a\\\\b\\\"c" },
		{ STR("\0\r\n\x1b[31m\x7f\xff"), 64, "\\x00\\x0d\\x0a\\x1b[31m\\x7f\\xff" },
		{ STR("abc"), 4, "abc" },
		{ STR("abcd"), 4, "abc" },
		{ STR("\n"), 5, "\\x0a" },
		{ STR("\n"), 4, "" }, /* never half an escape */
		{ STR("a\n"), 5, "a" },
		{ STR("\\"), 2, "" },
		{ STR("x"), 1, "" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		memset(out, '#', sizeof(out));
		assert_int_equal(str_escape(rows[i].in, out, rows[i].size), strlen(rows[i].out));
		assert_string_equal(out, rows[i].out);
	}
	out[0] = '#';
	assert_int_equal(str_escape(STR("x"), out, 0), 0);
	assert_int_equal(out[0], '#');
}

/* Whatever goes in: printable ASCII comes out, it ends in NUL, and no quote stands unescaped. */
static void escape_is_always_harmless(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		char in[40], out[80];
		size_t n = rnd_below(sizeof(in)), size = 1 + rnd_below(sizeof(out)), len;

		for (size_t i = 0; i < n; i++)
			in[i] = (char)rnd();
		len = str_escape((struct str){ in, n }, out, size);
		assert_true(len < size);
		assert_int_equal(strlen(out), len);
		for (size_t i = 0; i < len; i++) {
			assert_in_range((unsigned char)out[i], 0x20, 0x7e);
			if (out[i] == '\\')
				i++;
			else
				assert_int_not_equal(out[i], '"');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_bytes),
		cmocka_unit_test(trims_and_takes_words),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(escapes),
		cmocka_unit_test(escape_is_always_harmless),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
