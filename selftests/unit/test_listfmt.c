/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>

#include "rnd.h"
#include "user/core/listfmt.h"

/*
 * Reads a file's text. Entries come out as prefixes with blanks between, JSON as it is; a flaw ends it with
 * "LINE: TEXT: WHY", and " -> NETWORK" when one is named.
 */
static void outcome(struct str file, char *text, size_t size)
{
	struct listfmt fmt = { 0 };
	struct listfmt_flaw flaw;
	struct range range;
	struct pst_prefix p;
	unsigned line = 0;
	size_t n = 0;
	char one[PREFIX_TEXT_MAX];
	bool more, bad = false;

	text[0] = 0;
	while (file.n && !bad) {
		const char *end = memchr(file.p, '\n', file.n);
		size_t len = end ? (size_t)(end - file.p) : file.n;
		enum listfmt_got got;

		line++;
		listfmt_line(&fmt, str_sub(file, 0, len));
		file = str_sub(file, end ? len + 1 : len, file.n);
		while ((got = listfmt_next(&fmt, &range, &flaw)) == LISTFMT_RANGE) {
			do {
				more = range_take(&range, &p);
				n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "", prefix_text(&p, one));
			} while (more);
		}
		if (got == LISTFMT_JSON)
			n += (size_t)snprintf(text + n, size - n, "%s" STR_FMT, n ? " " : "", STR_ARG(fmt.rest));
		bad = got == LISTFMT_BAD;
	}
	if (!bad && listfmt_may_end(&fmt, &flaw))
		return;
	snprintf(text, size, "%u: " STR_FMT ": %s%s%s", line, STR_ARG(flaw.text), flaw.why, flaw.network.len ? " -> " : "",
		 flaw.network.len ? prefix_text(&flaw.network, one) : "");
}

#define NFT "table inet filter {\n\tset bad {\n\t\ttype ipv4_addr\n\t\tflags interval,timeout\n"
#define NO_ADDRESS "not an IPv4 or IPv6 address"
#define TYPES_NFT "no type of plain addresses: those are ipv4_addr and ipv6_addr"
#define TYPES_IPSET "no type of plain addresses: those are hash:ip, hash:net and bitmap:ip"
#define BEHIND "unknown behind an address; only sets of plain addresses are read"

