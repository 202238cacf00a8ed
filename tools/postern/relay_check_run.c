/* SPDX-License-Identifier: BSD-2-Clause */
/* relay_check_run.c: see relay_check_run.h */
#include "tools/postern/relay_check_run.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define NOBODY "postern-check-nobody"
#define REFUSALS_BEFORE_A_NEW_CONNECTION 8 /* servers slow down, or hang up, after ten or more */

static const char *const result_text[CHECK_RESULTS_MAX] = {
	[CHECK_REFUSED] = "refused",	 [CHECK_OPEN] = "OPEN",	    [CHECK_UNDECIDED] = "undecided", [CHECK_DEFERRED] = "deferred",
	[CHECK_NOT_ASKED] = "not asked", [CHECK_FAILED] = "failed", [CHECK_SKIPPED] = "not offered",
};

const char *check_result_text(enum check_result r)
{
	return result_text[r];
}

struct line {
	size_t n;
	char p[CHECK_LINE_MAX / 4]; /* escaped it is four times as long */
};

static void add(struct line *l, struct str s)
{
	if (s.n > sizeof(l->p) - l->n)
		s.n = sizeof(l->p) - l->n;
	memcpy(l->p + l->n, s.p, s.n);
	l->n += s.n;
}

/* The own domain with the character at `at` (replacing `over` bytes of it) as another that looks or works alike. */
static void add_alike(struct line *l, const char *domain, size_t at, size_t over, const char *other)
{
	struct str d = str_of(domain);

	if (at + over > d.n)
		at = over = 0;
	add(l, str_sub(d, 0, at));
	add(l, str_of(other));
	add(l, str_sub(d, at + over, d.n));
}

static void add_literal(struct line *l, const char *peer)
{
	if (strchr(peer, ':'))
		add(l, STR("IPv6:"));
	add(l, str_of(peer));
}

/* The foreign domain byte by byte: in capitals, or with its dots encoded. */
static void add_foreign(struct line *l, const char *domain, bool capitals)
{
	for (; *domain; domain++) {
		char c = capitals && *domain >= 'a' && *domain <= 'z' ? (char)(*domain - 'a' + 'A') : *domain;

		add(l, !capitals && c == '.' ? STR("+2E") : (struct str){ &c, 1 });
	}
}

/* False when there is no such place-holder. */
static bool add_named(struct line *l, const struct check *c, char name)
{
	const char *at = strchr(c->o->to, '@');

	switch (name) {
	case 'u': add(l, (struct str){ c->o->to, (size_t)(at - c->o->to) }); return true;
	case 'r': add(l, str_of(at + 1)); return true;
	case 'R': add_foreign(l, at + 1, true); return true;
	case 'e': add_foreign(l, at + 1, false); return true;
	case 'l': add(l, str_of(c->domain)); return true;
	case 'h': add(l, str_of(c->name)); return true;
	case 'i': add_literal(l, c->peer); return true;
	case 's': add(l, str_of(c->o->from)); return true;
	case 'n': add(l, STR(NOBODY)); return true;
	case '1': add_alike(l, c->domain, 0, 1, "\xd0\xb0"); return true;
	case '2': add_alike(l, c->domain, strcspn(c->domain, "."), 1, "\xe3\x80\x82"); return true;
	case '3': add_alike(l, c->domain, 1, 0, "\xc2\xad"); return true;
	case '4': add_alike(l, c->domain, 1, 0, "\xe2\x80\x8d"); return true;
	default: return false;
	}
}

static void expand(struct line *l, const struct check *c, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		bool named = i + 2 < text.n && text.p[i] == '{' && text.p[i + 2] == '}' && add_named(l, c, text.p[i + 1]);

		if (named)
			i += 2;
		else
			add(l, str_sub(text, i, i + 1));
	}
}

/* Sends head, text and CRLF, and hears the reply. Its code, 0 = none. */
static int say(struct check *c, const char *head, struct str text)
{
	struct line l = { 0 };

	add(&l, str_of(head));
	add(&l, text);
	l.n = l.n < sizeof(l.p) - 2 ? l.n : sizeof(l.p) - 2;
	add(&l, STR("\r\n"));
	if (!wire_send(&c->wire, (struct str){ l.p, l.n })) {
		memset(&c->last, 0, sizeof(c->last));
		snprintf(c->last.text, sizeof(c->last.text), "the server closed the connection");
		return 0;
	}
	return wire_reply(&c->wire, &c->last);
}

