/* SPDX-License-Identifier: BSD-2-Clause */
/* smtp_params.c: MAIL and RCPT: paths, their ESMTP parameters as rows, and both re-emitted. See smtp.h. */
#include "user/core/idna.h"
#include "user/core/put.h"
#include "user/core/sess.h" /* enum sess_cap, no more */
#include "user/core/smtp.h"

#define ENVID_MAX 100 /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500 /* RFC 3461 section 4.2 */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int smtp_xtext_take(struct str *s, bool utf8)
{
	unsigned char c = (unsigned char)s->p[0];
	int hi, lo;

	*s = str_sub(*s, 1, s->n);
	if (c != '+')
		return (c > ' ' && c < 0x7f && c != '=') || (utf8 && c >= 0x80) ? c : -1;
	hi = s->n >= 2 ? hex(s->p[0]) : -1;
	lo = s->n >= 2 ? hex(s->p[1]) : -1;
	if (hi < 0 || lo < 0)
		return -1;
	*s = str_sub(*s, 2, s->n);
	c = (unsigned char)(hi << 4 | lo);
	return c < ' ' || c >= 0x7f ? -1 : c;
}

static bool is_xtext(struct str s, bool utf8)
{
	bool ok = s.n && (!utf8 || idna_is_utf8(s));

	while (ok && s.n)
		ok = smtp_xtext_take(&s, utf8) >= 0;
	return ok;
}

/* Re-encodes: only what must be is written as +XX, so one meaning has one spelling. */
static void put_xtext(struct put *o, struct str s)
{
	while (s.n) {
		int c = smtp_xtext_take(&s, true);
		char plain = (char)c, code[3] = { '+', "0123456789ABCDEF"[c >> 4 & 15], "0123456789ABCDEF"[c & 15] };

		if (c == ' ' || c == '+' || c == '=')
			put_str(o, (struct str){ code, 3 });
		else
			put_str(o, (struct str){ &plain, 1 });
	}
}

/* What a parameter writes to; mail or rcpt is set. */
struct target {
	struct smtp_mail *mail;
	struct smtp_rcpt *rcpt;
	bool utf8;
};

static bool set_size(struct target *t, struct str v)
{
	t->mail->sized = v.n <= 20 && str_u64(v, &t->mail->size);
	return t->mail->sized;
}

static bool set_body(struct target *t, struct str v)
{
	t->mail->body = str_ieq(v, STR("7BIT")) ? "7BIT" : str_ieq(v, STR("8BITMIME")) ? "8BITMIME" : NULL;
	t->mail->binary = str_ieq(v, STR("BINARYMIME"));
	return t->mail->body || t->mail->binary;
}

static bool set_requiretls(struct target *t, struct str v)
{
	t->mail->requiretls = !v.n;
	return t->mail->requiretls;
}

/* "120;R", "-60;NT": up to nine digits; zero and less only with N (RFC 2852 section 4.4). */
static bool set_by(struct target *t, struct str v)
{
	bool less = v.n && v.p[0] == '-';
	const char *semicolon = v.n ? memchr(v.p, ';', v.n) : NULL;
	struct str time = str_sub(v, less, semicolon ? (size_t)(semicolon - v.p) : less);
	struct str how = semicolon ? str_sub(v, (size_t)(semicolon - v.p) + 1, v.n) : STR("");
	bool notify = how.n && (how.p[0] | 0x20) == 'n', deny = how.n && (how.p[0] | 0x20) == 'r';
	unsigned long long s;

	t->mail->by = v;
	if (time.n > 9 || !str_u64(time, &s) || !(notify || deny) || (deny && (less || !s)))
		return false;
	return how.n == 1 || (how.n == 2 && (how.p[1] | 0x20) == 't');
}

static bool set_priority(struct target *t, struct str v)
{
	bool less = v.n && v.p[0] == '-';

	v = str_sub(v, less, v.n);
	t->mail->prioritized = v.n == 1 && v.p[0] >= '0' && v.p[0] <= '9';
	if (t->mail->prioritized)
		t->mail->priority = less ? '0' - v.p[0] : v.p[0] - '0';
	return t->mail->prioritized;
}

static bool set_utf8(struct target *t, struct str v)
{
	t->mail->utf8 = !v.n;
	return t->mail->utf8;
}

static bool set_ret(struct target *t, struct str v)
{
	t->mail->ret = str_ieq(v, STR("FULL")) ? "FULL" : str_ieq(v, STR("HDRS")) ? "HDRS" : NULL;
	return t->mail->ret;
}

static bool set_envid(struct target *t, struct str v)
{
	t->mail->envid = v;
	return v.n <= ENVID_MAX && is_xtext(v, false);
}

