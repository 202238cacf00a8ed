/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/grey.h"

#define S 1000000000ull

static const struct grey_rules rules = { .mode = GREY_ENFORCE, .delay_s = 300, .window_s = 3600, .keep_s = 100000, .passes = 3,
					 .ipv4 = 24, .ipv6 = 64, .by_name = true };

/* --- who the source is -------------------------------------------------------------- */

static const struct {
	const char *addr, *name, *source;
} source_rows[] = {
	{ "192.0.2.77", "", "192.0.2.0/24" },
	{ "2001:db8:1:2:3::4", "", "2001:db8:1:2::/64" },
	{ "192.0.2.77", "mail-pg1-f41.google.example", "google.example" },
	{ "192.0.2.77", "mail-qt1-f99.google.example", "google.example" },
	{ "2001:db8::77", "out.mx.example.net", "mx.example.net" },
	{ "192.0.2.77", "example.net", "example.net" },		 /* never fewer than two labels */
	{ "192.0.2.77", "mx.example.co.uk", "example.co.uk" },
	{ "192.0.2.77", "example.co.uk", "example.co.uk" },	 /* not a registry's */
	{ "192.0.2.77", "mx.example.de", "example.de" },
	{ "192.0.2.77", "localhost", "192.0.2.0/24" },		 /* one label is nobody's */
	{ "192.0.2.77", "192-0-2-77.pool.example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "dsl-77-2.pool.example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "c000024d.pool.example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "p192000002077.pool.example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "mx77.example.net", "example.net" },	 /* one octet alone is chance */
	{ "192.0.2.2", "mx2.example.net", "example.net" },
	{ "192.0.2.2", "h2-2.example.net", "192.0.2.0/24" },
	{ "2001:db8:7::1234", "2001-db8-7--1234.pool.example.net", "2001:db8:7::/64" },
	{ "2001:db8:7:0:1:2:3:4", "p20010db800070000.pool.example.net", "2001:db8:7::/64" },
	{ "2001:db8:7::1234", "mx-7.db8.example.net", "db8.example.net" }, /* two hextets are chance */
	{ "192.0.2.77", "mx.a-domain-so-long-that-no-entry-has-room-for-it-and-that-is-all.example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "MX.example.net", "192.0.2.0/24" },	 /* no names but those that the resolver gives */
	{ "192.0.2.77", "mx..example.net", "192.0.2.0/24" },
	{ "192.0.2.77", ".example.net", "192.0.2.0/24" },
	{ "192.0.2.77", "example.net.", "192.0.2.0/24" },
	{ "192.0.2.77", "192.0.2.0/24", "192.0.2.0/24" },
	{ "192.0.2.77", "a\nb.example.net", "192.0.2.0/24" },
};

static void names_a_source(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NROWS(source_rows); i++) {
		struct grey_rules by_network = rules;
		char out[GREY_SOURCE_MAX];
		struct pst_addr a;

		assert_true(addr_parse(str_of(source_rows[i].addr), &a));
		grey_source(&rules, &a, str_of(source_rows[i].name), out);
		if (strcmp(out, source_rows[i].source))
			print_error("%s %s\n", source_rows[i].addr, source_rows[i].name);
		assert_string_equal(out, source_rows[i].source);
		by_network.by_name = false;
		by_network.ipv4 = 32;
		by_network.ipv6 = 0;
		grey_source(&by_network, &a, str_of(source_rows[i].name), out);
		assert_string_equal(out, addr_is4(&a) ? source_rows[i].addr : "::/0");
	}
}

