/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dialogues with backends as transcripts. One line each:
 *   <TEXT   the backend sends TEXT CRLF      >TEXT   the gate must have sent TEXT CRLF next
 *   ?ASK    the session asks                 =EVENT  what the last step must have said
 *   !DOOR   SECURED: hands were shaken; REUSE: another session takes over; FREE, BUSY: may it, now?
 *   #N      so many asks were answered
 * Whatever the gate sent and no '>' expected fails the row.
 */
#include "unit.h"

#include "user/core/addr.h"
#include "user/core/caps.h"
#include "user/core/hop.h"

#define MAIL "MAIL FROM:<a@b.example>"
#define RCPT "RCPT TO:<u@example.org>"

static const char *const event_name[] = {
	[HOP_WAIT] = "WAIT",   [HOP_READY] = "READY",	[HOP_ANSWER] = "ANSWER", [HOP_LACKS] = "LACKS",
	[HOP_UNFIT] = "UNFIT", [HOP_BROKEN] = "BROKEN", [HOP_OVER] = "OVER", [HOP_TLS] = "TLS",
};

static const struct {
	const char *name;
	enum sess_ask ask;
	struct str mail, line;
} asks[] = {
	{ "RCPT", ASK_RCPT, STR(MAIL), STR(RCPT) },
	{ "RCPT2", ASK_RCPT, STR(MAIL), STR("RCPT TO:<v@example.org>") },
	{ "WIDE", ASK_RCPT, STR("MAIL FROM:<a@b.example> BODY=8BITMIME"), STR(RCPT) },
	{ "UTF8", ASK_RCPT, STR("MAIL FROM:<a@b.example> BODY=8BITMIME SMTPUTF8"), STR(RCPT) },
	{ "TWO-LINES", ASK_RCPT, STR(MAIL), STR(RCPT "\r\nRCPT TO:<x@foreign.example>") },
	{ "LF-LINE", ASK_RCPT, STR("MAIL FROM:<a@b.example>\nDATA"), STR(RCPT) },
	{ "NUL-LINE", ASK_RCPT, STR(MAIL), STR("RCPT TO:<u\0@example.org>") },
	{ "AUTH", ASK_AUTH, STR(""), STR("AUTH PLAIN dGVzdA==") },
	{ "AUTH-LOGIN", ASK_AUTH, STR(""), STR("AUTH LOGIN") },
	{ "AUTH-MORE", ASK_AUTH, STR(""), STR("dXNlcg==") },
	{ "AUTH-EMPTY", ASK_AUTH, STR(""), STR("") },
	{ "DATA", ASK_DATA, STR(""), STR("") },
	{ "END", ASK_END, STR(""), STR("") },
	{ "RESET", ASK_RESET, STR(""), STR("") },
};

enum who { PLAIN, OFFERED, MUST, PROXY, OFFERED6, PROXY6, OFFERED_HELO, MAY, TLS, TLS_MUST, IMPLICIT, LMTP };

static struct pst_addr addr_of(const char *text)
{
	struct pst_addr a;

	assert_true(addr_parse(str_of(text), &a));
	return a;
}

static struct hop_conf conf_of(enum who who)
{
	bool v6 = who == OFFERED6 || who == PROXY6;
	struct hop_conf c = {
		.hostname = "gate.example.org",
		.proxy = who == PROXY || who == PROXY6 ? HOP_PROXY_V1 : HOP_PROXY_NONE,
		.xclient = who == MUST || who == TLS_MUST ? HOP_XCLIENT_MUST :
			   who == OFFERED || who == OFFERED6 || who == OFFERED_HELO ? HOP_XCLIENT_OFFERED : HOP_XCLIENT_NEVER,
		.tls = who == MAY ? HOP_TLS_MAY : who == TLS || who == TLS_MUST || who == IMPLICIT ? HOP_TLS_REQUIRE : HOP_TLS_OFF,
		.implicit = who == IMPLICIT,
		.lmtp = who == LMTP,
		.helo = who == OFFERED_HELO ? STR("m\xc3\xbc+l=l.example") : STR("client.example"),
		.esmtp = who != OFFERED_HELO,
		.name = who == OFFERED_HELO ? STR("mx.client.example") : STR(""),
		.unsure = who == OFFERED_HELO || who == OFFERED6,
		.client = addr_of(v6 ? "2001:db8::25" : "192.0.2.7"),
		.local = addr_of(v6 ? "2001:db8::1" : "192.0.2.1"),
		.client_port = v6 ? 65535 : 4711,
		.local_port = 25,
	};

