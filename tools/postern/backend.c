/* SPDX-License-Identifier: BSD-2-Clause */
/* backend.c: the mail servers behind the gate: how they fare, and what they say when they are asked now. */
#include <stdio.h>
#include <stdlib.h>

#include "tools/postern/backend_check.h"
#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/core/caps.h"
#include "user/core/mailbox.h"

#define DEFAULT_TO "postern-check@relay.example"

/* --- show ------------------------------------------------------------------------ */

static unsigned long long number(json_t *row, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(row, key));
}

static void show_one(json_t *row)
{
	const char *error = json_string_value(json_object_get(row, "error"));
	char text[64];

	out_row();
	out_str("backend", "backend", json_string_value(json_object_get(row, "backend")));
	out_str("address", "address", json_string_value(json_object_get(row, "address")));
	out_num("port", "port", number(row, "port"));
	out_str("state", "state", json_string_value(json_object_get(row, "state")));
	out_value("seconds", "for s", json_object_get(row, "seconds"));
	out_num("workers", NULL, number(row, "workers"));
	out_num("workers_up", NULL, number(row, "workers_up"));
	snprintf(text, sizeof(text), "%llu of %llu", number(row, "workers_up"), number(row, "workers"));
	out_str(NULL, "up in", text);
	out_num("weight", NULL, number(row, "weight"));
	out_num("weight_permille", NULL, number(row, "weight_permille"));
	snprintf(text, sizeof(text), "%llu.%03llu", number(row, "weight") * number(row, "weight_permille") / 1000,
		 number(row, "weight") * number(row, "weight_permille") % 1000);
	out_str(NULL, "weight", text);
	out_num("live", "live", number(row, "live"));
	out_num("idle", "idle", number(row, "idle"));
	out_num("waiting", "waiting", number(row, "waiting"));
	out_num("sessions", "sessions", number(row, "sessions"));
	out_num("checks", "checks", number(row, "checks"));
	out_num("failures", "failures", number(row, "failures"));
	out_value("error_seconds", NULL, json_object_get(row, "error_seconds"));
	out_str("error", "last error", error);
}

static int do_show(struct args *a)
{
	json_t *request = json_pack("{ss}", "command", "backend show"), *reply = NULL, *rows;
	const char *name = arg_next(a);
	int rc = arg_end(a);
	size_t i, n;
	json_t *row;

	if (name)
		json_object_set_new(request, "name", json_string(name));
	if (rc) {
		json_decref(request);
		return rc;
	}
	rc = call_daemon(request, &reply);
	if (rc)
		return rc;
	rows = json_object_get(reply, "backends");
	n = json_array_size(rows);
	if (name && !n) {
		json_decref(reply);
		return out_error("no worker has told of a backend \"%s\"; `postern backend show` lists them", name);
	}
	out_table("backends");
	json_array_foreach(rows, i, row)
		show_one(row);
	out_table_end();
	if (!n)
		out_line("no worker has told of a backend yet; ask again in a second");
	json_decref(reply);
	return CLI_OK;
}

/* --- check --------------------------------------------------------------------------- */

static json_t *offers_of(const struct sess_caps *caps)
{
	static const struct {
		const char *keyword;
		unsigned bit;
	} rows[] = {
#define SESS_X(sym, keyword) { keyword, CAP_##sym },
		SESS_EXTENSIONS(SESS_X)
#undef SESS_X
	};
	json_t *all = json_array();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (caps->bits & rows[i].bit)
			json_array_append_new(all, json_string(rows[i].keyword));
	return all;
}

static void words_of(json_t *list, char *out, size_t size)
{
	size_t i, n = 0;
	json_t *word;

	snprintf(out, size, "-");
	json_array_foreach(list, i, word)
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "", json_string_value(word));
}

static const char *const relays_name[] = {
	[RELAYS_UNASKED] = NULL, [RELAYS_NO] = "no", [RELAYS_YES] = "yes", [RELAYS_UNDECIDED] = "undecided",
};

