/* SPDX-License-Identifier: BSD-2-Clause */
/* test_xclient.c: the arguments of XCLIENT as rows, each in a block of its own so that a read past the end is seen. */
#include "unit.h"

#include <stdlib.h>

#include "user/core/xclient.h"

static const struct row {
	const char *in;
	enum xclient_flaw flaw;
	const char *addr; /* NULL = not given */
	unsigned port;
	enum xclient_word name_word, helo_word, login;
	const char *name, *helo;
} rows[] = {
	{ "ADDR=192.0.2.7", XCLIENT_OK, .addr = "192.0.2.7" },
	{ "addr=IPV6:2001:DB8::7 port=65535", XCLIENT_OK, .addr = "2001:db8::7", .port = 65535 },
	{ "ADDR=ipv6:::ffff:192.0.2.7", XCLIENT_OK, .addr = "192.0.2.7" },
	{ "NAME=MX.Example.ORG\t HELO=[192.0.2.7]", XCLIENT_OK, .name_word = XCLIENT_SAID, .name = "mx.example.org", .helo_word = XCLIENT_SAID,
	  .helo = "[192.0.2.7]" },
	{ "NAME=[UNAVAILABLE] HELO=[tempunavail] LOGIN=[Unavailable]", XCLIENT_OK, .name_word = XCLIENT_NONE, .helo_word = XCLIENT_UNSURE,
	  .login = XCLIENT_NONE },
	{ "NAME=mx+2Eexample.org LOGIN=a+20b+3Dc", XCLIENT_OK, .name_word = XCLIENT_SAID, .name = "mx.example.org", .login = XCLIENT_SAID },
	{ "PROTO=smtp", XCLIENT_OK },
	{ "PROTO=ESMTP PORT=[UNAVAILABLE]", XCLIENT_OK },
	{ "", XCLIENT_OK },
	{ "ADDR", XCLIENT_BAD_NAME },
	{ "=192.0.2.7", XCLIENT_BAD_NAME },
	{ "ADDRESS=192.0.2.7", XCLIENT_BAD_NAME },
	{ "DESTADDR=192.0.2.7", XCLIENT_BAD_NAME },
	{ "PORT=1 PORT=1", XCLIENT_BAD_NAME },
	{ "NAME=[UNAVAILABLE] NAME=a.example", XCLIENT_BAD_NAME },
	{ "ADDR=", XCLIENT_BAD_VALUE },
	{ "ADDR=[UNAVAILABLE]", XCLIENT_BAD_VALUE },
	{ "ADDR=2001:db8::7", XCLIENT_BAD_VALUE },
	{ "ADDR=IPV6:", XCLIENT_BAD_VALUE },
	{ "ADDR=192.0.2.256", XCLIENT_BAD_VALUE },
	{ "ADDR=192.0.2.07", XCLIENT_BAD_VALUE },
	{ "PORT=65536", XCLIENT_BAD_VALUE },
	{ "PORT=", XCLIENT_BAD_VALUE },
	{ "NAME=", XCLIENT_BAD_VALUE },
	{ "NAME=[192.0.2.7]", XCLIENT_BAD_VALUE },
	{ "NAME=a..example", XCLIENT_BAD_VALUE },
	{ "NAME=a.example+0D", XCLIENT_BAD_VALUE },
	{ "NAME=a.example+2e", XCLIENT_BAD_VALUE },
	{ "HELO=a b", XCLIENT_BAD_NAME },
	{ "HELO=a+20b", XCLIENT_BAD_VALUE },
	{ "PROTO=LMTP", XCLIENT_BAD_VALUE },
	{ "LOGIN=", XCLIENT_BAD_VALUE },
	{ "LOGIN=a+0", XCLIENT_BAD_VALUE },
	{ "LOGIN=a+00", XCLIENT_BAD_VALUE },
	{ "LOGIN=a=b", XCLIENT_BAD_VALUE },
};

static enum xclient_flaw parse(struct str in, struct xclient *x)
{
	char *copy = malloc(in.n + !in.n);
	enum xclient_flaw flaw;

	memcpy(copy, in.p, in.n);
	flaw = xclient_parse((struct str){ copy, in.n }, x);
	free(copy);
	return flaw;
}

static void check(const struct row *row, const struct xclient *x)
{
	char addr[ADDR_TEXT_MAX];

	assert_int_equal(x->addr, row->addr ? XCLIENT_SAID : XCLIENT_UNSAID);
	if (row->addr)
		assert_string_equal(addr_text(&x->client, addr), row->addr);
	assert_int_equal(x->port, row->port);
	assert_int_equal(x->name_word, row->name_word);
	assert_int_equal(x->helo_word, row->helo_word);
	assert_int_equal(x->login, row->login);
	assert_string_equal(x->name, row->name ? row->name : "");
	assert_string_equal(x->helo, row->helo ? row->helo : "");
}

static void test_rows(void **state)
{
	struct xclient x;

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		enum xclient_flaw flaw = parse(str_of(rows[i].in), &x);

		if (flaw != rows[i].flaw)
			fail_msg("%s: %d, not %d", rows[i].in, flaw, rows[i].flaw);
		if (!flaw)
			check(&rows[i], &x);
	}
}

/* A value as long as a command line can be. */
static void test_long(void **state)
{
	char text[2048] = "LOGIN=";
	struct xclient x;

	(void)state;
	memset(text + 6, 'a', sizeof(text) - 6);
	assert_int_equal(parse((struct str){ text, 6 + 512 }, &x), XCLIENT_OK);
	assert_int_equal(parse((struct str){ text, 6 + 513 }, &x), XCLIENT_BAD_VALUE);
	assert_int_equal(parse((struct str){ text, sizeof(text) }, &x), XCLIENT_BAD_VALUE);
	memcpy(text, "NAME=a", 6);
	assert_int_equal(parse((struct str){ text, sizeof(text) }, &x), XCLIENT_BAD_VALUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