/* Whatever the address, its own usual spellings are seen through, and no name costs more than a walk. */
static void sees_through_made_up_names(void **state)
{
	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct pst_addr a = rnd_addr4();
		const __u8 *b = a.b + 12;
		char name[96];

		snprintf(name, sizeof(name), rnd_below(2) ? "x%u-%u-%u-%u.isp.example" : "%03u.%03u.%03u.%03u.isp.example", b[0], b[1], b[2], b[3]);
		assert_true(grey_name_is_address(&a, str_of(name)));
		snprintf(name, sizeof(name), "%u.%u.%u.%u.isp.example", b[3], b[2], b[1], b[0]);
		assert_true(grey_name_is_address(&a, str_of(name)));
		a = rnd_addr6();
		snprintf(name, sizeof(name), rnd_below(2) ? "%02x%02x-%02x%02x-%02x%02x-%02x%02x.isp.example" : "%02x%02x%02x%02x%02x%02x%02x%02x.isp.example",
			 a.b[8], a.b[9], a.b[10], a.b[11], a.b[12], a.b[13], a.b[14], a.b[15]);
		assert_true(grey_name_is_address(&a, str_of(name)));
		assert_false(grey_name_is_address(&a, STR("mail.example.net")));
	}
}

static struct mailbox mailbox(const char *path)
{
	struct str in = str_of(path);
	struct mailbox m;

	assert_int_equal(mailbox_path(&in, !strcmp(path, "<>"), true, &m), MAILBOX_OK);
	return m;
}

static const struct {
	const char *from, *to;
	int same_as; /* an earlier row */
} key_rows[] = {
	{ "<a@example.net>", "<b@example.org>", -1 },
	{ "<A@Example.NET>", "<B@example.org>", 0 },
	{ "<b@example.net>", "<a@example.org>", -1 },
	{ "<a@example.net>", "<c@example.org>", -1 },
	{ "<>", "<b@example.org>", -1 },
	{ "<a@example.net>", "<postmaster>", -1 },
	{ "<a@example.net>", "<Postmaster>", 5 },
	{ "<a@example.net>", "<postmaster@example.org>", -1 },
	{ "<a@[192.0.2.1]>", "<b@example.org>", -1 },
};

static void keys_are_of_both_addresses(void **state)
{
	__u64 key[NROWS(key_rows)][2];

	(void)state;
	for (unsigned i = 0; i < NROWS(key_rows); i++) {
		struct mailbox from = mailbox(key_rows[i].from), to = mailbox(key_rows[i].to);
		__u64 sender[2];

		grey_sender(&from, sender);
		grey_key(sender, &to, key[i]);
		for (unsigned k = 0; k < i; k++)
			assert_int_equal(!memcmp(key[i], key[k], sizeof(key[i])), key_rows[i].same_as == (int)k);
	}
}

/* --- the table ---------------------------------------------------------------------------- */

struct table {
	struct grey grey;
	struct grey_entry *room;
};

static struct table table(size_t n)
{
	__u64 seed[2] = { rnd(), rnd() };
	struct table t = { .room = calloc(n, sizeof(struct grey_entry)) };

	assert_non_null(t.room);
	grey_init(&t.grey, t.room, n, seed);
	return t;
}

/* The model: everything is remembered, one row for each source and one for each key of it. */
enum { SOURCES = 5, KEYS = 6 };

struct model {
	struct {
		bool is;
		__u64 first, last;
		bool passed;
	} triplet[SOURCES][KEYS];
	struct {
		bool is, proven;
		__u64 counted, last;
		unsigned passes;
	} source[SOURCES];
};

static void model_expire(struct model *m, __u64 now)
{
	for (int s = 0; s < SOURCES; s++) {
		if (m->source[s].is && now - m->source[s].last > rules.keep_s * S)
			memset(&m->source[s], 0, sizeof(m->source[s]));
		for (int k = 0; k < KEYS; k++)
			if (m->triplet[s][k].is && (m->triplet[s][k].passed ? now - m->triplet[s][k].last > rules.keep_s * S
									      : now - m->triplet[s][k].first > rules.window_s * S))
				m->triplet[s][k].is = false;
	}
}