static void reads_every_format(void **state)
{
	static const struct {
		struct str file;
		const char *want;
	} rows[] = {
		/* text */
		{ STR(""), "" },
		{ STR(" \t\n\r\n# 192.0.2.1\n; x\n"), "" },
		{ STR("192.0.2.0/24\n192.0.2.1 # x\n2001:db8::/32;y\n\t192.0.2.2\t\r\n"), "192.0.2.0/24 192.0.2.1 2001:db8::/32 192.0.2.2" },
		{ STR("; Spamhaus DROP List\n192.0.2.0/24 ; SBL1\n"), "192.0.2.0/24" },
		{ STR("add::1\n"), "add::1" },
		{ STR("192.0.2.1/24"), "1: 192.0.2.1/24: bits are set behind the length -> 192.0.2.0/24" },
		{ STR("192.0.2.1 192.0.2.2"), "1: 192.0.2.1 192.0.2.2: " NO_ADDRESS },
		{ STR("192.0.2.1\nexample.org\n"), "2: example.org: " NO_ADDRESS },
		{ STR("// x"), "1: // x: " NO_ADDRESS },
		{ STR("192.0.2.1\r\r"), "1: 192.0.2.1\r: " NO_ADDRESS },
		{ STR("::/0\n::/80\n"), "::/0 ::/80" },
		{ STR("::1/80"), "1: ::1/80: bits are set behind the length -> ::/80" },
		/* ranges */
		{ STR("192.0.2.0-192.0.2.255"), "192.0.2.0/24" },
		{ STR("192.0.2.1 - 192.0.2.6 # six"), "192.0.2.1 192.0.2.2/31 192.0.2.4/31 192.0.2.6" },
		{ STR("192.0.2.7-192.0.2.7"), "192.0.2.7" },
		{ STR("0.0.0.0-255.255.255.255"), "0.0.0.0/0" },
		{ STR("2001:db8::-2001:db8::ffff:ffff"), "2001:db8::/96" },
		{ STR("2001:db8::ff-2001:db8::101"), "2001:db8::ff 2001:db8::100/127" },
		{ STR("192.0.2.9-192.0.2.1"), "1: 192.0.2.9-192.0.2.1: the range ends before it begins; swap the two addresses" },
		{ STR("192.0.2.9-2001:db8::"), "1: 192.0.2.9-2001:db8::: a range begins and ends in one address family" },
		{ STR("192.0.2.1-9"), "1: 192.0.2.1-9: a range is written FIRST-LAST, with two addresses" },
		{ STR("192.0.2.1-192.0.2.2-192.0.2.3"), "1: 192.0.2.1-192.0.2.2-192.0.2.3: a range is written FIRST-LAST, with two addresses" },
		{ STR("-"), "1: -: a range is written FIRST-LAST, with two addresses" },
		{ STR("::1-2001:db8::"), "1: ::1-2001:db8::: this would cover IPv4 too; all of global IPv6 is 2000::/3" },
		/* ipset save */
		{ STR("create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 192.0.2.0/24\nadd bad 192.0.2.1 timeout 300\n"),
		  "192.0.2.0/24 192.0.2.1" },
		{ STR("create bad6 hash:ip family inet6 comment\nadd bad6 2001:db8::1 comment \"no match nomatch # x\"\n"), "2001:db8::1" },
		{ STR("create b bitmap:ip range 192.0.2.0/24\nadd b 192.0.2.4 packets 1 bytes 60 skbmark 0x1/0xff\n"), "192.0.2.4" },
		{ STR("add bad 192.0.2.1-192.0.2.2"), "192.0.2.1 192.0.2.2" },
		{ STR("create bad hash:ip,port family inet\n"), "1: hash:ip,port: " TYPES_IPSET },
		{ STR("create bad"), "1: : " TYPES_IPSET },
		{ STR("add bad 192.0.2.0/24\nadd bad 192.0.2.9 nomatch\n"),
		  "2: nomatch: exceptions cannot be part of a list; set allow = { ... } for them" },
		{ STR("add bad 192.0.2.9,tcp:25"), "1: 192.0.2.9,tcp:25: " NO_ADDRESS },
		{ STR("add bad"), "1: : " NO_ADDRESS },
		{ STR("add bad 192.0.2.9 timeout"), "1: timeout: its value is missing" },
		{ STR("add bad 192.0.2.9 # x"), "1: #: " BEHIND },
		{ STR("add bad 192.0.2.9 comment \"x"), "1: comment: its value is missing" },
		{ STR("add bad 192.0.2.9 \"x"), "1: \"x: quotation marks that never end" },
		/* nft list set */
		{ STR(NFT "\t\tauto-merge\n\t\telements = { 192.0.2.0/24, 198.51.100.1-198.51.100.2,\n"
			  "\t\t\t     203.0.113.7 timeout 1h expires 59m comment \"a, b }\",\n\t\t\t     203.0.113.9 counter packets 0 bytes 0 }\n\t}\n}\n"),
		  "192.0.2.0/24 198.51.100.1 198.51.100.2 203.0.113.7 203.0.113.9" },
		{ STR("table ip6 t { # handle 1\n\tset s { # handle 2\n\t\ttypeof ip6 saddr\n\t\telements = { 2001:db8::/32 }\n\t}\n}\n192.0.2.1\n"),
		  "2001:db8::/32 192.0.2.1" },
		{ STR(NFT "\t}\n}\n"), "" },
		{ STR(NFT "\t\telements = {\n\t\t\t192.0.2.1\n\t\t}\n\t}\n}\n"), "192.0.2.1" },
		{ STR(NFT "\t\telements = { 192.0.2.0/24,\n"), "5: end of file: inside the braces of a dump: it is cut off; dump it again" },
		{ STR(NFT "\t\telements = { 192.0.2.0/24 }\n\t}\n"), "6: end of file: inside the braces of a dump: it is cut off; dump it again" },
		{ STR(NFT "\t\telements = { 192.0.2.1 . 25 }\n"), "5: .: " BEHIND },
		{ STR(NFT "\t\telements = { 192.0.2.1 : accept }\n"), "5: :: " BEHIND },
		{ STR(NFT "\t\telements = { * }\n"), "5: *: " NO_ADDRESS },
		{ STR(NFT "\t\telements = { 192.0.2.1, , 192.0.2.2 }\n"), "5: : " NO_ADDRESS },
		{ STR(NFT "\t\telements = { 192.0.2.1 } x\n"), "5: } x: nothing may follow the } of the elements in its line" },
		{ STR(NFT "\t\tflavour sweet\n"), "5: flavour sweet: unknown in a set of nft" },
		{ STR("table inet t {\n\tset s {\n\t\ttype inet_service\n"), "3: inet_service: " TYPES_NFT },
		{ STR("table inet t {\n\tset s {\n\t\ttype ipv4_addr . inet_service\n"), "3: ipv4_addr . inet_service: " TYPES_NFT },
		{ STR("table inet t {\n\tchain c {\n"), "2: chain c {: no set; dump one with `nft list set FAMILY TABLE SET`" },
		{ STR("table inet t\n"), "1: table inet t: a dump of nft begins with \"table FAMILY NAME {\"" },
		/* JSON is the caller's */
		{ STR(" {\"cidr\":\"192.0.2.0/24\"}\r\n192.0.2.1\n"), "{\"cidr\":\"192.0.2.0/24\"} 192.0.2.1" },
		{ STR("[\n"), "1: [: JSON is read as one object a line, like {\"cidr\":\"192.0.2.0/24\"}" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		outcome(rows[i].file, text, sizeof(text));
		if (strcmp(text, rows[i].want))
			fail_msg("row %zu\n" STR_FMT "\ngave   %s\nwanted %s", i, STR_ARG(rows[i].file), text, rows[i].want);
	}
}

/* --- ranges, against a plain scan of a small world --------------------------------- */

#define WORLD 256

/* Addresses around base that differ in their last byte only. */
static struct pst_addr at(const struct pst_addr *base, unsigned n)
{
	struct pst_addr a = *base;

	a.b[15] = (__u8)n;
	return a;
}

/* Every address once when it lies in it, never when not; and no two neighbours that would make one. */
static void check_range(const struct pst_addr *base, unsigned first, unsigned last)
{
	struct range r = { at(base, first), at(base, last) };
	unsigned covered[WORLD] = { 0 }, n = 0;
	struct pst_prefix p[WORLD];
	bool more;

	do {
		more = range_take(&r, &p[n]);
		for (unsigned i = 0; i < WORLD; i++) {
			struct pst_addr a = at(base, i);

			covered[i] += prefix_covers(&p[n], &a);
		}
		n++;
	} while (more);
	for (unsigned i = 0; i < WORLD; i++)
		assert_int_equal(covered[i], i >= first && i <= last);
	for (unsigned i = 1; i < n; i++) {
		struct pst_prefix both = prefix_of(&p[i].addr, p[i].len - 1);

		assert_false(p[i].len == p[i - 1].len && prefix_within(&both, &p[i - 1]));
	}
}

static void range_is_its_addresses(void **state)
{
	static const struct pst_addr bases[] = {
		{ { [10] = 0xff, [11] = 0xff, 192, 0, 2 } },
		{ { [10] = 0xff, [11] = 0xff, 255, 255, 255 } },
		{ { 0x20, 0x01, 0x0d, 0xb8 } },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(bases); i++)
		for (unsigned first = 0; first < WORLD; first += i ? 1 + rnd_below(9) : 1)
			for (unsigned last = first; last < WORLD; last++)
				check_range(&bases[i], first, last);
}

static void range_of_a_prefix_gives_it_back(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct pst_addr a = i & 1 ? rnd_addr4() : rnd_addr6();
		struct pst_prefix p = prefix_of(&a, i & 1 ? 96 + rnd_below(33) : rnd_below(129)), back;
		struct range r = range_of(&p);

		assert_false(range_take(&r, &back));
		/* a shorter prefix may have the same addresses only if it is the same */
		assert_memory_equal(&p, &back, sizeof(p));
	}
}

