/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "user/zones.h"

#define WAYS 4

struct entry {
	struct pst_addr addr;
	__u64 until_ns; /* 0 = empty */
	__u32 zone, round;
	struct zone_answer answer;
};

struct zone_cache {
	size_t nsets; /* a power of two */
	__u64 seed;
	struct entry entry[];
};

struct zone_cache *zone_cache_new(size_t entries, __u64 seed)
{
	struct zone_cache *c;
	size_t nsets = 1;

	while (nsets * WAYS < entries)
		nsets *= 2;
	c = calloc(1, sizeof(*c) + nsets * WAYS * sizeof(struct entry));
	if (c) {
		c->nsets = nsets;
		c->seed = seed;
	}
	return c;
}

void zone_cache_free(struct zone_cache *c)
{
	free(c);
}

/* Strangers choose addresses; a bad guess at the seed costs them a few neighbours' entries, no more. */
static struct entry *set_of(struct zone_cache *c, unsigned zone, const struct pst_addr *addr)
{
	__u64 half[2], h = c->seed + zone;

	memcpy(half, addr, sizeof(half));
	for (int i = 0; i < 2; i++) {
		h ^= half[i]; /* the bytes that differ are at its high end, and the set is chosen by the low one */
		h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ull;
		h = (h ^ h >> 27) * 0x94d049bb133111ebull;
		h ^= h >> 31;
	}
	return c->entry + (h & (c->nsets - 1)) * WAYS;
}

static bool is_of(const struct entry *e, unsigned zone, const struct pst_addr *addr)
{
	return e->until_ns && e->zone == zone && !memcmp(&e->addr, addr, sizeof(*addr));
}

bool zone_cache_find(struct zone_cache *c, unsigned zone, unsigned round, const struct pst_addr *addr, __u64 now_ns, struct zone_answer *out,
		     __u64 *until_ns)
{
	struct entry *e = set_of(c, zone, addr);

	for (int i = 0; i < WAYS; i++, e++)
		if (is_of(e, zone, addr) && e->round == round && e->until_ns > now_ns) {
			*out = e->answer;
			*until_ns = e->until_ns;
			return true;
		}
	return false;
}

void zone_cache_put(struct zone_cache *c, unsigned zone, unsigned round, const struct pst_addr *addr, const struct zone_answer *a, __u64 until_ns)
{
	struct entry *e = set_of(c, zone, addr), *into = e;

	for (int i = 0; i < WAYS; i++) {
		if (is_of(&e[i], zone, addr)) {
			into = &e[i];
			break;
		}
		if (e[i].until_ns < into->until_ns)
			into = &e[i];
	}
	into->addr = *addr;
	into->until_ns = until_ns;
	into->zone = zone;
	into->round = round;
	into->answer = *a;
}
