/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/dnsl_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "tools/postern/out.h"

struct dnsl_check {
	const struct conf *conf;
	struct event_base *base;
	struct zones *zones;
	struct pst_stats stats;
	bool asked;
	struct pst_addr addr;
	struct dnsl_verdict verdict;
	char told[512];
};

/* The answers are looked up when there is nothing left to come. */
static void on_listed(void *ctx, const struct pst_addr *addr, const struct dnsl_verdict *v)
{
	(void)ctx, (void)addr, (void)v;
}

static void run(struct dnsl_check *c)
{
	while (!zones_idle(c->zones) && event_base_loop(c->base, EVLOOP_ONCE) == 0)
		;
}

static bool begin(struct dnsl_check *c, const char **why)
{
	__u64 seed;

	*why = "out of memory";
	c->base = event_base_new();
	if (!c->base || getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return false;
	c->zones = zones_open(c->conf, why);
	if (!c->zones)
		return false;
	*why = "out of memory";
	return !zones_start(c->zones, c->base, seed, &c->stats, on_listed, NULL, c);
}

static void ask(struct dnsl_check *c)
{
	zones_ask(c->zones, &c->addr, &c->verdict);
	run(c);
	zones_ask(c->zones, &c->addr, &c->verdict);
	c->told[dnsl_told(&c->conf->dnsl.rules, &c->verdict, c->told, sizeof(c->told) - 1)] = '\0';
	c->asked = true;
}

struct dnsl_check *dnsl_check(const struct conf *conf, const struct pst_addr *addr, const char **why)
{
	struct dnsl_check *c = calloc(1, sizeof(*c));

	*why = "out of memory";
	if (!c)
		return NULL;
	c->conf = conf;
	if (!begin(c, why)) {
		dnsl_check_free(c);
		return NULL;
	}
	run(c);
	if (addr) {
		c->addr = *addr;
		ask(c);
	}
	return c;
}

void dnsl_check_free(struct dnsl_check *c)
{
	zones_free(c->zones);
	if (c->base)
		event_base_free(c->base);
	free(c);
}

const struct dnsl_verdict *dnsl_check_verdict(const struct dnsl_check *c)
{
	return &c->verdict;
}

const char *dnsl_check_told(const struct dnsl_check *c)
{
	return c->told;
}

bool dnsl_check_sound(const struct dnsl_check *c)
{
	struct ipc_zone z;

	for (unsigned i = 0; i < c->conf->dnsl.rules.nzones; i++) {
		zones_describe(c->zones, i, &z);
		if (z.state != DNSL_STATE_UP)
			return false;
	}
	return true;
}

/* Of the rules that matched. */
static long weight_of(const struct dnsl_rules *r, __u64 matched)
{
	long sum = 0;

	for (size_t i = 0; i < r->nrules; i++)
		sum += matched >> i & 1 ? r->rule[i].weight : 0;
	return sum;
}

static const char *answer_name(const struct zone_answer *a)
{
	return a->silent		? "no answer" :
	       a->means == DNSL_ERROR	? "error" :
	       a->means == DNSL_LISTED	? "listed" :
	       a->nrecords		? "other" :
					  "clean";
}

static void records_text(const struct zone_answer *a, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (unsigned i = 0; i < a->nrecords && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%u.%u.%u.%u", i ? " " : "", a->record[i][0], a->record[i][1], a->record[i][2], a->record[i][3]);
}

static void show_answer(struct dnsl_check *c, unsigned i)
{
	struct zone_answer a = { 0 };
	char records[16 * ZONES_SHOWN_MAX];
	unsigned left_s = 0;
	bool known = c->asked && zones_recall(c->zones, i, &c->addr, &a, &left_s);

	records_text(&a, records, sizeof(records));
	out_str("answer", "answer", known ? answer_name(&a) : c->asked ? "not asked" : NULL);
	out_str("records", "records", *records ? records : NULL);
	out_int("weight", "weight", weight_of(&c->conf->dnsl.rules, a.matched));
	out_num("seconds", "for s", left_s);
}

void dnsl_check_table(struct dnsl_check *c, const char *key)
{
	const struct dnsl_rules *r = &c->conf->dnsl.rules;

	out_table(key);
	for (unsigned i = 0; i < r->nzones; i++) {
		struct ipc_zone z;

		zones_describe(c->zones, i, &z);
		out_row();
		out_str("zone", "zone", r->zone[i].name);
		out_str("state", "state", dnsl_state_name(z.state));
		if (c->asked)
			show_answer(c, i);
		out_str("why", "why", z.why ? dnsl_why_text(z.why) : NULL);
	}
	out_table_end();
}
