/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sess_xclient.c: a trusted balancer names its client by XCLIENT. What it says holds from then on in place of what the connection
 * shows. It is heard until its next EHLO and before any MAIL only: behind those a balancer may pass its client's own words
 * through, and no client may name himself.
 */
#include "user/core/sess_internal.h"
#include "user/core/xclient.h"

bool may_xclient(const struct sess *s)
{
	return s->peer.balancer && !s->met && !logged_in(s);
}

static void take_name(struct sess *s, const struct xclient *x)
{
	if (x->name_word != XCLIENT_UNSAID) {
		keep_name(s, (struct str){ x->name, x->name_word == XCLIENT_SAID ? x->nname : 0 });
		s->peer.unsure = x->name_word == XCLIENT_UNSURE;
		s->peer.unproven = false;
		s->told_name = true;
	} else if (x->addr == XCLIENT_SAID) { /* the name told before was another address' */
		s->told_name = false;
	}
}

/* There is no EHLO yet whose name it would replace. */
static void take_helo_name(struct sess *s, const struct xclient *x)
{
	s->told_helo = x->helo_word == XCLIENT_SAID || (s->told_helo && x->helo_word == XCLIENT_UNSAID);
	if (x->helo_word != XCLIENT_SAID)
		return;
	memcpy(s->helo, x->helo, x->nhelo + 1);
	s->nhelo = x->nhelo;
}

void run_xclient(struct sess *s, struct sess_step *step, struct str args)
{
	struct xclient x;
	enum xclient_flaw flaw = xclient_parse(args, &x);

	if (flaw) {
		say(s, step, flaw == XCLIENT_BAD_NAME ? "501 5.5.4 Bad XCLIENT attribute\r\n" : "501 5.5.4 Bad XCLIENT value\r\n");
		return;
	}
	take_name(s, &x);
	take_helo_name(s, &x);
	s->vouched = x.login == XCLIENT_SAID || (s->vouched && x.login == XCLIENT_UNSAID);
	if (x.login != XCLIENT_UNSAID)
		memcpy(s->account, x.account, sizeof(s->account));
	s->told = true;
	step->client = x.addr == XCLIENT_SAID ? x.client : s->peer.addr;
	step->client_port = x.port;
	enter(s, S_CLIENT);
}

/* As sess_open() begins, but for what the connection and the balancer know already. */
static void start_anew(struct sess *s, const struct sess_peer *p)
{
	bool unsure = s->peer.unsure;

	s->peer = *p;
	s->peer.balancer = true;
	if (s->told_name) {
		s->peer.naming = false;
		s->peer.unsure = unsure;
		s->peer.name = STR("");
	} else {
		keep_name(s, p->name);
	}
	s->name_until_ns = s->now_ns + s->conf->name_timeout_s * NS_PER_S;
	memset(&s->caps, 0, sizeof(s->caps));
	memset(&s->grey, 0, sizeof(s->grey));
	memset(&s->lists, 0, sizeof(s->lists));
	s->name_tested = s->helo_asked = s->helo_tested = false;
	s->esmtp = s->known = s->secrets = false;
	s->authenticated = s->vouched;
	s->errors = s->auth_failures = 0;
	if (!s->told_helo) {
		s->nhelo = 0;
		s->helo[0] = '\0';
	}
	enter(s, S_PAUSE);
}

void sess_client(struct sess *s, const struct sess_peer *p, __u64 now_ns, struct sess_step *step)
{
	begin(s, now_ns, step);
	if (s->state == S_CLIENT && p) {
		start_anew(s, p);
		admit(s, step);
	} else if (s->state == S_CLIENT) {
		say_last(s, step, "421 4.7.0 Too many connections from your address\r\n", PST_CNT_SESS_REFUSED);
	}
	finish(s, step);
}
