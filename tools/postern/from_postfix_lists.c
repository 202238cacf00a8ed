/* SPDX-License-Identifier: BSD-2-Clause */
/* from_postfix_lists.c: networks and domains. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/postern/from_postfix.h"
#include "user/core/range.h"

#define PIECES_MAX 100000

static bool is(struct str s, const char *word)
{
	return str_ieq(s, str_of(word));
}

/* --- networks --------------------------------------------------------------------- */

static void add(struct prefixes *list, const struct pst_prefix *p)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct pst_prefix *grown = room > PIECES_MAX ? NULL : realloc(list->p, room * sizeof(*grown));

		if (!grown)
			return;
		list->p = grown;
		list->room = room;
	}
	list->p[list->n++] = *p;
}

/* What of r no earlier entry of the list has taken: the first match decides in Postfix, and here there is no order. */
static void add_without(struct prefixes *list, const struct pst_prefix *p, const struct prefixes *before)
{
	struct pst_prefix half;
	struct pst_addr upper;
	bool touched = false;

	for (size_t i = 0; i < before->n; i++) {
		if (prefix_within(&before->p[i], p))
			return;
		touched |= prefix_within(p, &before->p[i]);
	}
	if (!touched) {
		add(list, p);
		return;
	}
	half = prefix_of(&p->addr, p->len + 1);
	add_without(list, &half, before);
	upper = p->addr;
	upper.b[p->len / 8] |= (unsigned char)(0x80 >> p->len % 8);
	half = prefix_of(&upper, p->len + 1);
	add_without(list, &half, before);
}

/* 192.0.2 and 2001:db8:1 as hash tables have networks: cut off behind whole parts. */
static bool parse_cut(struct str text, struct pst_prefix *out)
{
	char full[ADDR_TEXT_MAX + 8];
	unsigned parts = 1;
	size_t n;

	for (size_t i = 0; i < text.n; i++)
		parts += text.p[i] == '.';
	if (parts > 3 || text.n > 11 || memchr(text.p, ':', text.n))
		return false;
	n = (size_t)snprintf(full, sizeof(full), STR_FMT "%s/%u", STR_ARG(text), &".0.0.0"[2 * (parts - 1)], 8 * parts);
	return prefix_parse((struct str){ full, n }, out) == PREFIX_OK;
}

/* An address or network as Postfix writes it, in brackets or without. */
static bool parse_network(struct str text, struct pst_prefix *out)
{
	char plain[PREFIX_TEXT_MAX + 2];
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (n == sizeof(plain))
			return false;
		if (text.p[i] != '[' && text.p[i] != ']')
			plain[n++] = text.p[i];
	}
	return prefix_parse((struct str){ plain, n }, out) == PREFIX_OK || parse_cut((struct str){ plain, n }, out);
}

static void network_row(void *ctx, struct str key, struct str value, const char *file, unsigned line)
{
	struct conversion *c = ctx;
	struct pst_prefix p;

	(void)value;
	if (parse_network(key, &p))
		add(&c->relay, &p);
	else
		conversion_note(c, "%s:%u: " STR_FMT ": no address or network", file, line, STR_ARG(key));
}

static void relay_networks(struct conversion *c)
{
	struct str list = str_of(postfix_get(c->from, "mynetworks")), item;
	struct pst_prefix p;

	struct prefixes not = { 0 };

	c->setting = "mynetworks";
	if (!list.n)
		conversion_note(c, "not set, and without postconf its default is not known: nobody may relay by address; name them in relay { entries }");
	while ((item = postfix_item(&list)).n) {
		if (parse_network(item, &p))
			add_without(&c->relay, &p, &not);
		else if (*item.p == '!' && parse_network(str_sub(item, 1, item.n), &p))
			add(&not, &p);
		else if (*item.p == '!' || !postfix_table(item, network_row, c))
			conversion_note(c, STR_FMT ": neither a network nor a table that can be read; add to relay { entries } by hand", STR_ARG(item));
	}
	free(not.p);
}

/* Permitted: allowed, unless an earlier entry keeps it out; kept out: unless an earlier one spares it. */
static void decide(struct conversion *c, const struct pst_prefix *p, struct str action, const char *file, unsigned line)
{
	if (is(action, "permit")) {
		add_without(&c->allow, p, &c->keep_out);
		add(&c->spared, p);
	} else if (is(action, "reject")) {
		add_without(&c->keep_out, p, &c->spared);
	} else if (is(action, "dunno")) {
		add(&c->spared, p);
	} else {
		conversion_note(c, "%s:%u: action " STR_FMT ": none of permit, reject, dunno", file, line, STR_ARG(action));
	}
}

static void access_row(void *ctx, struct str key, struct str value, const char *file, unsigned line)
{
	struct conversion *c = ctx;
	struct pst_prefix p;

	c->if_depth += is(key, "if");
	if (c->if_depth)
		conversion_note(c, "%s:%u: " STR_FMT " " STR_FMT ": depends on a condition; see by hand", file, line, STR_ARG(key), STR_ARG(value));
	else if (parse_network(key, &p))
		decide(c, &p, value, file, line);
	else
		conversion_note(c, "%s:%u: " STR_FMT " " STR_FMT ": no plain network; see by hand", file, line, STR_ARG(key), STR_ARG(value));
	c->if_depth -= c->if_depth && is(key, "endif");
}

