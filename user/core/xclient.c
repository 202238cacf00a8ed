/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/xclient.h"

#include "user/core/smtp.h"

#define VALUE_MAX 512 /* octets of a value, decoded */

static bool set_addr(struct xclient *x, struct str v)
{
	struct str six = STR("IPV6:");

	if (str_istarts(v, six))
		return addr_parse(str_sub(v, six.n, v.n), &x->client);
	return !memchr(v.p, ':', v.n) && addr_parse(v, &x->client);
}

static bool set_port(struct xclient *x, struct str v)
{
	unsigned long long port;

	if (!str_u64(v, &port) || port > 65535)
		return false;
	x->port = (unsigned short)port;
	return true;
}

static bool take_domain(struct str v, struct mailbox *m, char *out, size_t *n)
{
	if (!mailbox_domain(v, false, m))
		return false;
	memcpy(out, m->domain, m->ndomain + 1);
	*n = m->ndomain;
	return true;
}

static bool set_name(struct xclient *x, struct str v)
{
	struct mailbox m;

	return take_domain(v, &m, x->name, &x->nname) && x->name[0] != '[';
}

static bool set_helo(struct xclient *x, struct str v)
{
	struct mailbox m;

	return take_domain(v, &m, x->helo, &x->nhelo);
}

static bool set_proto(struct xclient *x, struct str v)
{
	(void)x;
	return str_ieq(v, STR("SMTP")) || str_ieq(v, STR("ESMTP"));
}

static bool set_login(struct xclient *x, struct str v)
{
	account_fold(v, x->account);
	return v.n > 0;
}

static const struct row {
	const char *name;
	size_t word; /* offset in struct xclient */
	bool needed; /* there is no doing without it */
	bool (*set)(struct xclient *x, struct str v);
} rows[] = {
	{ "ADDR", offsetof(struct xclient, addr), true, set_addr },
	{ "PORT", offsetof(struct xclient, port_word), false, set_port },
	{ "NAME", offsetof(struct xclient, name_word), false, set_name },
	{ "HELO", offsetof(struct xclient, helo_word), false, set_helo },
	{ "PROTO", offsetof(struct xclient, proto), false, set_proto },
	{ "LOGIN", offsetof(struct xclient, login), false, set_login },
};

static const struct row *row_of(struct str name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_ieq(name, str_of(rows[i].name)))
			return &rows[i];
	return NULL;
}

static bool decode(struct str in, char out[VALUE_MAX], size_t *n)
{
	for (*n = 0; in.n; ++*n) {
		int c = smtp_xtext_take(&in, false);

		if (c < 0 || *n == VALUE_MAX)
			return false;
		out[*n] = (char)c;
	}
	return true;
}

static bool take_value(const struct row *row, struct xclient *x, struct str v, enum xclient_word *word)
{
	char text[VALUE_MAX];
	size_t n;

	*word = str_ieq(v, STR("[UNAVAILABLE]")) ? XCLIENT_NONE : str_ieq(v, STR("[TEMPUNAVAIL]")) ? XCLIENT_UNSURE : XCLIENT_SAID;
	if (*word != XCLIENT_SAID)
		return !row->needed;
	return decode(v, text, &n) && row->set(x, (struct str){ text, n });
}

enum xclient_flaw xclient_parse(struct str args, struct xclient *out)
{
	struct str pair;

	memset(out, 0, sizeof(*out));
	while ((pair = str_word(&args)).n) {
		const char *equals = memchr(pair.p, '=', pair.n);
		size_t n = equals ? (size_t)(equals - pair.p) : 0;
		const struct row *row = row_of(str_sub(pair, 0, n));
		enum xclient_word *word = row ? (enum xclient_word *)((char *)out + row->word) : NULL;

		if (!word || *word != XCLIENT_UNSAID)
			return XCLIENT_BAD_NAME;
		if (!take_value(row, out, str_sub(pair, n + 1, pair.n), word))
			return XCLIENT_BAD_VALUE;
	}
	return XCLIENT_OK;
}