static void wide_ranges_tile(void **state)
{
	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct pst_addr a = i & 1 ? rnd_addr4() : rnd_addr6(), b = i & 1 ? rnd_addr4() : rnd_addr6();
		bool swap = memcmp(&a, &b, sizeof(a)) > 0, more;
		struct range r = swap ? (struct range){ b, a } : (struct range){ a, b }, whole = r;
		struct pst_addr next = r.first;
		struct pst_prefix p;
		unsigned n = 0;

		do { /* each begins where the one before ended */
			more = range_take(&r, &p);
			assert_memory_equal(&p.addr, &next, sizeof(next));
			next = range_of(&p).last;
			assert_true(memcmp(&next, &whole.last, sizeof(next)) <= 0);
			assert_int_equal(more, memcmp(&next, &whole.last, sizeof(next)) != 0);
			for (int k = 15; k >= 0 && !++next.b[k]; k--)
				;
			n++;
		} while (more);
		assert_true(n <= (i & 1 ? 62 : 254));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_format),
		cmocka_unit_test(range_is_its_addresses),
		cmocka_unit_test(range_of_a_prefix_gives_it_back),
		cmocka_unit_test(wide_ranges_tile),
	};

	return cmocka_run_group_tests_name("listfmt", tests, NULL, NULL);
}
