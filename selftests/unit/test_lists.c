/* SPDX-License-Identifier: BSD-2-Clause */
/* test_lists.c: sorting, and prefixes of lists -> the kernel's table, against the meaning of the words. */
#include "unit.h"

#include "table_model.h"
#include "user/core/names.h"

static int by_model(const void *a, const void *b)
{
	const struct lists_entry *x = a, *y = b;
	int c = prefix_cmp(&x->prefix, &y->prefix);

	return c ? c : (x->value > y->value) - (x->value < y->value);
}

/* Values count up, so that the order of equal prefixes is seen. */
static void sorts_as_qsort_does(void **state)
{
	enum { N = 20000 };
	struct lists_entry *e = malloc(N * sizeof(*e)), *model = malloc(N * sizeof(*e)), *spare = malloc(N * sizeof(*e));

	(void)state;
	for (int shape = 0; shape < 5; shape++) {
		size_t n = shape == 4 ? 1 : N;

		for (unsigned i = 0; i < n; i++) {
			struct pst_addr a4 = rnd_addr4(), a6 = rnd_addr6();

			e[i] = shape == 0 ? (struct lists_entry){ prefix_of(&a4, 128), i }
			     : shape == 1 ? (struct lists_entry){ prefix_of(&a6, rnd_below(129)), i }
			     : shape == 2 ? (struct lists_entry){ { { { 1 } }, 8 }, i } : model_entry(64);
			e[i].value = i;
		}
		memcpy(model, e, n * sizeof(*e));
		qsort(model, n, sizeof(*e), by_model);
		lists_sort(e, spare, n);
		assert_memory_equal(e, model, n * sizeof(*e));
	}
	lists_sort(NULL, NULL, 0);
	free(e);
	free(model);
	free(spare);
}

/* --- looking up as the program does ------------------------------------------- */

static const struct table_leaf4 *leaf_of(const struct table *t, __u32 net)
{
	for (size_t i = 0; i < t->nleaf4; i++)
		if (t->leaf4[i].net == net)
			return &t->leaf4[i];
	return NULL;
}

static const struct table_rich4 *rich_of(const struct table *t, __u32 net)
{
	for (size_t i = 0; i < t->nrich4; i++)
		if (t->rich4[i].net == net)
			return &t->rich4[i];
	return NULL;
}

static unsigned class4(const struct table *t, const struct pst_addr *a)
{
	__u32 net = (__u32)a->b[12] << 16 | (__u32)a->b[13] << 8 | a->b[14], low = a->b[15];

	if (t->cell4[net] == PST_CELL_BITS) {
		assert_non_null(leaf_of(t, net));
		return leaf_of(t, net)->leaf.bits[low >> 6] >> (low & 63) & 1 ? (unsigned)leaf_of(t, net)->leaf.class : 0;
	}
	if (t->cell4[net] == PST_CELL_RICH) {
		assert_non_null(rich_of(t, net));
		return rich_of(t, net)->rich.class[low];
	}
	return t->cell4[net];
}

static unsigned class6(const struct table *t, const struct pst_addr *a)
{
	__u32 high = (__u32)a->b[0] << 24 | (__u32)a->b[1] << 16 | (__u32)a->b[2] << 8 | a->b[3];
	__u8 signs = high >> 29 == 1 ? t->cell6[high >> 5 & (PST_CELLS - 1)] : t->lens6.outside;

	for (unsigned i = 0; i < t->lens6.n; i++) {
		if (t->lens6.row[i].sign & ~signs)
			continue;
		for (size_t k = 0; k < t->nnet6; k++)
			if (t->net6[k].prefix.len == t->lens6.row[i].len && prefix_covers(&t->net6[k].prefix, a))
				return t->net6[k].value;
	}
	return 0;
}

static __u64 table_lists(const struct table *t, const struct pst_addr *a)
{
	unsigned class = addr_is4(a) ? class4(t, a) : class6(t, a);

	assert_true(class <= t->nclass);
	return t->class[class].lists;
}

/* A table that is used again and again: what was written is wiped, not 32 MiB. */
static void wipe(struct table *t)
{
	memset(t->cell4, 0, PST_CELLS);
	memset(t->cell6, 0, PST_CELLS);
	memset(t->class, 0, sizeof(t->class));
	t->nleaf4 = t->nrich4 = t->nnet6 = t->nclass = 0;
}

#define SET_MAX 300

static void classes_are_right(const struct table *t, const __u8 *action)
{
	for (unsigned i = 1; i <= t->nclass; i++) {
		const struct pst_class *c = &t->class[i];

		assert_true(c->lists >> c->list & 1);
		assert_int_equal(c->action, action[c->list]);
		for (unsigned k = 0; k < PST_LISTS_MAX; k++) {
			if (!(c->lists >> k & 1))
				continue;
			assert_true(action_rank(action[k]) <= action_rank(c->action));
			assert_false(k < c->list && action_rank(action[k]) == action_rank(c->action));
		}
		for (unsigned k = 1; k < i; k++)
			assert_true(t->class[k].lists != c->lists);
	}
}

