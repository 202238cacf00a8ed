/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/zones_int.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/addr.h"
#include "user/core/span.h"
#include "user/core/when.h"
#include "user/kern.h"
#include "user/resolve.h"

#define S_NS	    1000000000ull
#define RETELL_NS   (10 * S_NS) /* another judge may have come that knows nothing */
#define ERROR_TTL_S  60
#define FAILED_TTL_S 10 /* no answer: the next session need not wait for the same silence */
#define SILENT_MAX  5	/* questions without an answer, one after the other: is anybody there? */
#define ALIKE_MAX   20	/* listings likewise: does it list everybody? */

/* One address whose zones have been asked. */
struct asking {
	LIST_ENTRY(asking) entry;
	struct zones *z;
	struct pst_addr addr;
	struct dnsl_known known;
	bool own;  /* zones_ask() is still in the call that began it */
	bool told; /* listed() was called */
};

struct question {
	struct asking *asking;
	unsigned zone, round;
	__u64 asked_ns;
};

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* --- what is known ---------------------------------------------------------------- */

static void add_answer(struct dnsl_known *k, unsigned zone, const struct zone_answer *a, unsigned life_s)
{
	k->matched |= a->matched;
	if (a->silent || a->means == DNSL_ERROR)
		k->failed |= 1u << zone;
	else
		k->life_s = least(k->life_s, life_s);
}

/* So many of an address' sessions have to know no more than this. */
static bool is_decided(const struct dnsl_verdict *v)
{
	return v->over || v->does == DNSL_SKIP;
}

static void tell(struct asking *a)
{
	struct dnsl_verdict v = dnsl_weigh(&a->z->conf->rules, &a->known);

	if (a->own || a->told || a->z->freed || !is_decided(&v))
		return;
	a->told = true;
	a->z->listed(a->z->ctx, &a->addr, &v);
}

static void drop(struct asking *a)
{
	LIST_REMOVE(a, entry);
	a->z->naskings--;
	free(a);
}

/* --- one answer ------------------------------------------------------------------- */

static void count(struct zones *z, struct zone_run *run, const struct zone_answer *a)
{
	enum pst_counter row = a->silent		  ? PST_CNT_DNSL_TIMEOUT :
			       a->means == DNSL_ERROR  ? PST_CNT_DNSL_ERROR :
			       a->means == DNSL_LISTED ? PST_CNT_DNSL_LISTED :
							 PST_CNT_DNSL_CLEAN;

	z->stats->counter[row]++;
	run->timeouts += row == PST_CNT_DNSL_TIMEOUT;
	run->errors += row == PST_CNT_DNSL_ERROR;
	run->listed += row == PST_CNT_DNSL_LISTED;
	run->silent = a->silent ? run->silent + 1 : 0;
	run->alike = row == PST_CNT_DNSL_LISTED ? run->alike + 1 : 0;
}

/* Returns how long it is believed. */
static unsigned read_answer(const struct zones *z, unsigned zone, bool answered, const unsigned char *reply, int n, struct zone_answer *a)
{
	unsigned char record[RESOLVE_ADDRS_MAX][4];
	unsigned ttl_s;
	size_t nrecords;

	memset(a, 0, sizeof(*a));
	a->silent = !answered || !resolve_read_addrs(reply, n, record, &nrecords, &ttl_s);
	if (a->silent)
		return FAILED_TTL_S;
	a->nrecords = (unsigned char)(nrecords < ZONES_SHOWN_MAX ? nrecords : ZONES_SHOWN_MAX);
	memcpy(a->record, record, a->nrecords * sizeof(*record));
	a->means = (unsigned char)dnsl_answer(&z->conf->rules, zone, (const unsigned char(*)[4])record, nrecords, &a->matched);
	return a->means == DNSL_ERROR ? ERROR_TTL_S : dnsl_life(ttl_s);
}

