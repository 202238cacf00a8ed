/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_commands.c: one row per verb: when it is legal, what must hold, what it does. */
#include "user/core/sess_internal.h"

#define AT(state) (1u << (state))
#define AT_ANY	  (AT(S_START) | AT(S_READY) | AT(S_MAIL))
#define AT_ALL	  (AT_ANY | AT(S_CHUNKS)) /* between chunks, too */

enum row_flags {
	F_BARE = 1 << 0,  /* takes no argument */
	F_ARG = 1 << 1,	  /* needs one */
	F_LAST = 1 << 2,  /* ends a group: nothing may follow until the reply (RFC 2920 section 3.1, RFC 3207, RFC 4954) */
	F_CLEAR = 1 << 3, /* allowed before STARTTLS where TLS is required */
};

struct row {
	enum pst_counter counted;
	unsigned legal;
	unsigned flags;
	void (*run)(struct sess *s, struct sess_step *step, struct str args);
};

unsigned promised(const struct sess *s)
{
	return s->esmtp ? s->caps.bits | CAP_SIZE : 0;
}

unsigned long long stricter(unsigned long long a, unsigned long long b)
{
	return !a || (b && b < a) ? b : a;
}

const struct relay_route *own_route(const struct sess *s)
{
	return s->route < s->conf->relay->nroutes ? &s->conf->relay->route[s->route] : NULL;
}

unsigned long long size_limit(const struct sess *s)
{
	const struct relay_route *route = own_route(s);

	return stricter(stricter(s->conf->body.size, route ? route->message_size : 0), s->caps.size);
}

unsigned long long session_max(const struct sess *s)
{
	const struct relay_route *route = own_route(s);

	return stricter(s->conf->session_max, route ? route->session_size : 0);
}

void syntax(struct sess *s, struct sess_step *step, const char *line, struct str evidence)
{
	found(s, step, PST_RSN_SYNTAX, evidence);
	step->reply = str_of(line);
}

/* The refusal of MAIL's or RCPT's arguments. path: for SMTP_BAD_PATH, where the two differ. */
static void refuse(struct sess *s, struct sess_step *step, enum smtp_flaw flaw, const char *path, struct str args)
{
	switch (flaw) {
	case SMTP_OK:
		return;
	case SMTP_BAD_ARGUMENT:
		syntax(s, step, "501 5.5.4 Syntax error in parameters\r\n", args);
		return;
	case SMTP_BAD_PATH:
		syntax(s, step, path, args);
		return;
	case SMTP_NEEDS_UTF8:
		say(s, step, "553 5.6.7 Address needs SMTPUTF8\r\n");
		return;
	case SMTP_BAD_UTF8:
		syntax(s, step, "501 5.5.2 Address is not valid UTF-8 or not a valid domain name\r\n", args);
		return;
	case SMTP_UNPROMISED:
		say(s, step, "555 5.5.4 Unsupported parameter\r\n");
		return;
	case SMTP_NO_RESOURCES:
		say(s, step, "452 4.3.1 Command too long\r\n");
		return;
	}
}

/* The next session takes what this one has no room for. The first message of a session always has. */
static bool session_full(const struct sess *s, unsigned long long size)
{
	unsigned long long max = session_max(s);

	return max && s->content && (s->content >= max || size > max - s->content);
}

static void run_mail(struct sess *s, struct sess_step *step, struct str args)
{
	struct smtp_mail m;
	enum smtp_flaw flaw;

	if (s->conf->auth == SESS_REQUIRE && !s->authenticated) {
		say(s, step, "530 5.7.0 Authentication required\r\n");
		return;
	}
	if (over_mail(s, step))
		return;
	if (s->conf->messages_max && s->messages >= s->conf->messages_max) {
		say_last(s, step, "421 4.7.0 Too many messages in one session\r\n", PST_CNT_SESS_REFUSED);
		return;
	}
	flaw = smtp_mail(args, promised(s), &m);
	if (!flaw && m.sized && size_limit(s) && m.size > size_limit(s)) {
		tally(s, PST_CNT_MAIL_SIZE);
		say(s, step, "552 5.3.4 Message is over the size limit\r\n");
		return;
	}
	if (!flaw && session_full(s, m.size)) {
		tally(s, PST_CNT_MAIL_SIZE);
		say_last(s, step, "421 4.7.0 Session size limit reached\r\n", PST_CNT_SESS_REFUSED);
		return;
	}
	s->nmail = flaw ? 0 : smtp_mail_text(&m, s->caps.bits, s->mail, sizeof(s->mail));
	if (!flaw && !s->nmail)
		flaw = SMTP_NO_RESOURCES;
	if (flaw) {
		tally(s, PST_CNT_MAIL_SYNTAX);
		refuse(s, step, flaw, "501 5.1.7 Bad sender address syntax\r\n", args);
		return;
	}
	if (!sender_fits(s, step, &m.from, args)) {
		s->nmail = 0;
		return;
	}
	s->declared = m.sized ? m.size : 0;
	s->utf8 = m.utf8;
	s->blank = m.from.kind == MAILBOX_NULL;
	s->quota.charged = false;
	s->met = true;
	grey_mail(s, &m.from);
	enter(s, S_MAIL);
	say(s, step, "250 2.1.0 Ok\r\n");
	test_mail(s, step);
}

