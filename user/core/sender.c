/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/sender.h"

#include "user/core/put.h"

static void put_lower(struct put *o, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		put_str(o, (struct str){ &c, 1 });
	}
}

/* "@.example.org" and "@example.org", both given without the @. */
static bool domain_key(struct str domain, struct put *o)
{
	bool below = domain.n && domain.p[0] == '.';
	struct mailbox m;

	if (!mailbox_domain(str_sub(domain, below, domain.n), true, &m) || (below && m.domain[0] == '['))
		return false;
	put_text(o, below ? "@." : "@");
	put_str(o, (struct str){ m.domain, m.ndomain });
	return true;
}

static bool address_key(struct str address, struct put *o)
{
	char path[MAILBOX_TEXT_MAX];
	struct put p = { .p = path, .max = sizeof(path) };
	struct mailbox m;
	struct str in;

	put_text(&p, "<");
	put_str(&p, address);
	put_text(&p, ">");
	in = put_done(&p);
	if (p.full || mailbox_path(&in, true, true, &m) || in.n || m.kind == MAILBOX_NULL)
		return false;
	put_lower(o, (struct str){ m.local, m.nlocal });
	put_text(o, "@");
	put_str(o, (struct str){ m.domain, m.ndomain });
	return true;
}

bool sender_key(struct str entry, char out[SENDER_KEY_MAX + 1])
{
	struct put o = { .p = out, .max = SENDER_KEY_MAX };
	const char *at = memchr(entry.p, '@', entry.n);
	bool fits;

	if (str_eq(entry, STR("<>")))
		fits = true;
	else if (!entry.n)
		fits = false;
	else if (!at || at == entry.p)
		fits = domain_key(str_sub(entry, at == entry.p, entry.n), &o);
	else
		fits = address_key(entry, &o);
	out[o.n] = '\0';
	return fits && !o.full;
}

int sender_order(struct str a, struct str b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static const struct sender_rule *find(const struct sender_list *l, struct str key)
{
	size_t low = 0, high = l->nrules;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = sender_order(key, l->rule[middle].key);

		if (!order)
			return &l->rule[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static bool any_key(const char *head, struct str tail, bool (*is)(void *ctx, struct str key), void *ctx)
{
	char key[SENDER_KEY_MAX];
	struct put o = { .p = key, .max = sizeof(key) };

	put_text(&o, head);
	put_str(&o, tail);
	return is(ctx, put_done(&o));
}

bool sender_any_key(const struct mailbox *from, bool (*is)(void *ctx, struct str key), void *ctx)
{
	struct str domain = { from->domain, from->ndomain };
	char key[SENDER_KEY_MAX];
	struct put o = { .p = key, .max = sizeof(key) };
	bool any;

	if (from->kind == MAILBOX_NULL)
		return is(ctx, STR(""));
	put_lower(&o, (struct str){ from->local, from->nlocal });
	put_text(&o, "@");
	put_str(&o, domain);
	any = is(ctx, put_done(&o)) || any_key("@", domain, is, ctx);
	for (size_t i = 0; !any && from->kind == MAILBOX_DOMAIN && i < domain.n; i++)
		if (domain.p[i] == '.')
			any = any_key("@", str_sub(domain, i, domain.n), is, ctx);
	return any;
}

struct seeker {
	const struct sender_list *list;
	const struct sender_rule *rule;
};

static bool is_listed(void *ctx, struct str key)
{
	struct seeker *s = ctx;

	s->rule = find(s->list, key);
	return s->rule;
}

static const struct sender_rule *speaks_of(const struct sender_list *l, const struct mailbox *from)
{
	struct seeker s = { l, NULL };

	sender_any_key(from, is_listed, &s);
	return s.rule;
}

struct sender_decision sender_decide(const struct sender_rules *r, const struct mailbox *from, bool trusted)
{
	struct sender_decision d = { NULL, NULL };

	for (size_t i = 0; i < r->nlists; i++) {
		const struct sender_list *l = &r->list[i];
		const struct sender_rule *rule;

		if ((trusted && !l->trusted) || (d.list && d.list->action >= l->action))
			continue;
		rule = speaks_of(l, from);
		if (rule)
			d = (struct sender_decision){ l, rule };
	}
	return d;
}
