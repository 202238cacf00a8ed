/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gatelist4.c: IPv4. Leaves are never changed, for a hash recycles the memory of an old value at once, and a packet may
 * still be reading it. What changes gets a leaf of the other generation, then one byte is stored, and
 * the old leaf goes when no packet can hold it any more. So each /24 changes at one moment, whole.
 */
#include "user/gatelist_int.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "user/crew.h"

#define BATCH 4096

static void kinds(struct replace *r)
{
	r->leaf = (struct leaves){ .fd = r->m->leaf4, .code = PST_CELL_BITS, .bytes = sizeof(struct pst_leaf4) };
	r->rich = (struct leaves){ .fd = r->m->rich4, .code = PST_CELL_RICH, .bytes = sizeof(struct pst_rich4) };
}

static int grow(struct leaves *l)
{
	size_t room = l->room ? 2 * l->room : 2 * BATCH;
	__u32 *key = reallocarray(l->key, room, sizeof(*key));
	__u8 *value;

	if (!key)
		return -ENOMEM;
	l->key = key;
	value = reallocarray(l->value, room, l->bytes);
	if (!value)
		return -ENOMEM;
	l->value = value;
	l->room = room;
	return 0;
}

static int leaves_read(struct leaves *l)
{
	__u32 place;
	void *from = NULL;
	int e = 0;

	do {
		__u32 count = BATCH;

		if (l->n + BATCH > l->room && (e = grow(l)))
			return e;
		e = bpf_map_lookup_batch(l->fd, from, &place, l->key + l->n, l->value + l->n * l->bytes, &count, NULL) ? -errno : 0;
		if (e && e != -ENOENT)
			return e;
		l->n += count;
		from = &place;
	} while (!e);
	return 0;
}

struct sweep {
	int fd;
	__u32 *key;
};

static int sweep(void *ctx, size_t from, size_t to)
{
	const struct sweep *s = ctx;
	__u32 n = (__u32)(to - from);

	return bpf_map_delete_batch(s->fd, s->key + from, &n, NULL) ? -errno : 0;
}

/* Deletes the leaves that no cell points to, and forgets them. */
static int leaves_sweep(struct leaves *l, const __u8 *cell)
{
	struct sweep s = { .fd = l->fd, .key = calloc(l->n + 1, sizeof(*s.key)) };
	size_t kept = 0, gone = 0;
	int e;

	if (!s.key)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		__u32 key = l->key[i];

		if (cell[key >> 1] != (l->code | (key & 1))) {
			s.key[gone++] = key;
			continue;
		}
		l->key[kept] = key;
		memmove(l->value + kept++ * l->bytes, l->value + i * l->bytes, l->bytes);
	}
	l->n = kept;
	e = crew_run(gone, BATCH, sweep, &s);
	free(s.key);
	return e;
}

int list4_read(struct replace *r)
{
	int e;

	kinds(r);
	e = leaves_read(&r->leaf);
	if (!e)
		e = leaves_read(&r->rich);
	if (!e)
		e = leaves_sweep(&r->leaf, r->cell4);
	if (!e)
		e = leaves_sweep(&r->rich, r->cell4);
	return e;
}

void list4_mark(struct replace *r)
{
	for (size_t i = 0; i < PST_CELLS; i++)
		r->used[r->cell4[i]] = true;
	for (size_t i = 0; i < r->leaf.n; i++)
		r->used[((struct pst_leaf4 *)r->leaf.value)[i].class & 255] = true;
	for (size_t i = 0; i < r->rich.n * r->rich.bytes; i++)
		r->used[r->rich.value[i]] = true;
}

/* Leaf i of the new table; its classes are the kernel's by now. */
static const void *leaf_value(const struct replace *r, const struct leaves *l, __u32 i)
{
	return l == &r->leaf ? (const void *)&r->t->leaf4[i].leaf : &r->t->rich4[i].rich;
}

/* One leaf of the new table: the one that is there, if it is equal, or one of the other generation. */
static void leaf_choose(struct replace *r, struct leaves *l, const __u32 *at, __u32 net, __u32 i)
{
	__u8 now = r->cell4[net], generation;

	if ((now & ~1) == l->code && at[net] && !memcmp(l->value + (at[net] - 1) * l->bytes, leaf_value(r, l, i), l->bytes)) {
		r->t->cell4[net] = now;
		return;
	}
	generation = now >= PST_CELL_BITS ? ~now & 1 : 0;
	r->t->cell4[net] = l->code | generation;
	l->add[l->nadd++] = (struct leaf_new){ PST_LEAF_KEY(net, generation), i };
}

/* Where in l the leaf of a /24 is, from 1; the caller's to free. */
static __u32 *index_of(const struct leaves *l)
{
	__u32 *at = calloc(PST_CELLS, sizeof(*at)); /* pages that are not touched cost nothing */

	for (size_t i = 0; at && i < l->n; i++)
		at[l->key[i] >> 1] = (__u32)i + 1;
	return at;
}

static void choose_leaf(struct replace *r, const __u32 *at)
{
	for (__u32 i = 0; i < r->t->nleaf4; i++) {
		struct table_leaf4 *leaf = &r->t->leaf4[i];

		leaf->leaf.class = r->number[leaf->leaf.class];
		leaf_choose(r, &r->leaf, at, leaf->net, i);
	}
}

static void choose_rich(struct replace *r, const __u32 *at)
{
	for (__u32 i = 0; i < r->t->nrich4; i++) {
		struct table_rich4 *rich = &r->t->rich4[i];

		for (unsigned k = 0; k < 256; k++)
			rich->rich.class[k] = r->number[rich->rich.class[k]];
		leaf_choose(r, &r->rich, at, rich->net, i);
	}
}