void defer_rcpt(struct sess *s, struct sess_step *step, const char *line)
{
	tally(s, PST_CNT_RCPT_DEFERRED);
	s->refused = true;
	step->reply = str_of(line); /* nor an error: a mailing list's sender may hear it a thousand times */
}

/* By the limits of the way that this message is to go. */
static bool session_over(struct sess *s, struct sess_step *step)
{
	const struct relay_route *route = own_route(s);
	bool full = session_full(s, s->declared);

	if (!full && !(route && route->messages_max && s->messages >= route->messages_max))
		return false;
	tally(s, PST_CNT_RCPT_DEFERRED);
	say_last(s, step, full ? "421 4.7.0 Session size limit reached\r\n" : "421 4.7.0 Too many messages in one session\r\n", PST_CNT_SESS_REFUSED);
	return true;
}

/*
 * One backend per transaction: the first recipient that is accepted chooses the route of all. Who logged in stays with
 * the backend that knows him.
 */
static bool route_fits(struct sess *s, struct sess_step *step, const struct relay_decision *d)
{
	unsigned route = logged_in(s) ? 0 : s->diverted ? s->diverted : d->route;

	if (s->rcpts && route != s->route) {
		defer_rcpt(s, step, "452 4.5.3 Recipient needs a message of its own\r\n");
		return false;
	}
	s->route = route;
	if (!s->rcpts && session_over(s, step))
		return false;
	if (size_limit(s) && s->declared > size_limit(s)) {
		tally(s, PST_CNT_RCPT_REJECTED);
		s->refused = true;
		say(s, step, "552 5.3.4 Message is over this recipient's size limit\r\n");
		return false;
	}
	return true;
}

/* Relay control: true when the recipient may be asked for. */
static bool rcpt_allowed(struct sess *s, struct sess_step *step, const struct mailbox *to, struct str args)
{
	struct relay_client client = client_of(s);
	struct relay_decision d = relay_decide(s->conf->relay, &client, to);

	s->own = d.result == RELAY_OWN;
	if (relay_allows(d.result))
		return route_fits(s, step, &d);
	refuse_rcpt(s, step, &d, to, args);
	return false;
}

static bool rcpts_full(const struct sess *s)
{
	const struct relay_route *route = own_route(s);
	unsigned long long max = stricter(s->conf->rcpt_max, route ? route->rcpt_max : 0);
	unsigned null_max = s->conf->null_rcpt_max;

	return (max && s->rcpts >= max) || (s->blank && null_max && s->rcpts >= null_max);
}

static void run_rcpt(struct sess *s, struct sess_step *step, struct str args)
{
	char *line = s->line + s->nline;
	struct smtp_rcpt r;
	size_t n;
	enum smtp_flaw flaw = smtp_rcpt(args, promised(s), s->utf8, &r);

	if (over_rcpt(s, step))
		return;
	if (!flaw && !rcpt_allowed(s, step, &r.to, args))
		return;
	if (!flaw && rcpts_full(s)) {
		defer_rcpt(s, step, "452 4.5.3 Too many recipients\r\n");
		return;
	}
	n = flaw || s->nrcpt == SESS_RCPTS_MAX ? 0 : smtp_rcpt_text(&r, line, sizeof(s->line) - s->nline);
	if (!flaw && !n)
		flaw = SMTP_NO_RESOURCES;
	if (flaw) {
		tally(s, PST_CNT_RCPT_SYNTAX);
		s->refused = true;
		refuse(s, step, flaw, "501 5.1.3 Bad recipient address syntax\r\n", args);
		return;
	}
	if (name_tests_awaited(s)) {
		await_name(s);
		return;
	}
	if (rcpt_condemned(s, step, &r.to) || !grey_lets_rcpt(s, step, &r.to) || !quota_lets(s, step, &r.to))
		return;
	s->begun = true;
	ask(s, step, ASK_RCPT);
	step->route = s->route;
	step->ask_mail = (struct str){ s->mail, s->nmail };
	step->ask_line = (struct str){ line, n };
	s->rcpt[s->nrcpt++] = (struct sess_rcpt){ (unsigned short)n, s->own };
	s->nline += n;
}