static void table_is_minimal(const struct table *t)
{
	size_t bits = 0, rich = 0;

	for (size_t i = 0; i < PST_CELLS; i++) {
		bits += t->cell4[i] == PST_CELL_BITS;
		rich += t->cell4[i] == PST_CELL_RICH;
	}
	assert_int_equal(bits, t->nleaf4);
	assert_int_equal(rich, t->nrich4);
	for (size_t i = 1; i < t->nnet6; i++)
		assert_true(prefix_cmp(&t->net6[i - 1].prefix, &t->net6[i].prefix) < 0);
}

static void check_one_set(struct table *t, size_t n, unsigned nlists, unsigned probes)
{
	struct lists_entry raw[SET_MAX], e[SET_MAX], spare[SET_MAX];
	__u8 action[PST_LISTS_MAX];

	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		action[i] = (__u8)rnd_below(PST_ACT_MAX);
	for (size_t i = 0; i < n; i++)
		raw[i] = model_entry(nlists);
	memcpy(e, raw, n * sizeof(*raw));
	wipe(t);
	assert_int_equal(table_compile(t, e, spare, n, action), TABLE_OK);
	classes_are_right(t, action);
	table_is_minimal(t);
	for (unsigned i = 0; i < probes; i++) {
		struct pst_addr a = model_probe(raw, n);
		char text[ADDR_TEXT_MAX];

		if (table_lists(t, &a) != model_lists(raw, n, &a))
			fail_msg("%s: %llx, should be %llx", addr_text(&a, text), (unsigned long long)table_lists(t, &a),
				 (unsigned long long)model_lists(raw, n, &a));
	}
}

static void answers_as_the_words_say(void **state)
{
	struct table *t = model_table(SET_MAX);

	(void)state;
	for (int round = 0; round < 60; round++)
		check_one_set(t, rnd_below(40), 1 + rnd_below(5), 400);
	for (int round = 0; round < 60; round++)
		check_one_set(t, rnd_below(SET_MAX), 1 + rnd_below(3), 1000);
	model_table_free(t);
}

static const __u8 all_drop[PST_LISTS_MAX] = { [0 ... PST_LISTS_MAX - 1] = PST_ACT_DROP };

static struct lists_entry entry(const char *text, unsigned list)
{
	struct lists_entry e = { .value = list };
	enum prefix_flaw flaw = prefix_parse(str_of(text), &e.prefix);

	if (flaw != PREFIX_OK && flaw != PREFIX_BOTH_FAMILIES)
		fail_msg("\"%s\" is a prefix", text);
	return e;
}

/* What a table costs: cells and leaves for what they are needed for, and no more. */
static void sizes(void **state)
{
	static const struct {
		const char *prefix[4];
		unsigned list[4];
		size_t leaves, riches, nets;
		unsigned classes;
	} rows[] = {
		{ { 0 }, { 0 }, 0, 0, 0, 0 },
		{ { "0.0.0.0/0" }, { 0 }, 0, 0, 0, 1 },
		{ { "0.0.0.0/0", "::/0" }, { 0 }, 0, 0, 1, 1 },
		{ { "192.0.2.0/24" }, { 0 }, 0, 0, 0, 1 },
		{ { "192.0.2.0/25", "192.0.2.128/25" }, { 0 }, 0, 0, 0, 1 }, /* together a whole /24 */
		{ { "192.0.2.0/25", "192.0.2.128/25" }, { 0, 1 }, 0, 1, 0, 2 },
		{ { "192.0.2.1", "192.0.2.9", "192.0.3.1" }, { 0 }, 2, 0, 0, 1 },
		{ { "192.0.2.1", "192.0.2.1", "192.0.3.1" }, { 0, 1, 1 }, 2, 0, 0, 2 },
		{ { "192.0.2.0/24", "192.0.2.1" }, { 0, 1 }, 0, 1, 0, 2 },
		{ { "192.0.2.0/24", "192.0.2.1" }, { 0, 0 }, 0, 0, 0, 1 },
		{ { "192.0.2.255", "192.0.3.0" }, { 0, 0 }, 2, 0, 0, 1 },
		{ { "2001:db8::/32", "2001:db8::/48", "2001:db8::/64" }, { 0, 0, 1 }, 0, 0, 2, 2 },
		{ { "2001:db8::/32", "2001:db8::/32" }, { 0, 1 }, 0, 0, 1, 1 },
		{ { "255.255.255.255", "255.255.255.0/24" }, { 1, 0 }, 0, 1, 0, 2 },
	};
	struct table *t = model_table(4);

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct lists_entry e[4], spare[4];
		size_t n = 0;

		for (; n < 4 && rows[i].prefix[n]; n++)
			e[n] = entry(rows[i].prefix[n], rows[i].list[n]);
		wipe(t);
		assert_int_equal(table_compile(t, e, spare, n, all_drop), TABLE_OK);
		assert_int_equal(t->nleaf4, rows[i].leaves);
		assert_int_equal(t->nrich4, rows[i].riches);
		assert_int_equal(t->nnet6, rows[i].nets);
		assert_int_equal(t->nclass, rows[i].classes);
	}
	model_table_free(t);
}

