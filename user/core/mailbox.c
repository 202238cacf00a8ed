/* SPDX-License-Identifier: BSD-2-Clause */
/* mailbox.c: see mailbox.h */
#include "user/core/mailbox.h"
#include "user/core/addr.h"
#include "user/core/idna.h"

/* A cursor over the path. Non-ASCII is let through when utf8 is set; otherwise the caller named the flaw before. */
struct scan {
	struct str in;
	bool utf8;
};

static bool is_alpha(unsigned char c)
{
	return (unsigned char)((c | 0x20) - 'a') < 26;
}

static bool is_let_dig(unsigned char c)
{
	return is_alpha(c) || (unsigned char)(c - '0') < 10;
}

/* RFC 5322 section 3.2.3 */
static bool is_atext(unsigned char c)
{
	return is_let_dig(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool eat(struct scan *s, char c)
{
	if (!s->in.n || s->in.p[0] != c)
		return false;
	s->in = str_sub(s->in, 1, s->in.n);
	return true;
}

/* Octets of the non-ASCII character at the head, 0 when there is none that an address may hold (C1 controls may not be). */
static size_t wide(const struct scan *s)
{
	unsigned cp;
	size_t n = s->utf8 && s->in.n && (unsigned char)s->in.p[0] >= 0x80 ? idna_take(s->in, &cp) : 0;

	return n && cp >= 0xa0 ? n : 0;
}

/* Moves n bytes to the local part; false when it is full. */
static bool keep(struct mailbox *m, struct scan *s, size_t n)
{
	if (m->nlocal + n > MAILBOX_LOCAL_MAX)
		return false;
	memcpy(m->local + m->nlocal, s->in.p, n);
	m->nlocal += n;
	s->in = str_sub(s->in, n, s->in.n);
	return true;
}

static enum mailbox_flaw dot_string(struct scan *s, struct mailbox *m)
{
	bool atom = false; /* an atom has begun since the last dot */

	while (s->in.n) {
		unsigned char c = (unsigned char)s->in.p[0];
		size_t n = is_atext(c) || (c == '.' && atom) ? 1 : wide(s);

		if (!n)
			break;
		if (!keep(m, s, n))
			return MAILBOX_TOO_LONG;
		atom = c != '.';
	}
	return atom ? MAILBOX_OK : MAILBOX_SYNTAX;
}

/* Behind the opening quote. Dequotes: what is kept is what the quoted string means. */
static enum mailbox_flaw quoted_string(struct scan *s, struct mailbox *m)
{
	while (!eat(s, '"')) {
		bool pair = eat(s, '\\');
		unsigned char c = s->in.n ? (unsigned char)s->in.p[0] : 0;
		size_t n = c >= ' ' && c <= '~' ? 1 : pair ? 0 : wide(s);

		if (!n)
			return MAILBOX_SYNTAX;
		if (!keep(m, s, n))
			return MAILBOX_TOO_LONG;
	}
	return MAILBOX_OK;
}

static enum mailbox_flaw local_part(struct scan *s, struct mailbox *m)
{
	enum mailbox_flaw flaw = eat(s, '"') ? quoted_string(s, m) : dot_string(s, m);

	m->local[m->nlocal] = '\0';
	return flaw;
}

/* Appends a label in canonical form. */
static enum mailbox_flaw add_label(struct mailbox *m, struct str label)
{
	char canonical[IDNA_LABEL_MAX];
	bool ascii = true;
	size_t i;

	for (i = 0; i < label.n; i++)
		ascii &= (unsigned char)label.p[i] < 0x80;
	if (!ascii) {
		label.n = idna_label(label, canonical);
		label.p = canonical;
		if (!label.n)
			return MAILBOX_BAD_UTF8;
	}
	if (!label.n || label.n > IDNA_LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return MAILBOX_SYNTAX;
	if (m->ndomain + label.n > MAILBOX_DOMAIN_MAX)
		return MAILBOX_TOO_LONG;
	for (i = 0; i < label.n; i++)
		m->domain[m->ndomain++] = lower(label.p[i]);
	return MAILBOX_OK;
}

static struct str take_label(struct scan *s)
{
	struct str label = { s->in.p, 0 };

	while (s->in.n) {
		unsigned char c = (unsigned char)s->in.p[0];
		size_t n = is_let_dig(c) || c == '-' ? 1 : wide(s);

		if (!n)
			break;
		label.n += n;
		s->in = str_sub(s->in, n, s->in.n);
	}
	return label;
}

static enum mailbox_flaw domain(struct scan *s, struct mailbox *m)
{
	enum mailbox_flaw flaw;

	m->kind = MAILBOX_DOMAIN;
	for (;;) {
		flaw = add_label(m, take_label(s));
		if (flaw || !eat(s, '.'))
			break;
		if (m->ndomain == MAILBOX_DOMAIN_MAX)
			return MAILBOX_TOO_LONG;
		m->domain[m->ndomain++] = '.';
	}
	m->domain[m->ndomain] = '\0';
	return flaw;
}

/* RFC 5321 section 4.1.3, behind "[". Of the tagged forms only IPv6 is registered. */
static enum mailbox_flaw literal(struct scan *s, struct mailbox *m)
{
	const char *close = s->in.n ? memchr(s->in.p, ']', s->in.n) : NULL;
	struct str text = { s->in.p, close ? (size_t)(close - s->in.p) : 0 };
	bool six = str_istarts(text, STR("IPv6:"));
	struct pst_addr a;
	char canonical[ADDR_TEXT_MAX];
	struct str tag = STR("");

	if (six)
		text = str_sub(text, 5, text.n);
	if (!text.n || six == !memchr(text.p, ':', text.n) || !addr_parse(text, &a))
		return MAILBOX_SYNTAX;
	s->in = str_sub(s->in, (size_t)(close + 1 - s->in.p), s->in.n);
	text = str_of(addr_text(&a, canonical));
	if (memchr(text.p, ':', text.n))
		tag = STR("IPv6:");
	m->kind = MAILBOX_LITERAL;
	m->domain[0] = '[';
	memcpy(m->domain + 1, tag.p, tag.n);
	memcpy(m->domain + 1 + tag.n, text.p, text.n);
	m->ndomain = 1 + tag.n + text.n;
	m->domain[m->ndomain++] = ']';
	m->domain[m->ndomain] = '\0';
	return MAILBOX_OK;
}

static enum mailbox_flaw domain_or_literal(struct scan *s, struct mailbox *m)
{
	m->ndomain = 0;
	return eat(s, '[') ? literal(s, m) : domain(s, m);
}

/* A-d-l of RFC 5321: "@domain,@domain:" is checked and dropped. */
static enum mailbox_flaw source_route(struct scan *s, struct mailbox *m)
{
	do {
		enum mailbox_flaw flaw = eat(s, '@') ? MAILBOX_OK : MAILBOX_SYNTAX;

		m->ndomain = 0;
		if (!flaw)
			flaw = domain(s, m);
		if (flaw)
			return flaw;
	} while (eat(s, ','));
	return eat(s, ':') ? MAILBOX_OK : MAILBOX_SYNTAX;
}

static bool is_routed(const struct mailbox *m)
{
	size_t i;

	for (i = 0; i < m->nlocal; i++)
		if ((unsigned char)m->local[i] <= ' ' || m->local[i] == 0x7f || strchr("@%!", m->local[i]))
			return true;
	return false;
}

static bool holds_wide(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

/* A local part alone: only <postmaster>, and just so, may stand without a domain. */
static enum mailbox_flaw no_domain(struct str path, struct mailbox *m, bool reverse)
{
	if (reverse || !str_istarts(path, STR("postmaster>")))
		return MAILBOX_NO_DOMAIN;
	memcpy(m->local, "postmaster", sizeof("postmaster"));
	m->kind = MAILBOX_POSTMASTER;
	return MAILBOX_OK;
}

static enum mailbox_flaw mailbox(struct scan *s, bool reverse, struct mailbox *m)
{
	enum mailbox_flaw flaw = MAILBOX_OK;
	struct str path = s->in;

	if (reverse && s->in.n && s->in.p[0] == '>') {
		m->kind = MAILBOX_NULL;
		return MAILBOX_OK;
	}
	if (s->in.n && s->in.p[0] == '@')
		flaw = source_route(s, m);
	if (!flaw)
		flaw = local_part(s, m);
	m->ndomain = 0;
	memset(m->domain, 0, sizeof(m->domain));
	if (flaw)
		return flaw;
	if (!eat(s, '@'))
		return s->in.n && s->in.p[0] == '>' ? no_domain(path, m, reverse) : MAILBOX_SYNTAX;
	return domain_or_literal(s, m);
}

/*
 * Non-ASCII without SMTPUTF8 is named as such only where the address is well formed otherwise and its bytes are UTF-8:
 * so the grammar is walked with utf8 set, and the permission is judged at the end.
 */
enum mailbox_flaw mailbox_path(struct str *in, bool reverse, bool smtputf8, struct mailbox *out)
{
	struct scan s = { *in, true };
	char text[MAILBOX_TEXT_MAX]; /* as it is re-emitted: A-labels are longer than what they stand for */
	enum mailbox_flaw flaw;
	struct str path;

	memset(out, 0, sizeof(*out));
	if (!eat(&s, '<'))
		return MAILBOX_SYNTAX;
	flaw = mailbox(&s, reverse, out);
	if (!flaw && !eat(&s, '>'))
		flaw = MAILBOX_SYNTAX;
	path = (struct str){ in->p, in->n - s.in.n };
	out->utf8 = holds_wide((struct str){ out->local, out->nlocal });
	out->routed = is_routed(out);
	if (flaw && holds_wide(*in))
		return !idna_is_utf8(*in) || smtputf8 ? MAILBOX_BAD_UTF8 : MAILBOX_NEEDS_UTF8;
	if (!flaw && !smtputf8 && holds_wide(path))
		return MAILBOX_NEEDS_UTF8;
	if (flaw)
		return flaw;
	if (path.n > MAILBOX_PATH_MAX || mailbox_text(out, text) > MAILBOX_PATH_MAX)
		return MAILBOX_TOO_LONG;
	*in = s.in;
	return MAILBOX_OK;
}

static bool is_plain(const struct mailbox *m)
{
	bool atom = false;
	size_t i;

	for (i = 0; i < m->nlocal; i++) {
		unsigned char c = (unsigned char)m->local[i];

		if (!(is_atext(c) || c >= 0x80 || (c == '.' && atom)))
			return false;
		atom = c != '.';
	}
	return atom;
}

static size_t put_local(const struct mailbox *m, char *out)
{
	size_t i, n = 0;

	if (is_plain(m)) {
		memcpy(out, m->local, m->nlocal);
		return m->nlocal;
	}
	out[n++] = '"';
	for (i = 0; i < m->nlocal; i++) {
		if (m->local[i] == '"' || m->local[i] == '\\')
			out[n++] = '\\';
		out[n++] = m->local[i];
	}
	out[n++] = '"';
	return n;
}

size_t mailbox_text(const struct mailbox *m, char out[MAILBOX_TEXT_MAX])
{
	size_t n = 0;

	out[n++] = '<';
	if (m->kind != MAILBOX_NULL)
		n += put_local(m, out + n);
	if (m->kind == MAILBOX_DOMAIN || m->kind == MAILBOX_LITERAL) {
		out[n++] = '@';
		memcpy(out + n, m->domain, m->ndomain);
		n += m->ndomain;
	}
	out[n++] = '>';
	out[n] = '\0';
	return n;
}

bool mailbox_domain(struct str text, bool smtputf8, struct mailbox *out)
{
	struct scan s = { text, smtputf8 };

	memset(out, 0, sizeof(*out));
	return domain_or_literal(&s, out) == MAILBOX_OK && !s.in.n;
}

bool mailbox_is_domain(struct str s)
{
	struct mailbox m;

	return mailbox_domain(s, false, &m);
}
