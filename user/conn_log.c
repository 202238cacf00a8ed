/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/conn_log.h"

#include <openssl/ssl.h>

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

static struct str first_line(struct str reply)
{
	const char *end = reply.n ? memchr(reply.p, '\r', reply.n) : NULL;

	return end ? (struct str){ reply.p, (size_t)(end - reply.p) } : reply;
}

/* The path of "MAIL FROM:<...> ..." as it was re-emitted. */
static struct str path_of(struct str mail)
{
	const char *open = mail.n ? memchr(mail.p, '<', mail.n) : NULL;
	struct str rest = open ? (struct str){ open, mail.n - (size_t)(open - mail.p) } : STR("<>");
	const char *space = memchr(rest.p, ' ', rest.n);

	return space ? (struct str){ rest.p, (size_t)(space - rest.p) } : rest;
}

static void log_message(const struct sess *s, const struct sess_step *step, unsigned counter)
{
	char from[2 * MAILBOX_TEXT_MAX], said[600];

	str_escape(path_of((struct str){ s->mail, before.nmail }), from, sizeof(from));
	str_escape(first_line(step->reply), said, sizeof(said));
	log_info("session=%016llx message=" STR_FMT " from=%s nrcpt=%u size=%llu reply=\"%s\"", s->peer.id, STR_ARG(label_of(counter)),
		 from, before.nrcpt, s->body.bytes > before.bytes ? s->body.bytes : before.bytes, said);
}

void conn_log_after(const struct sess *s, struct conn_totals *t, const struct sess_step *step)
{
	t->rcpts += (unsigned)(s->stats->counter[PST_CNT_RCPT_ACCEPTED] - before.rcpts);
	for (unsigned i = 0; i < FATES; i++)
		if (s->stats->counter[FATE_FIRST + i] != before.fate[i])
			log_message(s, step, FATE_FIRST + i);
}

void conn_log_session(const struct sess *s, const struct conn_totals *t, const void *ssl)
{
	char addr[ADDR_TEXT_MAX], helo[4 * MAILBOX_DOMAIN_MAX + 1];

	str_escape((struct str){ s->helo, s->nhelo }, helo, sizeof(helo));
	log_info("session=%016llx client=%s name=%s helo=%s tls=%s auth=%s messages=%u rcpts=%u end=" STR_FMT, s->peer.id,
		 addr_text(&s->peer.addr, addr), s->nname ? s->name : "-", helo[0] ? helo : "-", ssl && s->tls ? SSL_get_version(ssl) : "-",
		 s->authenticated ? "yes" : "no", s->messages, t->rcpts, STR_ARG(label_of(PST_CNT_SESS_QUIT + s->end)));
}
