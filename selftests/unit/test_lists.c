/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/lists.h"

static void reads_lines(void **state)
{
	static const struct {
		struct str line;
		enum lists_line kind;
		const char *prefix; /* of LISTS_PREFIX, or the right network of a HOST_BITS flaw */
		enum prefix_flaw flaw;
	} rows[] = {
		{ STR(""), LISTS_EMPTY, NULL, 0 },
		{ STR(" \t"), LISTS_EMPTY, NULL, 0 },
		{ STR("\r"), LISTS_EMPTY, NULL, 0 },
		{ STR("# 192.0.2.1"), LISTS_EMPTY, NULL, 0 },
		{ STR("; Spamhaus DROP List"), LISTS_EMPTY, NULL, 0 },
		{ STR("192.0.2.0/24 ; SBL256894"), LISTS_PREFIX, "192.0.2.0/24", 0 },
		{ STR("192.0.2.1"), LISTS_PREFIX, "192.0.2.1", 0 },
		{ STR("\t2001:db8::/32\t# why"), LISTS_PREFIX, "2001:db8::/32", 0 },
		{ STR("192.0.2.1#"), LISTS_PREFIX, "192.0.2.1", 0 },
		{ STR("192.0.2.1\r"), LISTS_PREFIX, "192.0.2.1", 0 },
		{ STR("192.0.2.1 ; x\r"), LISTS_PREFIX, "192.0.2.1", 0 },
		{ STR("192.0.2.1/24"), LISTS_BAD, "192.0.2.0/24", PREFIX_HOST_BITS },
		{ STR("192.0.2.1 192.0.2.2"), LISTS_BAD, NULL, PREFIX_BAD_ADDRESS },
		{ STR("192.0.2.1\r\r"), LISTS_BAD, NULL, PREFIX_BAD_ADDRESS },
		{ STR("192.0.2.1\0"), LISTS_BAD, NULL, PREFIX_BAD_ADDRESS },
		{ STR("192.0.2.0/33"), LISTS_BAD, NULL, PREFIX_BAD_LENGTH },
		{ STR("::/0"), LISTS_BAD, NULL, PREFIX_BOTH_FAMILIES },
		{ STR("example.org"), LISTS_BAD, NULL, PREFIX_BAD_ADDRESS },
		{ STR("// 192.0.2.1"), LISTS_BAD, NULL, PREFIX_BAD_ADDRESS },
	};
	char text[PREFIX_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_prefix p;
		enum prefix_flaw flaw = PREFIX_OK;

		if (lists_parse_line(rows[i].line, &p, &flaw) != rows[i].kind)
			fail_msg("\"" STR_FMT "\"", STR_ARG(rows[i].line));
		assert_int_equal(flaw, rows[i].flaw);
		if (rows[i].prefix)
			assert_string_equal(prefix_text(&p, text), rows[i].prefix);
	}
}

static struct lists_entry entry(const char *text, unsigned list, unsigned action)
{
	struct lists_entry e = { .value = { .list = (__u8)list, .action = (__u8)action } };

	if (prefix_parse(str_of(text), &e.prefix) != PREFIX_OK)
		fail_msg("\"%s\" is a prefix", text);
	return e;
}

static void folds_what_is_answered_already(void **state)
{
	struct lists_entry e[] = {
		entry("192.0.2.0/25", 0, PST_ACT_DROP),	   /* in the /24 with the same answer */
		entry("192.0.2.0/24", 0, PST_ACT_DROP),	   /* kept */
		entry("192.0.2.0/24", 1, PST_ACT_OBSERVE), /* milder duplicate */
		entry("192.0.2.64/26", 2, PST_ACT_RESET),  /* milder inside */
		entry("192.0.3.0/24", 1, PST_ACT_OBSERVE), /* kept: only neighbours */
		entry("192.0.3.0/28", 3, PST_ACT_DROP),	   /* kept: stricter inside */
		entry("192.0.3.0/30", 1, PST_ACT_RESET),   /* milder than the /28 */
		entry("192.0.3.9", 2, PST_ACT_DROP),	   /* kept: of two that drop, the lower list is named */
		entry("2001:db8::/32", 1, PST_ACT_DROP),   /* kept */
		entry("2001:db8::/64", 1, PST_ACT_DROP),
	};
	static const char *const left[] = { "192.0.2.0/24", "192.0.3.0/24", "192.0.3.0/28", "192.0.3.9", "2001:db8::/32" };
	size_t n = lists_compile(e, NROWS(e));
	char text[PREFIX_TEXT_MAX];

	(void)state;
	/* sorted by address: IPv4 (::ffff:0:0/96) stands before 2001:: */
	assert_int_equal(n, NROWS(left));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(prefix_text(&e[i].prefix, text), left[i]);
	assert_int_equal(e[0].value.list, 0);
	assert_int_equal(e[3].value.list, 2);
	assert_int_equal(lists_compile(e, 0), 0);
	assert_int_equal(lists_compile(NULL, 0), 0);
	assert_null(lists_match(NULL, 0, &e[0].prefix.addr));
}

