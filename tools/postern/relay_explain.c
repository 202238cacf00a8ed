/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_explain.c: the decision about one recipient, as the daemon would make it with this configuration file. */
#include <stdio.h>

#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/relay.h"
#include "user/config.h"

struct question {
	struct relay_client client;
	const char *name, *user, *sender, *recipient; /* as given; NULL = not */
	struct mailbox from, to, host;
};

static int wants(struct args *a, const char *keyword)
{
	return arg_is(a, keyword) ? CLI_OK : usage_error(a, "the word \"%s\" is missing", keyword);
}

/* With or without its angle brackets. SMTPUTF8 is taken as given. */
static int take_path(struct args *a, const char *what, bool reverse, const char **word, struct mailbox *out)
{
	char path[2 * MAILBOX_TEXT_MAX];
	struct str in;
	int rc = arg_need(a, what, word), n;

	if (rc)
		return rc;
	n = snprintf(path, sizeof(path), **word == '<' ? "%s" : "<%s>", *word);
	in = (struct str){ path, (size_t)n };
	if (n >= (int)sizeof(path) || mailbox_path(&in, reverse, true, out) != MAILBOX_OK || in.n)
		return usage_error(a, "\"%s\" is not an address that RFC 5321 allows; the gate answers 501 to it", *word);
	return CLI_OK;
}

static int take_name(struct args *a, struct question *q)
{
	int rc = arg_need(a, "HOST", &q->name);

	if (rc || !strcmp(q->name, "none"))
		return rc;
	if (!mailbox_domain(str_of(q->name), true, &q->host) || q->host.kind != MAILBOX_DOMAIN)
		return usage_error(a, "\"%s\" is not a host name", q->name);
	q->client.name = (struct str){ q->host.domain, q->host.ndomain };
	return CLI_OK;
}

static int take_question(struct args *a, struct question *q)
{
	int rc = wants(a, "from");

	if (!rc)
		rc = arg_addr(a, &q->client.addr);
	if (!rc && arg_is(a, "name"))
		rc = take_name(a, q);
	if (!rc && arg_is(a, "auth")) {
		rc = arg_need(a, "USER", &q->user);
		q->client.authenticated = true;
	}
	if (!rc)
		rc = wants(a, "mail");
	if (!rc)
		rc = take_path(a, "SENDER", true, &q->sender, &q->from);
	if (!rc)
		rc = wants(a, "rcpt");
	if (!rc)
		rc = take_path(a, "RECIPIENT", false, &q->recipient, &q->to);
	return rc ? rc : arg_end(a);
}

static const char *place_of(const char *file, unsigned line, char *out, size_t size)
{
	if (!file || !line) /* built in, or a section that is not written: its default */
		return NULL;
	snprintf(out, size, "%s:%u", file, line);
	return out;
}

static void show_question(const struct question *q)
{
	char text[MAILBOX_TEXT_MAX], addr[ADDR_TEXT_MAX];

	out_str("client", "client", addr_text(&q->client.addr, addr));
	out_str("name", "name", q->client.name.n ? q->client.name.p : q->name);
	out_str("user", "authenticated as", q->user);
	mailbox_text(&q->from, text);
	out_str("mail", "sender", text);
	mailbox_text(&q->to, text);
	out_str("rcpt", "recipient", text);
}

static void show_steps(const struct relay_trace *t)
{
	char place[512];

	out_line("%s", "");
	out_table("steps");
	for (unsigned i = 0; i < t->n; i++) {
		const char *answer = t->step[i].unknown ? "its name would tell" : t->step[i].answer ? "yes" : "no";

		out_row();
		out_str("question", "question", relay_step_text(t->step[i].step));
		out_str("answer", "answer", answer);
		out_str("rule", "rule", place_of(t->step[i].file, t->step[i].line, place, sizeof(place)));
	}
	out_table_end();
	out_line("%s", "");
}

static void show_route(const struct conf *conf, const struct question *q, unsigned decided)
{
	/* Who logged in stays with the backend that knows him: see core/sess_commands.c. */
	const struct conf_route *route = &conf->route[q->client.authenticated ? 0 : decided];
	char names[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < route->nbackends && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "", conf->backend[route->backend[i]].name);
	out_str("route", "route", route->name);
	out_str("backends", "backends", names);
}

static const char *reply_to(enum relay_result r)
{
	if (relay_allows(r))
		return "whatever the backend answers";
	if (r == RELAY_NO_ACCESS)
		return "554 5.7.1 when it connects";
	if (r == RELAY_AWAITS_NAME)
		return "none before its name is known; 450 4.7.1 if nobody can tell";
	if (r == RELAY_NO_MAIL)
		return "556 5.1.10";
	return r == RELAY_TRAP ? "550 5.1.1" : "550 5.7.1";
}

static int answer(const struct conf *conf, struct question *q)
{
	struct relay_trace trace = { 0 };
	struct relay_decision d;
	char place[512];

	q->client.naming = !q->name;
	d = relay_explain(&conf->relay, &q->client, &q->to, &trace);
	out_str("file", NULL, conf->path);
	show_question(q);
	show_steps(&trace);
	out_bool("accepted", NULL, relay_allows(d.result));
	out_str("verdict", "verdict", relay_result_text(d.result));
	out_str("rule", "rule", place_of(d.file, d.line, place, sizeof(place)));
	out_str("reply", "reply", reply_to(d.result));
	if (relay_allows(d.result))
		show_route(conf, q, d.route);
	return relay_allows(d.result) ? CLI_OK : CLI_FAILED;
}

static void say(void *ctx, const char *message)
{
	(void)ctx;
	out_error("%s", message);
}

int relay_do_explain(struct args *a)
{
	struct question q = { 0 };
	struct conf *conf;
	int rc = take_question(a, &q);

	if (rc)
		return rc;
	if (config_read(place_config(), &conf, say, NULL))
		return CLI_FAILED;
	rc = answer(conf, &q);
	config_free(conf);
	return rc;
}