static void run_data(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	if (s->rcpts && !grey_lets_data(s, step))
		return;
	if (s->rcpts)
		ask(s, step, ASK_DATA);
	else if (s->refused)
		say(s, step, "554 5.5.1 No valid recipients\r\n");
	else
		say(s, step, "503 5.5.1 Need RCPT first\r\n");
}

static void run_rset(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	drop_transaction(s, step);
	say(s, step, "250 2.0.0 Ok\r\n");
}

static void run_noop(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	say(s, step, "250 2.0.0 Ok\r\n");
}

static void run_quit(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	if (in_content(s))
		drop_transaction(s, step);
	say_last(s, step, "221 2.0.0 Bye\r\n", PST_CNT_SESS_QUIT);
}

/* No lookup stands behind it, so it tells nothing (RFC 5321 section 7.3). */
static void run_vrfy(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	if (s->conf->hide[EXT_VRFY])
		say(s, step, NOT_IMPLEMENTED);
	else
		say(s, step, "252 2.5.0 Cannot verify, send some mail and see\r\n");
}

static void run_help(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	if (s->conf->hide[EXT_HELP])
		say(s, step, NOT_IMPLEMENTED);
	else
		say(s, step, "214 2.0.0 See the SMTP standard\r\n");
}

static void run_unimplemented(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	say(s, step, NOT_IMPLEMENTED);
}

static void run_unknown(struct sess *s, struct sess_step *step, struct str line)
{
	found(s, step, PST_RSN_UNKNOWN, evidence_of(s, line));
}

/* Where nobody is turned away for it, it is a command that is not known. */
static void run_foreign(struct sess *s, struct sess_step *step, struct str line)
{
	if (test_mode(s, TEST_NON_SMTP) == TRIAGE_OFF) {
		run_unknown(s, step, line);
		return;
	}
	found(s, step, PST_RSN_NON_SMTP, evidence_of(s, line));
	if (!s->final)
		say(s, step, "500 5.5.2 Command not recognized\r\n");
}

static const struct row rows[SMTP_VERBS_MAX] = {
	/* verb             counted as            legal                      flags             run */
	[SMTP_EHLO]     = { PST_CNT_CMD_EHLO,     AT_ANY,                    F_ARG | F_LAST | F_CLEAR,  run_ehlo },
	[SMTP_HELO]     = { PST_CNT_CMD_HELO,     AT_ANY,                    F_ARG | F_LAST | F_CLEAR,  run_helo },
	[SMTP_MAIL]     = { PST_CNT_CMD_MAIL,     AT(S_READY),               F_ARG,                     run_mail },
	[SMTP_RCPT]     = { PST_CNT_CMD_RCPT,     AT(S_MAIL),                F_ARG,                     run_rcpt },
	[SMTP_DATA]     = { PST_CNT_CMD_DATA,     AT(S_MAIL),                F_BARE | F_LAST,           run_data },
	[SMTP_RSET]     = { PST_CNT_CMD_RSET,     AT_ALL,                    F_BARE | F_CLEAR,          run_rset },
	[SMTP_NOOP]     = { PST_CNT_CMD_NOOP,     AT_ALL,                    F_CLEAR,                   run_noop },
	[SMTP_QUIT]     = { PST_CNT_CMD_QUIT,     AT_ALL,                    F_BARE | F_CLEAR,          run_quit },
	[SMTP_VRFY]     = { PST_CNT_CMD_VRFY,     AT_ALL,                    F_ARG,                     run_vrfy },
	[SMTP_EXPN]     = { PST_CNT_CMD_EXPN,     AT_ANY,                    0,                         run_unimplemented },
	[SMTP_HELP]     = { PST_CNT_CMD_HELP,     AT_ALL,                    0,                         run_help },
	[SMTP_STARTTLS] = { PST_CNT_CMD_STARTTLS, AT(S_READY),               F_BARE | F_LAST | F_CLEAR, run_starttls },
	[SMTP_AUTH]     = { PST_CNT_CMD_AUTH,     AT(S_READY),               F_ARG | F_LAST,            run_auth },
	[SMTP_ETRN]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_TURN]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_ATRN]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_SEND]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_SOML]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_SAML]     = { PST_CNT_CMD_OTHER,    AT_ANY,                    0,                         run_unimplemented },
	[SMTP_BDAT]     = { PST_CNT_CMD_BDAT,     AT_ALL,                    F_CLEAR,                   run_bdat },
	[SMTP_XCLIENT]  = { PST_CNT_CMD_XCLIENT,  AT(S_START) | AT(S_READY), F_ARG | F_LAST,            run_xclient },
	[SMTP_UNKNOWN]  = { PST_CNT_CMD_OTHER,    AT_ANY,                    F_CLEAR,                   run_unknown },
	[SMTP_FOREIGN]  = { PST_CNT_CMD_OTHER,    AT_ANY,                    F_CLEAR,                   run_foreign },
};

