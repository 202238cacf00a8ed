/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/lpm.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#define BATCH 4096

/* What one batch operation works on. A value is its last word; pst_net6 has a lock before it. */
struct rows {
	struct pst_lpm_key key[BATCH];
	__u32 value[2 * BATCH];
	unsigned words; /* of a value */
};

static struct pst_lpm_key key_of(const struct pst_prefix *p)
{
	return (struct pst_lpm_key){ .len = p->len, .addr = p->addr };
}

static __u32 *value_of(struct rows *r, __u32 i)
{
	return &r->value[(i + 1) * r->words - 1];
}

static int rows_new(int fd, struct rows **out, __u32 *max_entries)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (info.key_size != sizeof(struct pst_lpm_key) || (info.value_size != 4 && info.value_size != 8))
		return -EINVAL;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->words = info.value_size / 4;
	*max_entries = info.max_entries;
	return 0;
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
	struct pst_lpm_key place; /* a trie's cursor is the last key, a hash's is a word */
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
			(*out)[n] = (struct lists_entry){ { rows->key[i].addr, rows->key[i].len }, *value_of(rows, i) };
		from = &place;
	} while (!e);
	return (long)n;
}

static long sort(struct lists_entry *e, size_t n)
{
	struct lists_entry *spare = malloc((n + 1) * sizeof(*spare));

	if (!spare)
		return -ENOMEM;
	lists_sort(e, spare, n);
	free(spare);
	return (long)n;
}

long lpm_read(int fd, struct lists_entry **out)
{
	struct rows *rows;
	__u32 max_entries;
	long n = rows_new(fd, &rows, &max_entries);

	*out = NULL;
	if (n)
		return n;
	n = read_batches(fd, rows, out);
	free(rows);
	if (n > 0)
		n = sort(*out, (size_t)n);
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

/* One walk along the two, which are sorted. */
struct walk {
	size_t i, j;
};

/* The next entry whose fate it is; NULL at the end. */
static const struct lists_entry *next(const struct lpm_diff *d, struct walk *w, enum lpm_fate fate)
{
	while (w->i < d->nold || w->j < d->nwant) {
		const struct lists_entry *old = &d->old[w->i], *want = &d->want[w->j];
		int order = w->i == d->nold ? 1 : w->j == d->nwant ? -1 : prefix_cmp(&old->prefix, &want->prefix);

		w->i += order <= 0;
		w->j += order >= 0;
		if (order < 0 && fate == LPM_REMOVE)
			return old;
		if (order > 0 && fate == LPM_ADD)
			return want;
		if (!order && fate == LPM_CHANGE && old->value != want->value)
			return want;
	}
	return NULL;
}

/* Applies one fate, at most `limit` entries of it; *done counts what was applied. */
static int apply(int fd, const struct lpm_diff *d, enum lpm_fate fate, bool undo, size_t limit, struct rows *rows, size_t *done)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = fate == LPM_CHANGE && rows->words == 2 ? BPF_F_LOCK : 0);
	struct walk w = { 0, 0 };
	int e = 0;

	*done = 0;
	while (!e && *done < limit) {
		const struct lists_entry *entry;
		__u32 n = 0, count;

		while (n < BATCH && *done + n < limit && (entry = next(d, &w, fate))) {
			rows->key[n] = key_of(&entry->prefix);
			*value_of(rows, n++) = entry->value;
		}
		if (!n)
			break;
		count = n;
		if (fate == LPM_REMOVE || undo)
			e = bpf_map_delete_batch(fd, rows->key, &count, NULL) ? -errno : 0;
		else
			e = bpf_map_update_batch(fd, rows->key, rows->value, &count, &opts) ? -errno : 0;
		*done += e ? count : n;
	}
	return e;
}

static size_t count_new(const struct lpm_diff *d)
{
	struct walk w = { 0, 0 };
	size_t n = 0;

	while (next(d, &w, LPM_ADD))
		n++;
	return n;
}

int lpm_apply(int fd, const struct lpm_diff *d, enum lpm_fate fate, bool undo)
{
	struct rows *rows;
	size_t done, undone;
	__u32 max_entries;
	int e = rows_new(fd, &rows, &max_entries);

	if (e)
		return e;
	if (fate == LPM_ADD && !undo && d->nold + count_new(d) > max_entries)
		e = -ENOSPC;
	if (!e)
		e = apply(fd, d, fate, undo, SIZE_MAX, rows, &done);
	if (e && fate == LPM_ADD && !undo && e != -ENOSPC)
		apply(fd, d, LPM_ADD, true, done, rows, &undone);
	free(rows);
	return e;
}

int lpm_replace(int fd, const struct lists_entry *want, size_t n)
{
	struct lists_entry *old;
	long nold;
	int e;

	if (!sorted(want, n))
		return -EINVAL;
	nold = lpm_read(fd, &old);
	if (nold < 0)
		return (int)nold;
	e = 0;
	for (enum lpm_fate fate = LPM_ADD; fate <= LPM_REMOVE && !e; fate++)
		e = lpm_apply(fd, &(struct lpm_diff){ .old = old, .want = want, .nold = (size_t)nold, .nwant = n }, fate, false);
	free(old);
	return e;
}
