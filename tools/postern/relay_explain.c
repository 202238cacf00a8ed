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
	q->client.tls = !rc && arg_is(a, "tls");
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

/* --- the sender --------------------------------------------------------------- */

/* What a rule of ours makes of the sender, in the order of core/sess_filter.c; text empty: no rule speaks of it. */
struct sender_word {
	char text[256];
	const char *file, *reply; /* reply: NULL = it is let through */
	unsigned line, route;	  /* route: 0 = as the recipient's */
};

static bool is_trusted(const struct conf *conf, const struct relay_client *c)
{
	for (size_t i = 0; i < conf->nallow; i++)
		if (prefix_covers(&conf->allow[i], &c->addr))
			return true;
	return c->authenticated || relay_trusts(&conf->relay, c);
}

static void by_list(const struct sender_decision *d, bool authenticated, struct sender_word *w)
{
	enum sender_action action = d->list->action;
	bool refuses = action >= SENDER_REFUSE || (action == SENDER_DIVERT && authenticated);

	snprintf(w->text, sizeof(w->text), "%s by sender list %s", refuses ? "refused" : action == SENDER_DIVERT ? "diverted" : "observed", d->list->name);
	w->file = d->rule->file;
	w->line = d->rule->line;
	w->reply = refuses ? "550 5.7.1" : NULL;
	w->route = !refuses && action == SENDER_DIVERT ? d->list->route : 0;
}

static void by_mode(enum pst_mode mode, const char *why, const char *reply, struct sender_word *w)
{
	snprintf(w->text, sizeof(w->text), "%s: %s", mode == PST_MODE_ENFORCE ? "refused" : "observed", why);
	w->reply = mode == PST_MODE_ENFORCE ? reply : NULL;
}

static void judge_sender(const struct conf *conf, const struct question *q, struct sender_word *w)
{
	const struct sess_conf *s = &conf->listener[0].sess; /* these two are global */
	bool trust = is_trusted(conf, &q->client);
	struct sender_decision d = sender_decide(&conf->senders, &q->from, trust);
	char account[ACCOUNT_MAX + 1] = "";

	memset(w, 0, sizeof(*w));
	if (q->user)
		account_fold(str_of(q->user), account);
	if (d.list)
		by_list(&d, q->client.authenticated, w);
	if (!w->reply && s->own_sender != PST_MODE_OFF && !trust && relay_is_own(&conf->relay, &q->from) &&
	    (!d.list || s->own_sender == PST_MODE_ENFORCE))
		by_mode(s->own_sender, "a stranger writes as one of our domains", "550 5.7.1", w);
	if (!w->reply && q->user && s->account_sender != PST_MODE_OFF && !account_owns(&conf->accounts, str_of(account), &q->from, NULL))
		by_mode(s->account_sender, "the account does not own this sender", "553 5.7.1", w);
}

static void show_sender(const struct sender_word *w)
{
	char place[512];

	if (!w->text[0])
		return;
	out_str("sender_verdict", "its sender is", w->text);
	out_str("sender_rule", "by rule", place_of(w->file, w->line, place, sizeof(place)));
	out_line("%s", "");
}

/* --- the verdict -------------------------------------------------------------- */

static void show_route(const struct conf *conf, const struct question *q, unsigned decided, unsigned diverted)
{
	/* Who logged in stays with the backend that knows him: see core/sess_commands.c. */
	const struct conf_route *route = &conf->route[q->client.authenticated ? 0 : diverted ? diverted : decided];
	char names[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < route->nbackends && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "", conf->backend[route->backend[i]].name);
	out_str("route", "route", route->name);
	out_str("backends", "backends", names);
}

static const char *reply_to(enum relay_result r)
{
	static const char *const reply[] = {
		[RELAY_NO_ACCESS] = "554 5.7.1 when it connects", [RELAY_NO_MAIL] = "556 5.1.10",    [RELAY_TRAP] = "550 5.1.1",
		[RELAY_UNKNOWN] = "550 5.1.1",			  [RELAY_NEEDS_TLS] = "550 5.7.10", [RELAY_NEEDS_AUTH] = "530 5.7.0",
		[RELAY_TRAP_DOMAIN] = "550 5.1.2",
		[RELAY_AWAITS_NAME] = "none before its name is known; 450 4.7.1 if nobody can tell",
	};

	if (relay_allows(r))
		return "whatever the backend answers";
	return r < sizeof(reply) / sizeof(*reply) && reply[r] ? reply[r] : "550 5.7.1";
}

static int answer(const struct conf *conf, struct question *q)
{
	struct relay_trace trace = { 0 };
	struct relay_decision d;
	struct sender_word w;
	char place[512];
	bool accepted;

	q->client.naming = !q->name;
	d = relay_explain(&conf->relay, &q->client, &q->to, &trace);
	judge_sender(conf, q, &w);
	if (d.result == RELAY_NO_ACCESS) /* it does not come to that */
		w = (struct sender_word){ .reply = NULL };
	accepted = relay_allows(d.result) && !w.reply;
	out_str("file", NULL, conf->path);
	show_question(q);
	show_steps(&trace);
	show_sender(&w);
	out_bool("accepted", NULL, accepted);
	out_str("verdict", "verdict", w.reply ? "refused: the sender may not be one" : relay_result_text(d.result));
	out_str("rule", "rule", w.reply ? place_of(w.file, w.line, place, sizeof(place)) : place_of(d.file, d.line, place, sizeof(place)));
	out_str("reply", "reply", w.reply ? w.reply : reply_to(d.result));
	if (accepted)
		show_route(conf, q, d.route, w.route);
	return accepted ? CLI_OK : CLI_FAILED;
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
