/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vectors.c: every row of selftests/smtp/relay_vectors.tsv through sess, relay and mailbox, after EHLO and
 * after HELO, in one piece and byte by byte. Whatever the backend would be asked must be a plain path of ours.
 */
#include "unit.h"

#include "sess_fixture.h"

struct vector {
	char id[2048], answer[2048];
	char mail[600], rcpt[600]; /* whole commands with CRLF, unescaped */
	size_t nmail, nrcpt;
};

struct talk {
	struct fixture f;
	struct sess s;
	struct sess_step step;
	bool split;
	char answer[600]; /* the last reply */
};

static size_t command(char *out, size_t size, const char *head, const char *args)
{
	size_t n = strlen(head);

	assert_true(n + strlen(args) + 3 < size);
	memcpy(out, head, n);
	strcpy(out + n, args);
	n += unescape(out + n);
	memcpy(out + n, "\r\n", 2);
	return n + 2;
}

static bool read_vector(FILE *f, struct vector *v)
{
	char line[2048], *mail, *rcpt, *answer;

	do {
		if (!fgets(line, sizeof(line), f))
			return false;
	} while (line[0] == '#');
	line[strcspn(line, "\n")] = '\0';
	mail = strchr(line, '\t');
	rcpt = mail ? strchr(mail + 1, '\t') : NULL;
	answer = rcpt ? strchr(rcpt + 1, '\t') : NULL;
	assert_non_null(answer);
	*mail++ = *rcpt++ = *answer++ = '\0';
	snprintf(v->id, sizeof(v->id), "%s", line);
	snprintf(v->answer, sizeof(v->answer), "%s", answer);
	v->nmail = command(v->mail, sizeof(v->mail), "MAIL FROM:", mail);
	v->nrcpt = command(v->rcpt, sizeof(v->rcpt), "RCPT TO:", rcpt);
	return true;
}

/* Who lives at local.test. */
static const char *backend_says(struct str line)
{
	static const char *const known[] = {
		"RCPT TO:<user@local.test>", "RCPT TO:<postmaster>", "RCPT TO:<postmaster@local.test>",
		"RCPT TO:<user+t=remote.example@local.test>",
	};
	size_t i;

	for (i = 0; i < NROWS(known); i++)
		if (str_ieq(line, str_of(known[i])))
			return "250 2.1.5 Ok";
	return "550 5.1.1 No such user";
}

/* What reaches a backend has one meaning: "RCPT TO:<local@local.test>" without routing, or <postmaster>. */
static void must_be_ours(const struct vector *v, struct str line)
{
	struct mailbox m;
	struct str path = str_sub(line, 8, line.n);

	if (mailbox_path(&path, false, true, &m) != MAILBOX_OK || path.n || m.routed)
		fail_msg("%s: asked the backend %.*s", v->id, (int)line.n, line.p);
	if (m.kind != MAILBOX_POSTMASTER && strcmp(m.domain, "local.test") && strcmp(m.domain, "mx.local.test"))
		fail_msg("%s: leaves for %s", v->id, m.domain);
}

static void hear(struct talk *t)
{
	if (t->step.reply.n)
		snprintf(t->answer, sizeof(t->answer), "%.*s", (int)t->step.reply.n, t->step.reply.p);
}

static void say_line(struct talk *t, const struct vector *v, const char *bytes, size_t n)
{
	size_t have = t->split ? 1 : n, from = 0;

	while (have <= n && t->step.want == SESS_READ) {
		from += sess_bytes(&t->s, (struct str){ bytes + from, have - from }, START_NS, &t->step);
		hear(t);
		have++;
	}
	if (t->step.want == SESS_ASK) {
		struct reply r;

		assert_int_equal(t->step.ask, ASK_RCPT);
		must_be_ours(v, t->step.ask_line);
		reply_init(&r);
		assert_int_equal(reply_line(&r, str_of(backend_says(t->step.ask_line))), REPLY_DONE);
		sess_answer(&t->s, ANSWER_REPLY, &r, START_NS, &t->step);
		hear(t);
	}
}

static void play(const struct vector *v, const char *greeting, bool split)
{
	struct talk *t = calloc(1, sizeof(*t));
	bool at_mail = v->answer[0] == 'M';
	const char *want = v->answer + at_mail;

	t->split = split;
	fixture_init(&t->f);
	t->f.conf.auth = SESS_OFFER;
	t->f.conf.auth_cleartext = true;
	sess_open(&t->s, &t->f.conf, &t->f.peer, &t->f.stats, START_NS, &t->step);
	say_line(t, v, greeting, strlen(greeting));
	say_line(t, v, v->mail, v->nmail);
	if (!at_mail) {
		if (strncmp(t->answer, "250", 3))
			fail_msg("%s: MAIL was answered %s", v->id, t->answer);
		say_line(t, v, v->rcpt, v->nrcpt);
	}
	if (strncmp(t->answer, want, strlen(want)))
		fail_msg("%s%s: expected %s, got %s", v->id, split ? " byte by byte" : "", v->answer, t->answer);
	if (want[0] == '5' && !at_mail)
		assert_int_equal(t->s.rcpts, 0);
	free(t);
}

static void every_vector(void **state)
{
	FILE *f = fopen("selftests/smtp/relay_vectors.tsv", "r");
	struct vector v;
	unsigned n = 0;

	(void)state;
	assert_non_null(f);
	for (; read_vector(f, &v); n++) {
		bool extended = strstr(v.mail, "> SMTPUTF8") || strstr(v.mail, " AUTH=") || strstr(v.rcpt, "NOTIFY=");

		play(&v, "EHLO [192.0.2.10]\r\n", false);
		play(&v, "EHLO local.test\r\n", true);
		if (!extended)
			play(&v, "HELO localhost\r\n", false);
	}
	fclose(f);
	assert_true(n > 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_vector) };

	return cmocka_run_group_tests_name("relay vectors", tests, NULL, NULL);
}
