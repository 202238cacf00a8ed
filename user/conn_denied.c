/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/conn_denied.h"

#include <stdio.h>

#include "user/core/addr.h"

/* The path of "MAIL FROM:<...> ..." as it was re-emitted: a quoted local part may hold blanks and ">". */
struct str denied_path(struct str mail)
{
	const char *open = mail.n ? memchr(mail.p, '<', mail.n) : NULL;
	size_t from = open ? (size_t)(open - mail.p) : mail.n, i;
	bool quoted = false;

	for (i = from; i < mail.n && (quoted || mail.p[i] != '>'); i++) {
		if (quoted && mail.p[i] == '\\' && i + 1 < mail.n)
			i++;
		else if (mail.p[i] == '"')
			quoted = !quoted;
	}
	return i < mail.n ? str_sub(mail, from, i + 1) : STR("<>");
}

struct str denied_reply(struct str reply)
{
	const char *end = reply.n ? memchr(reply.p, '\r', reply.n) : NULL;

	return end ? (struct str){ reply.p, (size_t)(end - reply.p) } : reply;
}

static void rule_text(const struct sess_denied *d, char *out, size_t size)
{
	bool written = d->file && d->line; /* a section that is not there has no line */
	int n = (int)str_escape(written ? str_of(d->file) : STR("built-in"), out, size);

	if (written)
		snprintf(out + n, size - (size_t)n, ":%u", d->line);
}

const char *denied_line(const struct sess *s, const struct sess_step *step, char out[DENIED_LINE_MAX])
{
	const struct sess_denied *d = &step->denied;
	char addr[ADDR_TEXT_MAX], helo[4 * MAILBOX_DOMAIN_MAX + 1], from[4 * MAILBOX_TEXT_MAX], to[4 * MAILBOX_TEXT_MAX];
	char account[4 * ACCOUNT_MAX + 1], rule[512], said[1024];
	struct str path = { d->path, d->npath };

	str_escape((struct str){ s->helo, s->nhelo }, helo, sizeof(helo));
	str_escape(str_of(s->authenticated ? s->account : ""), account, sizeof(account));
	str_escape(d->sender ? path : denied_path((struct str){ s->mail, s->nmail }), from, sizeof(from));
	str_escape(d->sender ? STR("") : path, to, sizeof(to));
	str_escape(denied_reply(step->reply), said, sizeof(said));
	rule_text(d, rule, sizeof(rule));
	snprintf(out, DENIED_LINE_MAX,
		 "%s session=%016llx what=%s why=%s client=%s name=%s helo=%s auth=%s account=\"%s\" from=\"%s\" rcpt=\"%s\" rule=\"%s\" reply=\"%s\"",
		 d->observed ? "would-deny" : "denied", s->peer.id, d->sender ? "sender" : "recipient", d->why, addr_text(&s->peer.addr, addr),
		 s->nname ? s->name : "-", helo[0] ? helo : "-", s->authenticated ? "yes" : "no", account, from, to, rule, said);
	return out;
}