static void access_item(struct conversion *c, struct str item)
{
	c->if_depth = 0;

	if (is(item, "permit_mynetworks"))
		for (size_t i = 0; i < c->relay.n; i++)
			decide(c, &c->relay.p[i], STR("permit"), "", 0);
	else if (is(item, "permit") || is(item, "reject"))
		conversion_note(c, STR_FMT " for everybody: see by hand", STR_ARG(item));
	else if (!is(item, "dunno") && !postfix_table(item, access_row, c))
		conversion_note(c, STR_FMT ": a table that cannot be read as text; see by hand", STR_ARG(item));
}

void lists_networks(struct conversion *c)
{
	struct str list, item;
	const char *action = postfix_get(c->from, "postscreen_denylist_action");

	relay_networks(c);
	c->setting = "postscreen_access_list";
	c->keep_out_acts = strcmp(action, "ignore") != 0 && *action;
	list = str_of(postfix_get(c->from, "postscreen_access_list"));
	while ((item = postfix_item(&list)).n)
		access_item(c, item);
	c->setting = "postscreen_denylist_action";
	if (c->keep_out.n && !c->keep_out_acts)
		conversion_note(c, "ignore: %zu networks are rejected in the access list and nothing is done about it, so they are not kept out here", c->keep_out.n);
}

void lists_print(FILE *out, const char *indent, const char *name, const struct prefixes *list)
{
	char text[PREFIX_TEXT_MAX];

	if (!list->n)
		return;
	fprintf(out, "%s%s = {", indent, name);
	for (size_t i = 0; i < list->n; i++)
		fprintf(out, "%s%s\t\"%s\"", i ? ",\n" : "\n", indent, prefix_text(&list->p[i], text));
	fprintf(out, "\n%s}\n", indent);
}

/* --- domains ------------------------------------------------------------------------ */

struct domains {
	struct conversion *c;
	bool with_below; /* sub-domains are meant, too */
	char **seen;
	size_t n;
};

static bool is_domain(struct str s)
{
	if (!s.n || s.n > 253 || !isalnum((unsigned char)s.p[s.n - 1]) || !memchr(s.p, '.', s.n))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
			return false;
	return !strstr(s.p, "..") || strstr(s.p, "..") >= s.p + s.n;
}

static bool is_new(struct domains *d, struct str name)
{
	char **grown;

	for (size_t i = 0; i < d->n; i++)
		if (str_ieq(str_of(d->seen[i]), name))
			return false;
	grown = d->n < PIECES_MAX ? realloc(d->seen, (d->n + 1) * sizeof(char *)) : NULL;
	if (!grown)
		return false;
	d->seen = grown;
	d->seen[d->n] = strndup(name.p, name.n);
	if (!d->seen[d->n])
		return false;
	d->n++;
	return true;
}

static void domain_add(struct domains *d, struct str name)
{
	char below[260];

	is_new(d, name);
	if (!d->with_below || *name.p == '.')
		return;
	snprintf(below, sizeof(below), "." STR_FMT, STR_ARG(name));
	is_new(d, str_of(below));
}

static void domain_row(void *ctx, struct str key, struct str value, const char *file, unsigned line)
{
	struct domains *d = ctx;

	(void)value;
	if (is_domain(key))
		domain_add(d, key);
	else if (!memchr(key.p, '@', key.n) && memchr(key.p, '.', key.n)) /* addresses are rows of alias tables */
		conversion_note(d->c, "%s:%u: " STR_FMT ": no domain", file, line, STR_ARG(key));
}

static void domains_of(struct domains *d, const char *setting)
{
	struct str list = str_of(postfix_get(d->c->from, setting)), item;

	d->c->setting = setting;
	d->with_below = !strcmp(setting, "relay_domains") && strstr(postfix_get(d->c->from, "parent_domain_matches_subdomains"), "relay_domains");
	while ((item = postfix_item(&list)).n) {
		if (is_domain(item))
			domain_add(d, item);
		else if (is(item, "localhost") || is(item, "localhost."))
			continue; /* mail from outside never has it */
		else if (!postfix_table(item, domain_row, d))
			conversion_note(d->c, STR_FMT ": neither a domain nor a table that can be read as text; add to domains by hand (\"file:/path\" and \"lmdb:/path\" are read, too)",
					STR_ARG(item));
	}
}

void lists_domains(struct conversion *c)
{
	static const char *const settings[] = { "mydestination", "relay_domains", "virtual_mailbox_domains", "virtual_alias_domains" };
	struct domains d = { .c = c };

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		domains_of(&d, settings[i]);
	fputs("domains = {", c->conf);
	for (size_t i = 0; i < d.n; i++) {
		fprintf(c->conf, "%s\t\"%s\"", i ? ",\n" : "\n", d.seen[i]);
		free(d.seen[i]);
	}
	fputs(d.n ? "\n}\n" : "}\n", c->conf);
	free(d.seen);
}
