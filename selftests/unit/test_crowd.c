/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>

#include "rnd.h"
#include "user/core/crowd.h"

#define S_NS 1000000000ull

static const struct crowd_rules rules = {
	.window_s = 80, .long_window_s = 8000,
	.max = { [CROWD_SOURCE] = { [CROWD_CONNECTIONS] = 5, [CROWD_SESSIONS] = 3, [CROWD_MESSAGES] = 4, [CROWD_AUTH] = 2 },
		 [CROWD_PREFIX] = { [CROWD_MESSAGES] = 10, [CROWD_AUTH_LONG] = 7 },
		 [CROWD_TOTAL] = { [CROWD_RCPTS] = 50 } },
};

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	assert_true(addr_parse(str_of(text), &a));
	return a;
}

static void scopes_are_prefixes(void **state)
{
	static const struct {
		const char *addr, *prefix[CROWD_SCOPES];
	} rows[] = {
		{ "192.0.2.77", { "192.0.2.77", "192.0.2.0/24", "::/0" } },
		{ "2001:db8:1:2:3:4:5:6", { "2001:db8:1:2::/64", "2001:db8:1::/48", "::/0" } },
	};
	char text[PREFIX_TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < NROWS(rows); i++)
		for (unsigned scope = 0; scope < CROWD_SCOPES; scope++) {
			struct pst_addr a = addr(rows[i].addr);
			struct pst_prefix p = crowd_prefix(&a, scope);

			assert_string_equal(prefix_text(&p, text), rows[i].prefix[scope]);
			assert_true(prefix_covers(&p, &a));
		}
}

/* What is over a ceiling, and since when: an arrival may be the last that fits, what was done may be the last that was allowed. */
static void ceilings(void **state)
{
	struct crowd_entry *room = calloc(16, sizeof(*room)), *e;
	struct pst_addr a = addr("192.0.2.1");
	struct crowd_word w;
	struct crowd c;

	(void)state;
	assert_non_null(room);
	crowd_init(&c, room, 16, 1);
	e = crowd_take(&c, &a, CROWD_SOURCE, 1);
	for (unsigned i = 1; i <= 7; i++) {
		crowd_count(e, &rules, CROWD_CONNECTIONS, 100 * S_NS, 1);
		w = crowd_judge(e, &rules, CROWD_SOURCE, 100 * S_NS);
		assert_int_equal(w.limits, i > 5 ? LIMIT_SESSIONS : 0);
		assert_int_equal(w.fresh, i == 6 ? 1u << CROWD_CONNECTIONS : 0); /* said once */
	}
	assert_int_equal(w.until_ns, 180 * S_NS);
	assert_int_equal(crowd_judge(e, &rules, CROWD_SOURCE, 180 * S_NS).limits, 0); /* ended by itself */
	for (unsigned i = 1; i <= 5; i++) {
		crowd_count(e, &rules, CROWD_MESSAGES, 300 * S_NS, 1);
		assert_int_equal(crowd_judge(e, &rules, CROWD_SOURCE, 300 * S_NS).limits, i >= 4 ? LIMIT_MAIL : 0);
	}
	e->sessions = 3;
	assert_int_equal(crowd_judge(e, &rules, CROWD_SOURCE, 500 * S_NS).limits, 0);
	e->sessions = 4;
	assert_int_equal(crowd_judge(e, &rules, CROWD_SOURCE, 500 * S_NS).limits, LIMIT_SESSIONS);
	assert_int_equal(crowd_judge(e, &rules, CROWD_TOTAL, 500 * S_NS).limits, 0);
	crowd_recount(&c);
	assert_int_equal(e->sessions, 0);
	free(room);
}

