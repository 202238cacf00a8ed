/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/addr.h"

int roster_init(struct roster *r, size_t max, __u64 seed)
{
	memset(r, 0, sizeof(*r));
	LIST_INIT(&r->all);
	r->seed = seed;
	for (r->nbuckets = 16; r->nbuckets < max;)
		r->nbuckets *= 2;
	r->by_id = calloc(r->nbuckets, sizeof(*r->by_id));
	r->by_source = calloc(r->nbuckets, sizeof(*r->by_source));
	if (r->by_id && r->by_source)
		return 0;
	roster_free(r);
	return -ENOMEM;
}

void roster_free(struct roster *r)
{
	free(r->by_id);
	free(r->by_source);
	r->by_id = r->by_source = NULL;
}

/* Ids are counted up, so their low bits spread them evenly. */
static struct roster_list *id_bucket(const struct roster *r, __u64 id)
{
	return &r->by_id[id & (r->nbuckets - 1)];
}

static __u64 mix(__u64 x)
{
	x = (x ^ (x >> 32)) * 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
	return x ^ (x >> 32);
}

static struct roster_list *source_bucket(const struct roster *r, const struct pst_prefix *source)
{
	__u64 half[2];

	memcpy(half, source->addr.b, sizeof(half));
	return &r->by_source[mix(mix(half[0] ^ r->seed) ^ half[1]) & (r->nbuckets - 1)];
}

static bool same_source(const struct pst_prefix *a, const struct pst_prefix *b)
{
	return a->len == b->len && !memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

void roster_add(struct roster *r, struct roster_entry *e)
{
	e->source = prefix_source(&e->addr);
	LIST_INSERT_HEAD(&r->all, e, all);
	LIST_INSERT_HEAD(id_bucket(r, e->id), e, same_id);
	LIST_INSERT_HEAD(source_bucket(r, &e->source), e, same_source);
	r->used++;
}

void roster_del(struct roster *r, struct roster_entry *e)
{
	LIST_REMOVE(e, all);
	LIST_REMOVE(e, same_id);
	LIST_REMOVE(e, same_source);
	r->used--;
}

struct roster_entry *roster_by_id(const struct roster *r, __u64 id)
{
	struct roster_entry *e;

	LIST_FOREACH(e, id_bucket(r, id), same_id)
		if (e->id == id)
			return e;
	return NULL;
}

bool roster_has(const struct roster *r, const struct pst_addr *addr, unsigned limit)
{
	struct pst_prefix source = prefix_source(addr);
	struct roster_entry *e;
	unsigned n = 0;

	LIST_FOREACH(e, source_bucket(r, &source), same_source)
		if (same_source(&e->source, &source) && ++n >= limit)
			return true;
	return false;
}

static void each_of_source(struct roster_list *bucket, const struct pst_prefix *p, void (*each)(struct roster_entry *e))
{
	struct roster_entry *e, *next;

	for (e = LIST_FIRST(bucket); e; e = next) {
		next = LIST_NEXT(e, same_source);
		if (prefix_covers(p, &e->addr))
			each(e);
	}
}

void roster_each(const struct roster *r, const struct pst_prefix *p, void (*each)(struct roster_entry *e))
{
	struct pst_prefix source = prefix_source(&p->addr);
	struct roster_entry *e, *next;

	if (p->len >= source.len) { /* the usual ban: one source, one bucket */
		each_of_source(source_bucket(r, &source), p, each);
		return;
	}
	for (e = LIST_FIRST(&r->all); e; e = next) {
		next = LIST_NEXT(e, all);
		if (prefix_covers(p, &e->addr))
			each(e);
	}
}
