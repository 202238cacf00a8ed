/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/names.h"
#include "user/core/saved.h"
#include "user/core/when.h"

#define S	1000000000ull
#define ROUNDS	20000
#define WALL_NS (1764360000 * S)

/* --- random records that are sound ------------------------------------------------------------ */

static struct pst_addr some_addr(void)
{
	struct pst_addr a = rnd_below(2) ? rnd_addr4() : rnd_addr6();

	if (!addr_is4(&a))
		a.b[0] |= 0x20; /* no prefix of it covers IPv4 */
	return a;
}

static __u64 some_time(void)
{
	static const __u64 special[] = { 0, ~0ull, 1, 100 * S, WALL_NS };

	return rnd_below(4) ? WALL_NS + rnd() % (400 * 86400 * S) : special[rnd_below(NROWS(special))];
}

static void some_bytes(char *out, size_t n, bool text)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = (char)rnd_below(256);
		if (text && !out[i])
			out[i] = '"';
	}
}

static struct saved some_ban(void)
{
	struct saved r = { .kind = SAVED_BAN };
	struct pst_addr a = some_addr();
	struct pst_ban *b = &r.ban.ban;

	r.ban.prefix = prefix_of(&a, addr_is4(&a) ? 97 + rnd_below(32) : 3 + rnd_below(126));
	*b = (struct pst_ban){ .until_ns = some_time() | 1, .made_ns = some_time(), .first_ns = some_time(), .last_ns = some_time(), .hits = rnd(),
			       .action = (__u8)rnd_below(PST_ACT_MAX), .reason = (__u8)rnd_below(PST_RSN_MAX), .origin = (__u8)rnd_below(PST_ORIGIN_MAX),
			       .relapse = (__u8)rnd_below(256), .score = (__u32)rnd(), .scope = (__u8)rnd_below(PST_SCOPE_MAX),
			       .grace = (__u8)rnd_below(256) };
	b->port = b->scope == PST_SCOPE_PORT ? (__u16)(1 + rnd_below(65535)) : 0;
	some_bytes(r.ban.note, rnd_below(PST_NOTE_MAX), true);
	return r;
}

static struct finding some_finding(const struct pst_prefix *source)
{
	struct finding f = { .session = rnd(), .when_ns = some_time(), .addr = source->addr, .reason = (__u16)rnd_below(PST_RSN_MAX),
			     .nevidence = (__u16)rnd_below(FINDING_EVIDENCE_MAX + 1), .life_s = rnd_below(100000) };

	if (source->len < 128)
		f.addr.b[15] = (__u8)rnd_below(256);
	some_bytes(f.evidence, f.nevidence, false);
	return f;
}

static struct saved some_source(void)
{
	struct saved r = { .kind = SAVED_SOURCE };
	struct ledger_entry *e = &r.source;
	struct pst_addr a = some_addr();

	*e = (struct ledger_entry){ .source = prefix_source(&a), .first_ns = some_time(), .last_ns = some_time(), .sessions = rnd(), .messages = rnd() };
	e->record = (struct record){ rnd(), some_time(), some_time(), (__u32)rnd(), (__u32)rnd() };
	for (unsigned i = 0; i < TEST_MAX; i++)
		e->pass_until_ns[i] = rnd_below(2) ? some_time() : 0;
	e->nfindings = (__u8)rnd_below(LEDGER_FINDINGS + 1);
	for (unsigned i = 0; i < e->nfindings; i++)
		e->finding[i] = some_finding(&e->source);
	return r;
}

static struct saved some_grey(void)
{
	static const char *const sources[] = { "192.0.2.0/24", "2001:db8::/64", "out.example.net", "a" };
	struct saved r = { .kind = SAVED_GREY };

	r.grey = (struct grey_entry){ .since_ns = some_time(), .last_ns = some_time(), .count = (__u32)rnd(), .passed = rnd_below(2) };
	strcpy(r.grey.source, sources[rnd_below(NROWS(sources))]);
	if (rnd_below(3)) {
		r.grey.key[0] = rnd();
		r.grey.key[1] = rnd();
	}
	return r;
}

static struct saved some_head(void)
{
	struct saved r = { .kind = SAVED_HEAD, .head = { (__u32)rnd(), 0, rnd(), rnd(), some_time(), "01234567-89ab-cdef-0123-456789abcdef" } };

	return r;
}