/* Guessing that no source shows: one failure in ten minutes of each of 30, seen in the prefix. */
static void slow_guessing_is_seen_in_the_prefix(void **state)
{
	struct crowd_rules day = { .window_s = 60, .long_window_s = 86400, .max = { [CROWD_SOURCE] = { [CROWD_AUTH] = 20, [CROWD_AUTH_LONG] = 200 },
									       [CROWD_PREFIX] = { [CROWD_AUTH] = 60, [CROWD_AUTH_LONG] = 300 } } };
	struct crowd_entry *room = calloc(256, sizeof(*room));
	unsigned said[CROWD_SCOPES] = { 0 }, tries = 0;
	struct crowd c;

	(void)state;
	assert_non_null(room);
	crowd_init(&c, room, 256, 99);
	for (__u64 now = 86400; now < 2 * 86400 && !said[CROWD_PREFIX]; now += 20) { /* 30 sources, one after another */
		struct pst_addr a = addr("198.51.100.0");

		a.b[15] = (__u8)(1 + now / 20 % 30);
		tries++;
		for (unsigned scope = 0; scope < CROWD_TOTAL; scope++) {
			struct crowd_entry *e = crowd_take(&c, &a, scope, now * S_NS);

			crowd_count(e, &day, CROWD_AUTH, now * S_NS, 1);
			crowd_count(e, &day, CROWD_AUTH_LONG, now * S_NS, 1);
			said[scope] |= crowd_judge(e, &day, scope, now * S_NS).limits;
		}
	}
	assert_int_equal(said[CROWD_SOURCE], 0);
	assert_int_equal(said[CROWD_PREFIX], LIMIT_AUTH);
	assert_int_equal(tries, 300);
	free(room);
}

/* Against a plain table of everybody: while there is room nothing is lost, and whoever is evicted was heard of longest ago of its neighbours. */
static void is_a_table_with_room(void **state)
{
	enum { N = 1024, SOURCES = 200 };
	struct crowd_entry *room = calloc(N, sizeof(*room));
	unsigned count[SOURCES] = { 0 };
	struct pst_addr who[SOURCES];
	struct crowd c;

	(void)state;
	assert_non_null(room);
	crowd_init(&c, room, N, rnd());
	for (unsigned i = 0; i < SOURCES; i++)
		who[i] = i % 2 ? rnd_addr4() : rnd_addr6();
	for (unsigned turn = 0; turn < 20000; turn++) {
		unsigned i = rnd_below(SOURCES);
		struct crowd_entry *e = crowd_take(&c, &who[i], CROWD_SOURCE, S_NS);

		crowd_count(e, &rules, CROWD_RCPTS, S_NS, 1);
		assert_int_equal(crowd_now(e, &rules, CROWD_RCPTS, S_NS), ++count[i]);
		assert_ptr_equal(crowd_find(&c, &who[i], CROWD_SOURCE), e);
	}
	assert_int_equal(c.evicted, 0);
	free(room);
}

static void a_flood_of_sources_pushes_out_the_longest_unheard(void **state)
{
	enum { N = 64 };
	struct crowd_entry *room = calloc(N, sizeof(*room));
	struct pst_addr mine = addr("203.0.113.9");
	struct crowd c;

	(void)state;
	assert_non_null(room);
	crowd_init(&c, room, N, rnd());
	for (unsigned turn = 1; turn < 50000; turn++) {
		struct pst_addr a = rnd_below(2) ? rnd_addr4() : rnd_addr6();
		struct crowd_entry *e;

		if (turn % 4 == 0) { /* heard of again and again: never lost, whoever comes */
			e = crowd_take(&c, &mine, CROWD_PREFIX, turn);
			assert_int_equal(e->sessions, turn == 4 ? 0 : 1);
			e->sessions = 1;
		}
		e = crowd_take(&c, &a, CROWD_SOURCE, turn);
		assert_int_equal(e->sessions, 0);
		assert_int_equal(e->last_ns, turn);
		assert_true(c.used <= N);
	}
	assert_true(c.evicted > 0);
	free(room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scopes_are_prefixes),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(slow_guessing_is_seen_in_the_prefix),
		cmocka_unit_test(is_a_table_with_room),
		cmocka_unit_test(a_flood_of_sources_pushes_out_the_longest_unheard),
	};

	return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
