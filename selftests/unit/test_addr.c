/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/addr.h"

static struct pst_addr addr(const char *text)
{
	struct pst_addr a;

	if (!addr_parse(str_of(text), &a))
		fail_msg("\"%s\" is an address", text);
	return a;
}

static struct pst_prefix prefix(const char *text)
{
	struct pst_prefix p;

	if (prefix_parse(str_of(text), &p) != PREFIX_OK)
		fail_msg("\"%s\" is a prefix", text);
	return p;
}

static void writes_rfc5952(void **state)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "::FFFF:c000:0201", "192.0.2.1" },
		{ "::", "::" },
		{ "0:0:0:0:0:0:0:0", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "2001:0DB8::0001", "2001:db8::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* 4.2.2: one group is not shortened */
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" }, /* 4.2.3: the longest */
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" }, /* the first of equals */
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" },
		{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221" },
		{ "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304" },
		{ "::1.2.3.4", "::102:304" }, /* v4-compatible is long dead: plain IPv6 */
	};
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_addr a = addr(rows[i][0]);

		assert_string_equal(addr_text(&a, text), rows[i][1]);
	}
}

static void refuses_what_is_not_an_address(void **state)
{
	static const char *const rows[] = {
		"", ".", ":", ":::", "1", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1.2.3.4.5", "1..2.3",
		"256.0.0.1", "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.0x4", "1.2.3.4 ", " 1.2.3.4", "+1.2.3.4",
		"1.2.3.1000", "16909060", "::1::", "1::2::3", ":1", "1:", "1:2", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "12345::", "g::",
		"fe80::1%eth0", "[::1]", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.256", "1.2.3.4::",
		"::01.2.3.4", "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0",
		"2001:db8::1\n", "localhost",
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_addr a;

		if (addr_parse(str_of(rows[i]), &a))
			fail_msg("\"%s\" was taken for an address", rows[i]);
	}
	assert_false(addr_parse(STR("1.2.3.4\0"), &(struct pst_addr){ 0 }));
	assert_false(addr_parse((struct str){ NULL, 0 }, &(struct pst_addr){ 0 }));
}

/* The libc as the oracle, on strings one edit away from addresses and on noise of the same letters. */
static void reads_what_inet_pton_reads(void **state)
{
	static const char letters[] = "0123456789abcdefABF:::...";
	static const char *const seeds[] = {
		"192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "::", "10.20.30.40", "1:2:3:4:5:6:1.2.3.4",
		"fe80::", "::8:0:0", "255.255.255.255",
	};
	int accepted = 0;

	(void)state;
	for (int round = 0; round < 400000; round++) {
		char text[64], *slice; /* of the exact size: a read behind it is seen */
		size_t n;
		struct pst_addr ours, theirs = { { [10] = 0xff, 0xff } };
		int family;
		bool ok;

		if (rnd_below(3)) {
			strcpy(text, seeds[rnd_below(NROWS(seeds))]);
			n = strlen(text);
			for (unsigned edits = rnd_below(3); edits; edits--)
				text[rnd_below((unsigned)n)] = letters[rnd_below(sizeof(letters) - 1)];
			n -= rnd_below(4) ? 0 : rnd_below((unsigned)n);
		} else {
			n = 1 + rnd_below(20);
			for (size_t i = 0; i < n; i++)
				text[i] = letters[rnd_below(sizeof(letters) - 1)];
		}
		text[n] = '\0';
		family = strchr(text, ':') ? AF_INET6 : AF_INET;
		ok = inet_pton(family, text, family == AF_INET6 ? theirs.b : theirs.b + 12) == 1;
		slice = memcpy(malloc(n), text, n);
		if (addr_parse((struct str){ slice, n }, &ours) != ok)
			fail_msg("\"%s\": inet_pton says %d", text, ok);
		free(slice);
		if (!ok)
			continue;
		accepted++;
		assert_memory_equal(&ours, &theirs, sizeof(ours));
	}
	assert_true(accepted > 10000);
}

/* Every text of ours is inet_ntop's (but for the dead v4-compatible form) and reads back. */
static void writes_what_inet_ntop_writes(void **state)
{
	(void)state;
	for (int round = 0; round < 200000; round++) {
		char ours[ADDR_TEXT_MAX], theirs[ADDR_TEXT_MAX];
		struct pst_addr a = rnd_below(4) ? rnd_addr6() : rnd_addr4(), back;
		bool is4;

		for (int i = 0; i < 8 && !addr_is4(&a); i++) /* zero groups, and groups of few digits */
			if (rnd_below(2)) {
				a.b[2 * i] = 0;
				a.b[2 * i + 1] *= (__u8)rnd_below(2);
			}
		is4 = addr_is4(&a);
		addr_text(&a, ours);
		assert_true(addr_parse(str_of(ours), &back));
		assert_memory_equal(&a, &back, sizeof(a));
		assert_non_null(inet_ntop(is4 ? AF_INET : AF_INET6, is4 ? a.b + 12 : a.b, theirs, sizeof(theirs)));
		if (is4 || !strchr(theirs, '.'))
			assert_string_equal(ours, theirs);
	}
}