static void take_answer(struct zones *z, const struct question *q, const struct zone_answer *a, unsigned life_s)
{
	struct zone_run *run = &z->run[q->zone];
	struct asking *asking = q->asking;

	count(z, run, a);
	if (q->round == run->round) {
		zone_cache_put(z->cache, q->zone, q->round, &asking->addr, a, kern_now_ns() + life_s * S_NS);
		add_answer(&asking->known, q->zone, a, life_s);
	} else { /* it went down meanwhile */
		asking->known.failed |= 1u << q->zone;
	}
	if (a->means == DNSL_ERROR || run->silent >= SILENT_MAX || run->alike >= ALIKE_MAX)
		zones_suspect(z, q->zone);
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *reply, int n)
{
	struct question q = *(struct question *)ctx;
	struct asking *asking = q.asking;
	struct zones *z = asking->z;
	struct zone_answer a;
	unsigned life_s;

	(void)timeouts;
	free(ctx);
	asking->known.asked &= ~(1u << q.zone);
	if (!z->freed) {
		if (query_answered(status))
			span_count(z->stats, PST_SPAN_DNSL, when_since(q.asked_ns, kern_now_ns()));
		life_s = read_answer(z, q.zone, query_answered(status), reply, n, &a);
		take_answer(z, &q, &a, life_s);
	}
	tell(asking);
	if (!asking->known.asked && !asking->own)
		drop(asking);
}

/* --- asking -------------------------------------------------------------------------- */

static void ask_zone(struct asking *a, unsigned i)
{
	const struct dnsl_zone *zone = &a->z->conf->rules.zone[i];
	struct question *q = malloc(sizeof(*q));
	char name[DNSL_NAME_MAX + 1];

	if (!q) {
		a->known.failed |= 1u << i;
		return;
	}
	*q = (struct question){ a, i, a->z->run[i].round, kern_now_ns() };
	a->known.asked |= 1u << i;
	a->z->run[i].queries++;
	dnsl_name(&a->addr, !addr_is4(&a->addr), zone->domain, name);
	query_ask(a->z->query, name, ns_t_a, on_answer, q);
}

/* From the table, if it is there; a zone that is off counts as one that failed. False: it has to be asked. */
static bool is_known(struct zones *z, unsigned i, const struct pst_addr *addr, struct dnsl_known *k)
{
	struct zone_run *run = &z->run[i];
	__u64 now_ns = kern_now_ns(), until_ns;
	struct zone_answer a;

	if (run->state != DNSL_STATE_UP) {
		k->failed |= 1u << i;
		return true;
	}
	if (!(addr_is4(addr) ? run->four : run->six))
		return true;
	if (!zone_cache_find(z->cache, i, run->round, addr, now_ns, &a, &until_ns))
		return false;
	z->stats->counter[PST_CNT_DNSL_CACHED]++;
	add_answer(k, i, &a, (unsigned)((until_ns - now_ns + S_NS - 1) / S_NS));
	return true;
}

static struct asking *asking_of(struct zones *z, const struct pst_addr *addr)
{
	struct asking *a;

	LIST_FOREACH(a, &z->askings, entry)
		if (!memcmp(&a->addr, addr, sizeof(*addr)))
			break;
	return a;
}

static struct asking *begin(struct zones *z, const struct pst_addr *addr)
{
	struct asking *a = z->naskings < ZONES_ADDRS_MAX ? calloc(1, sizeof(*a)) : NULL;

	if (!a)
		return NULL;
	a->z = z;
	a->addr = *addr;
	a->own = true;
	LIST_INSERT_HEAD(&z->askings, a, entry);
	z->naskings++;
	return a;
}

/* Asks those of missing. True when nothing is left to wait for; a is gone then. */
static bool ask_missing(struct asking *a, __u32 missing, struct dnsl_verdict *v)
{
	for (unsigned i = 0; i < a->z->conf->rules.nzones; i++)
		if (missing >> i & 1)
			ask_zone(a, i);
	a->own = false;
	*v = dnsl_weigh(&a->z->conf->rules, &a->known);
	a->told = is_decided(v);
	if (a->known.asked)
		return a->told;
	drop(a);
	return true;
}