/* Values on their way to the map. */
struct load {
	__u32 key[BATCH];
	__u8 value[BATCH * sizeof(struct pst_rich4)];
};

struct add {
	const struct replace *r;
	const struct leaves *l;
};

static int add_part(void *ctx, size_t from, size_t to)
{
	const struct add *a = ctx;
	struct load *load = malloc(sizeof(*load));
	__u32 n = (__u32)(to - from);
	int e;

	if (!load)
		return -ENOMEM;
	for (__u32 i = 0; i < n; i++) {
		const struct leaf_new *new = &a->l->add[from + i];

		load->key[i] = new->key;
		memcpy(load->value + i * a->l->bytes, leaf_value(a->r, a->l, new->i), a->l->bytes);
	}
	e = bpf_map_update_batch(a->l->fd, load->key, load->value, &n, NULL) ? -errno : 0;
	free(load);
	return e == -E2BIG ? -ENOSPC : e;
}

static int add_kind(struct replace *r, struct leaves *l, size_t n, void (*choose)(struct replace *, const __u32 *at))
{
	struct add a = { r, l };
	__u32 *at = index_of(l);
	int e = -ENOMEM;

	l->add = calloc(n + 1, sizeof(*l->add));
	if (at && l->add) {
		choose(r, at);
		e = crew_run(l->nadd, BATCH, add_part, &a);
	}
	free(at);
	return e;
}

int list4_add(struct replace *r)
{
	int e = add_kind(r, &r->leaf, r->t->nleaf4, choose_leaf);

	if (!e)
		e = add_kind(r, &r->rich, r->t->nrich4, choose_rich);
	if (e)
		list4_undo(r);
	return e;
}

/* All that were to be added: some may not have been. */
static void leaves_undo(struct leaves *l)
{
	while (l->nadd)
		bpf_map_delete_elem(l->fd, &l->add[--l->nadd].key);
}

void list4_undo(struct replace *r)
{
	leaves_undo(&r->leaf);
	leaves_undo(&r->rich);
}

/* Which of 64 cells are not 0. */
static __u64 some_of(const __u8 *cell)
{
	__u64 some = 0;

	for (unsigned i = 0; i < 64; i++)
		some |= (__u64)(cell[i] != 0) << i;
	return some;
}

void list4_some_add(struct replace *r)
{
	for (size_t w = 0; w < PST_CELLS / 64; w++)
		r->some4->word[w] |= some_of(r->cell4 + 64 * w);
	for (size_t i = 0; i < PST_CELLS; i++)
		if (r->cell4[i] >= PST_CELL_BITS)
			r->part4[i] = 0xff;
}

static __u8 parts_of_bits(const struct pst_leaf4 *leaf)
{
	unsigned parts = 0;

	for (unsigned i = 0; i < 8; i++)
		parts |= (unsigned)((__u32)(leaf->bits[i / 2] >> (i % 2 * 32)) != 0) << i;
	return (__u8)parts;
}

static __u8 parts_of_rich(const struct pst_rich4 *rich)
{
	unsigned parts = 0;

	for (unsigned i = 0; i < 256; i++)
		parts |= (unsigned)(rich->class[i] != 0) << i / 32;
	return (__u8)parts;
}

/* Before the new leaves are in force, theirs besides those of the old ones; afterwards theirs alone. */
static void parts_put(struct replace *r, __u8 keep)
{
	for (size_t i = 0; i < r->t->nleaf4; i++) {
		__u8 *part = &r->part4[r->t->leaf4[i].net];

		__atomic_store_n(part, (*part & keep) | parts_of_bits(&r->t->leaf4[i].leaf), __ATOMIC_RELEASE);
	}
	for (size_t i = 0; i < r->t->nrich4; i++) {
		__u8 *part = &r->part4[r->t->rich4[i].net];

		__atomic_store_n(part, (*part & keep) | parts_of_rich(&r->t->rich4[i].rich), __ATOMIC_RELEASE);
	}
}

/* Bits that no cell needs, a dead writer's too. */
static void some_trim(struct replace *r)
{
	for (size_t w = 0; w < PST_CELLS / 64; w++) {
		__u64 some = some_of(r->cell4 + 64 * w);

		if (r->some4->word[w] != some)
			__atomic_store_n(&r->some4->word[w], some, __ATOMIC_RELAXED);
	}
}

/* 64 cells, and their bits before them. */
static void switch_word(struct replace *r, size_t w)
{
	__u8 *want = r->t->cell4 + 64 * w, *have = r->cell4 + 64 * w;
	__u64 some = some_of(want), before = r->some4->word[w];

	if (some & ~before)
		__atomic_store_n(&r->some4->word[w], before | some, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 64; i++) {
		if (want[i] < PST_CELL_BITS)
			want[i] = r->number[want[i]];
		if (want[i] != have[i])
			__atomic_store_n(&have[i], want[i], __ATOMIC_RELEASE);
	}
}

void list4_switch(struct replace *r)
{
	parts_put(r, 0xff);
	for (size_t w = 0; w < PST_CELLS / 64; w++)
		switch_word(r, w);
}

int list4_remove(struct replace *r)
{
	int e = leaves_sweep(&r->leaf, r->cell4);

	some_trim(r);
	parts_put(r, 0);
	return e ? e : leaves_sweep(&r->rich, r->cell4);
}

static void leaves_free(struct leaves *l)
{
	free(l->key);
	free(l->value);
	free(l->add);
}

void list4_free(struct replace *r)
{
	leaves_free(&r->leaf);
	leaves_free(&r->rich);
}
