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

/* Deletes the leaves that no cell points to, and forgets them. */
static int leaves_sweep(struct leaves *l, const __u8 *cell)
{
	__u32 gone[BATCH];
	size_t kept = 0;
	__u32 n = 0;

	for (size_t i = 0; i < l->n; i++) {
		__u32 key = l->key[i];

		if (cell[key >> 1] == (l->code | (key & 1))) {
			l->key[kept] = key;
			memmove(l->value + kept++ * l->bytes, l->value + i * l->bytes, l->bytes);
			continue;
		}
		gone[n++] = key;
		if (n == BATCH) {
			if (bpf_map_delete_batch(l->fd, gone, &n, NULL))
				return -errno;
			n = 0;
		}
	}
	l->n = kept;
	return n && bpf_map_delete_batch(l->fd, gone, &n, NULL) ? -errno : 0;
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
	for (size_t i = 0; i < PST_CELLS; i++)
		r->used[r->cell4[i]] = true;
	for (size_t i = 0; i < r->leaf.n; i++)
		r->used[((struct pst_leaf4 *)r->leaf.value)[i].class & 255] = true;
	for (size_t i = 0; i < r->rich.n * r->rich.bytes; i++)
		r->used[r->rich.value[i]] = true;
	return e;
}

/* Values on their way to the map. */
struct load {
	__u32 key[BATCH];
	__u8 value[BATCH * sizeof(struct pst_rich4)];
	__u32 n;
};

static int load_flush(struct leaves *l, struct load *load)
{
	__u32 n = load->n;
	int e = n && bpf_map_update_batch(l->fd, load->key, load->value, &n, NULL) ? -errno : 0;

	memcpy(l->added + l->nadded, load->key, n * sizeof(*load->key)); /* n is what got in */
	l->nadded += n;
	load->n = 0;
	return e == -E2BIG ? -ENOSPC : e;
}

/* One leaf of the new table: the one that is there, if it is equal, or one of the other generation. */
static int leaf_add(struct replace *r, struct leaves *l, struct load *load, const __u32 *at, __u32 net, const void *value)
{
	__u8 now = r->cell4[net], generation;

	if ((now & ~1) == l->code && at[net] && !memcmp(l->value + (at[net] - 1) * l->bytes, value, l->bytes)) {
		r->t->cell4[net] = now;
		return 0;
	}
	generation = now >= PST_CELL_BITS ? ~now & 1 : 0;
	r->t->cell4[net] = l->code | generation;
	load->key[load->n] = PST_LEAF_KEY(net, generation);
	memcpy(load->value + load->n++ * l->bytes, value, l->bytes);
	return load->n == BATCH ? load_flush(l, load) : 0;
}

/* Where in l the leaf of a /24 is, from 1; the caller's to free. */
static __u32 *index_of(const struct leaves *l)
{
	__u32 *at = calloc(PST_CELLS, sizeof(*at)); /* pages that are not touched cost nothing */

	for (size_t i = 0; at && i < l->n; i++)
		at[l->key[i] >> 1] = (__u32)i + 1;
	return at;
}

static int add_leaf(struct replace *r, struct load *load, const __u32 *at)
{
	int e = 0;

	for (size_t i = 0; i < r->t->nleaf4 && !e; i++) {
		struct table_leaf4 *leaf = &r->t->leaf4[i];

		leaf->leaf.class = r->number[leaf->leaf.class];
		e = leaf_add(r, &r->leaf, load, at, leaf->net, &leaf->leaf);
	}
	return e ? e : load_flush(&r->leaf, load);
}

static int add_rich(struct replace *r, struct load *load, const __u32 *at)
{
	int e = 0;

	for (size_t i = 0; i < r->t->nrich4 && !e; i++) {
		struct table_rich4 *rich = &r->t->rich4[i];

		for (unsigned k = 0; k < 256; k++)
			rich->rich.class[k] = r->number[rich->rich.class[k]];
		e = leaf_add(r, &r->rich, load, at, rich->net, &rich->rich);
	}
	return e ? e : load_flush(&r->rich, load);
}

static int add_kind(struct replace *r, struct leaves *l, size_t n, int (*add)(struct replace *, struct load *, const __u32 *))
{
	struct load *load = malloc(sizeof(*load));
	__u32 *at = index_of(l);
	int e = -ENOMEM;

	l->added = calloc(n + 1, sizeof(*l->added));
	if (load)
		load->n = 0;
	if (load && at && l->added)
		e = add(r, load, at);
	free(load);
	free(at);
	return e;
}

int list4_add(struct replace *r)
{
	int e = add_kind(r, &r->leaf, r->t->nleaf4, add_leaf);

	if (!e)
		e = add_kind(r, &r->rich, r->t->nrich4, add_rich);
	if (e)
		list4_undo(r);
	return e;
}

static void leaves_undo(struct leaves *l)
{
	while (l->nadded)
		bpf_map_delete_elem(l->fd, &l->added[--l->nadded]);
}

void list4_undo(struct replace *r)
{
	leaves_undo(&r->leaf);
	leaves_undo(&r->rich);
}

void list4_switch(struct replace *r)
{
	__u8 *want = r->t->cell4;

	for (size_t i = 0; i < PST_CELLS; i++) {
		if (want[i] < PST_CELL_BITS)
			want[i] = r->number[want[i]];
		if (want[i] != r->cell4[i])
			__atomic_store_n(&r->cell4[i], want[i], __ATOMIC_RELEASE);
	}
}

int list4_remove(struct replace *r)
{
	int e = leaves_sweep(&r->leaf, r->cell4);

	return e ? e : leaves_sweep(&r->rich, r->cell4);
}

static void leaves_free(struct leaves *l)
{
	free(l->key);
	free(l->value);
	free(l->added);
}

void list4_free(struct replace *r)
{
	leaves_free(&r->leaf);
	leaves_free(&r->rich);
}
