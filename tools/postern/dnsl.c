/* SPDX-License-Identifier: BSD-2-Clause */
/* dnsl.c: DNS lists: how they fare in the daemon, and what they say when they are asked now. */
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/dnsl_check.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"

/* --- show --------------------------------------------------------------------------- */

static unsigned long long number(json_t *row, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(row, key));
}

static void weights_text(json_t *weights, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *w;

	*out = '\0';
	json_array_foreach(weights, i, w)
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? " " : "", (long long)json_integer_value(w));
}

static void show_one(json_t *row)
{
	char text[256];

	out_row();
	out_str("zone", "zone", json_string_value(json_object_get(row, "zone")));
	out_str("state", "state", json_string_value(json_object_get(row, "state")));
	out_value("seconds", "for s", json_object_get(row, "seconds"));
	out_num("workers", NULL, number(row, "workers"));
	out_num("workers_up", NULL, number(row, "workers_up"));
	snprintf(text, sizeof(text), "%llu of %llu", number(row, "workers_up"), number(row, "workers"));
	out_str(NULL, "up in", text);
	out_value("weights", NULL, json_object_get(row, "weights"));
	weights_text(json_object_get(row, "weights"), text, sizeof(text));
	out_str(NULL, "weights", text);
	out_num("queries", "queries", number(row, "queries"));
	out_num("listed", "listed", number(row, "listed"));
	out_num("errors", "errors", number(row, "errors"));
	out_num("timeouts", "timeouts", number(row, "timeouts"));
	out_str("why", "why", json_string_value(json_object_get(row, "why")));
}

static int do_show(struct args *a)
{
	json_t *reply = NULL, *row;
	int rc;
	size_t i;

	arg_is(a, "zones");
	rc = arg_end(a);
	if (!rc)
		rc = call_daemon(json_pack("{ss}", "command", "dnsl show"), &reply);
	if (rc)
		return rc;
	out_str("mode", "mode", json_string_value(json_object_get(reply, "mode")));
	out_num("enforce", "enforce", number(reply, "enforce"));
	out_value("ban", "ban", json_object_get(reply, "ban"));
	out_value("skip", "skip", json_object_get(reply, "skip"));
	out_line("%s", "");
	out_table("zones");
	json_array_foreach(json_object_get(reply, "zones"), i, row)
		show_one(row);
	out_table_end();
	if (!json_array_size(json_object_get(reply, "zones")))
		out_line("no DNS lists; set sites in section dnsl");
	json_decref(reply);
	return CLI_OK;
}

/* --- check -------------------------------------------------------------------------- */

static void say_verdict(const struct dnsl_verdict *v)
{
	static const char *const texts[] = {
		[DNSL_OPEN] = "It hangs on what did not answer: nothing is held against it.",
		[DNSL_SKIP] = "It is spared the pause, the other tests and the greylist.",
		[DNSL_PASS] = "Nothing is held against it.",
		[DNSL_ENFORCE] = "The test dnsl finds it out.",
		[DNSL_BAN] = "The test dnsl finds it out, and it is banned.",
	};

	out_str("verdict", "verdict", dnsl_does_name(v->does));
	out_int("score", NULL, v->score);
	out_bool("sure", NULL, v->sure);
	out_line("%s%s", texts[v->does], v->sure ? "" : " Not every list has answered.");
}

static int report(struct dnsl_check *c, const struct pst_addr *addr)
{
	const struct dnsl_verdict *v = dnsl_check_verdict(c);
	char text[ADDR_TEXT_MAX];

	if (addr) {
		out_str("address", "address", addr_text(addr, text));
		out_str("told", "lists say", dnsl_check_told(c));
		say_verdict(v);
		out_line("%s", "");
	}
	dnsl_check_table(c, "zones");
	if (!addr)
		return dnsl_check_sound(c) ? CLI_OK : CLI_FAILED;
	return v->does == DNSL_ENFORCE || v->does == DNSL_BAN ? CLI_FAILED : CLI_OK;
}

static void say(void *ctx, const char *message)
{
	(void)ctx;
	out_error("%s", message);
}

static int check(const struct conf *conf, const struct pst_addr *addr)
{
	struct dnsl_check *c;
	const char *why;
	int rc;

	if (!conf->dnsl.rules.nrules)
		return out_error("%s names no DNS lists; set sites in section dnsl", conf->path);
	c = dnsl_check(conf, addr, &why);
	if (!c)
		return out_error("nobody can be asked: %s", why);
	rc = report(c, addr);
	dnsl_check_free(c);
	return rc;
}

static int do_check(struct args *a)
{
	struct conf *conf;
	struct pst_addr addr;
	bool given = a->n;
	int rc = given ? arg_addr(a, &addr) : CLI_OK;

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	if (config_read(place_config(), &conf, say, NULL))
		return CLI_FAILED;
	rc = check(conf, given ? &addr : NULL);
	config_free(conf);
	return rc;
}

static const struct cmd cmds[] = {
	{ "show", "[zones]", "Shows how each zone fares in the daemon: its state by its last tests, since when, and what it answered.", do_show },
	{ "check", "[ADDRESS]", "Tests the zones of the configuration from here and now, and asks those that are sound about ADDRESS; exit status 1 when it would be found out, or, without ADDRESS, when a zone is unsound.", do_check },
	{ 0 },
};

const struct object object_dnsl = { "dnsl", "DNS lists", cmds };