static enum sess_grey model_try(struct model *m, int s, int k, __u64 now, unsigned *seconds)
{
	*seconds = 0;
	model_expire(m, now);
	if (m->source[s].passes >= rules.passes)
		return GREY_KNOWN;
	if (!m->triplet[s][k].is) {
		m->triplet[s][k].is = true;
		m->triplet[s][k].passed = false;
		m->triplet[s][k].first = now;
	}
	m->triplet[s][k].last = now;
	if (m->triplet[s][k].passed)
		return GREY_PASS;
	if (now < m->triplet[s][k].first + rules.delay_s * S) {
		*seconds = (unsigned)((m->triplet[s][k].first + rules.delay_s * S - now + S - 1) / S);
		return GREY_DEFER;
	}
	m->triplet[s][k].passed = true;
	m->source[s].is = true;
	m->source[s].last = now;
	if (m->triplet[s][k].first >= m->source[s].counted)
		m->source[s].proven = true;
	return GREY_PASS;
}

static void model_took(struct model *m, int s, __u64 now)
{
	model_expire(m, now);
	if (m->source[s].proven) {
		m->source[s].proven = false;
		m->source[s].counted = m->source[s].last = now;
		m->source[s].passes++;
	} else if (m->source[s].passes >= rules.passes) {
		m->source[s].last = now;
	}
}

static void name_of(int s, char out[GREY_SOURCE_MAX])
{
	snprintf(out, GREY_SOURCE_MAX, "source%d.example", s);
}

static __u64 some_time(void)
{
	switch (rnd_below(8)) {
	case 0:
		return 0;
	case 1:
		return rules.delay_s * S;
	case 2:
		return rules.window_s * S + rnd_below(2);
	case 3:
		return rnd_below(20) ? S : rules.keep_s * S + rnd_below(2);
	default:
		return rnd_below(rules.delay_s) * S + rnd_below(3);
	}
}

/* With room for all, the table is the model. */
static void says_what_the_model_says(void **state)
{
	unsigned seen[GREY_DEFER + 1] = { 0 };

	(void)state;
	for (int run = 0; run < 60; run++) {
		struct table t = table(4096);
		struct model m = { 0 };
		__u64 now = S;

		for (int round = 0; round < 2000; round++) {
			int s = (int)rnd_below(SOURCES), k = (int)rnd_below(KEYS);
			char name[GREY_SOURCE_MAX];

			now += some_time();
			name_of(s, name);
			if (!rnd_below(4)) {
				grey_took(&t.grey, &rules, name, now);
				model_took(&m, s, now);
			} else {
				__u64 key[2] = { (__u64)k + 1, (__u64)run };
				struct grey_answer a = grey_try(&t.grey, &rules, name, key, now);
				unsigned seconds;

				assert_int_equal(a.what, model_try(&m, s, k, now, &seconds));
				assert_int_equal(a.seconds, seconds);
				seen[a.what]++;
			}
		}
		assert_int_equal(t.grey.full + t.grey.evicted, 0);
		free(t.room);
	}
	for (unsigned i = 0; i < NROWS(seen); i++)
		assert_true(seen[i] > 1000);
}

static void flood(struct table *t, const char *source, unsigned n, __u64 now)
{
	for (unsigned i = 0; i < n; i++) {
		__u64 key[2] = { rnd(), rnd() };

		grey_try(&t->grey, &rules, source, key, now);
		if (!rnd_below(8))
			grey_try(&t->grey, &rules, source, key, now + rules.delay_s * S);
		if (!rnd_below(8))
			grey_took(&t->grey, &rules, source, now);
	}
}

static size_t live_of(const struct table *t, const char *source)
{
	size_t n = 0;

	for (size_t i = 0; i < t->grey.nentries; i++)
		n += !strcmp(t->room[i].source, source);
	return n;
}