static struct saved some_record(void)
{
	static struct saved (*const make[])(void) = { some_ban, some_source, some_grey, some_head };

	return make[rnd_below(NROWS(make))]();
}

/* Octets between members are nobody's: members are compared, as text, which test_saved itself holds to be exact, and evidence as bytes. */
static void assert_same(const struct saved *a, const struct saved *b)
{
	struct saved x, y;
	unsigned n = 0;

	for (; saved_part(a, n, &x); n++) {
		char one[SAVED_LINE_MAX], two[SAVED_LINE_MAX];

		assert_true(saved_part(b, n, &y));
		saved_line(&x, one);
		saved_line(&y, two);
		assert_string_equal(one, two);
	}
	assert_false(saved_part(b, n, &y));
}

/* --- on disk --------------------------------------------------------------------------------------- */

static void disk_gives_back_what_it_got(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char key[SAVED_KEY_MAX], value[SAVED_VALUE_MAX];
		struct saved r = some_record(), back;
		size_t nkey = saved_key(&r, key), n = saved_pack(&r, value);

		assert_true(saved_is_sound(&r));
		assert_true(nkey <= sizeof(key) && n <= sizeof(value));
		assert_true(saved_unpack((struct str){ key, nkey }, (struct str){ value, n }, &back));
		assert_same(&r, &back);
		if (r.kind == SAVED_SOURCE)
			for (unsigned f = 0; f < r.source.nfindings; f++)
				assert_memory_equal(r.source.finding[f].evidence, back.source.finding[f].evidence, r.source.finding[f].nevidence);
		if (r.kind == SAVED_BAN)
			assert_memory_equal(r.ban.note, back.ban.note, sizeof(r.ban.note));
	}
}

/* Whatever falls over, a record is whole or refused. */
static void torn_records_are_refused(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char key[SAVED_KEY_MAX], value[SAVED_VALUE_MAX];
		struct saved r = some_record(), back;
		size_t nkey = saved_key(&r, key), n = saved_pack(&r, value), cut = rnd_below((unsigned)n);
		char *at = rnd_below(4) ? &value[rnd_below((unsigned)n)] : &key[rnd_below((unsigned)nkey)];

		assert_false(saved_unpack((struct str){ key, nkey }, (struct str){ value, cut }, &back));
		assert_false(saved_unpack((struct str){ key, rnd_below((unsigned)nkey) }, (struct str){ value, n }, &back));
		*at ^= (char)(1 << rnd_below(8));
		assert_false(saved_unpack((struct str){ key, nkey }, (struct str){ value, n }, &back));
	}
}

/* Bytes that a stranger made up, with a checksum that is right: what comes out is sound. */
static void made_up_records_are_sound_or_refused(void **state)
{
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char key[SAVED_KEY_MAX], value[SAVED_VALUE_MAX], again[SAVED_VALUE_MAX];
		struct saved r = some_record(), back;
		size_t n;

		for (unsigned hits = 1 + rnd_below(3); hits; hits--)
			((char *)&r)[sizeof(r.kind) + rnd_below(sizeof(r) - sizeof(r.kind))] = (char)rnd_below(256);
		if (r.kind == SAVED_SOURCE && r.source.nfindings > LEDGER_FINDINGS)
			continue;
		if (r.kind == SAVED_SOURCE)
			for (unsigned f = 0; f < r.source.nfindings; f++)
				if (r.source.finding[f].nevidence > FINDING_EVIDENCE_MAX)
					r.source.finding[f].nevidence = 0;
		n = saved_pack(&r, value);
		if (!saved_unpack((struct str){ key, saved_key(&r, key) }, (struct str){ value, n }, &back))
			continue;
		taken++;
		assert_true(saved_is_sound(&back));
		assert_int_equal(saved_pack(&back, again), n);
		assert_memory_equal(value, again, n);
	}
	assert_true(taken > ROUNDS / 10);
}

static void keys_are_in_the_order_of_prefixes(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char a[SAVED_KEY_MAX], b[SAVED_KEY_MAX];
		struct saved x = some_ban(), y = some_ban();
		size_t na, nb;
		int keys, prefixes;

		if (rnd_below(2))
			y.ban.prefix = prefix_of(&x.ban.prefix.addr, addr_is4(&x.ban.prefix.addr) ? 97 + rnd_below(32) : 3 + rnd_below(126));
		na = saved_key(&x, a);
		nb = saved_key(&y, b);
		assert_int_equal(na, nb);
		keys = memcmp(a, b, na);
		prefixes = prefix_cmp(&x.ban.prefix, &y.ban.prefix);
		assert_true((keys < 0) == (prefixes < 0) && (keys > 0) == (prefixes > 0));
	}
}

