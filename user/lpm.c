/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/lpm.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 4096

struct rows { /* what one batch operation works on */
	struct pst_lpm_key key[BATCH];
	struct pst_listed value[BATCH];
};

static struct pst_lpm_key key_of(const struct pst_prefix *p)
{
	return (struct pst_lpm_key){ .len = p->len, .addr = p->addr };
}

static long grow(struct lists_entry **e, size_t *room, size_t need)
{
	size_t want = *room ? *room : BATCH;
	struct lists_entry *bigger;

	while (want < need)
		want *= 2;
	if (want == *room)
		return 0;
	bigger = realloc(*e, want * sizeof(**e));
	if (!bigger)
		return -ENOMEM;
	*e = bigger;
	*room = want;
	return 0;
}

static long read_batches(int fd, struct rows *rows, struct lists_entry **out)
{
	struct pst_lpm_key place; /* the trie's cursor is the last key */
	size_t n = 0, room = 0;
	void *from = NULL;
	int e;

	do {
		__u32 count = BATCH;

		e = bpf_map_lookup_batch(fd, from, &place, rows->key, rows->value, &count, NULL) ? -errno : 0;
		if (e && e != -ENOENT)
			return e;
		if (grow(out, &room, n + count))
			return -ENOMEM;
		for (__u32 i = 0; i < count; i++, n++)
			(*out)[n] = (struct lists_entry){ { rows->key[i].addr, rows->key[i].len }, rows->value[i] };
		from = &place;
	} while (!e);
	qsort(*out, n, sizeof(**out), prefix_cmp);
	return (long)n;
}

long lpm_read(int fd, struct lists_entry **out)
{
	struct rows *rows = malloc(sizeof(*rows));
	long n;

	*out = NULL;
	if (!rows)
		return -ENOMEM;
	n = read_batches(fd, rows, out);
	free(rows);
	if (n < 0) {
		free(*out);
		*out = NULL;
	}
	return n;
}

static bool sorted(const struct lists_entry *e, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (prefix_cmp(&e[i - 1].prefix, &e[i].prefix) >= 0)
			return false;
	return true;
}

/* Is `have` new, changed or gone in `want`? Both sorted: one walk along the two. */
enum fate { ADD, CHANGE, REMOVE };

struct diff {
	const struct lists_entry *old, *want;
	size_t nold, nwant;
};

struct walk {
	size_t i, j;
};

/* The next entry whose fate it is; NULL at the end. */
static const struct lists_entry *next(const struct diff *d, struct walk *w, enum fate fate)
{
	while (w->i < d->nold || w->j < d->nwant) {
		const struct lists_entry *old = &d->old[w->i], *want = &d->want[w->j];
		int order = w->i == d->nold ? 1 : w->j == d->nwant ? -1 : prefix_cmp(&old->prefix, &want->prefix);

		w->i += order <= 0;
		w->j += order >= 0;
		if (order < 0 && fate == REMOVE)
			return old;
		if (order > 0 && fate == ADD)
			return want;
		if (!order && fate == CHANGE && memcmp(&old->value, &want->value, sizeof(old->value)))
			return want;
	}
	return NULL;
}

/* Applies one fate, at most `limit` entries of it; *done counts what was applied. */
static int apply(int fd, const struct diff *d, enum fate fate, bool undo, size_t limit, struct rows *rows, size_t *done)
{
	struct walk w = { 0, 0 };
	int e = 0;

	*done = 0;
	while (!e && *done < limit) {
		const struct lists_entry *entry;
		__u32 n = 0, count;

		while (n < BATCH && *done + n < limit && (entry = next(d, &w, fate))) {
			rows->key[n] = key_of(&entry->prefix);
			rows->value[n++] = entry->value;
		}
		if (!n)
			break;
		count = n;
		if (fate == REMOVE || undo)
			e = bpf_map_delete_batch(fd, rows->key, &count, NULL) ? -errno : 0;
		else
			e = bpf_map_update_batch(fd, rows->key, rows->value, &count, NULL) ? -errno : 0;
		*done += e ? count : n;
	}
	return e;
}

static size_t count_new(const struct diff *d)
{
	struct walk w = { 0, 0 };
	size_t n = 0;

	while (next(d, &w, ADD))
		n++;
	return n;
}

static int replace(int fd, const struct diff *d, struct rows *rows)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	size_t done, undone;
	int e;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (d->nold + count_new(d) > info.max_entries)
		return -ENOSPC;
	e = apply(fd, d, ADD, false, SIZE_MAX, rows, &done);
	if (e) {
		apply(fd, d, ADD, true, done, rows, &undone);
		return e;
	}
	e = apply(fd, d, CHANGE, false, SIZE_MAX, rows, &done);
	return e ? e : apply(fd, d, REMOVE, false, SIZE_MAX, rows, &done);
}

int lpm_replace(int fd, const struct lists_entry *want, size_t n)
{
	struct rows *rows;
	struct lists_entry *old;
	long nold;
	int e;

	if (!sorted(want, n))
		return -EINVAL;
	nold = lpm_read(fd, &old);
	if (nold < 0)
		return (int)nold;
	rows = malloc(sizeof(*rows));
	e = rows ? replace(fd, &(struct diff){ .old = old, .want = want, .nold = (size_t)nold, .nwant = n }, rows) : -ENOMEM;
	free(rows);
	free(old);
	return e;
}
