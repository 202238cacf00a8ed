/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "user/resolve.h"

#define WAYS 4

struct entry {
	struct pst_addr addr;
	__u64 until_ns; /* 0 = empty */
	unsigned char lack; /* enum sess_lack */
	unsigned short n;
	char name[MAILBOX_DOMAIN_MAX + 1];
};

struct resolve_cache {
	size_t nsets; /* a power of two */
	__u64 seed;
	struct entry entry[];
};

struct resolve_cache *resolve_cache_new(size_t entries, __u64 seed)
{
	struct resolve_cache *c;
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

void resolve_cache_free(struct resolve_cache *c)
{
	free(c);
}

/* Strangers choose addresses; a bad guess at the seed costs them a few neighbours' entries, no more. */
static struct entry *set_of(struct resolve_cache *c, const struct pst_addr *addr)
{
	__u64 half[2], h = c->seed;

	memcpy(half, addr, sizeof(half));
	for (int i = 0; i < 2; i++) {
		h ^= half[i]; /* the bytes that differ are at its high end, and the set is chosen by the low one */
		h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9ull;
		h = (h ^ h >> 27) * 0x94d049bb133111ebull;
		h ^= h >> 31;
	}
	return c->entry + (h & (c->nsets - 1)) * WAYS;
}

bool resolve_cache_find(struct resolve_cache *c, const struct pst_addr *addr, __u64 now_ns, struct str *name, enum sess_lack *lack)
{
	struct entry *e = set_of(c, addr);

	for (int i = 0; i < WAYS; i++, e++)
		if (e->until_ns > now_ns && !memcmp(&e->addr, addr, sizeof(*addr))) {
			*name = (struct str){ e->name, e->n };
			*lack = (enum sess_lack)e->lack;
			return true;
		}
	return false;
}

void resolve_cache_put(struct resolve_cache *c, const struct pst_addr *addr, struct str name, enum sess_lack lack, __u64 until_ns)
{
	struct entry *e = set_of(c, addr), *into = e;

	for (int i = 0; i < WAYS; i++) {
		if (e[i].until_ns && !memcmp(&e[i].addr, addr, sizeof(*addr))) {
			into = &e[i];
			break;
		}
		if (e[i].until_ns < into->until_ns)
			into = &e[i];
	}
	into->addr = *addr;
	into->until_ns = until_ns;
	into->lack = (unsigned char)lack;
	into->n = name.n < sizeof(into->name) ? (unsigned short)name.n : 0;
	memcpy(into->name, name.p, into->n);
}