/* --- text --------------------------------------------------------------------------------------------- */

static void lines_give_back_what_they_got(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct saved r = some_record(), part, back;

		if (r.kind == SAVED_HEAD)
			continue;
		for (unsigned n = 0; saved_part(&r, n, &part); n++) {
			char line[SAVED_LINE_MAX], again[SAVED_LINE_MAX];
			size_t len = saved_line(&part, line);
			struct str at;
			const char *flaw = saved_parse((struct str){ line, len }, &back, &at);

			if (flaw)
				print_error("%s\n%s: %.*s\n", line, flaw, (int)at.n, at.p);
			assert_null(flaw);
			assert_true(len < sizeof(line) - 1);
			saved_line(&back, again);
			assert_string_equal(line, again);
			for (const char *c = line; *c; c++)
				assert_true(*c >= ' ' && *c <= '~');
		}
	}
}

/* Fields one by one, as JSON has them. */
static void fields_give_back_what_they_got(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 4; i++) {
		struct saved r = some_record(), part, back = { .kind = r.kind };
		char one[SAVED_LINE_MAX], two[SAVED_LINE_MAX], text[SAVED_TEXT_MAX];
		const struct saved_field *f;
		size_t n;

		saved_part(&r, 0, &part);
		f = saved_fields(r.kind, &n);
		for (size_t k = 0; k < n; k++)
			assert_true(saved_field_parse(&f[k], (struct str){ text, saved_field_text(&f[k], &part, text) }, &back));
		saved_line(&part, one);
		saved_line(&back, two);
		assert_string_equal(one, two);
	}
}

static const struct {
	const char *line, *flaw, *at;
} bad_lines[] = {
	{ "", "no kind of record", "" },
	{ "bna prefix=192.0.2.1", "no kind of record", "bna" },
	{ "head schema=1", "no kind of record", "head" },
	{ "ban until=forever", "what it is about is missing", NULL },
	{ "ban prefix=192.0.2.1", "no such record can be", NULL }, /* it would have ended */
	{ "ban prefix=192.0.2.1/24 until=forever", "no address or network", "prefix=192.0.2.1/24" },
	{ "ban prefix=192.0.2.1 prefix=192.0.2.2", "twice", "prefix=192.0.2.2" },
	{ "ban prefix=192.0.2.1 until=tomorrow", "no moment", "until=tomorrow" },
	{ "ban prefix=192.0.2.1 until=2026-02-29T00:00:00Z", "no moment", "until=2026-02-29T00:00:00Z" },
	{ "ban prefix=192.0.2.1 until=2026-02-28T24:00:00Z", "no moment", "until=2026-02-28T24:00:00Z" },
	{ "ban prefix=192.0.2.1 until=2026-02-28T00:00:00", "no moment", "until=2026-02-28T00:00:00" },
	{ "ban prefix=::/8 until=forever", "no address or network", "prefix=::/8" },
	{ "ban prefix=192.0.2.1 colour=red", "no field", "colour=red" },
	{ "ban prefix=192.0.2.1 until", "not NAME=VALUE", "until" },
	{ "ban prefix=192.0.2.1 note=\"open", "not NAME=VALUE", "note=\"open" },
	{ "ban prefix=192.0.2.1 note=\"a\"b", "not NAME=VALUE", "note=\"a\"" },
	{ "ban prefix=192.0.2.1 note=\"\\q\"", "no printable text", "note=\"\\q\"" },
	{ "ban prefix=192.0.2.1 note=\"\\x00\"", "no printable text", "note=\"\\x00\"" },
	{ "ban prefix=192.0.2.1 action=shoot", "no action", "action=shoot" },
	{ "ban prefix=192.0.2.1 grace=256", "no number", "grace=256" },
	{ "ban prefix=192.0.2.1 hits=-1", "no number", "hits=-1" },
	{ "ban prefix=192.0.2.1 until=forever scope=port", "no such record can be", NULL },
	{ "ban prefix=192.0.2.1 until=forever port=25", "no such record can be", NULL },
	{ "source prefix=192.0.2.0/24", "no such record can be", NULL },
	{ "source prefix=2001:db8::1", "no such record can be", NULL },
	{ "pass prefix=192.0.2.1 test=patience", "no test", "test=patience" },
	{ "finding prefix=192.0.2.1 addr=192.0.2.2 reason=early-talker", NULL, NULL },
	{ "grey source=192.0.2.0/24 key=00", "not 32", "key=00" },
	{ "grey source= key=00000000000000000000000000000000", "no such record can be", NULL },
};

