/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sender.c: entries of sender lists as rows, and lists of them against a model that knows no order and no search. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/sender.h"

static void test_keys(void **state)
{
	static const struct {
		const char *entry, *key; /* NULL = refused */
	} rows[] = {
		{ "<>", "" },
		{ "spam@Example.NET", "spam@example.net" },
		{ "SPAM@example.net", "spam@example.net" },
		{ "\"odd one\"@example.net", "odd one@example.net" },
		{ "\"a@b\"@example.net", "a@b@example.net" },
		{ "spam@[192.0.2.1]", "spam@[192.0.2.1]" },
		{ "spam@[IPv6:2001:DB8::0:1]", "spam@[IPv6:2001:db8::1]" },
		{ "b\xc3\xbc" "cher@example.net", "b\xc3\xbc" "cher@example.net" },
		{ "example.net", "@example.net" },
		{ "@Example.net", "@example.net" },
		{ ".example.net", "@.example.net" },
		{ "@.example.net", "@.example.net" },
		{ "b\xc3\xbc" "cher.example", "@xn--bcher-kva.example" },
		{ "[192.0.2.1]", "@[192.0.2.1]" },
		{ "", NULL },
		{ "@", NULL },
		{ ".", NULL },
		{ "@.[192.0.2.1]", NULL },
		{ "spam@", NULL },
		{ "@a.example:spam@example.net", NULL },
		{ "spam@example.net>", NULL },
		{ "spam @example.net", NULL },
		{ "two words", NULL },
		{ "exa_mple.net", NULL },
		{ "example.net.", NULL },
	};
	char key[SENDER_KEY_MAX + 1];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		bool fits = sender_key(str_of(rows[i].entry), key);

		if (fits != (rows[i].key != NULL) || (fits && strcmp(key, rows[i].key)))
			fail_msg("\"%s\" is \"%s\", not \"%s\"", rows[i].entry, rows[i].key ? rows[i].key : "(refused)", fits ? key : "(refused)");
	}
}

/* --- against the model ------------------------------------------------------------ */

#define RULES_MAX 40

static const char *const locals[] = { "a", "b", "Spam", "x.y" };
static const char *const domains[] = { "one.example", "two.example", "in.one.example", "deep.in.one.example", "neone.example", "example" };

static struct sender_rule rules[3][RULES_MAX];
static char keys[3][RULES_MAX][SENDER_KEY_MAX + 1];
static struct sender_list lists[3];

static int by_key(const void *a, const void *b)
{
	return sender_order(((const struct sender_rule *)a)->key, ((const struct sender_rule *)b)->key);
}

static void make_entry(char out[128])
{
	const char *domain = domains[rnd_below(NROWS(domains))];

	switch (rnd_below(8)) {
	case 0:
		strcpy(out, "<>");
		break;
	case 1:
		snprintf(out, 128, ".%s", domain);
		break;
	case 2:
		snprintf(out, 128, "@%s", domain);
		break;
	default:
		snprintf(out, 128, "%s@%s", locals[rnd_below(NROWS(locals))], domain);
	}
}

static void make_list(unsigned n)
{
	char entry[128];

	lists[n] = (struct sender_list){
		.rule = rules[n], .nrules = rnd_below(RULES_MAX), .action = rnd_below(SENDER_CLOSE + 1), .trusted = rnd_below(2),
	};
	for (unsigned i = 0; i < lists[n].nrules; i++) {
		make_entry(entry);
		assert_true(sender_key(str_of(entry), keys[n][i]));
		rules[n][i] = (struct sender_rule){ .key = str_of(keys[n][i]), .line = i };
	}
	qsort(rules[n], lists[n].nrules, sizeof(rules[n][0]), by_key);
}

/* Does the key speak of local@domain ("" both: the blank sender)? */
static bool model_speaks(const char *key, const char *local, const char *domain)
{
	const char *at = strchr(key, '@');
	size_t skip = strlen(domain) - (at ? strlen(at + 1) : 0);

	if (!*local || !*key)
		return *local == *key;
	if (at != key)
		return !strncasecmp(key, local, (size_t)(at - key)) && !local[at - key] && !strcmp(at + 1, domain);
	if (at[1] != '.')
		return !strcmp(at + 1, domain);
	return strlen(domain) > strlen(at + 1) && !strcmp(domain + skip, at + 1);
}

/* -1 = no list speaks of it. */
static int model_action(const char *local, const char *domain, bool trusted)
{
	int action = -1;

	for (unsigned n = 0; n < NROWS(lists); n++)
		for (unsigned i = 0; i < lists[n].nrules; i++)
			if ((!trusted || lists[n].trusted) && model_speaks(rules[n][i].key.p, local, domain) && (int)lists[n].action > action)
				action = (int)lists[n].action;
	return action;
}

static void test_model(void **state)
{
	struct sender_rules r = { lists, NROWS(lists) };

	(void)state;
	for (unsigned turn = 0; turn < 20000; turn++) {
		const char *local = rnd_below(8) ? locals[rnd_below(NROWS(locals))] : "", *domain = *local ? domains[rnd_below(NROWS(domains))] : "";
		struct mailbox m = { .kind = *local ? MAILBOX_DOMAIN : MAILBOX_NULL, .nlocal = strlen(local), .ndomain = strlen(domain) };
		bool trusted = rnd_below(2);
		struct sender_decision d;
		int expected;

		if (turn % 20 == 0)
			for (unsigned n = 0; n < NROWS(lists); n++)
				make_list(n);
		strcpy(m.local, local);
		strcpy(m.domain, domain);
		expected = model_action(local, domain, trusted);
		d = sender_decide(&r, &m, trusted);
		assert_int_equal(d.list ? (int)d.list->action : -1, expected);
		if (d.list && !model_speaks(d.rule->key.p, local, domain))
			fail_msg("\"%s\" was said to speak of <%s@%s>", d.rule->key.p, local, domain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
