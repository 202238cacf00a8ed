/* SPDX-License-Identifier: BSD-2-Clause */
/* sess_auth.c: STARTTLS and AUTH, and what must never be told of them. */
#include "user/core/sess_internal.h"

struct str evidence_of(const struct sess *s, struct str line)
{
	size_t i;

	if (s->secrets || s->state == S_AUTH)
		return STR("");
	for (i = 0; i < line.n && i < 16; i++)
		if (str_istarts(str_sub(line, i, line.n), STR("AUTH")))
			return STR("");
	return line;
}

void run_starttls(struct sess *s, struct sess_step *step, struct str args)
{
	(void)args;
	if (s->conf->tls == SESS_OFF) {
		say(s, step, NOT_IMPLEMENTED);
	} else if (s->tls || s->authenticated) {
		say(s, step, "503 5.5.1 Bad sequence of commands\r\n");
	} else {
		say(s, step, "220 2.0.0 Ready to start TLS\r\n");
		enter(s, S_TLS);
	}
}

/* One of the words that EHLO promised. */
static bool mech_offered(const struct sess *s, struct str mechanism)
{
	struct str rest = str_of(s->caps.mechs), word;

	while ((word = str_word(&rest)).n)
		if (str_ieq(word, mechanism))
			return true;
	return false;
}

/* Who it is stands in the first response; the others are none of our business. */
static void note_account(struct sess *s, struct str response)
{
	if (!response.n)
		return;
	account_name((enum account_form)s->form, response, s->account);
	s->form = ACCOUNT_HIDDEN;
}

void run_auth(struct sess *s, struct sess_step *step, struct str args)
{
	struct str mechanism, initial;

	if (s->conf->auth == SESS_OFF || !s->esmtp) {
		say(s, step, s->esmtp ? NOT_IMPLEMENTED : "503 5.5.1 Bad sequence of commands\r\n");
	} else if (!(s->caps.bits & CAP_AUTH) && !s->tls && s->conf->tls != SESS_OFF) {
		say(s, step, "530 5.7.0 Must issue a STARTTLS command first\r\n");
	} else if (!(s->caps.bits & CAP_AUTH)) {
		say(s, step, NOT_IMPLEMENTED);
	} else if (s->authenticated) {
		say(s, step, "503 5.5.1 Already authenticated\r\n");
	} else if (!smtp_auth(args, &mechanism, &initial)) {
		syntax(s, step, "501 5.5.2 Bad AUTH syntax\r\n", STR(""));
	} else if (over_auth(s, step)) {
		return;
	} else if (s->conf->auth_failures_max && s->auth_failures >= s->conf->auth_failures_max) {
		say_last(s, step, "421 4.7.0 Too many failed logins in one session\r\n", PST_CNT_SESS_REFUSED);
	} else if (!mech_offered(s, mechanism)) {
		say(s, step, "504 5.5.4 Unrecognized authentication mechanism\r\n");
	} else {
		s->form = (unsigned char)account_form(mechanism);
		s->account[0] = '\0';
		note_account(s, initial);
		ask(s, step, ASK_AUTH);
		/* the whole line, which the grammar has pinned down to every byte: "AUTH" in either case, word, base64 */
		step->ask_line = (struct str){ args.p - 5, args.n + 5 };
	}
}

/* In the middle of AUTH: base64, or "*". What is neither is cancelled at the backend, which then says so. */
void run_continuation(struct sess *s, struct sess_step *step, const struct line *line)
{
	bool fit = !line->flaws && (smtp_is_base64(line->text) || str_eq(line->text, STR("*")));

	if (line->flaws & (LINE_BARE_LF | LINE_BARE_CR)) {
		found(s, step, PST_RSN_BARE_LF, STR(""));
		if (s->final)
			return;
	}
	if (!fit)
		found(s, step, PST_RSN_SYNTAX, STR(""));
	step->reply = STR("");
	if (fit && s->form != ACCOUNT_HIDDEN)
		note_account(s, line->text);
	ask(s, step, ASK_AUTH);
	step->ask_line = fit ? line->text : STR("*");
}
