/* SPDX-License-Identifier: BSD-2-Clause */
/* ban_order.c: "for TTL | forever", "action", "scope", "grace", "reason", "force". */
#include "tools/postern/ban_order.h"

#include <jansson.h>

#include "user/core/names.h"

struct ban_order ban_order_default(void)
{
	return (struct ban_order){ .seconds = BAN_ORDER_SECONDS, .ban = { .action = PST_ACT_DROP } };
}

static int order_duration(struct args *a, struct ban_order *o)
{
	const char *word;
	int rc = arg_need(a, "TTL", &word);

	if (rc)
		return rc;
	if (!duration_parse(str_of(word), &o->seconds) || !o->seconds)
		return usage_error(a, "\"%s\" is not a duration: write 90s, 10m, 1h30m, 7d, 2w or forever", word);
	return CLI_OK;
}

static int order_action(struct args *a, struct ban_order *o)
{
	const char *word;
	int action;
	int rc = arg_choice(a, "action", "the action (observe, refuse, banner, reset or drop)", &word);

	if (rc)
		return rc;
	action = action_by_name(str_of(word));
	if (action < 0)
		return usage_error(a, "\"%s\" is not an action: observe, refuse, banner, reset or drop", word);
	o->ban.action = (__u8)action;
	return CLI_OK;
}

static int order_scope(struct args *a, struct ban_order *o)
{
	unsigned long long port = 0;
	const char *word;
	int scope, rc = arg_choice(a, "scope", "the scope (guarded, host or port N)", &word);

	if (rc)
		return rc;
	scope = scope_by_name(str_of(word));
	if (scope < 0)
		return usage_error(a, "\"%s\" is not a scope: guarded, host or port N", word);
	if (scope == PST_SCOPE_PORT)
		rc = arg_number(a, "the port", 65535, &port);
	o->ban.scope = (__u8)scope;
	o->ban.port = (__u16)port;
	return rc;
}

static int order_grace(struct args *a, struct ban_order *o)
{
	unsigned long long n;
	int rc = arg_number(a, "the number of contacts", PST_GRACE_MAX, &n);

	o->ban.grace = rc ? 0 : (__u8)n;
	return rc;
}

/* The rest of the words, but a last "force" is the keyword. */
static int order_reason(struct args *a, struct ban_order *o)
{
	size_t n = 0;

	memset(o->reason, 0, sizeof(o->reason));
	if (a->n > 1 && !strcmp(a->v[a->n - 1], "force")) {
		o->force = true;
		a->n--;
	}
	if (!a->n)
		return usage_error(a, "TEXT is missing");
	while (a->n) {
		struct str word = str_of(arg_next(a));

		if (n + word.n + 2 > sizeof(o->reason))
			return usage_error(a, "the reason is too long: at most %zu bytes", sizeof(o->reason) - 1);
		if (n)
			o->reason[n++] = ' ';
		memcpy(o->reason + n, word.p, word.n);
		n += word.n;
	}
	for (const char *p = o->reason; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return usage_error(a, "the reason holds control characters");
	}
	json_t *utf8 = json_string(o->reason);

	json_decref(utf8);
	return utf8 ? CLI_OK : usage_error(a, "the reason is not UTF-8");
}

int ban_order_words(struct args *a, struct ban_order *o)
{
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "for"))
			rc = order_duration(a, o);
		else if (arg_is(a, "forever"))
			o->seconds = ~0ull;
		else if (arg_is(a, "action"))
			rc = order_action(a, o);
		else if (arg_is(a, "scope"))
			rc = order_scope(a, o);
		else if (arg_is(a, "grace"))
			rc = order_grace(a, o);
		else if (arg_is(a, "force"))
			o->force = true;
		else if (arg_is(a, "reason"))
			rc = order_reason(a, o);
		else
			rc = arg_end(a);
	}
	return rc;
}