static void bad_lines_are_named(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NROWS(bad_lines); i++) {
		struct str at;
		struct saved r;
		const char *flaw = saved_parse(str_of(bad_lines[i].line), &r, &at);

		if (!flaw || (bad_lines[i].flaw && !strstr(flaw, bad_lines[i].flaw)))
			print_error("%s: %s\n", bad_lines[i].line, flaw ? flaw : "taken");
		assert_non_null(flaw);
		if (bad_lines[i].flaw)
			assert_non_null(strstr(flaw, bad_lines[i].flaw));
		if (!bad_lines[i].at)
			continue;
		if (at.n != strlen(bad_lines[i].at) || memcmp(at.p, bad_lines[i].at, at.n))
			print_error("%s: at \"%.*s\"\n", bad_lines[i].line, (int)at.n, at.p);
		assert_int_equal(at.n, strlen(bad_lines[i].at));
		assert_memory_equal(at.p, bad_lines[i].at, at.n);
	}
}

static void hostile_lines_are_survived(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char line[SAVED_LINE_MAX];
		struct saved r = some_record(), part, back;
		size_t n;
		struct str at;

		if (r.kind == SAVED_HEAD)
			continue;
		saved_part(&r, 0, &part);
		n = saved_line(&part, line);
		for (unsigned hits = 1 + rnd_below(4); hits; hits--)
			line[rnd_below((unsigned)n)] = (char)rnd_below(256);
		if (!saved_parse((struct str){ line, rnd_below((unsigned)n + 1) }, &back, &at))
			assert_true(saved_is_sound(&back));
	}
}

static const struct {
	const char *text;
	__u64 seconds;
} moments[] = {
	{ "1970-01-01T00:00:01.000000000Z", 1 },	   { "1972-02-29T12:00:00.000000000Z", 68212800 },
	{ "2000-02-29T00:00:00.000000000Z", 951782400 },   { "2026-11-28T20:15:00.000000000Z", 1795896900 },
	{ "2100-03-01T00:00:00.000000000Z", 4107542400 }, { "1999-12-31T23:59:59.000000000Z", 946684799 },
};

static void moments_are_as_the_calendar_has_them(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NROWS(moments); i++) {
		struct saved r = some_ban();
		char text[SAVED_TEXT_MAX];
		const struct saved_field *f;
		size_t n;

		f = saved_fields(SAVED_BAN, &n);
		assert_string_equal(f[1].name, "until");
		assert_true(saved_field_parse(&f[1], str_of(moments[i].text), &r));
		assert_int_equal(r.ban.ban.until_ns, moments[i].seconds * S);
		saved_field_text(&f[1], &r, text);
		assert_string_equal(text, moments[i].text);
	}
}

/* --- time ------------------------------------------------------------------------------------------------- */

static void shifting_there_and_back_changes_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct saved r = some_record(), moved = r;
		__u64 delta = rnd() % (2 * WALL_NS);

		if (r.kind == SAVED_HEAD)
			continue;
		saved_shift(&moved, delta);
		if (r.kind == SAVED_BAN && r.ban.ban.until_ns == ~0ull)
			assert_int_equal(moved.ban.ban.until_ns, ~0ull);
		if (r.kind == SAVED_GREY && r.grey.since_ns && r.grey.since_ns != ~0ull)
			assert_int_equal(moved.grey.since_ns - delta, r.grey.since_ns);
		saved_shift(&moved, -delta);
		assert_same(&r, &moved);
	}
}

#define BOOT_A "aaaaaaaa-0000-0000-0000-000000000000"
#define BOOT_B "bbbbbbbb-0000-0000-0000-000000000000"
#define DAY_NS (86400 * S)

