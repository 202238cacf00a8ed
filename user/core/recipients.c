/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/recipients.h"

#include "user/core/put.h"

static struct str put_key(const struct mailbox *m, size_t nlocal, struct put *o)
{
	put_str(o, (struct str){ m->domain, m->ndomain });
	put_text(o, "@");
	for (size_t i = 0; i < nlocal; i++) {
		char c = m->local[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		put_str(o, (struct str){ &c, 1 });
	}
	return put_done(o);
}

/* "" as the local part would mean everybody: nobody is called so. */
static bool take_address(struct str entry, struct mailbox *m)
{
	char path[MAILBOX_TEXT_MAX];
	struct put p = { .p = path, .max = sizeof(path) };
	struct str in;

	put_text(&p, "<");
	put_str(&p, entry);
	put_text(&p, ">");
	in = put_done(&p);
	return !p.full && !mailbox_path(&in, true, true, m) && !in.n && m->kind != MAILBOX_NULL && m->nlocal;
}

bool recipient_key(struct str entry, char out[RECIPIENT_KEY_MAX + 1])
{
	struct put o = { .p = out, .max = RECIPIENT_KEY_MAX };
	bool fits, whole = entry.n && (entry.p[0] == '@' || !memchr(entry.p, '@', entry.n));
	struct mailbox m = { .nlocal = 0 };

	if (whole && entry.p[0] != '@' && entry.p[0] != '[' && !memchr(entry.p, '.', entry.n))
		fits = false; /* a user without a domain */
	else if (whole)
		fits = mailbox_domain(str_sub(entry, entry.p[0] == '@', entry.n), true, &m);
	else
		fits = entry.n && take_address(entry, &m);
	if (fits)
		put_key(&m, whole ? 0 : m.nlocal, &o);
	out[o.n] = '\0';
	return fits && !o.full;
}

int recipient_order(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* The first rule that is not before key; nrules when all are. */
static size_t lower(const struct recipient_rules *r, struct str key)
{
	size_t low = 0, high = r->nrules;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (recipient_order(r->rule[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct recipient_rule *find(const struct recipient_rules *r, const struct mailbox *m, size_t nlocal)
{
	char text[RECIPIENT_KEY_MAX];
	struct put o = { .p = text, .max = sizeof(text) };
	struct str key = put_key(m, nlocal, &o);
	size_t at = lower(r, key);

	return at < r->nrules && str_eq(r->rule[at].key, key) ? &r->rule[at] : NULL;
}

/* Everybody's rule sorts before those of the domain's single recipients. */
static bool speaks_of(const struct recipient_rules *r, const struct mailbox *m)
{
	char text[RECIPIENT_KEY_MAX];
	struct put o = { .p = text, .max = sizeof(text) };
	struct str key = put_key(m, 0, &o);
	size_t at = lower(r, key);

	return at < r->nrules && r->rule[at].key.n >= key.n && str_eq(str_sub(r->rule[at].key, 0, key.n), key);
}

static const struct recipient_rule *know(const struct recipient_rules *r, const struct mailbox *m)
{
	const struct recipient_rule *rule = find(r, m, m->nlocal);

	for (size_t i = m->nlocal; !rule && r->delimiters && i-- > 1;)
		if (m->local[i] && strchr(r->delimiters, m->local[i]))
			rule = find(r, m, i);
	return rule ? rule : find(r, m, 0);
}

enum recipient_word recipients_ask(const struct recipient_rules *r, const struct mailbox *m, const struct recipient_rule **rule)
{
	const struct recipient_rule *known = NULL;
	enum recipient_word word = RECIPIENT_UNSAID;

	if (r->nrules && (m->kind == MAILBOX_DOMAIN || m->kind == MAILBOX_LITERAL) && speaks_of(r, m)) {
		known = know(r, m);
		word = known ? RECIPIENT_KNOWN : RECIPIENT_UNKNOWN;
	}
	if (rule)
		*rule = known;
	return word;
}
