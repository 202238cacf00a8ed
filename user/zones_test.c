/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones_test.c: is a zone to be believed (RFC 5782 section 5)? One that is not is not asked until it is well again. What only its
 * answers for IPv6 are wrong in is asked about IPv4 alone: many lists have nothing else.
 */
#include "user/zones_int.h"

#include <arpa/nameser.h>
#include <errno.h>

#include "user/kern.h"
#include "user/resolve.h"

#define S_NS	      1000000000ull
#define SUSPECT_MIN_S 10 /* between tests that suspicion causes */

static void test_again(struct zones *z, unsigned i)
{
	struct zone_run *run = &z->run[i];
	struct timeval tv = { .tv_sec = run->state == DNSL_STATE_UP ? z->conf->test_s : z->conf->retest_s };

	event_add(run->again, &tv);
}

static void count_states(struct zones *z)
{
	unsigned n[DNSL_STATE_MAX] = { 0 };

	for (size_t i = 0; i < z->conf->rules.nzones; i++)
		n[z->run[i].state]++;
	z->stats->counter[PST_CNT_DNSL_ZONES_UP] = n[DNSL_STATE_UP];
	z->stats->counter[PST_CNT_DNSL_ZONES_DOWN] = n[DNSL_STATE_DOWN];
	z->stats->counter[PST_CNT_DEGRADED_DNSL] = n[DNSL_STATE_DOWN] > 0;
}

static void set_state(struct zones *z, unsigned i, enum dnsl_why four, enum dnsl_why six)
{
	const struct dnsl_zone *zone = &z->conf->rules.zone[i];
	unsigned state = four || (six && !zone->asked4) ? DNSL_STATE_DOWN : DNSL_STATE_UP, why = four ? four : six;
	struct zone_run *run = &z->run[i];

	run->four = zone->asked4;
	run->six = zone->asked6 && !six;
	run->silent = run->alike = 0;
	if (state == run->state && why == run->why)
		return;
	run->round += state == DNSL_STATE_DOWN;
	run->state = state;
	run->why = why;
	run->since_ns = kern_now_ns();
	count_states(z);
	if (z->changed)
		z->changed(z->ctx, zone, state, why);
}

/* The first that is wrong counts; silence of one question behind answers to others is no better. */
static void conclude(struct zones *z, unsigned i)
{
	enum dnsl_why four = DNSL_WHY_NONE, six = DNSL_WHY_NONE;
	struct zone_run *run = &z->run[i];

	for (unsigned n = 0; n < run->ntests; n++) {
		enum dnsl_why *why = run->test[n].test.nibbles ? &six : &four;

		*why = *why ? *why : run->test[n].why;
	}
	set_state(z, i, four, six);
	test_again(z, i);
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	unsigned char record[RESOLVE_ADDRS_MAX][4];
	struct zone_test *t = ctx;
	struct zones *z = t->zones;
	unsigned ttl_s;
	size_t nrecords;

	(void)timeouts;
	if (z->freed)
		return;
	if (query_answered(status) && resolve_read_addrs(reply, n, record, &nrecords, &ttl_s))
		t->why = dnsl_tested(&t->test, (const unsigned char(*)[4])record, nrecords);
	else
		t->why = DNSL_WHY_SILENT;
	if (!--z->run[t->zone].open)
		conclude(z, t->zone);
}

static void test_zone(struct zones *z, unsigned i)
{
	const struct dnsl_zone *zone = &z->conf->rules.zone[i];
	struct zone_run *run = &z->run[i];
	char name[DNSL_NAME_MAX + 1];

	if (run->open)
		return;
	run->tested_ns = kern_now_ns();
	for (run->ntests = 0; run->ntests < ZONE_TESTS_MAX && dnsl_test(zone, run->ntests, &run->test[run->ntests].test); run->ntests++)
		run->test[run->ntests].zones = z, run->test[run->ntests].zone = i;
	run->open = run->ntests;
	for (unsigned n = 0, all = run->ntests; n < all; n++) {
		dnsl_name(&run->test[n].test.addr, run->test[n].test.nibbles, zone->domain, name);
		query_ask(z->query, name, ns_t_a, on_answer, &run->test[n]);
	}
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	struct zone_test *first = ctx;

	(void)fd, (void)what;
	test_zone(first->zones, first->zone);
}

int zones_test_all(struct zones *z)
{
	for (unsigned i = 0; i < z->conf->rules.nzones; i++) {
		struct zone_run *run = &z->run[i];

		run->test[0].zones = z;
		run->test[0].zone = i;
		run->again = evtimer_new(z->base, on_again, &run->test[0]);
		if (!run->again)
			return -ENOMEM;
		if (z->conf->rules.zone[i].untested)
			set_state(z, i, DNSL_WHY_NONE, DNSL_WHY_NONE);
	}
	for (unsigned i = 0; i < z->conf->rules.nzones; i++)
		if (!z->conf->rules.zone[i].untested)
			test_zone(z, i);
	return 0;
}

void zones_suspect(struct zones *z, unsigned i)
{
	struct zone_run *run = &z->run[i];

	run->silent = run->alike = 0;
	if (!z->conf->rules.zone[i].untested && kern_now_ns() - run->tested_ns >= SUSPECT_MIN_S * S_NS)
		test_zone(z, i);
}