static void reads_prefixes(void **state)
{
	static const struct {
		const char *text;
		enum prefix_flaw flaw;
		const char *out; /* also the network that HOST_BITS tells */
		unsigned len;
	} rows[] = {
		{ "192.0.2.1", PREFIX_OK, "192.0.2.1", 128 },
		{ "192.0.2.1/32", PREFIX_OK, "192.0.2.1", 128 },
		{ "192.0.2.0/31", PREFIX_OK, "192.0.2.0/31", 127 },
		{ "128.0.0.0/1", PREFIX_OK, "128.0.0.0/1", 97 },
		{ "0.0.0.0/0", PREFIX_OK, "0.0.0.0/0", 96 },
		{ "2001:db8::/32", PREFIX_OK, "2001:db8::/32", 32 },
		{ "2001:db8::1", PREFIX_OK, "2001:db8::1", 128 },
		{ "2001:db8::/127", PREFIX_OK, "2001:db8::/127", 127 },
		{ "8000::/1", PREFIX_OK, "8000::/1", 1 },
		{ "::ffff:192.0.2.0/120", PREFIX_OK, "192.0.2.0/24", 120 },
		{ "::/96", PREFIX_OK, "::/96", 96 },
		{ "::/81", PREFIX_OK, "::/81", 81 },
		{ "192.0.2.1/24", PREFIX_HOST_BITS, "192.0.2.0/24", 120 },
		{ "255.255.255.255/0", PREFIX_HOST_BITS, "0.0.0.0/0", 96 },
		{ "2001:db8:8000::/32", PREFIX_HOST_BITS, "2001:db8::/32", 32 },
		{ "2001:db8::1/127", PREFIX_HOST_BITS, "2001:db8::/127", 127 },
		{ "::/0", PREFIX_BOTH_FAMILIES, NULL, 0 },
		{ "::/80", PREFIX_BOTH_FAMILIES, NULL, 0 },
		{ "::ffff:0:0/90", PREFIX_BOTH_FAMILIES, NULL, 0 },
		{ "192.0.2.0/33", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "2001:db8::/129", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/024", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/-1", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/24/24", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/255.255.255.0", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2.0/4294967320", PREFIX_BAD_LENGTH, NULL, 0 },
		{ "192.0.2/24", PREFIX_BAD_ADDRESS, NULL, 0 },
		{ "/24", PREFIX_BAD_ADDRESS, NULL, 0 },
		{ "", PREFIX_BAD_ADDRESS, NULL, 0 },
		{ "::1 /64", PREFIX_BAD_ADDRESS, NULL, 0 },
	};
	char text[PREFIX_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct pst_prefix p;
		enum prefix_flaw flaw = prefix_parse(str_of(rows[i].text), &p);

		if (flaw != rows[i].flaw)
			fail_msg("\"%s\": %s", rows[i].text, prefix_flaw_text(flaw));
		if (!rows[i].out)
			continue;
		assert_string_equal(prefix_text(&p, text), rows[i].out);
		assert_int_equal(p.len, rows[i].len);
	}
}

static bool naive_covers(const struct pst_prefix *p, const struct pst_addr *a)
{
	for (unsigned bit = 0; bit < p->len; bit++)
		if ((p->addr.b[bit / 8] ^ a->b[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

/* Bit by bit against the fast forms; the text of every prefix reads back. */
static void prefixes_cover_what_their_bits_say(void **state)
{
	(void)state;
	for (int round = 0; round < 200000; round++) {
		struct pst_addr a = rnd_below(2) ? rnd_addr6() : rnd_addr4(), b = a;
		struct pst_prefix p = prefix_of(&a, addr_is4(&a) ? 96 + rnd_below(33) : rnd_below(129)), q, back;
		unsigned bit = rnd_below(128);
		char text[PREFIX_TEXT_MAX];

		b.b[bit / 8] ^= (__u8)(0x80 >> bit % 8);
		q = prefix_of(&b, rnd_below(129));
		assert_true(prefix_covers(&p, &a));
		assert_int_equal(prefix_covers(&p, &b), bit >= p.len);
		assert_int_equal(prefix_covers(&q, &a), naive_covers(&q, &a));
		assert_int_equal(prefix_within(&p, &q), q.len >= p.len && naive_covers(&p, &q.addr));
		for (unsigned i = p.len; i < 128; i++)
			assert_false(p.addr.b[i / 8] & 0x80 >> i % 8);
		if (prefix_parse(str_of(prefix_text(&p, text)), &back) == PREFIX_BOTH_FAMILIES)
			continue;
		assert_int_equal(prefix_cmp(&p, &back), 0);
	}
}

static void orders_and_groups(void **state)
{
	struct pst_prefix wide = prefix("192.0.2.0/24"), narrow = prefix("192.0.2.0/25"), next = prefix("192.0.3.0/24");
	struct pst_addr a4 = addr("192.0.2.7"), a6 = addr("2001:db8:1:2:3:4:5:6");
	struct pst_prefix s4 = prefix_source(&a4), s6 = prefix_source(&a6);
	struct pst_prefix w4 = prefix("192.0.2.7"), w6 = prefix("2001:db8:1:2::/64"), low = prefix("::/96");

	(void)state;
	assert_true(prefix_cmp(&wide, &narrow) < 0);
	assert_true(prefix_cmp(&narrow, &wide) > 0);
	assert_true(prefix_cmp(&narrow, &next) < 0);
	assert_int_equal(prefix_cmp(&wide, &wide), 0);
	assert_int_equal(prefix_cmp(&s4, &w4), 0);
	assert_int_equal(prefix_cmp(&s6, &w6), 0);
	assert_true(prefix_is4(&wide));
	assert_false(prefix_is4(&low));
	assert_false(prefix_is4(&s6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_rfc5952),
		cmocka_unit_test(refuses_what_is_not_an_address),
		cmocka_unit_test(reads_what_inet_pton_reads),
		cmocka_unit_test(writes_what_inet_ntop_writes),
		cmocka_unit_test(reads_prefixes),
		cmocka_unit_test(prefixes_cover_what_their_bits_say),
		cmocka_unit_test(orders_and_groups),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