static bool set_auth(struct target *t, struct str v)
{
	t->mail->auth = true;
	return is_xtext(v, false);
}

static unsigned notify_bit(struct str word)
{
	static const char *const name[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	unsigned i;

	for (i = 0; i < 4; i++)
		if (str_ieq(word, str_of(name[i])))
			return 1u << i;
	return 0;
}

static bool set_notify(struct target *t, struct str v)
{
	unsigned *notify = &t->rcpt->notify;

	for (;;) {
		const char *comma = v.n ? memchr(v.p, ',', v.n) : NULL;
		size_t n = comma ? (size_t)(comma - v.p) : v.n;
		unsigned bit = notify_bit(str_sub(v, 0, n));

		if (!bit || *notify & bit)
			return false;
		*notify |= bit;
		if (!comma)
			return !(*notify & NOTIFY_NEVER) || *notify == NOTIFY_NEVER;
		v = str_sub(v, n + 1, v.n);
	}
}

static bool is_addr_type(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return s.n;
}

static bool set_orcpt(struct target *t, struct str v)
{
	const char *semicolon = v.n ? memchr(v.p, ';', v.n) : NULL;
	size_t n = semicolon ? (size_t)(semicolon - v.p) : 0;
	bool utf8;

	if (!semicolon || v.n > ORCPT_MAX)
		return false;
	t->rcpt->type = str_sub(v, 0, n);
	t->rcpt->orcpt = str_sub(v, n + 1, v.n);
	utf8 = t->utf8 && str_ieq(t->rcpt->type, STR("utf-8"));
	return is_addr_type(t->rcpt->type) && is_xtext(t->rcpt->orcpt, utf8);
}

struct param {
	const char *keyword;
	unsigned cap; /* promised when this is */
	bool valued;
	bool (*set)(struct target *t, struct str value);
};

static const struct param mail_param[] = {
	{ "SIZE",     CAP_SIZE,     true,  set_size },
	{ "BODY",     CAP_8BITMIME, true,  set_body },
	{ "SMTPUTF8", CAP_SMTPUTF8, false, set_utf8 },
	{ "RET",      CAP_DSN,      true,  set_ret },
	{ "ENVID",    CAP_DSN,      true,  set_envid },
	{ "AUTH",     CAP_AUTH,     true,  set_auth },
	{ "BY",       CAP_DELIVERBY, true, set_by },
	{ "MT-PRIORITY", CAP_MT_PRIORITY, true, set_priority },
	{ "REQUIRETLS", CAP_REQUIRETLS, false, set_requiretls },
};

static const struct param rcpt_param[] = {
	{ "NOTIFY", CAP_DSN, true, set_notify },
	{ "ORCPT",  CAP_DSN, true, set_orcpt },
};

/* One "keyword[=value]"; *seen has a bit per row. */
static enum smtp_flaw set_param(const struct param *row, size_t rows, struct str word, unsigned caps, struct target *t, unsigned *seen)
{
	const char *equals = memchr(word.p, '=', word.n);
	size_t i, n = equals ? (size_t)(equals - word.p) : word.n;
	struct str value = str_sub(word, n + (equals != NULL), word.n);

	if (!is_addr_type(str_sub(word, 0, n)) || word.p[0] == '-' || (equals && !value.n))
		return SMTP_BAD_ARGUMENT;
	for (i = 0; i < rows; i++)
		if (str_ieq(str_sub(word, 0, n), str_of(row[i].keyword)))
			break;
	if (i == rows || !(caps & row[i].cap))
		return SMTP_UNPROMISED;
	if (*seen & 1u << i || row[i].valued != (equals != NULL) || !row[i].set(t, value))
		return SMTP_BAD_ARGUMENT;
	*seen |= 1u << i;
	return SMTP_OK;
}

/* All that may follow a path: spaces and parameters. */
static enum smtp_flaw set_params(const struct param *row, size_t rows, struct str rest, unsigned caps, struct target *t)
{
	unsigned seen = 0;

	if (rest.n && rest.p[0] != ' ')
		return SMTP_BAD_PATH;
	while (rest.n) {
		size_t n = 0;
		enum smtp_flaw flaw;

		if (rest.p[0] == ' ') {
			rest = str_sub(rest, 1, rest.n);
			continue;
		}
		while (n < rest.n && rest.p[n] != ' ')
			n++;
		flaw = set_param(row, rows, str_sub(rest, 0, n), caps, t, &seen);
		if (flaw)
			return flaw;
		rest = str_sub(rest, n, rest.n);
	}
	return SMTP_OK;
}

/* "FROM:" or "TO:", and one space that many clients add. */
static enum smtp_flaw take_path(struct str *args, struct str word, bool reverse, bool utf8, struct mailbox *out)
{
	static const enum smtp_flaw flaw_of[] = {
		[MAILBOX_OK] = SMTP_OK,		       [MAILBOX_SYNTAX] = SMTP_BAD_PATH,
		[MAILBOX_NO_DOMAIN] = SMTP_BAD_PATH,   [MAILBOX_TOO_LONG] = SMTP_BAD_PATH,
		[MAILBOX_NEEDS_UTF8] = SMTP_NEEDS_UTF8, [MAILBOX_BAD_UTF8] = SMTP_BAD_UTF8,
	};

	if (!str_istarts(*args, word))
		return SMTP_BAD_ARGUMENT;
	*args = str_sub(*args, word.n, args->n);
	if (args->n && args->p[0] == ' ')
		*args = str_sub(*args, 1, args->n);
	if (!args->n || args->p[0] != '<')
		return SMTP_BAD_ARGUMENT;
	return flaw_of[mailbox_path(args, reverse, utf8, out)];
}

enum smtp_flaw smtp_mail(struct str args, unsigned caps, struct smtp_mail *out)
{
	struct target t = { .mail = out };
	struct str all = args;
	enum smtp_flaw flaw;

	memset(out, 0, sizeof(*out));
	flaw = take_path(&args, STR("FROM:"), true, caps & CAP_SMTPUTF8, &out->from);
	if (!flaw)
		flaw = set_params(mail_param, sizeof(mail_param) / sizeof(mail_param[0]), args, caps, &t);
	if (!flaw && out->binary)
		flaw = SMTP_UNPROMISED;
	if (flaw || out->utf8)
		return flaw;
	/* SMTPUTF8 comes behind the address that needs it: look again without the permission */
	return take_path(&all, STR("FROM:"), true, false, &out->from);
}

enum smtp_flaw smtp_rcpt(struct str args, unsigned caps, bool utf8, struct smtp_rcpt *out)
{
	struct target t = { .rcpt = out, .utf8 = utf8 };
	enum smtp_flaw flaw;

	memset(out, 0, sizeof(*out));
	flaw = take_path(&args, STR("TO:"), false, utf8, &out->to);
	return flaw ? flaw : set_params(rcpt_param, sizeof(rcpt_param) / sizeof(rcpt_param[0]), args, caps, &t);
}

static void put_path(struct put *o, const struct mailbox *m)
{
	char text[MAILBOX_TEXT_MAX];

	put_str(o, (struct str){ text, mailbox_text(m, text) });
}

static void put_param(struct put *o, const char *keyword, const char *value)
{
	if (!value)
		return;
	put_text(o, keyword);
	put_text(o, value);
}

static void put_upper(struct put *o, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i];

		put_str(o, (struct str){ &c, 1 });
	}
}

