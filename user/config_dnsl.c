/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_dnsl.c: DNS lists: sites as postscreen writes them, "zone=filter*weight", and the sections "zone" that say more of a zone:
 * what is asked in place of its name, which clients, logs and operators see.
 */
#include <ctype.h>
#include <stdio.h>

#include "user/config_int.h"

#define SITE_RIGHT "write ZONE, ZONE*WEIGHT or ZONE=FILTER*WEIGHT, like \"zen.example=127.0.0.[2..11]*3\" or \"allowed.example*-2\""

/* --- one site ------------------------------------------------------------------------- */

static bool take_weight(struct str s, int *weight)
{
	bool minus = s.n && s.p[0] == '-';
	unsigned long long v;

	if (!str_u64(str_sub(s, minus, s.n), &v) || !v || v > DNSL_WEIGHT_MAX)
		return false;
	*weight = minus ? -(int)v : (int)v;
	return true;
}

/* Lower case, kept. NULL when it is no domain with room for an address before it. */
static const char *zone_name(struct config_reader *r, struct str s)
{
	char name[DNSL_DOMAIN_MAX + 1];

	if (s.n > DNSL_DOMAIN_MAX || !mailbox_is_domain(s))
		return NULL;
	for (size_t i = 0; i < s.n; i++)
		name[i] = (char)tolower((unsigned char)s.p[i]);
	name[s.n] = '\0';
	return config_keep(r, name);
}

static size_t find(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

/* "127.0.0.2|127.0.0.[10;11]": any of them. NULL, or what is wrong. */
static const char *take_filters(struct config_reader *r, struct str s, struct dnsl_rule *out)
{
	struct dnsl_filter *filter;
	const char *flaw = NULL;
	size_t n = 1, max = 1;

	for (size_t i = 0; i < s.n; i++)
		max += s.p[i] == '|';
	filter = config_alloc(r, max * sizeof(*filter));
	out->filter = filter;
	for (; filter && !flaw && out->nfilters < max; out->nfilters++) {
		n = find(s, '|');
		flaw = dnsl_filter_read(str_sub(s, 0, n), &filter[out->nfilters]);
		s = str_sub(s, n + (n < s.n), s.n);
	}
	return flaw;
}

bool config_site(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct dnsl_rule *rule = dst;
	struct str s = str_of(it->text), weight;
	size_t star = find(s, '*'), equals;
	const char *flaw;
	char what[128];

	(void)row;
	*rule = (struct dnsl_rule){ .weight = 1, .text = "", .line = it->line };
	weight = str_sub(s, star, s.n);
	s = str_sub(s, 0, star);
	if (weight.n && !take_weight(str_sub(weight, 1, weight.n), &rule->weight))
		return config_wrong(r, it, "has a weight that is none", "write one from -1000 to 1000, not 0");
	equals = find(s, '=');
	rule->name = zone_name(r, str_sub(s, 0, equals));
	if (!rule->name)
		return r->no_memory || config_wrong(r, it, "does not begin with a domain", SITE_RIGHT);
	flaw = equals < s.n ? take_filters(r, str_sub(s, equals + 1, s.n), rule) : NULL;
	if (!flaw)
		return true;
	snprintf(what, sizeof(what), "has a filter that %s", flaw);
	return config_wrong(r, it, what, SITE_RIGHT);
}

/* 0, or a negative number: min and max of the row are without their sign. */
bool config_below(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	struct str s = str_of(it->text);
	bool minus = s.n && s.p[0] == '-';
	unsigned long long v;
	char right[64];

	if (!str_u64(str_sub(s, minus, s.n), &v) || v > row->max || (v && !minus)) {
		snprintf(right, sizeof(right), "write 0 for off, or -1 to -%llu", row->max);
		return config_wrong(r, it, "is neither 0 nor a negative number in range", right);
	}
	*(int *)dst = -(int)v;
	return true;
}

bool config_zone_name(struct config_reader *r, const struct config_row *row, const struct config_item *it, void *dst)
{
	(void)row;
	*(const char **)dst = zone_name(r, str_of(it->text));
	return *(const char **)dst || r->no_memory || config_wrong(r, it, "is not a domain of a DNS list", "write one like \"key.zen.example\"");
}

/* --- all together ------------------------------------------------------------------------ */

/* The zone of this name; made when there is none. */
static unsigned zone_of(struct dnsl_zone *zone, size_t *n, const char *name)
{
	unsigned i = 0;

	while (i < *n && strcmp(zone[i].name, name))
		i++;
	if (i == *n && i < DNSL_ZONES_MAX)
		zone[(*n)++] = (struct dnsl_zone){ .name = name, .domain = name, .asked4 = true, .asked6 = true };
	return i;
}

static struct dnsl_zone *titled_of(struct dnsl_zone *zone, size_t n, const char *title)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(str_of(zone[i].name), str_of(title)))
			return &zone[i];
	return NULL;
}

