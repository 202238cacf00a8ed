/* SPDX-License-Identifier: BSD-2-Clause */
/* arg.c: the words of a command, read one by one, each with an error that names it. */
#include "tools/postern/cli.h"
#include "tools/postern/keyword.h"

#include <stdio.h>

const char *arg_next(struct args *a)
{
	if (!a->n)
		return NULL;
	a->n--;
	return *a->v++;
}

bool arg_is(struct args *a, const char *keyword)
{
	if (!a->n || !keyword_is(a->cmd->usage, *a->v, keyword))
		return false;
	arg_next(a);
	return true;
}

int arg_need(struct args *a, const char *what, const char **out)
{
	*out = arg_next(a);
	return *out ? CLI_OK : usage_error(a, "%s is missing", what);
}

int arg_choice(struct args *a, const char *keyword, const char *what, const char **out)
{
	int at, rc = arg_need(a, what, out);
	struct match m;

	if (rc)
		return rc;
	m = keyword_match(a->cmd->usage, keyword, *out);
	at = match_index(&m);
	if (at < 0)
		return m.count > 1 ? usage_error(a, "\"%s\" is ambiguous: %s", *out, m.candidates) : CLI_OK;
	snprintf(a->choice, sizeof(a->choice), "%.*s", (int)strcspn(a->cmd->usage + at, KEYWORD_END), a->cmd->usage + at);
	*out = a->choice;
	return CLI_OK;
}

int arg_addr(struct args *a, struct pst_addr *out)
{
	const char *word;
	int rc = arg_need(a, "ADDRESS", &word);

	if (rc)
		return rc;
	if (!addr_parse(str_of(word), out))
		return usage_error(a, "\"%s\" is not an IPv4 or IPv6 address", word);
	return CLI_OK;
}

int arg_prefix(struct args *a, struct pst_prefix *out)
{
	char text[PREFIX_TEXT_MAX];
	const char *word;
	int rc = arg_need(a, "PREFIX", &word);

	if (rc)
		return rc;
	enum prefix_flaw flaw = prefix_parse(str_of(word), out);

	if (flaw == PREFIX_HOST_BITS)
		return usage_error(a, "%s has host bits set; the network is %s", word, prefix_text(out, text));
	if (flaw != PREFIX_OK)
		return usage_error(a, "\"%s\": %s", word, prefix_flaw_text(flaw));
	return CLI_OK;
}

int arg_number(struct args *a, const char *what, unsigned long long max, unsigned long long *out)
{
	const char *word;
	int rc = arg_need(a, what, &word);

	if (rc)
		return rc;
	if (!str_u64(str_of(word), out) || !*out || *out > max)
		return usage_error(a, "\"%s\" is not a number from 1 to %llu", word, max);
	return CLI_OK;
}

int arg_unexpected(struct args *a, const char *word)
{
	struct match m = keyword_match(a->cmd->usage, NULL, word);

	if (m.count > 1 && m.exact < 0)
		return usage_error(a, "\"%s\" is ambiguous: %s", word, m.candidates);
	return usage_error(a, "unexpected word \"%s\"", word);
}

int arg_end(struct args *a)
{
	return a->n ? arg_unexpected(a, *a->v) : CLI_OK;
}
