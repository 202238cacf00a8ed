/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_check.c: a mail server judged from outside: does it relay for a stranger? */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/postern/out.h"
#include "tools/postern/relay.h"
#include "tools/postern/relay_check_run.h"
#include "user/core/mailbox.h"

#define TIMEOUT_MAX_S 3600
#define CELL_MAX      60 /* characters of an address in the table; JSON has all */

/* Reserved names (RFC 2606): nobody is reached when a server does relay. */
#define DEFAULT_FROM "postern-check@client.example"
#define DEFAULT_TO   "postern-check@relay.example"
#define DEFAULT_HELO "client.example"

/* HOST, HOST:PORT, [V6], [V6]:PORT or V6. False when it is none of these. */
static bool take_place(char *word, const char **host, const char **port)
{
	char *colon = strrchr(word, ':'), *close = strchr(word, ']');
	unsigned long long n;

	*host = word;
	*port = "25";
	if (word[0] == '[') {
		if (!close || (close[1] && close[1] != ':'))
			return false;
		*host = word + 1;
		*close = '\0';
		colon = close[1] ? close + 1 : NULL;
	} else if (colon && strchr(word, ':') != colon) {
		colon = NULL; /* an IPv6 address by itself */
	}
	if (colon) {
		*colon = '\0';
		*port = colon + 1;
	}
	return **host && str_u64(str_of(*port), &n) && n && n <= 65535;
}

static int take_address(struct args *a, const char *what, const char **out)
{
	char path[CHECK_ADDRESS_MAX + 3];
	struct mailbox m;
	struct str in;
	int rc = arg_need(a, what, out), n;

	if (rc)
		return rc;
	n = snprintf(path, sizeof(path), "<%s>", *out);
	in = (struct str){ path, (size_t)n };
	if (n >= (int)sizeof(path) || mailbox_path(&in, false, false, &m) != MAILBOX_OK || in.n || m.kind != MAILBOX_DOMAIN || m.routed)
		return usage_error(a, "\"%s\" is not an address of the form user@domain", *out);
	return CLI_OK;
}

static int take_domain(struct args *a, const char *what, const char **out)
{
	struct mailbox m;
	int rc = arg_need(a, what, out);

	if (!rc && !mailbox_domain(str_of(*out), false, &m))
		return usage_error(a, "\"%s\" is not a domain", *out);
	return rc;
}

static int take_seconds(struct args *a, unsigned *out)
{
	unsigned long long n = 0;
	int rc = arg_number(a, "SECONDS", TIMEOUT_MAX_S, &n);

	*out = (unsigned)n;
	return rc;
}

static int take_options(struct args *a, struct check_options *o)
{
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "domain"))
			rc = take_domain(a, "LOCAL", &o->domain);
		else if (arg_is(a, "to"))
			rc = take_address(a, "ADDRESS", &o->to);
		else if (arg_is(a, "from"))
			rc = take_address(a, "ADDRESS", &o->from);
		else if (arg_is(a, "helo"))
			rc = take_domain(a, "NAME", &o->helo);
		else if (arg_is(a, "starttls"))
			o->starttls = true;
		else if (arg_is(a, "timeout"))
			rc = take_seconds(a, &o->timeout_s);
		else if (arg_is(a, "pause"))
			rc = take_seconds(a, &o->pause_s);
		else if (arg_is(a, "deliver") || arg_is(a, "--deliver"))
			o->deliver = true;
		else
			rc = arg_end(a);
	}
	if (rc)
		return rc;
	if (o->deliver && (!strcmp(o->to, DEFAULT_TO) || !o->domain))
		return usage_error(a, "deliver needs \"to ADDRESS\", a mailbox elsewhere that you can look into, and \"domain LOCAL\"");
	return CLI_OK;
}

static void ask_all(struct check *c, struct check_row *rows)
{
	unsigned deferred = 0;

	for (size_t i = 0; i < relay_nvectors; i++) {
		check_vector(c, &relay_vectors[i], &rows[i]);
		deferred += rows[i].result == CHECK_DEFERRED;
	}
	if (!deferred)
		return;
	out_note("%u of %zu were deferred; they are asked once more in %u s", deferred, relay_nvectors, c->o->pause_s);
	sleep(c->o->pause_s);
	for (size_t i = 0; i < relay_nvectors; i++)
		if (rows[i].result == CHECK_DEFERRED)
			check_vector(c, &relay_vectors[i], &rows[i]);
}

static void show_head(const struct check *c)
{
	out_str("server", "server", c->peer);
	out_str("port", "port", c->o->port);
	out_str("greeting", "greeting", c->greeting);
	out_str("domain", "its own domain", c->domain);
	out_str("mail", "sender", c->o->from);
	out_str("rcpt", "must not be reached", c->o->to);
	out_str("postmaster", "its postmaster", c->postmaster);
	out_str("nobody", "a user it has not", c->anyone);
	if (c->o->deliver)
		out_str("token", "token", c->token);
	out_num("connections", "connections", c->connections);
	out_line("%s", "");
}

