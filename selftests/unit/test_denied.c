/* SPDX-License-Identifier: BSD-2-Clause */
/* test_denied.c: the log line of a refused sender or recipient, whole, over real sessions with stranger's bytes in every place that has any. */
#include "unit.h"

#include "sess_fixture.h"
#include "user/conn_denied.h"

struct talk {
	struct fixture f;
	struct sess s;
	struct sess_step step;
};

static void say(struct talk *t, const char *line)
{
	char text[1024];
	struct str in;

	snprintf(text, sizeof(text), "%s\r\n", line);
	in = str_of(text);
	assert_int_equal(sess_bytes(&t->s, in, START_NS, &t->step), in.n);
}

static void meet(struct talk *t, const char *helo)
{
	char line[300];

	sess_open(&t->s, &t->f.conf, &t->f.peer, &t->f.stats, START_NS, &t->step);
	snprintf(line, sizeof(line), "EHLO %s", helo);
	say(t, line);
}

static void expect(const struct talk *t, const char *line)
{
	char text[DENIED_LINE_MAX];

	assert_non_null(t->step.denied.why);
	assert_string_equal(denied_line(&t->s, &t->step, text), line);
}

static void test_recipient(void **state)
{
	struct talk t;

	(void)state;
	fixture_init(&t.f);
	t.f.relay.relay.file = "/etc/postern/postern.conf";
	t.f.relay.relay.line = 12;
	t.f.peer.name = STR("client.example.net");
	meet(&t, "Client.Example.net");
	say(&t, "MAIL FROM:<Sender@Remote.example> SIZE=100");
	assert_null(t.step.denied.why);
	say(&t, "RCPT TO:<someone@away.example>");
	expect(&t, "denied session=0000000000000abc what=recipient why=relay client=198.51.100.7 name=client.example.net helo=client.example.net auth=no "
		   "account=\"\" from=\"<Sender@remote.example>\" rcpt=\"<someone@away.example>\" rule=\"/etc/postern/postern.conf:12\" "
		   "reply=\"550 5.7.1 Unable to relay\"");
	say(&t, "NOOP");
	assert_null(t.step.denied.why);
	t.f.relay.relay.line = 0; /* the configuration has no such section */
	say(&t, "RCPT TO:<someone@away.example>");
	expect(&t, "denied session=0000000000000abc what=recipient why=relay client=198.51.100.7 name=client.example.net helo=client.example.net auth=no "
		   "account=\"\" from=\"<Sender@remote.example>\" rcpt=\"<someone@away.example>\" rule=\"built-in\" "
		   "reply=\"550 5.7.1 Unable to relay\"");
}

static void test_strange_bytes(void **state)
{
	struct talk t;

	(void)state;
	fixture_init(&t.f);
	addr_parse(STR("2001:db8::7"), &t.f.peer.addr);
	meet(&t, "[192.0.2.99]");
	say(&t, "MAIL FROM:<\"a> rcpt=\\\"x\\\\\"@remote.example>");
	say(&t, "RCPT TO:<\"x y\\\"=<z>\"@away.example>");
	expect(&t, "denied session=0000000000000abc what=recipient why=relay client=2001:db8::7 name=- helo=[192.0.2.99] auth=no account=\"\" "
		   "from=\"<\\\"a> rcpt=\\\\\\\"x\\\\\\\\\\\"@remote.example>\" rcpt=\"<\\\"x y\\\\\\\"=<z>\\\"@away.example>\" rule=\"built-in\" "
		   "reply=\"550 5.7.1 Unable to relay\"");
	say(&t, "RCPT TO:<u%away.example@local.test>");
	expect(&t, "denied session=0000000000000abc what=recipient why=routing client=2001:db8::7 name=- helo=[192.0.2.99] auth=no account=\"\" "
		   "from=\"<\\\"a> rcpt=\\\\\\\"x\\\\\\\\\\\"@remote.example>\" rcpt=\"<u%away.example@local.test>\" rule=\"test:1\" "
		   "reply=\"550 5.7.1 Unable to relay\"");
}

static void test_account(void **state)
{
	struct reply yes = { .code = 235, .lines = 1 };
	static const struct account_rules rules;
	struct talk t;

	(void)state;
	fixture_init(&t.f);
	t.f.conf.accounts = &rules;
	t.f.conf.auth = SESS_OFFER;
	t.f.conf.auth_cleartext = true;
	t.f.conf.account_sender = PST_MODE_ENFORCE;
	meet(&t, "client.example.net");
	say(&t, "AUTH PLAIN AEFsImljZQBzM2NyZXQ=");
	yes.n = (size_t)snprintf(yes.text, sizeof(yes.text), "235 2.7.0 ok\r\n");
	sess_answer(&t.s, ANSWER_REPLY, &yes, START_NS, &t.step);
	say(&t, "MAIL FROM:<boss@local.test>");
	expect(&t, "denied session=0000000000000abc what=sender why=account client=198.51.100.7 name=- helo=client.example.net auth=yes account=\"al\\\"ice\" "
		   "from=\"<boss@local.test>\" rcpt=\"\" rule=\"built-in\" reply=\"553 5.7.1 Sender address is not owned by your account\"");
	t.f.conf.account_sender = PST_MODE_OBSERVE;
	say(&t, "MAIL FROM:<boss@local.test>");
	expect(&t, "would-deny session=0000000000000abc what=sender why=account client=198.51.100.7 name=- helo=client.example.net auth=yes account=\"al\\\"ice\" "
		   "from=\"<boss@local.test>\" rcpt=\"\" rule=\"built-in\" reply=\"250 2.1.0 Ok\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipient),
		cmocka_unit_test(test_strange_bytes),
		cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