	return c;
}

struct talk {
	struct hop hop;
	struct hop_step step;
	char sent[8192];
	size_t nsent, seen;
};

static void heed(struct talk *t)
{
	for (size_t i = 0; i < t->step.nsend; i++) {
		assert_in_range(t->step.send[i].n, 0, sizeof(t->sent) - t->nsent);
		if (t->step.send[i].n)
			memcpy(t->sent + t->nsent, t->step.send[i].p, t->step.send[i].n);
		t->nsent += t->step.send[i].n;
	}
}

static void backend_says(struct talk *t, const char *text, size_t n)
{
	char line[8192];

	memcpy(line, text, n);
	memcpy(line + n, "\r\n", 2);
	assert_int_equal(hop_bytes(&t->hop, (struct str){ line, n + 2 }, &t->step), n + 2);
	heed(t);
}

static void session_asks(struct talk *t, const char *name, size_t n)
{
	if (n == 4 && !memcmp(name, "QUIT", 4)) {
		hop_quit(&t->hop, &t->step);
		heed(t);
		return;
	}
	for (size_t i = 0; i < NROWS(asks); i++) {
		if (strlen(asks[i].name) != n || memcmp(asks[i].name, name, n))
			continue;
		hop_ask(&t->hop, asks[i].ask, asks[i].mail, asks[i].line, &t->step);
		heed(t);
		return;
	}
	fail_msg("no such ask: %.*s", (int)n, name);
}

static void door(struct talk *t, const char *name, size_t n)
{
	struct str what = { name, n };

	if (str_eq(what, STR("FREE")) || str_eq(what, STR("BUSY"))) {
		if (hop_free(&t->hop, true) != (name[0] == 'F'))
			fail_msg("expected !%.*s", (int)n, name);
		return;
	}
	if (str_eq(what, STR("SECURED")))
		hop_secured(&t->hop, true, &t->step);
	else if (str_eq(what, STR("REUSE")))
		hop_reuse(&t->hop, &t->step);
	else
		fail_msg("no such door: %.*s", (int)n, name);
	heed(t);
}

static void gate_said(struct talk *t, const char *text, size_t n)
{
	if (t->nsent - t->seen < n + 2 || memcmp(t->sent + t->seen, text, n) || memcmp(t->sent + t->seen + n, "\r\n", 2))
		fail_msg("expected >%.*s, sent >%.*s", (int)n, text, (int)(t->nsent - t->seen), t->sent + t->seen);
	t->seen += n + 2;
}

static void run(enum who who, const char *script)
{
	struct hop_conf conf = conf_of(who);
	struct talk t = { .nsent = 0 };

	hop_init(&t.hop, &conf, &t.step);
	heed(&t);
	for (const char *end; *script; script = *end ? end + 1 : end) {
		size_t n;

		end = strchrnul(script, '\n');
		n = (size_t)(end - script) - 1;
		if (*script != '>' && t.seen < t.nsent)
			fail_msg("at %.*s: also sent >%.*s", (int)n + 1, script, (int)(t.nsent - t.seen), t.sent + t.seen);
		if (*script == '<')
			backend_says(&t, script + 1, n);
		else if (*script == '?')
			session_asks(&t, script + 1, n);
		else if (*script == '>')
			gate_said(&t, script + 1, n);
		else if (*script == '!')
			door(&t, script + 1, n);
		else if (*script == '#')
			assert_int_equal(t.step.answers, script[1] - '0');
		else if (strlen(event_name[t.step.event]) != n || memcmp(event_name[t.step.event], script + 1, n))
			fail_msg("expected %.*s, got =%s", (int)n + 1, script, event_name[t.step.event]);
	}
	assert_int_equal(t.seen, t.nsent);
}