static int hello(struct check *c)
{
	int code = say(c, "EHLO ", str_of(c->o->helo));

	if (code / 100 == 5)
		code = say(c, "HELO ", str_of(c->o->helo));
	c->smtputf8 = c->last.smtputf8;
	return code;
}

static int failed(struct check *c, const char *what)
{
	snprintf(c->why, sizeof(c->why), "%.60s: %.130s", what, c->last.text);
	wire_close(&c->wire);
	return -1;
}

static int begin_tls(struct check *c)
{
	if (!c->last.starttls) {
		snprintf(c->last.text, sizeof(c->last.text), "the server does not offer it");
		return failed(c, "STARTTLS");
	}
	if (say(c, "STARTTLS", STR("")) != 220)
		return failed(c, "STARTTLS");
	if (!wire_tls(&c->wire)) {
		snprintf(c->last.text, sizeof(c->last.text), "the handshake failed");
		return failed(c, "TLS");
	}
	return hello(c) / 100 == 2 ? 0 : failed(c, "EHLO under TLS");
}

/* A session up to the point where MAIL is in order. 0, or -1 with the reason in c->why. */
static int open_session(struct check *c)
{
	wire_close(&c->wire);
	c->refusals = 0;
	if (c->connections == CHECK_CONNECTIONS_MAX) {
		snprintf(c->why, sizeof(c->why), "%u connections were made", c->connections);
		return -1;
	}
	c->connections++;
	if (wire_open(&c->wire, c->o->host, c->o->port, c->o->timeout_s, c->why, sizeof(c->why)))
		return -1;
	if (wire_reply(&c->wire, &c->last) != 220)
		return failed(c, "the greeting");
	snprintf(c->greeting, sizeof(c->greeting), "%s", c->last.text);
	snprintf(c->name, sizeof(c->name), "%s", c->last.name);
	if (hello(c) / 100 != 2)
		return failed(c, "EHLO");
	return c->o->starttls ? begin_tls(c) : 0;
}

static void end_session(struct check *c)
{
	if (c->wire.fd >= 0)
		say(c, "QUIT", STR(""));
	wire_close(&c->wire);
}

/* A message with the token, for the mailbox's owner to find. The code of the reply to its end. */
static int send_message(struct check *c, const char *id)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
			 "From: <%s>\r\nTo: <%s>\r\nSubject: relay check %s %s\r\nMessage-ID: <%s.%s@%s>\r\n\r\n"
			 "A relay check of %s got this message through, with vector %s.\r\n.",
			 c->o->from, c->o->to, c->token, id, c->token, id, c->o->helo, c->o->host, id);

	if (say(c, "DATA", STR("")) != 354)
		return c->last.code;
	return n < (int)sizeof(text) ? say(c, text, STR("")) : 0;
}

/* MAIL, RCPT and the way back. What was said to RCPT, or to MAIL (*at_mail), or to the message, is in c->last. */
static int ask(struct check *c, struct str mail, struct str rcpt, const char *id, bool *at_mail, bool *sent)
{
	int code = say(c, "MAIL FROM:", mail);
	struct wire_reply said;

	*at_mail = code / 100 != 2;
	if (*at_mail)
		return code;
	code = say(c, "RCPT TO:", rcpt);
	if (code / 100 == 2 && c->delivering) {
		code = send_message(c, id);
		*sent = code / 100 == 2;
	}
	said = c->last;
	if (code && code != 421 && say(c, "RSET", STR("")) / 100 != 2)
		wire_close(&c->wire);
	c->last = said;
	return code;
}

/* Perhaps the server counts connections by the second. */
static int retry_session(struct check *c)
{
	if (c->connections < CHECK_CONNECTIONS_MAX)
		sleep(1);
	return open_session(c);
}

