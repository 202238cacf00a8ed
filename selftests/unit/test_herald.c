/* SPDX-License-Identifier: BSD-2-Clause */
/* test_herald.c: PROXY protocol headers as rows, each whole, cut at every octet and with bytes behind it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/herald.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"
#define A6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define B6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x08"

#define ROW(result, text, ...) { STR(text), result, __VA_ARGS__ }

static const struct row {
	struct str in;
	enum herald_result result;
	const char *client, *local; /* NULL = the balancer speaks for itself */
	unsigned client_port, local_port;
} rows[] = {
	ROW(HERALD_DONE, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n", "192.0.2.7", "198.51.100.1", 40000, 25),
	ROW(HERALD_DONE, "PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\n", "2001:db8::7", "2001:db8::1", 1, 65535),
	ROW(HERALD_DONE, "PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 25\r\n", "192.0.2.7", "2001:db8::1", 1, 25),
	ROW(HERALD_DONE, "PROXY UNKNOWN\r\n", NULL),
	ROW(HERALD_DONE, "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 2001:db8::7 2001:db8::1 1 25\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.7 198.51.100.1 40000 25 \r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.7  198.51.100.1 40000 25\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.007 198.51.100.1 1 25\r\n", NULL),
	ROW(HERALD_BAD, "PROXY TCP4 192.0.2.7 198.51.100.1 1 25\rX\n", NULL),
	ROW(HERALD_BAD, "PROXY UDP4 192.0.2.7 198.51.100.1 1 25\r\n", NULL),
	ROW(HERALD_BAD, "PROXY\r\n", NULL),
	ROW(HERALD_BAD, "proxy TCP4 192.0.2.7 198.51.100.1 1 25\r\n", NULL),
	ROW(HERALD_BAD, "EHLO client.example\r\n", NULL),
	ROW(HERALD_BAD, "PROXY UNKNOWN ...............................................................................................\r\n", NULL),
	ROW(HERALD_DONE, SIG "\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0\x19", "192.0.2.7", "198.51.100.1", 40000, 25),
	ROW(HERALD_DONE, SIG "\x21\x11\0\x10\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0\x19\x04\0\x01x", "192.0.2.7", "198.51.100.1", 40000, 25),
	ROW(HERALD_DONE, SIG "\x21\x21\0\x24" A6 B6 "\0\x01\x02\x4b", "2001:db8::7", "2001:db8::8", 1, 587),
	ROW(HERALD_DONE, SIG "\x20\0\0\0", NULL),
	ROW(HERALD_DONE, SIG "\x20\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0\x19", NULL),
	ROW(HERALD_DONE, SIG "\x21\0\0\0", NULL),
	ROW(HERALD_BAD, SIG "\x21\x12\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0\x19", NULL),
	ROW(HERALD_BAD, SIG "\x21\x11\0\x0b\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0", NULL),
	ROW(HERALD_BAD, SIG "\x11\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x9c\x40\0\x19", NULL),
	ROW(HERALD_BAD, SIG "\x22\0\0\0", NULL),
	ROW(HERALD_BAD, SIG "\x20\0\xff\xff", NULL),
	ROW(HERALD_BAD, "\r\n\r\nQUIT\r\n", NULL),
};

static void test_rows(void **state)
{
	char client[ADDR_TEXT_MAX], local[ADDR_TEXT_MAX], behind[512];
	struct herald h;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		const struct row *r = &rows[i];

		memcpy(behind, r->in.p, r->in.n);
		memcpy(behind + r->in.n, "EHLO x\r\n", 8);
		if (herald_take((struct str){ behind, r->in.n + 8 }, &h) != r->result)
			fail_msg("row %zu gives %d", i, (int)herald_take(r->in, &h));
		if (r->result != HERALD_DONE)
			continue;
		assert_int_equal(h.n, r->in.n);
		assert_int_equal(h.known, r->client != NULL);
		if (!h.known)
			continue;
		assert_string_equal(addr_text(&h.client, client), r->client);
		assert_string_equal(addr_text(&h.local, local), r->local);
		assert_int_equal(h.client_port, r->client_port);
		assert_int_equal(h.local_port, r->local_port);
	}
}

/* Cut short, a good header is never good nor bad; and a bad one never becomes good. */
static void test_every_cut(void **state)
{
	struct herald h;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		for (size_t n = 0; n < rows[i].in.n; n++) {
			char *copy = malloc(n ? n : 1); /* its own block: a read past the end is seen */
			enum herald_result result;

			memcpy(copy, rows[i].in.p, n);
			result = herald_take((struct str){ copy, n }, &h);
			free(copy);
			if (result == HERALD_DONE || (rows[i].result == HERALD_DONE && result != HERALD_MORE))
				fail_msg("row %zu cut at %zu gives %d", i, n, (int)result);
		}
}

/* Octets changed at random: whatever is taken lies in what was given. */
static void test_noise(void **state)
{
	struct herald h;

	(void)state;
	for (unsigned turn = 0; turn < 200000; turn++) {
		const struct row *r = &rows[rnd_below(NROWS(rows))];
		char *copy = malloc(r->in.n);

		memcpy(copy, r->in.p, r->in.n);
		for (unsigned i = rnd_below(3); i; i--)
			copy[rnd_below((unsigned)r->in.n)] = (char)rnd();
		if (herald_take((struct str){ copy, r->in.n }, &h) == HERALD_DONE)
			assert_in_range(h.n, 1, r->in.n);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
