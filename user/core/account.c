/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/account.h"

#include "user/core/put.h"

/* --- the name in a response ------------------------------------------------- */

enum account_form account_form(struct str mechanism)
{
	static const struct {
		const char *name;
		enum account_form form;
	} rows[] = {
		{ "PLAIN", ACCOUNT_PLAIN },	{ "LOGIN", ACCOUNT_LOGIN },	    { "CRAM-MD5", ACCOUNT_CRAM },
		{ "XOAUTH2", ACCOUNT_XOAUTH2 }, { "OAUTHBEARER", ACCOUNT_BEARER },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_ieq(mechanism, str_of(rows[i].name)))
			return rows[i].form;
	return str_istarts(mechanism, STR("SCRAM-")) ? ACCOUNT_SCRAM : ACCOUNT_HIDDEN;
}

/* Decodes base64 (RFC 4648 section 4) one byte at a time. */
struct decoder {
	struct str in;
	unsigned bits, nbits;
};

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The next byte, or -1 at the end. */
static int next(struct decoder *d)
{
	while (d->nbits < 8) {
		int v = d->in.n ? sextet(d->in.p[0]) : -1;

		if (v < 0)
			return -1;
		d->in = str_sub(d->in, 1, d->in.n);
		d->bits = (d->bits << 6 | (unsigned)v) & 0xffff;
		d->nbits += 6;
	}
	d->nbits -= 8;
	return (int)(d->bits >> d->nbits & 0xff);
}

/* Skips the bytes up to the end mark, which is skipped too. */
static bool skip_field(struct decoder *d, int end)
{
	int c = next(d);

	while (c >= 0 && c != end)
		c = next(d);
	return c >= 0;
}

static bool skip_text(struct decoder *d, const char *text)
{
	while (*text)
		if (next(d) != *text++)
			return false;
	return true;
}

/* "=2C" and "=3D" of RFC 5802 stand for what would end the name. */
static int unquote(struct decoder *d)
{
	int a = next(d), b = next(d);

	return a == '2' && b == 'C' ? ',' : a == '3' && b == 'D' ? '=' : -1;
}

static bool put_byte(struct put *o, int c)
{
	char byte = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);

	if (c < ' ' || c == 0x7f)
		return false;
	put_str(o, (struct str){ &byte, 1 });
	return true;
}

/* The bytes up to the end mark, or to the end of all where that is the mark (-1). */
static bool take_field(struct decoder *d, int end, bool quoted, struct put *o)
{
	int c;

	while ((c = next(d)) != end) {
		if (c == '=' && quoted)
			c = unquote(d);
		if (!put_byte(o, c))
			return false;
	}
	return true;
}

static bool take_name(enum account_form form, struct decoder *d, struct put *o)
{
	switch (form) {
	case ACCOUNT_HIDDEN:
		return false;
	case ACCOUNT_PLAIN:
		return skip_field(d, 0) && take_field(d, 0, false, o);
	case ACCOUNT_LOGIN:
		return take_field(d, -1, false, o);
	case ACCOUNT_CRAM:
		return take_field(d, ' ', false, o);
	case ACCOUNT_SCRAM:
		return skip_field(d, ',') && skip_field(d, ',') && skip_text(d, "n=") && take_field(d, ',', true, o);
	case ACCOUNT_XOAUTH2:
		return skip_text(d, "user=") && take_field(d, 1, false, o);
	case ACCOUNT_BEARER:
		return skip_field(d, ',') && skip_text(d, "a=") && take_field(d, ',', true, o);
	}
	return false;
}

bool account_name(enum account_form form, struct str response, char out[ACCOUNT_MAX + 1])
{
	struct decoder d = { .in = response };
	struct put o = { .p = out, .max = ACCOUNT_MAX };
	bool taken = take_name(form, &d, &o) && !o.full;

	out[taken ? o.n : 0] = '\0';
	return taken && o.n;
}

bool account_fold(struct str name, char out[ACCOUNT_MAX + 1])
{
	struct put o = { .p = out, .max = ACCOUNT_MAX };
	bool taken = name.n > 0;

	for (size_t i = 0; taken && i < name.n; i++)
		taken = put_byte(&o, (unsigned char)name.p[i]) && !o.full;
	out[taken ? o.n : 0] = '\0';
	return taken;
}

/* --- the senders of an account ------------------------------------------------ */

int account_order(const struct account_owner *a, const struct account_owner *b)
{
	int order = sender_order(a->account, b->account);

	return order ? order : sender_order(a->sender.key, b->sender.key);
}

static const struct sender_rule *find(const struct account_rules *r, struct str account, struct str key)
{
	const struct account_owner wanted = { account, { .key = key } };
	size_t low = 0, high = r->nowners;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = account_order(&wanted, &r->owner[middle]);

		if (!order)
			return &r->owner[middle].sender;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct seeker {
	const struct account_rules *rules;
	struct str account;
	const struct sender_rule *rule;
};

static bool is_owned(void *ctx, struct str key)
{
	struct seeker *s = ctx;

	s->rule = find(s->rules, s->account, key);
	return s->rule || (key.p[0] != '@' && str_eq(key, s->account));
}

bool account_owns(const struct account_rules *r, struct str account, const struct mailbox *from, const struct sender_rule **rule)
{
	struct seeker s = { r, account, NULL };
	bool owns = from->kind == MAILBOX_NULL;

	if (!owns && account.n)
		owns = sender_any_key(from, is_owned, &s) || (s.rule = find(r, account, STR("*")));
	if (rule)
		*rule = s.rule;
	return owns;
}