/* Strangers by the thousand fill the table. Who comes again in time passes all the same, and nobody's wait begins anew. */
static void a_flood_makes_nobody_wait_longer(void **state)
{
	unsigned recorded = 0;

	(void)state;
	for (int round = 0; round < 400; round++) {
		struct table t = table(GREY_ENTRIES_MIN << rnd_below(3));
		__u64 key[2] = { rnd(), rnd() }, now = S;
		struct grey_answer a;

		for (int i = 0; i < 40; i++) {
			char bot[GREY_SOURCE_MAX];

			snprintf(bot, sizeof(bot), "bot%u.example", rnd_below(60));
			if (i == 20) {
				a = grey_try(&t.grey, &rules, "genuine.example", key, now);
				recorded += a.what == GREY_DEFER;
			}
			flood(&t, bot, rnd_below(40), now);
		}
		now += rules.delay_s * S;
		if (a.what == GREY_DEFER) {
			assert_int_equal(grey_try(&t.grey, &rules, "genuine.example", key, now - 1).what, GREY_DEFER);
			assert_int_equal(grey_try(&t.grey, &rules, "genuine.example", key, now).what, GREY_PASS);
		}
		free(t.room);
	}
	assert_true(recorded > 20);
}

static void one_source_cannot_fill_the_table(void **state)
{
	struct table t = table(16 * GREY_ENTRIES_MIN);
	__u64 key[2] = { 1, 2 };
	unsigned deferred = 0;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		__u64 one[2] = { rnd(), rnd() };

		assert_int_equal(grey_try(&t.grey, &rules, "bot.example", one, S).what, GREY_DEFER);
	}
	assert_true(live_of(&t, "bot.example") <= GREY_SPAN * GREY_PROBE);
	assert_true(t.grey.evicted > 0);
	for (unsigned i = 0; i < 256; i++) {
		char other[GREY_SOURCE_MAX];

		snprintf(other, sizeof(other), "other%u.example", i);
		deferred += grey_try(&t.grey, &rules, other, key, S).what == GREY_DEFER;
	}
	assert_true(deferred > 200); /* few live within the bot's windows */
	free(t.room);
}

/* Many recipients at once are one proof, whatever becomes of them; and a pass without a message is none. */
static void a_wave_counts_once(void **state)
{
	struct table t = table(4096);
	__u64 now = S, probe[2] = { 99, 99 };

	(void)state;
	for (unsigned wave = 0; wave < rules.passes; wave++) {
		for (__u64 k = 1; k <= 20; k++)
			assert_int_equal(grey_try(&t.grey, &rules, "a.example", (__u64[2]){ k, wave }, now).what, GREY_DEFER);
		now += rules.delay_s * S;
		for (__u64 k = 1; k <= 20; k++) {
			if (k == 10) /* the first ones were refused by the backend */
				assert_int_not_equal(grey_try(&t.grey, &rules, "a.example", probe, now).what, GREY_KNOWN);
			assert_int_equal(grey_try(&t.grey, &rules, "a.example", (__u64[2]){ k, wave }, now).what,
					 wave + 1 == rules.passes && k > 10 ? GREY_KNOWN : GREY_PASS);
			if (k >= 10)
				grey_took(&t.grey, &rules, "a.example", now);
		}
		now += S;
	}
	assert_int_equal(grey_try(&t.grey, &rules, "a.example", probe, now).what, GREY_KNOWN);
	assert_int_equal(grey_try(&t.grey, &rules, "b.example", probe, now).what, GREY_DEFER);

	now += rules.keep_s * S - S; /* renewed by mail alone */
	grey_took(&t.grey, &rules, "a.example", now);
	now += rules.keep_s * S;
	assert_int_equal(grey_try(&t.grey, &rules, "a.example", probe, now).what, GREY_KNOWN);
	assert_int_equal(grey_try(&t.grey, &rules, "a.example", probe, now + 1).what, GREY_DEFER);
	free(t.room);
}