static const struct {
	const char *what, *boot;
	__u64 gate, wall_ns, mono_ns, offset_ns;
	enum saved_clock how;
} clocks[] = {
	/* the head: boot A, offset WALL - 500 s, written at WALL */
	{ "same boot, an hour later", BOOT_A, 7, WALL_NS + 3600 * S, 4100 * S, WALL_NS - 500 * S, SAVED_CLOCK_SURE },
	{ "same boot, the clock was set to 1970", BOOT_A, 7, 5 * S, 600 * S, WALL_NS - 500 * S, SAVED_CLOCK_SURE },
	{ "same boot, the clock was set ten years on", BOOT_A, 7, WALL_NS + 3650 * DAY_NS, 600 * S, WALL_NS - 500 * S, SAVED_CLOCK_SURE },
	{ "another boot after a day", BOOT_B, 7, WALL_NS + DAY_NS, 30 * S, WALL_NS + DAY_NS - 30 * S, SAVED_CLOCK_SURE },
	{ "another boot in 1970", BOOT_B, 7, 40 * S, 30 * S, WALL_NS - 30 * S, SAVED_CLOCK_BEHIND },
	{ "another boot ten years on", BOOT_B, 7, WALL_NS + 3650 * DAY_NS, 30 * S, WALL_NS - 30 * S, SAVED_CLOCK_AHEAD },
	{ "a boot without a name", "", 7, WALL_NS + DAY_NS, 30 * S, WALL_NS + DAY_NS - 30 * S, SAVED_CLOCK_SURE },
	{ "a boot without a name, but the same tables", "", 5, 600 * S, 700 * S, WALL_NS - 500 * S, SAVED_CLOCK_SURE },
	{ "nothing is known", "", 0, WALL_NS + DAY_NS, 30 * S, WALL_NS + DAY_NS - 30 * S, SAVED_CLOCK_SURE },
};

static void clocks_are_believed_as_far_as_they_can(void **state)
{
	const struct saved_head head = { .schema = 1, .gate = 5, .offset_ns = WALL_NS - 500 * S, .written_ns = WALL_NS, .boot = BOOT_A };
	enum saved_clock how;

	(void)state;
	for (unsigned i = 0; i < NROWS(clocks); i++) {
		__u64 offset = saved_offset(&head, saved_same_boot(&head, clocks[i].boot, clocks[i].gate), clocks[i].wall_ns, clocks[i].mono_ns, &how);

		if (offset != clocks[i].offset_ns || how != clocks[i].how)
			print_error("%s\n", clocks[i].what);
		assert_int_equal(offset, clocks[i].offset_ns);
		assert_int_equal(how, clocks[i].how);
	}
	assert_int_equal(saved_offset(NULL, false, WALL_NS, 7 * S, &how), WALL_NS - 7 * S);
}

/* A ban of ten minutes, four before the machine went down for five, has one left when it is up again; a source's score is that old. */
static void time_off_counts(void **state)
{
	__u64 before = WALL_NS - 1000 * S, after = WALL_NS + 5 * 60 * S - 20 * S; /* offsets; the machine is up for 20 s */
	struct saved ban = some_ban(), source = some_source();
	__u64 gone_ns = 1000 * S, now_ns = 20 * S;
	struct record now;
	struct policy p;

	(void)state;
	policy_defaults(&p);
	ban.ban.ban.until_ns = gone_ns + 6 * 60 * S;
	saved_shift(&ban, before);
	saved_shift(&ban, -after);
	assert_int_equal(ban.ban.ban.until_ns - now_ns, 60 * S);
	assert_false(saved_is_over(&ban, now_ns));
	assert_true(saved_is_over(&ban, now_ns + 60 * S));
	source.source.record = (struct record){ .score_milli = 80000, .updated_ns = gone_ns - (p.half_life_s - 5 * 60) * S };
	saved_shift(&source, before);
	saved_shift(&source, -after);
	assert_true(when_before(source.source.record.updated_ns, 0)); /* before the machine was up */
	now = record_settle(&p, &source.source.record, now_ns);
	assert_int_equal(judgement_score(&p, &now, now_ns), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disk_gives_back_what_it_got),
		cmocka_unit_test(torn_records_are_refused),
		cmocka_unit_test(made_up_records_are_sound_or_refused),
		cmocka_unit_test(keys_are_in_the_order_of_prefixes),
		cmocka_unit_test(lines_give_back_what_they_got),
		cmocka_unit_test(fields_give_back_what_they_got),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(hostile_lines_are_survived),
		cmocka_unit_test(moments_are_as_the_calendar_has_them),
		cmocka_unit_test(shifting_there_and_back_changes_nothing),
		cmocka_unit_test(clocks_are_believed_as_far_as_they_can),
		cmocka_unit_test(time_off_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