/* Asks on a connection that is fit for it, and once more on a new one if it broke. */
static int ask_twice(struct check *c, struct str mail, struct str rcpt, const char *id, bool *at_mail, bool *sent)
{
	int code = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		bool fresh = c->wire.fd < 0 || c->refusals >= REFUSALS_BEFORE_A_NEW_CONNECTION || attempt;

		if (fresh) {
			if (c->wire.fd >= 0 && !attempt)
				end_session(c);
			if (open_session(c) && retry_session(c)) {
				snprintf(c->last.text, sizeof(c->last.text), "%s", c->why);
				return -1;
			}
		}
		code = ask(c, mail, rcpt, id, at_mail, sent);
		c->refusals += code / 100 != 2;
		if (code && code != 421)
			return code;
		wire_close(&c->wire);
	}
	return code;
}

static enum check_result judge(const struct check *c, const struct relay_vector *v, int code, bool at_mail)
{
	if (code < 0)
		return CHECK_NOT_ASKED;
	if (!code)
		return strstr(c->last.text, "closed") ? CHECK_REFUSED : CHECK_FAILED;
	if (code / 100 == 4)
		return CHECK_DEFERRED;
	if (at_mail && v->utf8)
		return CHECK_SKIPPED;
	if (at_mail && !v->mail.p)
		return CHECK_NOT_ASKED;
	if (code / 100 == 5)
		return CHECK_REFUSED;
	return v->foreign || !c->takes_anyone ? CHECK_OPEN : CHECK_UNDECIDED;
}

void check_vector(struct check *c, const struct relay_vector *v, struct check_row *row)
{
	struct line mail = { 0 }, rcpt = { 0 };
	bool at_mail = false;
	int code;

	expand(&mail, c, v->mail.p ? v->mail : STR("<{s}>"));
	if (v->utf8)
		add(&mail, STR(" SMTPUTF8"));
	expand(&rcpt, c, v->rcpt);
	row->vector = v;
	row->sent = false;
	str_escape((struct str){ mail.p, mail.n }, row->mail, sizeof(row->mail));
	str_escape((struct str){ rcpt.p, rcpt.n }, row->rcpt, sizeof(row->rcpt));
	if (v->utf8 && !c->smtputf8 && c->wire.fd >= 0) {
		row->result = CHECK_SKIPPED;
		snprintf(row->reply, sizeof(row->reply), "the server does not offer SMTPUTF8");
		return;
	}
	c->delivering = c->o->deliver;
	code = ask_twice(c, (struct str){ mail.p, mail.n }, (struct str){ rcpt.p, rcpt.n }, v->id, &at_mail, &row->sent);
	row->result = judge(c, v, code, at_mail);
	snprintf(row->reply, sizeof(row->reply), "%s", c->last.text);
}

/* Never delivers. The code of the reply, 0 or less = none. */
static int control(struct check *c, const char *recipient, char said[WIRE_TEXT_MAX])
{
	struct line mail = { 0 }, rcpt = { 0 };
	bool at_mail = false, sent = false;
	int code;

	expand(&mail, c, STR("<{s}>"));
	expand(&rcpt, c, str_of(recipient));
	c->delivering = false;
	code = ask_twice(c, (struct str){ mail.p, mail.n }, (struct str){ rcpt.p, rcpt.n }, "", &at_mail, &sent);
	snprintf(said, WIRE_TEXT_MAX, "%s", c->last.text);
	return code;
}

static void make_token(char token[17])
{
	unsigned char bytes[8] = { 0 };

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		bytes[0] = 1;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
}

int check_begin(struct check *c, const struct check_options *o)
{
	memset(c, 0, sizeof(*c));
	c->o = o;
	c->wire.fd = -1;
	make_token(c->token);
	if (open_session(c))
		return -1;
	addr_text(&c->wire.peer, c->peer);
	snprintf(c->domain, sizeof(c->domain), "%s", o->domain ? o->domain : c->name);
	control(c, "<postmaster@{l}>", c->postmaster);
	/* A temporary refusal or none at all leaves it open whether that user would be taken. */
	c->takes_anyone = control(c, "<{n}@{l}>", c->anyone) / 100 != 5;
	return 0;
}

void check_end(struct check *c)
{
	end_session(c);
}