bool zones_ask(struct zones *z, const struct pst_addr *addr, struct dnsl_verdict *v)
{
	struct dnsl_known known = { .life_s = DNSL_LIFE_MAX_S };
	struct asking *a = asking_of(z, addr);
	__u32 missing = 0;

	if (a) {
		*v = dnsl_weigh(&z->conf->rules, &a->known);
		return a->told;
	}
	for (unsigned i = 0; i < z->conf->rules.nzones; i++)
		if (!is_known(z, i, addr, &known))
			missing |= 1u << i;
	a = missing ? begin(z, addr) : NULL;
	if (a) {
		a->known = known;
		return ask_missing(a, missing, v);
	}
	known.failed |= missing;
	*v = dnsl_weigh(&z->conf->rules, &known);
	return true;
}

bool zones_idle(const struct zones *z)
{
	for (unsigned i = 0; i < z->conf->rules.nzones; i++)
		if (z->run[i].open)
			return false;
	return !z->naskings;
}

bool zones_recall(struct zones *z, unsigned i, const struct pst_addr *addr, struct zone_answer *out, unsigned *left_s)
{
	__u64 now_ns = kern_now_ns(), until_ns;

	if (!zone_cache_find(z->cache, i, z->run[i].round, addr, now_ns, out, &until_ns))
		return false;
	*left_s = (unsigned)((until_ns - now_ns + S_NS - 1) / S_NS);
	return true;
}

/* --- telling --------------------------------------------------------------------------- */

void zones_describe(const struct zones *z, unsigned i, struct ipc_zone *out)
{
	const struct zone_run *run = &z->run[i];

	memset(out, 0, sizeof(*out));
	out->zone = i;
	out->state = run->state;
	out->why = run->why;
	out->print = dnsl_print(&z->conf->rules.zone[i]);
	out->since_ns = run->since_ns;
	out->queries = run->queries;
	out->listed = run->listed;
	out->errors = run->errors;
	out->timeouts = run->timeouts;
}

void zones_tell(struct zones *z, int judge_fd)
{
	struct ipc_record r = { .tag = IPC_ZONE };
	__u64 now_ns = kern_now_ns();

	for (unsigned i = 0; i < z->conf->rules.nzones && judge_fd >= 0; i++) {
		struct zone_run *run = &z->run[i];

		zones_describe(z, i, &r.zone);
		if (run->told_ns && now_ns - run->told_ns < RETELL_NS && !memcmp(&r.zone, &run->told, sizeof(run->told)))
			continue;
		if (ipc_send(judge_fd, &r)) /* has no room: again in a second */
			return;
		run->told = r.zone;
		run->told_ns = now_ns;
	}
}

/* --- doors ------------------------------------------------------------------------------ */

struct zones *zones_open(const struct conf *conf, const char **why)
{
	const struct conf_dnsl *c = &conf->dnsl;
	struct zones *z = calloc(1, sizeof(*z));

	*why = "out of memory";
	if (z)
		z->query = c->nservers ? query_open(c->server, c->nservers, c->timeout_ms, why) :
					 query_open(conf->dns.server, conf->dns.nservers, c->timeout_ms, why);
	if (!z || !z->query) {
		free(z);
		return NULL;
	}
	z->conf = c;
	return z;
}

int zones_start(struct zones *z, struct event_base *base, __u64 seed, struct pst_stats *stats,
		void (*listed)(void *ctx, const struct pst_addr *addr, const struct dnsl_verdict *v),
		void (*changed)(void *ctx, const struct dnsl_zone *zone, unsigned state, unsigned why), void *ctx)
{
	z->base = base;
	z->stats = stats;
	z->listed = listed;
	z->changed = changed;
	z->ctx = ctx;
	z->cache = zone_cache_new(z->conf->cache, seed);
	if (!z->cache || query_start(z->query, base))
		return -ENOMEM;
	return zones_test_all(z);
}

void zones_free(struct zones *z)
{
	if (!z)
		return;
	z->freed = true;
	query_free(z->query); /* ends every question */
	for (unsigned i = 0; i < DNSL_ZONES_MAX; i++)
		if (z->run[i].again)
			event_free(z->run[i].again);
	zone_cache_free(z->cache);
	free(z);
}