/* The order of the actions, written down once more. */
static unsigned strictness(const struct pst_listed *v)
{
	static const __u8 order[] = { PST_ACT_OBSERVE, PST_ACT_REFUSE, PST_ACT_BANNER, PST_ACT_RESET, PST_ACT_DROP };
	unsigned i = 0;

	while (order[i] != v->action)
		i++;
	return i;
}

/* The meaning of the lists, straight from the words: of all entries that cover a, the strictest; of equals the lowest list. */
static const struct pst_listed *naive(const struct lists_entry *e, size_t n, const struct pst_addr *a)
{
	const struct pst_listed *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct pst_listed *v = &e[i].value;

		if (!prefix_covers(&e[i].prefix, a))
			continue;
		if (!best || strictness(v) > strictness(best) || (v->action == best->action && v->list < best->list))
			best = v;
	}
	return best;
}

/* A small world, so that prefixes nest, touch and repeat: few values of few bytes, all lengths. */
static struct pst_addr crowded_addr(void)
{
	static const __u8 bytes[] = { 0x00, 0x80, 0xff, 0x01, 0xfe, 0x7f };
	struct pst_addr a = { { [10] = 0xff, 0xff } };

	if (rnd_below(2)) {
		a = (struct pst_addr){ 0 };
		for (int i = 0; i < 3; i++)
			a.b[rnd_below(16)] = bytes[rnd_below(NROWS(bytes))];
	} else {
		for (int i = 12; i < 16; i++)
			a.b[i] = rnd_below(3) ? 0 : bytes[rnd_below(NROWS(bytes))];
	}
	return a;
}

static struct lists_entry crowded_entry(void)
{
	static const unsigned lengths4[] = { 96, 97, 104, 112, 120, 126, 127, 128 };
	static const unsigned lengths6[] = { 0, 1, 8, 32, 48, 64, 80, 96, 126, 127, 128 };
	struct pst_addr a = crowded_addr();
	unsigned len = addr_is4(&a) ? lengths4[rnd_below(NROWS(lengths4))] : lengths6[rnd_below(NROWS(lengths6))];

	if (!rnd_below(3))
		len = addr_is4(&a) ? 96 + rnd_below(33) : rnd_below(129);
	if (len == 0 && rnd_below(20)) /* or it would answer for all */
		len = 128;
	return (struct lists_entry){
		.prefix = prefix_of(&a, len),
		.value = { .list = (__u8)rnd_below(4), .action = (__u8)rnd_below(PST_ACT_MAX) },
	};
}

/* First, last and neighbours of a prefix: where matchers go wrong. */
static struct pst_addr edge_of(const struct pst_prefix *p)
{
	struct pst_addr a = p->addr;
	bool last = rnd_below(2);

	for (unsigned bit = p->len; bit < 128 && last; bit++)
		a.b[bit / 8] |= (__u8)(0x80 >> bit % 8);
	if (rnd_below(2))
		for (int i = 15; i >= 0 && (last ? ++a.b[i] == 0 : a.b[i]-- == 0); i--)
			;
	return a;
}