#define HELLO	 "<220 be\n>EHLO gate.example.org\n<250-be\n<250-AUTH PLAIN LOGIN\n<250 8BITMIME\n=READY\n"
#define ONE_RCPT HELLO "?RCPT\n>" MAIL "\n<250 ok\n>" RCPT "\n<250 ok\n=ANSWER\n"
#define RCPT2	 "RCPT TO:<v@example.org>"
#define PIPES	 "<220 be\n>EHLO gate.example.org\n<250-be\n<250 PIPELINING\n=READY\n"
#define PIPED	 PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<250 ok\n=ANSWER\n"
#define SENT	 PIPED "?DATA\n>DATA\n<354 go\n?END\n>.\n<250 taken\n=ANSWER\n"
#define STARTS	 "<220 be\n>EHLO gate.example.org\n<250-be\n<250 STARTTLS\n>STARTTLS\n"
#define CONTENT	 ONE_RCPT "?DATA\n>DATA\n<354 go\n=ANSWER\n"
#define XCLIENT7 ">XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.7 PORT=4711 PROTO=ESMTP HELO=client.example\n"
#define OFFERS	 "<220 be\n>EHLO gate.example.org\n<250-be\n<250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN\n"

static void dialogues(void **state)
{
	static const struct {
		enum who who;
		const char *script;
	} rows[] = {
		/* a session */
		{ PLAIN, CONTENT "?END\n>.\n<250 queued\n=ANSWER\n?QUIT\n>QUIT\n<221 bye\n=OVER" },
		{ PLAIN, ONE_RCPT "?RCPT2\n>RCPT TO:<v@example.org>\n<550 no\n=ANSWER\n?RESET\n>RSET\n<250 ok\n=WAIT\n?RCPT\n>" MAIL },
		{ PLAIN, "<220-wait\n=WAIT\n<220 be\n>EHLO gate.example.org\n<250 be\n=READY" },
		/* asked before the dialogue stands */
		{ PLAIN, "?RCPT\n<220 be\n>EHLO gate.example.org\n<250-be\n<250 8BITMIME\n>" MAIL "\n=READY\n<250 ok\n>" RCPT },
		/* the reply to RSET is nobody's answer */
		{ PLAIN, ONE_RCPT "?RESET\n>RSET\n?RCPT\n<250 ok\n>" MAIL "\n<250 ok\n>" RCPT "\n<450 later\n=ANSWER" },
		/* refused MAIL answers the RCPT, and the next one tries again */
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n<550 no\n=ANSWER\n?RCPT2\n>" MAIL },
		/* refused DATA leaves the transaction open */
		{ PLAIN, ONE_RCPT "?DATA\n>DATA\n<450 later\n=ANSWER\n?RCPT2\n>RCPT TO:<v@example.org>" },
		{ PLAIN, HELLO "?AUTH\n>AUTH PLAIN dGVzdA==\n<235 ok\n=ANSWER" },
		{ PLAIN, HELLO "?AUTH-LOGIN\n>AUTH LOGIN\n<334 VXNlcm5hbWU6\n=ANSWER\n?AUTH-MORE\n>dXNlcg==\n<334 UGFzc3dvcmQ6\n=ANSWER\n"
			       "?AUTH-EMPTY\n>\n<535 no\n=ANSWER\n?AUTH\n>AUTH PLAIN dGVzdA==" },

		/* pipelining: MAIL and RCPT leave together, and every reply finds its own */
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n=WAIT\n<250 ok\n=ANSWER\n#1\n?DATA\n>DATA\n<354 go\n=ANSWER\n?END\n>.\n<250 q\n=ANSWER" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n?RCPT2\n>" RCPT2 "\n<250 ok\n=WAIT\n<250 ok\n=ANSWER\n#1\n<550 no\n=ANSWER\n#1" },
		/* a refused MAIL answers them all */
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n?RCPT2\n>" RCPT2 "\n?RCPT2\n>" RCPT2 "\n<550 no\n=ANSWER\n#3\n"
			       "?RCPT\n>" MAIL "\n>" RCPT "\n<503 a\n=WAIT\n<503 b\n=WAIT\n<503 c\n=WAIT\n<250 ok\n=WAIT\n<250 ok\n=ANSWER\n#1" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n?RCPT2\n>" RCPT2 "\n<550 no\n=ANSWER\n#2\n<503 a\n=WAIT\n<250 b\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n?RCPT2\n>" RCPT2 "\n<421 bye\n=ANSWER\n#2" },
		/* not behind a MAIL that has not been sent, nor where the backend takes one command at a time */
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n?RCPT2\n=BROKEN" },
		{ PLAIN, ONE_RCPT "?RCPT2\n>" RCPT2 "\n?RCPT2\n=BROKEN" },
		{ PLAIN, PIPED "?RCPT2\n>" RCPT2 "\n?RCPT2\n>" RCPT2 "\n<250 ok\n=ANSWER\n#1\n<550 no\n=ANSWER\n#1\n?DATA\n>DATA\n" },
		{ PLAIN, PIPED "?RCPT2\n>" RCPT2 "\n?DATA\n=BROKEN" },
		{ PLAIN, PIPED "?RCPT2\n>" RCPT2 "\n?RESET\n=BROKEN" },
		{ PLAIN, PIPED "?RESET\n>RSET\n?RCPT2\n>" MAIL "\n>" RCPT2 "\n<250 reset\n=WAIT\n<250 ok\n<550 no\n=ANSWER" },
		/* a refused MAIL answers the RCPT; what the backend makes of that RCPT answers nothing */
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<550 no\n=ANSWER\n#1\n<503 no MAIL\n=WAIT\n?RCPT2\n>" MAIL "\n>" RCPT2 "\n" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<550 no\n=ANSWER\n?RCPT2\n>" MAIL "\n>" RCPT2 "\n<503 no MAIL\n=WAIT\n<250 ok\n<250 ok\n=ANSWER" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<550 no\n=ANSWER\n<250 what\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<550 no\n=ANSWER\n<421 bye\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<421 bye\n=ANSWER\n?RCPT\n=BROKEN" },
		/* one reply too many shifts all others, and DATA never finds a 354 that is its own */
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<250 surplus\n=ANSWER\n?DATA\n>DATA\n<250 ok\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<250 surplus\n=ANSWER\n<550 no\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<250 surplus\n=ANSWER\n?DATA\n>DATA\n<550 no\n=ANSWER\n<354 go\n=BROKEN" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<354 what\n=BROKEN" },
		{ PLAIN, PIPED "?QUIT\n>QUIT\n<221 bye\n=OVER" },

		/* one session after another */
		{ PLAIN, SENT "!FREE\n!REUSE\n=READY\n?RCPT2\n>" MAIL "\n>" RCPT2 "\n" },
		{ PLAIN, PIPED "!BUSY\n?RESET\n>RSET\n!BUSY\n<250 ok\n!FREE" },
		{ PLAIN, HELLO "!FREE\n?AUTH\n>AUTH PLAIN dGVzdA==\n<535 no\n=ANSWER\n!BUSY\n!REUSE\n=BROKEN" },
		{ PLAIN, HELLO "?AUTH\n>AUTH PLAIN dGVzdA==\n<235 ok\n=ANSWER\n!BUSY" },
		{ PLAIN, PIPES "?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<550 no\n=ANSWER\n?RESET\n>RSET\n<250 ok\n!BUSY" },
		{ PROXY, ">PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n<220 be\n>EHLO client.example\n<250 be\n=READY\n!BUSY" },
		{ OFFERED, OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<250-be\n<250 XCLIENT ADDR\n=READY\n!FREE\n"
			   "!REUSE\n>XCLIENT ADDR=192.0.2.7\n?RCPT\n<220 be\n>EHLO client.example\n<250 be\n>" MAIL "\n=READY\n" },
		/* the reply is no word about this client: a fresh connection may hear another */
		{ OFFERED, OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<250-be\n<250 XCLIENT ADDR\n=READY\n"
			   "!REUSE\n>XCLIENT ADDR=192.0.2.7\n?RCPT\n<554 5.7.0 too much\n=UNFIT" },
		/* offers no XCLIENT any more: whom would it believe to serve? */
		{ OFFERED, OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<250 be\n=READY\n!BUSY" },

		/* TLS */
		{ TLS, STARTS "<220 go\n=TLS\n!SECURED\n>EHLO gate.example.org\n<250-be\n<250 8BITMIME\n=READY" },
		{ TLS, "<220 be\n>EHLO gate.example.org\n<250 be\n=UNFIT" },
		{ TLS, STARTS "<454 no\n=UNFIT" },
		{ TLS, STARTS "<220 go\n=TLS\n<250 in clear\n=BROKEN" },
		{ TLS, "<220 be\n>EHLO gate.example.org\n!SECURED\n=BROKEN" },
		{ TLS, "?RCPT\n" STARTS "<220 go\n!SECURED\n>EHLO gate.example.org\n<250 be\n>" MAIL "\n=READY" },
		{ TLS_MUST, STARTS "<220 go\n!SECURED\n>EHLO gate.example.org\n<250-be\n<250 XCLIENT ADDR\n>XCLIENT ADDR=192.0.2.7\n"
			    "<220 again\n>EHLO client.example\n<250-be\n<250 STARTTLS\n=READY" },
		{ MAY, "<220 be\n>EHLO gate.example.org\n<250 be\n=READY" },
		{ MAY, STARTS "<454 no\n=READY" },
		{ MAY, STARTS "<421 no\n=UNFIT" },
		{ MAY, STARTS "<250 what\n=UNFIT" },
		{ MAY, STARTS "<220 go\n=TLS\n!SECURED\n>EHLO gate.example.org\n" },
		{ IMPLICIT, "=TLS\n!SECURED\n<220 be\n>EHLO gate.example.org\n<250 be\n=READY" },
		{ IMPLICIT, "<220 in clear\n=BROKEN" },
		{ PLAIN, "<220 be\n>EHLO gate.example.org\n<250-be\n<250 STARTTLS\n=READY" },

		/* LMTP: one recipient, one fate */
		{ LMTP, "<220 be\n>LHLO gate.example.org\n<250-be\n<250 PIPELINING\n=READY\n?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<250 ok\n=ANSWER\n"
			"?RCPT2\n=ANSWER\n#1\n?DATA\n>DATA\n<354 go\n?END\n>.\n<250 taken\n=ANSWER\n?RCPT2\n>" MAIL "\n>" RCPT2 "\n" },
		{ LMTP, "<220 be\n>LHLO gate.example.org\n<250-be\n<250 PIPELINING\n=READY\n?RCPT\n>" MAIL "\n>" RCPT "\n<250 ok\n<550 no\n=ANSWER\n"
			"?RCPT2\n>" RCPT2 "\n" },

		/* identity */
		{ PROXY, ">PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n<220 be\n>EHLO client.example\n<250 be\n=READY" },
		{ PROXY6, ">PROXY TCP6 2001:db8::25 2001:db8::1 65535 25\n<220 be\n>EHLO client.example\n<250 be\n=READY" },
		{ OFFERED, OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<250 be\n=READY" },
		{ MUST, OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<250 be\n=READY" },
		{ OFFERED6, OFFERS ">XCLIENT NAME=[TEMPUNAVAIL] ADDR=IPV6:2001:db8::25 PORT=65535 PROTO=ESMTP HELO=client.example\n" },
		{ OFFERED_HELO, OFFERS ">XCLIENT NAME=mx.client.example ADDR=192.0.2.7 PORT=4711 PROTO=SMTP HELO=m+C3+BC+2Bl+3Dl.example\n"
				       "<220 again\n>EHLO gate.example.org" },
		{ OFFERED, "<220 be\n>EHLO gate.example.org\n<250-be\n<250 XCLIENT ADDR\n>XCLIENT ADDR=192.0.2.7" },
		{ OFFERED, "<220 be\n>EHLO gate.example.org\n<250-be\n<250 XCLIENT NAME HELO\n=READY" }, /* no use without ADDR */
		{ OFFERED, HELLO },
		{ PLAIN, OFFERS "=READY" },
		{ MUST, "<220 be\n>EHLO gate.example.org\n<250 be\n=UNFIT" },
		{ MUST, "<220 be\n>EHLO gate.example.org\n<250-be\n<250 XCLIENT NAME\n=UNFIT" },

		/* who is refused: the gate, or its client? */
		{ PLAIN, "?RCPT\n<554 no\n=UNFIT" },
		{ PLAIN, "?RCPT\n<421 busy\n=UNFIT" },
		{ PLAIN, "?RCPT\n<220 be\n>EHLO gate.example.org\n<550 no\n=UNFIT" },
		{ PROXY, ">PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n?RCPT\n<554 no\n=UNFIT" },
		{ PROXY, ">PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\n?RCPT\n<220 be\n>EHLO client.example\n<550 you\n=ANSWER" },
		{ OFFERED, "?RCPT\n" OFFERS XCLIENT7 "<550 5.7.1 client refused\n=ANSWER" },
		{ OFFERED, "?RCPT\n" OFFERS XCLIENT7 "<501 bad syntax\n=UNFIT" },
		{ OFFERED, "?RCPT\n" OFFERS XCLIENT7 "<421 gone\n=UNFIT" },
		{ OFFERED, "?RCPT\n" OFFERS XCLIENT7 "<220 again\n>EHLO client.example\n<554 name refused\n=ANSWER" },

		/* what the backend does not offer */
		{ PLAIN, HELLO "?WIDE\n>MAIL FROM:<a@b.example> BODY=8BITMIME" },
		{ PLAIN, HELLO "?UTF8\n=LACKS\n?RCPT\n>" MAIL },
		{ PLAIN, "?WIDE\n<220 be\n>EHLO gate.example.org\n<250 be\n=LACKS" },
		{ PLAIN, "?AUTH\n<220 be\n>EHLO gate.example.org\n<250-be\n<250 AUTH GSSAPI\n=LACKS" },

		/* out of step */
		{ PLAIN, HELLO "<250 surplus\n=BROKEN" },
		{ PLAIN, HELLO "<421 4.4.2 idle too long\n=BROKEN" },
		{ PLAIN, "<junk\n=BROKEN" },
		{ PLAIN, "<220-be\n<221 be\n=BROKEN" },
		{ PLAIN, "<354 what\n=BROKEN" },
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n<334 what\n=BROKEN" },
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n<354 what\n=BROKEN" },
		{ PLAIN, HELLO "?AUTH\n>AUTH PLAIN dGVzdA==\n<354 what\n=BROKEN" },
		{ PLAIN, ONE_RCPT "?DATA\n>DATA\n<334 what\n=BROKEN" },
		{ PLAIN, ONE_RCPT "?DATA\n>DATA\n<250 what\n=BROKEN" },
		{ PLAIN, CONTENT "<250 early\n=BROKEN" },
		{ PLAIN, CONTENT "<552 early\n=ANSWER\n?END\n=BROKEN" },
		{ PLAIN, CONTENT "?DATA\n=BROKEN" },
		{ PLAIN, CONTENT "?RESET\n=BROKEN" },
		{ PLAIN, CONTENT "?QUIT\n=WAIT" },
		{ PLAIN, ONE_RCPT "?END\n=BROKEN" },
		{ PLAIN, HELLO "?DATA\n=BROKEN" },
		{ PLAIN, HELLO "?AUTH-MORE\n=BROKEN" },
		{ PLAIN, HELLO "?AUTH-LOGIN\n>AUTH LOGIN\n<334 x\n=ANSWER\n?AUTH\n=BROKEN" },
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n?RCPT\n=BROKEN" },
		{ PLAIN, ONE_RCPT "?RESET\n>RSET\n<550 no\n=BROKEN" },
		{ PLAIN, HELLO "?RCPT\n>" MAIL "\n<421 bye\n=ANSWER\n?RCPT\n=BROKEN" },

		/* nothing but whole lines of our own making */
		{ PLAIN, HELLO "?TWO-LINES\n=BROKEN" },
		{ PLAIN, HELLO "?LF-LINE\n=BROKEN" },
		{ PLAIN, HELLO "?NUL-LINE\n=BROKEN" },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		run(rows[i].who, rows[i].script);
}

static void read_offers(const char *const *lines, struct sess_caps *caps, unsigned *attributes)
{
	struct reply r;

	reply_init(&r);
	for (; *lines; lines++)
		reply_line(&r, str_of(*lines));
	caps_read(&r, caps, attributes);
}

static void offers_are_read(void **state)
{
	static const struct {
		const char *line[6];
		unsigned bits;
		unsigned long long size;
		const char *mechs;
		unsigned attributes;
	} rows[] = {
		{ { "250 8BITMIME" }, 0, 0, "", 0 }, /* the first line is the name */
		{ { "250-be", "250-size 1000", "250-PipeLining", "250 8bitmime" }, CAP_SIZE | CAP_PIPELINING | CAP_8BITMIME, 1000, "", 0 },
		{ { "250-be", "250-SIZE", "250-DSN", "250 SMTPUTF8" }, CAP_SIZE | CAP_DSN | CAP_SMTPUTF8, 0, "", 0 },
		{ { "250-be", "250-SIZE 99999999999999999999", "250 STARTTLS" }, CAP_SIZE | CAP_STARTTLS, 0, "", 0 },
		{ { "250-be", "250-AUTH plain LOGIN x;y", "250 AUTH CRAM-MD5" }, CAP_AUTH, 0, "PLAIN LOGIN CRAM-MD5", 0 },
		{ { "250-be", "250-AUTH EXTERNAL SCRAM-SHA-256 scram-sha-256-plus anonymous", "250 XOAUTH2" }, CAP_AUTH, 0, "SCRAM-SHA-256", 0 },
		{ { "250-be", "250-AUTH EXTERNAL ANONYMOUS", "250 X" }, 0, 0, "", 0 },
		{ { "250-be", "250-AUTH=LOGIN", "250 AUTH" }, 0, 0, "", 0 },
		{ { "250-be", "250-AUTH THIS-NAME-IS-TOO-LONG-TO-BE-ONE", "250 X" }, 0, 0, "", 0 },
		{ { "250-be", "250 XCLIENT addr HELO NEW" }, CAP_XCLIENT, 0, "", 1 << ATTR_ADDR | 1 << ATTR_HELO },
		{ { "250-be", "250-8BITMIMEX", "250 X8BITMIME" }, 0, 0, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++) {
		struct sess_caps caps;
		unsigned attributes;

		read_offers(rows[i].line, &caps, &attributes);
		assert_int_equal(caps.bits, rows[i].bits);
		assert_int_equal(caps.size, rows[i].size);
		assert_string_equal(caps.mechs, rows[i].mechs);
		assert_int_equal(attributes, rows[i].attributes);
	}
}

static void too_many_mechanisms_are_cut_at_a_word(void **state)
{
	static const char *const lines[] = { "250-be", "250-AUTH M11111111111111111 M22222222222222222 M33333333333333333 M44444444444444444",
					     "250 AUTH M55555555555555555 M66666666666666666 M77777777777777777 PLAIN", NULL };
	struct sess_caps caps;
	unsigned attributes;

	(void)state;
	read_offers(lines, &caps, &attributes);
	assert_in_range(strlen(caps.mechs), 1, SESS_MECHS_MAX - 1);
	assert_null(strstr(caps.mechs, "M77777777777777777"));
	assert_non_null(strstr(caps.mechs, "M66666666666666666 PLAIN"));
}

static void uses_are_seen(void **state)
{
	static const struct {
		struct str line;
		unsigned used;
	} rows[] = {
		{ STR("MAIL FROM:<a@b>"), 0 },
		{ STR("MAIL FROM:<a@b> SIZE=5 BODY=8BITMIME"), CAP_SIZE | CAP_8BITMIME },
		{ STR("MAIL FROM:<a@b> SMTPUTF8 AUTH=<>"), CAP_SMTPUTF8 | CAP_AUTH },
		{ STR("MAIL FROM:<> RET=HDRS ENVID=x"), CAP_DSN },
		{ STR("MAIL FROM:<\"a> SIZE=1 \\\" RET=FULL\"@b>"), 0 },
		{ STR("RCPT TO:<a@b> NOTIFY=NEVER"), CAP_DSN },
		{ STR("RCPT TO:<a@b> ORCPT=rfc822;a@b"), CAP_DSN },
		{ STR("RCPT TO:<unclosed SIZE=1"), 0 },
		{ STR(""), 0 },
	};

	(void)state;
	for (size_t i = 0; i < NROWS(rows); i++)
		assert_int_equal(caps_used(rows[i].line), rows[i].used);
}

static void non_ascii_is_passed_only_in_utf8_transactions(void **state)
{
	struct hop_conf conf = conf_of(PLAIN);
	struct talk t = { .nsent = 0 };

	(void)state;
	hop_init(&t.hop, &conf, &t.step);
	backend_says(&t, "220 b\xc3\xa9", 7);
	assert_memory_equal(t.hop.reply.text, "220 b??\r\n", t.hop.reply.n);
	backend_says(&t, "250-be", 6);
	backend_says(&t, "250-8BITMIME", 12);
	backend_says(&t, "250 SMTPUTF8", 12);
	session_asks(&t, "UTF8", 4);
	backend_says(&t, "550 b\xc3\xa9", 7);
	assert_memory_equal(t.hop.reply.text, "550 b\xc3\xa9\r\n", t.hop.reply.n);
	session_asks(&t, "RCPT", 4);
	backend_says(&t, "550 b\xc3\xa9", 7);
	assert_memory_equal(t.hop.reply.text, "550 b??\r\n", t.hop.reply.n);
}

/* The header of version 2, byte for byte. */
static void proxy_version_2(void **state)
{
	static const unsigned char want4[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x24\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\0\x19"
					     "\x05\0\x10" "00000000deadbeef" "\xe0\0\x02" "12";
	static const unsigned char ssl[] = "\x20\0\x28\x01\0\0\0\x01\x21\0\x07TLSv1.3\x23\0\x16" "TLS_AES_256_GCM_SHA384";
	static const unsigned char own[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
	struct hop_conf conf = conf_of(PLAIN);
	struct hop_step step;
	struct hop hop;

	(void)state;
	conf.proxy = HOP_PROXY_V2;
	conf.session = 0xdeadbeef;
	conf.score = 12;
	hop_init(&hop, &conf, &step);
	assert_int_equal(step.send[0].n, sizeof(want4) - 1);
	assert_memory_equal(step.send[0].p, want4, sizeof(want4) - 1);

	conf.client = addr_of("2001:db8::25");
	conf.local = addr_of("2001:db8::1");
	conf.tls_version = "TLSv1.3";
	conf.tls_cipher = "TLS_AES_256_GCM_SHA384";
	hop_init(&hop, &conf, &step);
	assert_int_equal(step.send[0].p[13], 0x21);
	assert_int_equal(step.send[0].n, 16 + 36 + 19 + 5 + sizeof(ssl) - 1);
	assert_int_equal((unsigned char)step.send[0].p[15], step.send[0].n - 16);
	assert_memory_equal(step.send[0].p + 16, conf.client.b, 16);
	assert_memory_equal(step.send[0].p + 16 + 36 + 19 + 5, ssl, sizeof(ssl) - 1);

	conf.own = true;
	hop_init(&hop, &conf, &step);
	assert_int_equal(step.send[0].n, sizeof(own) - 1);
	assert_memory_equal(step.send[0].p, own, sizeof(own) - 1);
}

static void an_endless_line_breaks_it(void **state)
{
	static char junk[HOP_LINE_MAX];
	struct hop_conf conf = conf_of(PLAIN);
	struct hop_step step;
	struct hop hop;

	(void)state;
	memset(junk, '2', sizeof(junk));
	hop_init(&hop, &conf, &step);
	for (int i = 0; i < 100; i++)
		assert_true(hop_bytes(&hop, (struct str){ junk, sizeof(junk) }, &step) > 0);
	assert_int_equal(hop_bytes(&hop, STR("\r\n"), &step), 2);
	assert_int_equal(step.event, HOP_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues),
		cmocka_unit_test(offers_are_read),
		cmocka_unit_test(too_many_mechanisms_are_cut_at_a_word),
		cmocka_unit_test(uses_are_seen),
		cmocka_unit_test(non_ascii_is_passed_only_in_utf8_transactions),
		cmocka_unit_test(proxy_version_2),
		cmocka_unit_test(an_endless_line_breaks_it),
	};

	return cmocka_run_group_tests_name("hop", tests, NULL, NULL);
}