static void add_titled(struct config_reader *r, struct dnsl_zone *zone, size_t nzones, struct dnsl_rule *rule, size_t nrules, const struct conf_zone *t)
{
	struct dnsl_zone *z = titled_of(zone, nzones, t->name);
	char shown[128];

	str_escape(str_of(t->name), shown, sizeof(shown));
	if (!z) {
		config_err(r, r->path, t->line, "zone \"%s\": no site of dnsl has it; add it to sites, or leave the section out", shown);
		return;
	}
	if (t->domain)
		z->domain = t->domain;
	z->asked4 = t->family != CONF_ZONE_IPV6;
	z->asked6 = t->family != CONF_ZONE_IPV4;
	z->untested = !t->tested;
	for (size_t i = 0; i < nrules && t->text; i++)
		if (&zone[rule[i].zone] == z)
			rule[i].text = t->text;
	if (t->text && strlen(t->text) > SESS_VERDICT_TEXT_MAX)
		config_err(r, r->path, t->line, "zone \"%s\": text is too long; %d characters at most", shown, SESS_VERDICT_TEXT_MAX);
}

static void check_weights(struct config_reader *r, const struct dnsl_rules *d)
{
	int against = 0, speaking = 0;

	for (size_t i = 0; i < d->nrules; i++)
		*(d->rule[i].weight > 0 ? &against : &speaking) += d->rule[i].weight;
	if (against && against < d->enforce)
		config_err(r, r->path, config_line(r, "dnsl", "enforce"), "dnsl: enforce is %d and all sites together weigh %d; nobody could be refused", d->enforce,
			   against);
	if (d->ban && d->ban < d->enforce)
		config_err(r, r->path, config_line(r, "dnsl", "ban"), "dnsl: ban is less than enforce; set it to %d or more, or to 0 for off", d->enforce);
	if (d->skip < speaking)
		config_err(r, r->path, config_line(r, "dnsl", "skip"), "dnsl: skip is %d and all sites with a negative weight together weigh %d; nobody could reach it",
			   d->skip, speaking);
}

void config_dnsl(struct config_reader *r, struct conf *c, const struct conf_zone *titled, size_t ntitled)
{
	struct dnsl_rules *d = &c->dnsl.rules;
	struct dnsl_rule *rule = (struct dnsl_rule *)d->rule;
	struct dnsl_zone *zone = config_alloc(r, (DNSL_ZONES_MAX + 1) * sizeof(*zone));
	unsigned line = config_line(r, "dnsl", "sites");

	if (!zone)
		return;
	d->zone = zone;
	for (size_t i = 0; i < d->nrules; i++) {
		rule[i].zone = zone_of(zone, &d->nzones, rule[i].name);
		if (rule[i].zone == DNSL_ZONES_MAX || i == DNSL_RULES_MAX) {
			config_err(r, r->path, line, "dnsl: sites: %d entries in %d zones at most", DNSL_RULES_MAX, DNSL_ZONES_MAX);
			return;
		}
	}
	for (size_t i = 0; titled && i < ntitled; i++)
		add_titled(r, zone, d->nzones, rule, d->nrules, &titled[i]);
	check_weights(r, d);
}