/* Flaws of a command line, worst first. 8-bit text is the path grammar's business in MAIL and RCPT only. */
static bool line_flawed(struct sess *s, struct sess_step *step, const struct line *line, enum smtp_verb verb)
{
	struct str evidence = evidence_of(s, line->text);
	bool wide_ok = verb == SMTP_MAIL || verb == SMTP_RCPT;

	if (line->flaws & (LINE_BARE_LF | LINE_BARE_CR))
		found(s, step, PST_RSN_BARE_LF, evidence);
	if (s->final)
		return true;
	if (line->flaws & LINE_LONG) {
		found(s, step, PST_RSN_LONG_LINE, evidence);
		if (verb == SMTP_AUTH) /* RFC 4954 section 4 */
			step->reply = STR("500 5.5.6 Authentication exchange line is too long\r\n");
	} else if (line->flaws & (LINE_BARE_LF | LINE_BARE_CR | LINE_NUL | LINE_CTRL) || (line->flaws & LINE_8BIT && !wide_ok))
		found(s, step, PST_RSN_JUNK_LINE, evidence);
	else
		return false;
	return true;
}

/* What must hold before a row may run; false when the step says why not. */
static bool may_run(struct sess *s, struct sess_step *step, const struct row *row, struct str args)
{
	if (s->conf->tls == SESS_REQUIRE && !s->tls && !(row->flags & F_CLEAR))
		say(s, step, "530 5.7.0 Must issue a STARTTLS command first\r\n");
	else if (!(row->legal & AT(s->state)))
		say(s, step, "503 5.5.1 Bad sequence of commands\r\n");
	else if (row->flags & F_BARE && args.n)
		syntax(s, step, "501 5.5.4 No parameters allowed\r\n", args);
	else if (row->flags & F_ARG && !args.n)
		syntax(s, step, "501 5.5.4 Parameters required\r\n", args);
	else
		return true;
	return false;
}

/* For the log. What is no command may be a password that came where none was asked for. */
static struct str said_of(const struct sess *s, struct str text, enum smtp_verb verb)
{
	bool secret = s->state == S_AUTH || verb == SMTP_AUTH || (verb <= SMTP_FOREIGN && text.n && !evidence_of(s, text).n);

	return secret ? STR("(hidden)") : text;
}

static void run_command(struct sess *s, struct sess_step *step, const struct line *line, const struct smtp_command *c)
{
	const struct row *row = &rows[c->verb];

	if (line_flawed(s, step, line, c->verb)) {
		s->final |= c->verb == SMTP_BDAT; /* content follows, nobody knows how much */
		return;
	}
	s->secrets |= c->verb == SMTP_AUTH;
	test_command(s, step, c->verb);
	if (!s->final && may_run(s, step, row, c->args))
		row->run(s, step, c->verb <= SMTP_FOREIGN ? line->text : c->args);
}

void run_line(struct sess *s, struct sess_step *step, const struct line *line, bool more)
{
	struct smtp_command c = smtp_command(line->text);
	bool continuation = s->state == S_AUTH;

	if (c.verb == SMTP_XCLIENT && !may_xclient(s))
		c.verb = SMTP_UNKNOWN;
	step->said = said_of(s, line->text, c.verb);
	if (more && (continuation || rows[c.verb].flags & F_LAST) && !line->flaws)
		found(s, step, PST_RSN_PIPELINE, evidence_of(s, line->text));
	if (!s->final && continuation)
		run_continuation(s, step, line);
	else if (!s->final)
		run_command(s, step, line, &c);
	if (!continuation && !comes_again(s))
		tally(s, rows[c.verb].counted);
}
