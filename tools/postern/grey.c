/* SPDX-License-Identifier: BSD-2-Clause */
/* grey.c: the greylist; only the daemon has it. */
#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"

#define SHOW_MAX 10000

static unsigned long long number_of(json_t *reply, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(reply, key));
}

static int do_show(struct args *a)
{
	json_t *request = json_pack("{ss}", "command", "grey show"), *reply = NULL;
	unsigned long long limit;
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "limit")) {
			rc = arg_number(a, "limit", SHOW_MAX, &limit);
			if (!rc)
				json_object_set_new(request, "limit", json_integer((json_int_t)limit));
		} else {
			json_object_set_new(request, "source", json_string(arg_next(a)));
		}
	}
	if (rc) {
		json_decref(request);
		return rc;
	}
	rc = call_daemon(request, &reply);
	if (rc)
		return rc;
	out_rows("entries", json_object_get(reply, "entries"));
	out_num("known", NULL, number_of(reply, "known"));
	out_line("%zu of %llu entries", json_array_size(json_object_get(reply, "entries")), number_of(reply, "known"));
	json_decref(reply);
	return CLI_OK;
}

static int forget(json_t *request)
{
	json_t *reply = NULL;
	int rc = call_daemon(request, &reply);
	unsigned long long n;

	if (rc)
		return rc;
	n = number_of(reply, "forgotten");
	out_num("forgotten", NULL, n);
	out_line("%llu entr%s forgotten", n, n == 1 ? "y is" : "ies are");
	json_decref(reply);
	return CLI_OK;
}

static int do_del(struct args *a)
{
	const char *source;
	int rc = arg_need(a, "SOURCE", &source);

	if (!rc)
		rc = arg_end(a);
	return rc ? rc : forget(json_pack("{ss ss}", "command", "grey del", "source", source));
}

static int do_flush(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : forget(json_pack("{ss}", "command", "grey flush"));
}

static const char *const numbers[] = { "waiting", "passed", "sources", "known", "room", "evicted", "full" };

static int do_stats(struct args *a)
{
	json_t *reply = NULL;
	int rc = arg_end(a);

	if (!rc)
		rc = call_daemon(json_pack("{ss}", "command", "grey stats"), &reply);
	if (rc)
		return rc;
	out_str("mode", "mode", json_string_value(json_object_get(reply, "mode")));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		out_num(numbers[i], numbers[i], number_of(reply, numbers[i]));
	json_decref(reply);
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "show", "[SOURCE] [limit N]", "Shows who waits and who has passed, the last seen first: all, or of SOURCE, an address, a network or a domain.", do_show },
	{ "del", "SOURCE", "Forgets all of SOURCE: it waits anew.", do_del },
	{ "flush", NULL, "Forgets everything: all strangers wait anew.", do_flush },
	{ "stats", NULL, "Shows the mode, how many wait and have passed, and how full the table is.", do_stats },
	{ 0 },
};

const struct object object_grey = { "grey", "the greylist", cmds };
