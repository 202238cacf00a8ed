/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/lpm.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "user/crew.h"

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

/* How many words a value of the map has, and how many entries the map. */
static int shape_of(int fd, unsigned *words, __u32 *max_entries)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (info.key_size != sizeof(struct pst_lpm_key) || (info.value_size != 4 && info.value_size != 8))
		return -EINVAL;
	*words = info.value_size / 4;
	*max_entries = info.max_entries;
	return 0;
}

static struct rows *rows_new(unsigned words)
{
	struct rows *rows = calloc(1, sizeof(*rows));

	if (rows)
		rows->words = words;
	return rows;
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
	unsigned words;
	long n = shape_of(fd, &words, &max_entries);

	*out = NULL;
	if (n)
		return n;
	rows = rows_new(words);
	n = rows ? read_batches(fd, rows, out) : -ENOMEM;
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

/* The entries of one fate: a million are put by several threads. */
struct step {
	int fd;
	unsigned words;
	const struct lists_entry **e;
	size_t n;
	enum lpm_fate fate;
};

static int put(void *ctx, size_t from, size_t to)
{
	const struct step *s = ctx;
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = s->fate == LPM_CHANGE && s->words == 2 ? BPF_F_LOCK : 0);
	struct rows *rows = rows_new(s->words);
	__u32 n = (__u32)(to - from);
	int e;

	if (!rows)
		return -ENOMEM;
	for (__u32 i = 0; i < n; i++) {
		rows->key[i] = key_of(&s->e[from + i]->prefix);
		*value_of(rows, i) = s->e[from + i]->value;
	}
	if (s->fate == LPM_REMOVE)
		e = bpf_map_delete_batch(s->fd, rows->key, &n, NULL) ? -errno : 0;
	else
		e = bpf_map_update_batch(s->fd, rows->key, rows->value, &n, &opts) ? -errno : 0;
	free(rows);
	return e;
}

/* None of them was there before; some may not be there now. */
static void take_back(const struct step *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct pst_lpm_key key = key_of(&s->e[i]->prefix);

		bpf_map_delete_elem(s->fd, &key);
	}
}

static int choose(struct step *s, const struct lpm_diff *d)
{
	struct walk w = { 0, 0 };
	const struct lists_entry *entry;

	s->e = calloc((s->fate == LPM_REMOVE ? d->nold : d->nwant) + 1, sizeof(*s->e));
	while (s->e && (entry = next(d, &w, s->fate)))
		s->e[s->n++] = entry;
	return s->e ? 0 : -ENOMEM;
}

static int add(struct step *s, size_t nold, __u32 max_entries)
{
	int e;

	if (nold + s->n > max_entries)
		return -ENOSPC;
	e = crew_run(s->n, BATCH, put, s);
	if (e)
		take_back(s);
	return e;
}

int lpm_apply(int fd, const struct lpm_diff *d, enum lpm_fate fate, bool undo)
{
	struct step s = { .fd = fd, .fate = fate };
	__u32 max_entries;
	int e = shape_of(fd, &s.words, &max_entries);

	if (!e)
		e = choose(&s, d);
	if (!e && undo)
		take_back(&s);
	else if (!e && fate == LPM_ADD)
		e = add(&s, d->nold, max_entries);
	else if (!e)
		e = crew_run(s.n, BATCH, put, &s);
	free(s.e);
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