size_t smtp_mail_text(const struct smtp_mail *m, unsigned caps, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };

	put_text(&o, "MAIL FROM:");
	put_path(&o, &m->from);
	if (m->sized && caps & CAP_SIZE) {
		put_text(&o, " SIZE=");
		put_u64(&o, m->size);
	}
	put_param(&o, " BODY=", m->body);
	put_param(&o, " SMTPUTF8", m->utf8 ? "" : NULL);
	put_param(&o, " RET=", m->ret);
	if (m->envid.n) {
		put_text(&o, " ENVID=");
		put_xtext(&o, m->envid);
	}
	put_param(&o, " AUTH=<>", m->auth ? "" : NULL);
	put_param(&o, " REQUIRETLS", m->requiretls ? "" : NULL);
	if (m->by.n) {
		put_text(&o, " BY=");
		put_upper(&o, m->by);
	}
	if (m->prioritized) {
		put_text(&o, m->priority < 0 ? " MT-PRIORITY=-" : " MT-PRIORITY=");
		put_u64(&o, (unsigned long long)(m->priority < 0 ? -m->priority : m->priority));
	}
	return o.full ? 0 : o.n;
}

static void put_notify(struct put *o, unsigned notify)
{
	static const char *const name[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	const char *before = " NOTIFY=";
	unsigned i;

	for (i = 0; i < 4; i++) {
		if (!(notify & 1u << i))
			continue;
		put_text(o, before);
		put_text(o, name[i]);
		before = ",";
	}
}

size_t smtp_rcpt_text(const struct smtp_rcpt *r, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };

	put_text(&o, "RCPT TO:");
	put_path(&o, &r->to);
	put_notify(&o, r->notify);
	if (r->type.n) {
		put_text(&o, " ORCPT=");
		put_str(&o, r->type);
		put_text(&o, ";");
		put_xtext(&o, r->orcpt);
	}
	return o.full ? 0 : o.n;
}
