/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/pick.h"

#define NS_PER_S 1000000000ull
#define WHOLE	 1000 /* of a weight */
#define START	 100

bool pick_is_up(const struct pick *p, __u64 now_ns)
{
	return !p->down || (!p->conf->checked && now_ns >= p->again_ns);
}

bool pick_is_full(const struct pick *p, unsigned keep, __u64 now_ns)
{
	unsigned max = p->conf->max;

	if (p->most && now_ns < p->most_until_ns && (!max || p->most < max))
		max = p->most;
	return max && p->live >= max - (unsigned long long)max * keep / 100;
}

bool pick_busy(struct pick *p, unsigned others, __u64 now_ns)
{
	if (!others)
		return false;
	p->most = others;
	p->most_until_ns = now_ns + PICK_MOST_NS;
	return true;
}

unsigned long long pick_weight(const struct pick *p, __u64 now_ns)
{
	__u64 slow_ns = p->conf->slow_start_s * NS_PER_S, up_ns = now_ns - p->since_ns;
	unsigned long long part = WHOLE;

	if (p->since_ns && up_ns < slow_ns)
		part = START + (WHOLE - START) * (up_ns / 1000) / (slow_ns / 1000);
	return p->conf->weight * part;
}

/* The first that is left when nobody is up. */
static int last_resort(const struct pick *p, size_t n, unsigned long long may, unsigned keep, __u64 now_ns)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (may >> i & 1 && !pick_is_full(&p[i], keep, now_ns) && (best < 0 || p[i].conf->priority < p[best].conf->priority))
			best = (int)i;
	return best;
}

/* Bits of those that are up and have room, of the best priority that has some. */
static unsigned long long contenders(const struct pick *p, size_t n, unsigned long long may, unsigned keep, __u64 now_ns)
{
	unsigned long long found = 0;
	unsigned priority = ~0u;

	for (size_t i = 0; i < n; i++) {
		if (!(may >> i & 1) || pick_is_full(&p[i], keep, now_ns) || !pick_is_up(&p[i], now_ns) || p[i].conf->priority > priority)
			continue;
		if (p[i].conf->priority < priority)
			found = 0;
		priority = p[i].conf->priority;
		found |= 1ull << i;
	}
	return found;
}

int pick_next(struct pick *p, size_t n, unsigned long long may, unsigned keep, __u64 now_ns)
{
	unsigned long long up = contenders(p, n, may, keep, now_ns);
	long long total = 0;
	int best = -1;

	if (!up)
		return last_resort(p, n, may, keep, now_ns);
	for (size_t i = 0; i < n; i++) {
		long long weight = (long long)pick_weight(&p[i], now_ns);

		if (!(up >> i & 1))
			continue;
		p[i].turn += weight;
		total += weight;
		if (best < 0 || p[i].turn > p[best].turn)
			best = (int)i;
	}
	p[best].turn -= total;
	return best;
}

bool pick_good(struct pick *p, __u64 now_ns)
{
	p->failed = 0;
	if (!p->down || ++p->good < p->conf->up_after)
		return false;
	p->down = false;
	p->since_ns = now_ns;
	p->turn = 0;
	return true;
}

bool pick_failed(struct pick *p, __u64 now_ns)
{
	bool was = p->down;

	p->good = 0;
	p->again_ns = now_ns + PICK_AGAIN_NS;
	if (!was && ++p->failed >= p->conf->down_after)
		p->down = true;
	return p->down && !was;
}