static void check_one_set(size_t n, unsigned probes)
{
	struct lists_entry raw[300], compiled[300];
	size_t kept;

	for (size_t i = 0; i < n; i++)
		raw[i] = crowded_entry();
	memcpy(compiled, raw, n * sizeof(raw[0]));
	kept = lists_compile(compiled, n);
	assert_true(kept <= n);

	for (size_t i = 1; i < kept; i++)
		assert_true(prefix_cmp(&compiled[i - 1].prefix, &compiled[i].prefix) < 0);
	for (unsigned i = 0; i < probes; i++) {
		struct pst_addr a = n && rnd_below(4) ? edge_of(&raw[rnd_below((unsigned)n)].prefix) : crowded_addr();
		const struct pst_listed *want = naive(raw, n, &a);
		const struct lists_entry *got = lists_match(compiled, kept, &a);

		assert_int_equal(want == NULL, got == NULL);
		if (want)
			assert_memory_equal(want, &got->value, sizeof(*want));
	}
	for (size_t i = 0; i < kept; i++) { /* none that its covering entry, which stands before it, answers identically */
		const struct lists_entry *outer = lists_match(compiled, i, &compiled[i].prefix.addr);

		assert_false(outer && !memcmp(&outer->value, &compiled[i].value, sizeof(outer->value)));
	}
}

static void longest_match_is_the_strictest(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++)
		check_one_set(rnd_below(60), 60);
	for (int round = 0; round < 200; round++)
		check_one_set(rnd_below(300), 100);
}

static int by_model(const void *a, const void *b)
{
	return prefix_cmp(&((const struct lists_entry *)a)->prefix, &((const struct lists_entry *)b)->prefix);
}

/* Shapes that are hard on a quicksort, against qsort. Distinct host prefixes: nothing is folded, so order is all there is. */
static void sorts_any_shape(void **state)
{
	enum { N = 60000 };
	struct lists_entry *e = malloc(N * sizeof(*e)), *model = malloc(N * sizeof(*e));

	(void)state;
	assert_non_null(e);
	assert_non_null(model);
	for (int shape = 0; shape < 6; shape++) {
		for (unsigned i = 0; i < N; i++) {
			__u32 v = shape == 0 ? i			      /* sorted */
				: shape == 1 ? N - i			      /* backwards */
				: shape == 2 ? (i & 1 ? i : N + i)	      /* two runs interleaved */
				: shape == 3 ? (i < N / 2 ? i : 2 * N - i)    /* organ pipe */
				: shape == 4 ? i * 2654435761u		      /* scattered */
				: (i >= N / 2) ? 2 * (i - N / 2 + 1)	      /* the known killer of the median of three: */
				: i & 1	       ? N / 2 + i		      /* 1, k+1, 3, k+3 ... 2, 4, 6 ... */
					       : i + 1;
			struct pst_addr a = { { [10] = 0xff, 0xff, (__u8)(v >> 24), (__u8)(v >> 16), (__u8)(v >> 8), (__u8)v } };

			e[i] = (struct lists_entry){ .prefix = { a, 128 } };
		}
		memcpy(model, e, N * sizeof(*e));
		qsort(model, N, sizeof(*e), by_model);
		assert_int_equal(lists_compile(e, N), N);
		assert_memory_equal(e, model, N * sizeof(*e));
	}
	for (unsigned i = 0; i < N; i++)
		e[i] = entry("192.0.2.0/24", i % 5, PST_ACT_DROP);
	assert_int_equal(lists_compile(e, N), 1);
	assert_int_equal(e[0].value.list, 0);
	free(e);
	free(model);
}

/* 129 prefixes around one address: the deepest chain there is. */
static void nests_to_the_bottom(void **state)
{
	struct lists_entry e[129];
	struct pst_addr a = rnd_addr6();

	(void)state;
	for (unsigned i = 0; i <= 128; i++)
		e[128 - i] = (struct lists_entry){ prefix_of(&a, i), { .list = (__u8)(128 - i), .action = PST_ACT_DROP } };
	assert_int_equal(lists_compile(e, 129), 129); /* each inner one names a lower list */
	assert_int_equal(lists_match(e, 129, &a)->value.list, 0);
	for (unsigned i = 0; i <= 128; i++)
		e[i] = (struct lists_entry){ prefix_of(&a, i), { .list = 3, .action = PST_ACT_DROP } };
	assert_int_equal(lists_compile(e, 129), 1);
	assert_int_equal(e[0].prefix.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(folds_what_is_answered_already),
		cmocka_unit_test(longest_match_is_the_strictest),
		cmocka_unit_test(sorts_any_shape),
		cmocka_unit_test(nests_to_the_bottom),
	};

	return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
