/* SPDX-License-Identifier: BSD-2-Clause */
/* arg.c: the words of a command, read one by one, each with an error that names it. */
#include "tools/postern/cli.h"

const char *arg_next(struct args *a)
{
	if (!a->n)
		return NULL;
	a->n--;
	return *a->v++;
}

bool arg_is(struct args *a, const char *keyword)
{
	if (!a->n || strcmp(*a->v, keyword))
		return false;
	arg_next(a);
	return true;
}

int arg_need(struct args *a, const char *what, const char **out)
{
	*out = arg_next(a);
	return *out ? CLI_OK : usage_error(a, "%s is missing", what);
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

int arg_end(struct args *a)
{
	return a->n ? usage_error(a, "unexpected word \"%s\"", *a->v) : CLI_OK;
}
