/* SPDX-License-Identifier: BSD-2-Clause */
/* test_account.c: names in the responses of AUTH as rows; who owns which sender against a model that knows no order and no search. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/account.h"

static void encode(const char *in, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)(unsigned char)in[i] << 16 | (i + 1 < n ? (unsigned)(unsigned char)in[i + 1] << 8 : 0) |
			     (i + 2 < n ? (unsigned char)in[i + 2] : 0);

		for (unsigned j = 0; j < 4; j++)
			*out++ = i + j > n ? '=' : digits[v >> (18 - 6 * j) & 63];
	}
	*out = '\0';
}

static void test_names(void **state)
{
	static const struct {
		const char *mechanism;
		struct str response;
		const char *name; /* "" = none */
	} rows[] = {
		{ "PLAIN", STR("\0Alice@Example.ORG\0password"), "alice@example.org" },
		{ "plain", STR("boss\0alice\0password"), "alice" },
		{ "PLAIN", STR("\0a\0"), "a" },
		{ "PLAIN", STR("\0a"), "" }, /* no password: no response */
		{ "PLAIN", STR("\0\0password"), "" },
		{ "PLAIN", STR("alice"), "" },
		{ "PLAIN", STR("\0a\rb\0password"), "" },
		{ "PLAIN", STR(""), "" },
		{ "PLAIN", STR("\0b\xc3\xbc\0x"), "b\xc3\xbc" },
		{ "LOGIN", STR("Alice"), "alice" },
		{ "LOGIN", STR("alice\0secret"), "" },
		{ "LOGIN", STR("alice\nsecret"), "" },
		{ "LOGIN", STR("two words"), "two words" },
		{ "CRAM-MD5", STR("alice 0123456789abcdef"), "alice" },
		{ "CRAM-MD5", STR("alice"), "" },
		{ "SCRAM-SHA-256", STR("n,,n=Alice,r=nonce"), "alice" },
		{ "SCRAM-SHA-1", STR("y,a=boss,n=alice,r=nonce"), "alice" },
		{ "SCRAM-SHA-256", STR("n,,n=a=2Cb=3Dc,r=nonce"), "a,b=c" },
		{ "SCRAM-SHA-256", STR("n,,n=a=2Db,r=nonce"), "" },
		{ "SCRAM-SHA-256", STR("n,,m=x,n=a,r=nonce"), "" }, /* a mandatory extension that nobody knows */
		{ "SCRAM-SHA-256", STR("n,,n=alice"), "" },
		{ "XOAUTH2", STR("user=alice@example.org\1auth=Bearer t\1\1"), "alice@example.org" },
		{ "XOAUTH2", STR("auth=Bearer t\1user=alice\1\1"), "" },
		{ "OAUTHBEARER", STR("n,a=alice@example.org,\1auth=Bearer t\1\1"), "alice@example.org" },
		{ "OAUTHBEARER", STR("n,,\1auth=Bearer t\1\1"), "" },
		{ "GSSAPI", STR("alice"), "" },
		{ "EXTERNAL", STR("alice"), "" },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		char response[256], name[ACCOUNT_MAX + 1];
		bool named;

		encode(rows[i].response.p, rows[i].response.n, response);
		named = account_name(account_form(str_of(rows[i].mechanism)), str_of(response), name);
		if (strcmp(name, rows[i].name) || named != (*name != 0))
			fail_msg("row %zu, %s: \"%s\", not \"%s\"", i, rows[i].mechanism, name, rows[i].name);
	}
}

/* Any text is a name or none, never one that is too long; "=" is an empty response (RFC 4954 section 4). */
static void test_bounds(void **state)
{
	static char in[20000], response[30000];
	char name[ACCOUNT_MAX + 1];

	(void)state;
	assert_false(account_name(ACCOUNT_PLAIN, STR("="), name));
	assert_false(account_name(ACCOUNT_LOGIN, STR("="), name));
	for (unsigned turn = 0; turn < 300; turn++) {
		size_t n = turn < 3 ? ACCOUNT_MAX - 1 + turn : rnd_below(turn % 10 ? 300 : sizeof(in));

		for (size_t i = 0; i < n; i++)
			in[i] = turn < 3 ? 'x' : (char)rnd();
		encode(in, n, response);
		for (unsigned form = ACCOUNT_HIDDEN; form <= ACCOUNT_BEARER; form++) {
			bool named = account_name((enum account_form)form, str_of(response), name);

			assert_int_equal(named, strlen(name) > 0);
		}
		if (turn < 3)
			assert_int_equal(account_name(ACCOUNT_LOGIN, str_of(response), name), turn < 2);
	}
	assert_false(account_fold(STR(""), name));
	assert_false(account_fold(STR("a\x7f"), name));
	assert_true(account_fold(STR("A.b"), name));
	assert_string_equal(name, "a.b");
}

/* --- who owns what ------------------------------------------------------------ */

#define OWNERS 30

static const char *const accounts[] = { "alice", "bob", "a@one.example", "alic", "a@in.one.example" };
static const char *const keys[] = { "a@one.example", "b@one.example", "@one.example", "@.one.example", "@.example", "*", "a@in.one.example" };
static const char *const senders[] = { "a@one.example", "A@One.example", "b@one.example", "a@in.one.example", "b@deep.in.one.example", "a@two.example" };

static bool covers(const char *key, const char *sender)
{
	const char *at = strchr(sender, '@');

	if (!strcmp(key, "*"))
		return true;
	if (!strncmp(key, "@.", 2))
		return strlen(at + 1) > strlen(key + 1) && !strcmp(at + strlen(at) - strlen(key + 1), key + 1);
	return key[0] == '@' ? !strcmp(at, key) : !strcmp(sender, key);
}

static int by_account(const void *a, const void *b)
{
	return account_order(a, b);
}

static void test_owners(void **state)
{
	struct account_owner owner[OWNERS];
	struct account_rules r = { .owner = owner };

	(void)state;
	for (unsigned turn = 0; turn < 5000; turn++) {
		const char *account = accounts[rnd_below(NROWS(accounts))], *sender = senders[rnd_below(NROWS(senders))];
		char path[64], folded[ACCOUNT_MAX + 1];
		struct str in;
		struct mailbox from;
		const struct sender_rule *rule;
		bool expected = false, owns;

		if (turn % 10 == 0) {
			r.nowners = rnd_below(OWNERS / (1 + rnd_below(10)));
			for (size_t i = 0; i < r.nowners; i++)
				owner[i] = (struct account_owner){ str_of(accounts[rnd_below(NROWS(accounts))]), { .key = str_of(keys[rnd_below(NROWS(keys))]) } };
			qsort(owner, r.nowners, sizeof(*owner), by_account);
		}
		snprintf(path, sizeof(path), "<%s>", sender);
		in = str_of(path);
		assert_int_equal(mailbox_path(&in, true, false, &from), MAILBOX_OK);
		account_fold(str_of(sender), folded);
		for (size_t i = 0; i < r.nowners; i++)
			expected |= str_eq(owner[i].account, str_of(account)) && covers(owner[i].sender.key.p, folded);
		owns = account_owns(&r, str_of(account), &from, &rule);
		if (owns != (expected || !strcmp(account, folded)))
			fail_msg("turn %u: %s %s %s", turn, account, owns ? "owns" : "does not own", sender);
		if (rule && !covers(rule->key.p, folded))
			fail_msg("\"%s\" was said to speak of %s", rule->key.p, sender);
		assert_false(account_owns(&r, STR(""), &from, NULL));
		from.kind = MAILBOX_NULL;
		assert_true(account_owns(&r, str_of(account), &from, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