/* A larger or smaller room takes over what the old one knows, as far as there is place. */
static void moves_and_forgets(void **state)
{
	struct table old = table(1024), big = table(4096);
	__u64 key[2] = { 0, 0 }; /* a triplet's key may be zero: it is not the source's own entry */
	size_t n = 0;

	(void)state;
	assert_int_equal(grey_try(&old.grey, &rules, "a.example", key, S).what, GREY_DEFER);
	flood(&old, "bot.example", 100, S);
	for (size_t i = 0; i < old.grey.nentries; i++) {
		n += grey_is_live(&rules, &old.room[i], S);
		grey_adopt(&big.grey, &rules, &old.room[i], S);
	}
	assert_int_equal(live_of(&big, "a.example") + live_of(&big, "bot.example"), n);
	assert_int_equal(grey_try(&big.grey, &rules, "a.example", key, S + rules.delay_s * S).what, GREY_PASS);
	assert_int_equal(live_of(&big, "a.example"), 2);
	assert_int_equal(grey_forget(&big.grey, "a.example"), 2);
	assert_int_equal(grey_forget(&big.grey, "a.example"), 0);
	assert_int_equal(grey_forget(&big.grey, ""), n - 1);
	for (size_t i = 0; i < big.grey.nentries; i++)
		assert_false(grey_is_live(&rules, &big.room[i], S));
	free(old.room);
	free(big.room);
}

/* Times before the machine was up count as any other: who had waited long enough waits no more, and nothing is younger than it is. */
static void time_before_the_machine_was_up_counts(void **state)
{
	static struct grey_entry room[GREY_ENTRIES_MIN];
	struct grey_entry waiting = { .key = { 1, 2 }, .source = "192.0.2.0/24", .since_ns = -400 * S, .last_ns = -400 * S, .count = 1 };
	struct grey_entry source = { .source = "example.net", .since_ns = -50 * S, .last_ns = -50 * S, .count = 3 };
	const __u64 seed[2] = { 3, 4 }, fresh[2] = { 5, 6 };
	struct grey g;

	(void)state;
	grey_init(&g, room, NROWS(room), seed);
	for (int twice = 0; twice < 2; twice++) {
		grey_restore(&g, &rules, &waiting, 20 * S);
		grey_restore(&g, &rules, &source, 20 * S);
	}
	assert_int_equal(grey_try(&g, &rules, "192.0.2.0/24", waiting.key, 21 * S).what, GREY_PASS);
	assert_int_equal(grey_try(&g, &rules, "example.net", fresh, 21 * S).what, GREY_KNOWN);
	assert_int_equal(grey_try(&g, &rules, "198.51.100.0/24", fresh, 21 * S).what, GREY_DEFER);
	/* tried again since, before the store was read: the first try counts */
	waiting.key[0] = 9;
	assert_int_equal(grey_try(&g, &rules, "192.0.2.0/24", waiting.key, 22 * S).what, GREY_DEFER);
	grey_restore(&g, &rules, &waiting, 23 * S);
	assert_int_equal(grey_try(&g, &rules, "192.0.2.0/24", waiting.key, 24 * S).what, GREY_PASS);
	/* over while the machine was down */
	waiting.key[0] = 11;
	waiting.since_ns = waiting.last_ns = -(__u64)rules.window_s * S;
	grey_restore(&g, &rules, &waiting, 25 * S);
	assert_int_equal(grey_try(&g, &rules, "192.0.2.0/24", waiting.key, 26 * S).what, GREY_DEFER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_a_source),
		cmocka_unit_test(sees_through_made_up_names),
		cmocka_unit_test(keys_are_of_both_addresses),
		cmocka_unit_test(says_what_the_model_says),
		cmocka_unit_test(a_flood_makes_nobody_wait_longer),
		cmocka_unit_test(one_source_cannot_fill_the_table),
		cmocka_unit_test(a_wave_counts_once),
		cmocka_unit_test(time_before_the_machine_was_up_counts),
		cmocka_unit_test(moves_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