/* 251 sets of lists fit, one more does not; and each other limit is told by its own name. */
static void limits_have_names(void **state)
{
	enum { N = 2000 };
	static struct lists_entry e[N], spare[N], more[N];
	struct table *t = model_table(N);
	size_t n = 0;

	(void)state;
	for (unsigned set = 1; set <= PST_CLASSES_MAX + 1; set++) { /* set: a number in bits, each bit a list */
		if (set == PST_CLASSES_MAX + 1) {
			memcpy(spare, e, sizeof(e));
			assert_int_equal(table_compile(t, spare, more, n, all_drop), TABLE_OK);
			assert_int_equal(t->nclass, PST_CLASSES_MAX);
			wipe(t);
		}
		for (unsigned list = 0; list < 8; list++) {
			struct pst_addr a = { { [10] = 0xff, 0xff, 10, 0, (__u8)set, 1 } };

			if (set >> list & 1)
				e[n++] = (struct lists_entry){ prefix_of(&a, 128), list };
		}
	}
	assert_int_equal(table_compile(t, e, spare, n, all_drop), TABLE_CLASSES);

	wipe(t);
	t->leaf4_max = 1;
	e[0] = entry("192.0.2.1", 0);
	e[1] = entry("192.0.3.1", 0);
	assert_int_equal(table_compile(t, e, spare, 2, all_drop), TABLE_LEAVES);
	wipe(t);
	t->rich4_max = 0;
	e[1] = entry("192.0.2.2", 1);
	assert_int_equal(table_compile(t, e, spare, 2, all_drop), TABLE_RICHES);
	wipe(t);
	t->net6_max = 1;
	e[0] = entry("2001:db8::/32", 0);
	e[1] = entry("2001:db9::/32", 0);
	assert_int_equal(table_compile(t, e, spare, 2, all_drop), TABLE_NETS6);
	for (enum table_flaw f = TABLE_OK; f <= TABLE_NETS6; f++)
		assert_true(strlen(table_flaw_text(f)) > 5);
	model_table_free(t);
}

/* 129 prefixes around one address: the deepest chain there is, and every length is in a group. */
static void nests_to_the_bottom(void **state)
{
	struct table *t = model_table(129);
	struct lists_entry e[129], spare[129];
	struct pst_addr a = rnd_addr6();

	(void)state;
	a.b[0] = 0x20;
	for (unsigned i = 0; i <= 128; i++)
		e[128 - i] = (struct lists_entry){ prefix_of(&a, i), i % PST_LISTS_MAX };
	assert_int_equal(table_compile(t, e, spare, 129, all_drop), TABLE_OK);
	assert_int_equal(t->nnet6, PST_LISTS_MAX); /* deeper ones add no list */
	assert_int_equal(table_lists(t, &a), ~0ull);
	wipe(t);
	for (unsigned i = 0; i <= 128; i++)
		e[i] = (struct lists_entry){ prefix_of(&a, i), 3 };
	assert_int_equal(table_compile(t, e, spare, 129, all_drop), TABLE_OK);
	assert_int_equal(t->nnet6, 1);
	model_table_free(t);
}

/* Up to 70 lengths: a cell that has one of them is taken for no other. Up to 8: any cell says exactly which it has. */
static void lengths_have_signs(void **state)
{
	struct pst_lens6 lens;

	(void)state;
	for (unsigned n = 0; n <= 129; n++) {
		bool has[129] = { 0 };
		unsigned seen = 0;

		for (unsigned i = 0; i < n; i++)
			has[(i * 50) % 129] = true; /* 50 and 129 have no common factor: n different ones */
		table_lens6(&lens, has);
		assert_int_equal(lens.n, n);
		for (unsigned i = 0; i < n; i++) {
			unsigned sign = lens.row[i].sign;

			assert_true(has[lens.row[i].len]);
			assert_true(!i || lens.row[i - 1].len > lens.row[i].len);
			assert_in_range(sign, 1, 255);
			assert_true(n > 8 || !(sign & seen));
			seen |= sign;
			for (unsigned k = 0; k < n && n <= 70; k++)
				assert_true(k == i || lens.row[k].sign & ~sign);
		}
		assert_int_equal(__builtin_popcount(seen), n < 8 ? n : 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_as_qsort_does),
		cmocka_unit_test(answers_as_the_words_say),
		cmocka_unit_test(sizes),
		cmocka_unit_test(limits_have_names),
		cmocka_unit_test(nests_to_the_bottom),
		cmocka_unit_test(lengths_have_signs),
	};

	return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