static void say_check(const struct conf_backend *c, const struct backend_check *k)
{
	json_t *offers = offers_of(&k->caps);
	char addr[ADDR_TEXT_MAX], text[300];

	out_row();
	out_str("backend", "backend", c->name);
	out_str("address", "address", addr_text(&c->addr, addr));
	out_num("port", "port", c->port);
	out_bool("ok", "ok", k->ok);
	out_str("why", NULL, k->ok ? NULL : k->why);
	out_str("tls", "tls", k->tls[0] ? k->tls : NULL);
	out_bool("verified", "verified", k->verified);
	words_of(offers, text, sizeof(text));
	out_value("offers", NULL, offers);
	out_num("size", NULL, k->caps.size);
	out_str("auth", NULL, k->caps.mechs);
	out_bool("told", "told", k->told);
	out_str("relays", "relays", relays_name[k->relays]);
	out_str("said", NULL, k->said[0] ? k->said : NULL);
	out_str(NULL, "offers", text);
	json_decref(offers);
}

/* In words, what a table has no room for. True when all is well. */
static bool say_verdict(const struct conf_backend *c, const struct backend_check *k, const char *to)
{
	if (!k->ok)
		out_line("%s: %s", c->name, k->why);
	if (k->relays == RELAYS_YES && !k->told)
		out_line("%s: WIDE OPEN: it takes mail for <%s> from this address (%s), and is not told who the gate's clients are. Relay control"
			 " stands on the gate alone: take the gate's address out of what the server trusts.", c->name, to, k->said);
	if (k->relays == RELAYS_YES && k->told)
		out_line("%s: it takes mail for <%s> from this address itself (%s); it is told who the gate's clients are, and judges those.", c->name,
			 to, k->said);
	if (k->relays == RELAYS_UNDECIDED)
		out_line("%s: whether it relays for this address is undecided (%s); ask again with a mailbox elsewhere of your own: to ADDRESS", c->name,
			 k->said);
	return k->ok && (k->relays != RELAYS_YES || k->told);
}

static void say_error(void *ctx, const char *message)
{
	(void)ctx;
	out_error("%s", message);
}

static bool is_meant(const struct conf_backend *c, const char *name)
{
	return !strcmp(name, "all") || !strcmp(name, c->name);
}

static int check_all(const struct conf *conf, const char *name, const char *to)
{
	struct backend_check *k = calloc(conf->nbackends + 1, sizeof(*k));
	size_t n = 0;
	bool well = true;

	if (!k)
		return out_error("out of memory");
	for (size_t i = 0; i < conf->nbackends; i++)
		n += is_meant(&conf->backend[i], name);
	if (!n) {
		free(k);
		return out_error("the configuration has no backend \"%s\"", name);
	}
	out_table("backends");
	for (size_t i = 0; i < conf->nbackends; i++) {
		if (!is_meant(&conf->backend[i], name))
			continue;
		backend_check(&conf->backend[i], conf->listener[0].sess.hostname, to, &k[i]);
		say_check(&conf->backend[i], &k[i]);
	}
	out_table_end();
	for (size_t i = 0; i < conf->nbackends; i++)
		if (is_meant(&conf->backend[i], name))
			well &= say_verdict(&conf->backend[i], &k[i], to);
	free(k);
	return well ? CLI_OK : CLI_FAILED;
}

/* It goes into a command: nothing but an address will do. */
static bool is_address(const char *text)
{
	struct mailbox m;
	char path[400];
	struct str s;

	if (snprintf(path, sizeof(path), "<%s>", text) >= (int)sizeof(path))
		return false;
	s = str_of(path);
	return !mailbox_path(&s, false, false, &m) && !s.n && m.kind != MAILBOX_NULL;
}

static int do_check(struct args *a)
{
	const char *name, *to = DEFAULT_TO;
	struct conf *conf;
	int rc = arg_need(a, "NAME", &name);

	if (!rc && arg_is(a, "to"))
		rc = arg_need(a, "ADDRESS", &to);
	if (!rc)
		rc = arg_end(a);
	if (!rc && !is_address(to))
		rc = usage_error(a, "\"%s\" is not a mail address", to);
	if (rc)
		return rc;
	if (config_read(place_config(), &conf, say_error, NULL))
		return CLI_FAILED;
	rc = check_all(conf, name, to);
	config_free(conf);
	return rc;
}

static const struct cmd cmds[] = {
	{ "show", "[NAME]", "Shows how the backends fare: up or down and since when, connections, weight, sessions, checks, failures, the last error.", do_show },
	{ "check", "NAME|all [to ADDRESS]", "Calls a backend now as the gate does, tells what it offers, and whether it relays for this machine's address.", do_check },
	{ 0 },
};

const struct object object_backend = { "backend", "the mail servers behind the gate", cmds };