static void show_rows(const struct check_row *rows)
{
	char cell[CELL_MAX + 4];

	out_table("vectors");
	for (size_t i = 0; i < relay_nvectors; i++) {
		const struct check_row *r = &rows[i];

		snprintf(cell, sizeof(cell), "%.*s%s", CELL_MAX, r->rcpt, strlen(r->rcpt) > CELL_MAX ? "..." : "");
		out_row();
		out_str("id", "id", r->vector->id);
		out_str("class", "class", relay_class_name(r->vector->class));
		out_str("why", NULL, relay_class_why(r->vector->class));
		out_str("result", "result", check_result_text(r->result));
		out_str("mail", NULL, r->mail);
		out_str("rcpt", NULL, r->rcpt);
		out_str(NULL, "recipient", cell);
		out_str("reply", "reply", r->reply);
		out_bool("sent", NULL, r->sent);
	}
	out_table_end();
	out_line("%s", "");
}

/* "B01, B02" of the rows with a result; the number of them. */
static unsigned ids_of(const struct check_row *rows, enum check_result result, char *out, size_t size)
{
	unsigned found = 0;
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; i < relay_nvectors; i++)
		if (rows[i].result == result && found++ < relay_nvectors && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", rows[i].vector->id);
	return found;
}

/* What keeps the verdict from being "closed", each with what would help. */
static const struct {
	enum check_result result;
	const char *text;
} doubt_row[] = {
	{ CHECK_UNDECIDED, "accepted, as any user of the server's own domain is; \"deliver\" tells whether they leave" },
	{ CHECK_DEFERRED, "refused for now only; ask again later, or with a longer \"pause\"" },
	{ CHECK_NOT_ASKED, "not asked, because the sender was refused or no session was to be had; another \"from\" may help" },
	{ CHECK_FAILED, "not answered in time or by a reply of SMTP; a longer \"timeout\" may help" },
};

static void show_classes(const struct check_row *rows)
{
	for (int class = 0; class < RELAY_CLASSES_MAX; class++) {
		bool open = false;

		for (size_t i = 0; i < relay_nvectors; i++)
			open |= rows[i].vector->class == (enum relay_class)class && rows[i].result == CHECK_OPEN;
		if (open)
			out_line("  %s: %s", relay_class_name((enum relay_class)class), relay_class_why((enum relay_class)class));
	}
}

static int show_verdict(const struct check *c, const struct check_row *rows)
{
	char ids[2048];
	unsigned doubts = 0, open = ids_of(rows, CHECK_OPEN, ids, sizeof(ids));

	if (open) {
		out_line("OPEN: it relays for strangers, by %u of %zu vectors: %s", open, relay_nvectors, ids);
		show_classes(rows);
	}
	for (size_t i = 0; i < sizeof(doubt_row) / sizeof(*doubt_row); i++) {
		unsigned n = ids_of(rows, doubt_row[i].result, ids, sizeof(ids));

		if (n)
			out_line("%s: %u %s: %s", doubts || open ? "also" : "undecided", n, doubt_row[i].text, ids);
		doubts += n;
	}
	if (c->o->deliver)
		out_line("look for the token %s in the mailbox of %s: what arrives there was relayed", c->token, c->o->to);
	if (!open && !doubts)
		out_line("closed: %zu vectors, none of them relays", relay_nvectors);
	return open || doubts ? CLI_FAILED : CLI_OK;
}

static const char *verdict_of(const struct check_row *rows)
{
	const char *verdict = "closed";

	for (size_t i = 0; i < relay_nvectors; i++) {
		if (rows[i].result == CHECK_OPEN)
			return "open";
		if (rows[i].result != CHECK_REFUSED && rows[i].result != CHECK_SKIPPED)
			verdict = "undecided";
	}
	return verdict;
}

int relay_do_check(struct args *a)
{
	struct check_options o = { .helo = DEFAULT_HELO, .from = DEFAULT_FROM, .to = DEFAULT_TO, .timeout_s = 30, .pause_s = 60 };
	char place[300];
	const char *word;
	struct check_row *rows;
	struct check c;
	int rc = arg_need(a, "HOST", &word);

	if (rc)
		return rc;
	snprintf(place, sizeof(place), "%s", word);
	if (strlen(word) >= sizeof(place) || !take_place(place, &o.host, &o.port))
		return usage_error(a, "\"%s\" is not HOST, HOST:PORT, IPV6 or [IPV6]:PORT", word);
	rc = take_options(a, &o);
	if (rc)
		return rc;
	rows = calloc(relay_nvectors, sizeof(*rows));
	if (!rows)
		return out_error("out of memory");
	if (check_begin(&c, &o)) {
		out_str("verdict", NULL, "undecided");
		rc = out_error("nothing could be asked, so it is undecided: %s port %s: %s", o.host, o.port, c.why);
	} else {
		ask_all(&c, rows);
		check_end(&c);
		show_head(&c);
		show_rows(rows);
		out_str("verdict", "verdict", verdict_of(rows));
		rc = show_verdict(&c, rows);
	}
	free(rows);
	return rc;
}
