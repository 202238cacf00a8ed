/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "user/core/addr.h"
#include "user/never.h"

static struct pst_prefix prefix(const char *text)
{
	struct pst_prefix p;

	assert_int_equal(prefix_parse(str_of(text), &p), PREFIX_OK);
	return p;
}

static const struct {
	const char *asked, *why; /* NULL: may be banned */
} rows[] = {
	{ "192.0.2.1", "own" },
	{ "192.0.2.2", NULL },
	{ "192.0.2.0/24", "own" }, /* would ban it, too */
	{ "198.51.100.7", "network" },
	{ "198.51.100.0/24", "network" },
	{ "198.51.0.0/16", "network" },
	{ "198.51.101.0/24", NULL },
	{ "2001:db8::/64", "six" },
	{ "2001:db8:0:1::/64", NULL },
	{ "2001::/16", "six" },
};

static void test_find(void **state)
{
	static struct never_list l;
	const struct pst_prefix own = prefix("192.0.2.1"), net = prefix("198.51.100.0/24"), six = prefix("2001:db8::1");

	(void)state;
	l.n = 0;
	assert_true(never_add(&l, &own, "own"));
	assert_true(never_add(&l, &net, "network"));
	assert_true(never_add(&l, &six, "six"));
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_prefix p = prefix(rows[i].asked);
		const struct never *hit = never_find(&l, &p);

		if (!rows[i].why != !hit || (hit && strcmp(hit->why, rows[i].why)))
			fail_msg("%s: %s, not %s", rows[i].asked, hit ? hit->why : "free", rows[i].why ? rows[i].why : "free");
	}
}

static void test_add(void **state)
{
	static struct never_list l;
	struct pst_prefix p = prefix("203.0.113.1");
	char text[64];

	(void)state;
	l.n = 0;
	assert_true(never_add(&l, &p, "first"));
	assert_false(never_add(&l, &p, "again"));
	assert_string_equal(l.entry[0].why, "first");
	for (int i = 0; i < NEVER_MAX + 10; i++) {
		snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
		p = prefix(text);
		never_add(&l, &p, "filler");
	}
	assert_int_equal(l.n, NEVER_MAX);
}

static void test_collect(void **state)
{
	static struct never_list l;
	struct conf_backend backend = { .name = "main" };
	struct pst_prefix never = prefix("198.51.100.0/24"), asked;
	struct conf c = { .backend = &backend, .nbackends = 1, .never_ban = &never, .nnever = 1 };

	(void)state;
	assert_true(addr_parse(STR("203.0.113.25"), &backend.addr));
	never_collect(&c, &l);
	asked = prefix("203.0.113.25");
	assert_string_equal(never_find(&l, &asked)->why, "backend \"main\"");
	asked = prefix("198.51.100.9");
	assert_string_equal(never_find(&l, &asked)->why, "never_ban of the configuration");
	asked = prefix("203.0.113.26");
	assert_null(never_find(&l, &asked));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find), cmocka_unit_test(test_add), cmocka_unit_test(test_collect) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
