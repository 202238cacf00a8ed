/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/conn_log.h"

#include <openssl/ssl.h>

#include "user/conn_denied.h"
#include "user/core/addr.h"
#include "user/core/names.h"
#include "user/log.h"

#define FATE_FIRST PST_CNT_MSG_ACCEPTED
#define FATES	   (PST_CNT_MSG_ABORTED - PST_CNT_MSG_ACCEPTED + 1)

static struct {
	__u64 fate[FATES], rcpts;
	unsigned nrcpt;
	unsigned long long bytes;
	size_t nmail;
} before;

void conn_log_before(const struct sess *s, struct conn_totals *t)
{
	(void)t;
	for (unsigned i = 0; i < FATES; i++)
		before.fate[i] = s->stats->counter[FATE_FIRST + i];
	before.rcpts = s->stats->counter[PST_CNT_RCPT_ACCEPTED];
	before.nrcpt = s->rcpts;
	before.bytes = s->body.bytes;
	before.nmail = s->nmail;
}

/* The value of a counter's only label: "accepted" of result="accepted". */
static struct str label_of(unsigned counter)
{
	const char *open = strchr(counter_rows[counter].labels, '"');
	const char *close = open ? strchr(open + 1, '"') : NULL;

	return close ? (struct str){ open + 1, (size_t)(close - open - 1) } : STR("?");
}

static void log_message(const struct sess *s, const struct sess_step *step, unsigned counter)
{
	char from[2 * MAILBOX_TEXT_MAX], said[600];

	str_escape(denied_path((struct str){ s->mail, before.nmail }), from, sizeof(from));
	str_escape(denied_reply(step->reply), said, sizeof(said));
	log_info("message session=%016llx result=" STR_FMT " from=%s nrcpt=%u size=%llu reply=\"%s\"", s->peer.id, STR_ARG(label_of(counter)),
		 from, before.nrcpt, s->body.bytes > before.bytes ? s->body.bytes : before.bytes, said);
}

static void log_denied(const struct sess *s, const struct sess_step *step)
{
	char line[DENIED_LINE_MAX];

	log_info("%s", denied_line(s, step, line));
}

void conn_log_after(const struct sess *s, struct conn_totals *t, const struct sess_step *step)
{
	t->rcpts += (unsigned)(s->stats->counter[PST_CNT_RCPT_ACCEPTED] - before.rcpts);
	for (unsigned i = 0; i < FATES; i++)
		if (s->stats->counter[FATE_FIRST + i] != before.fate[i])
			log_message(s, step, FATE_FIRST + i);
	if (step->denied.why)
		log_denied(s, step);
}

#define TALK_MAX 500 /* octets of a line */

static struct str cut(struct str line)
{
	return str_sub(line, 0, line.n < TALK_MAX ? line.n : TALK_MAX);
}

static unsigned lines_of(struct str reply)
{
	unsigned n = 0;

	for (size_t i = 0; i < reply.n; i++)
		n += reply.p[i] == '\n';
	return n;
}

void conn_log_talk(const struct sess *s, const struct sess_step *step)
{
	char text[4 * TALK_MAX + 1];

	if (step->said.n) {
		str_escape(cut(step->said), text, sizeof(text));
		log_info("command session=%016llx line=\"%s\"", s->peer.id, text);
	}
	if (step->reply.n) {
		str_escape(cut(denied_reply(step->reply)), text, sizeof(text));
		log_info("reply session=%016llx lines=%u text=\"%s\"", s->peer.id, lines_of(step->reply), text);
	}
}

void conn_log_session(const struct sess *s, const struct conn_totals *t, const void *ssl)
{
	char addr[ADDR_TEXT_MAX], helo[4 * MAILBOX_DOMAIN_MAX + 1], account[4 * ACCOUNT_MAX + 1];

	str_escape((struct str){ s->helo, s->nhelo }, helo, sizeof(helo));
	str_escape(str_of(s->authenticated ? s->account : ""), account, sizeof(account));
	log_info("session-end session=%016llx client=%s name=%s helo=%s tls=%s auth=%s account=\"%s\" messages=%u rcpts=%u end=" STR_FMT, s->peer.id,
		 addr_text(&s->peer.addr, addr), s->nname ? s->name : "-", helo[0] ? helo : "-", ssl && s->tls ? SSL_get_version(ssl) : "-",
		 s->authenticated ? "yes" : "no", account, s->messages, t->rcpts, STR_ARG(label_of(PST_CNT_SESS_QUIT + s->end)));
}
