/* SPDX-License-Identifier: BSD-2-Clause */
/* test_recipients.c: entries of recipient lists as rows; lists against a model that compares every rule with every spelling. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "rnd.h"
#include "user/core/recipients.h"

static void test_keys(void **state)
{
	static const struct {
		const char *entry, *key; /* NULL = refused */
	} rows[] = {
		{ "user@Example.ORG", "example.org@user" },
		{ "USER@example.org", "example.org@user" },
		{ "\"user\"@example.org", "example.org@user" },
		{ "\"odd one\"@example.org", "example.org@odd one" },
		{ "\"a@b\"@example.org", "example.org@a@b" },
		{ "user@b\xc3\xbc" "cher.example", "xn--bcher-kva.example@user" },
		{ "user@[192.0.2.10]", "[192.0.2.10]@user" },
		{ "example.org", "example.org@" },
		{ "@example.org", "example.org@" },
		{ "\"\"@example.org", NULL },
		{ "@local", "local@" },
		{ "user", NULL },
		{ "", NULL },
		{ "@", NULL },
		{ "user@", NULL },
		{ "two words", NULL },
		{ ".example.org", NULL },
		{ "user@example.org.", NULL },
		{ "<user@example.org>", NULL },
	};
	char key[RECIPIENT_KEY_MAX + 1];

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		bool fits = recipient_key(str_of(rows[i].entry), key);

		if (fits != (rows[i].key != NULL) || (fits && strcmp(key, rows[i].key)))
			fail_msg("\"%s\" is \"%s\", not \"%s\"", rows[i].entry, rows[i].key ? rows[i].key : "(refused)", fits ? key : "(refused)");
	}
}

/* --- against the model ------------------------------------------------------------ */

#define RULES_MAX 12

static const char *const locals[] = { "a", "b", "a+b", "A+x-y", "a-b+c", "+a", "a+", "\"A\"", "postmaster" };
static const char *const domains[] = { "one.example", "two.example", "One.Example", "one.example.org", "[192.0.2.1]" };

static int by_key(const void *a, const void *b)
{
	return recipient_order(((const struct recipient_rule *)a)->key, ((const struct recipient_rule *)b)->key);
}

static bool has(const struct recipient_rules *r, const char *domain, struct str local)
{
	char key[RECIPIENT_KEY_MAX + 1];

	snprintf(key, sizeof(key), "%s@%.*s", domain, STR_ARG(local));
	for (size_t i = 0; i < r->nrules; i++)
		if (str_ieq(r->rule[i].key, str_of(key)))
			return true;
	return false;
}

static enum recipient_word model(const struct recipient_rules *r, const struct mailbox *m)
{
	struct str local = { m->local, m->nlocal };
	bool said = false;

	for (size_t i = 0; i < r->nrules; i++) {
		struct str key = r->rule[i].key;

		said |= str_eq(str_sub(key, 0, (size_t)((const char *)memchr(key.p, '@', key.n) - key.p)), str_of(m->domain));
	}
	if (!said)
		return RECIPIENT_UNSAID;
	if (has(r, m->domain, local) || has(r, m->domain, STR("")))
		return RECIPIENT_KNOWN;
	for (size_t i = 1; i < local.n; i++)
		if (r->delimiters && strchr(r->delimiters, local.p[i]) && has(r, m->domain, str_sub(local, 0, i)))
			return RECIPIENT_KNOWN;
	return RECIPIENT_UNKNOWN;
}

static void test_model(void **state)
{
	static const char *const delimiters[] = { NULL, "", "+", "+-" };
	static char text[RULES_MAX][RECIPIENT_KEY_MAX + 1];
	struct recipient_rule rule[RULES_MAX];
	struct recipient_rules r = { .rule = rule };
	unsigned seen[3] = { 0 };

	(void)state;
	for (unsigned turn = 0; turn < 20000; turn++) {
		char path[64];
		struct str in;
		struct mailbox m;
		enum recipient_word word;
		const struct recipient_rule *why;

		if (turn % 20 == 0) {
			r.delimiters = delimiters[rnd_below(NROWS(delimiters))];
			r.nrules = rnd_below(RULES_MAX);
			for (size_t i = 0; i < r.nrules; i++) {
				snprintf(path, sizeof(path), "%s@%s", rnd_below(8) ? locals[rnd_below(NROWS(locals))] : "", domains[rnd_below(NROWS(domains))]);
				assert_true(recipient_key(str_of(path), text[i]));
				rule[i] = (struct recipient_rule){ .key = str_of(text[i]) };
			}
			qsort(rule, r.nrules, sizeof(*rule), by_key);
		}
		snprintf(path, sizeof(path), "<%s@%s>", locals[rnd_below(NROWS(locals))], domains[rnd_below(NROWS(domains))]);
		in = str_of(path);
		assert_int_equal(mailbox_path(&in, false, false, &m), MAILBOX_OK);
		word = recipients_ask(&r, &m, &why);
		if (word != model(&r, &m))
			fail_msg("turn %u: %s: %d, not %d", turn, path, word, model(&r, &m));
		assert_int_equal(why != NULL, word == RECIPIENT_KNOWN);
		seen[word]++;
	}
	for (size_t i = 0; i < NROWS(seen); i++)
		assert_true(seen[i] > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
