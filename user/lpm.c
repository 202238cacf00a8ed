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

enum fate { ADD, CHANGE, REMOVE };

/*
 * What lets pass is put last and taken away first: a new entry that only observes must not stand
 * alone inside an old one that refuses, not even until its refusing neighbour is written.
 */
static const struct step {
	enum fate fate;
	bool observes;
} steps[] = {
	{ ADD, false }, { CHANGE, false }, { ADD, true }, { CHANGE, true }, { REMOVE, true }, { REMOVE, false },
};

#define NSTEPS (sizeof(steps) / sizeof(steps[0]))

struct diff {
	const struct lists_entry *old, *want;
	size_t nold, nwant;
};

struct walk {
	size_t i, j;
};

static bool is_due(const struct lists_entry *e, const struct step *s)
{
	return (e->value.action == PST_ACT_OBSERVE) == s->observes;
}

/* The next entry that is due in this step: both are sorted, so one walk along the two. NULL at the end. */
static const struct lists_entry *next(const struct diff *d, struct walk *w, const struct step *s)
{
	while (w->i < d->nold || w->j < d->nwant) {
		const struct lists_entry *old = &d->old[w->i], *want = &d->want[w->j];
		int order = w->i == d->nold ? 1 : w->j == d->nwant ? -1 : prefix_cmp(&old->prefix, &want->prefix);

		w->i += order <= 0;
		w->j += order >= 0;
		if (order < 0 && s->fate == REMOVE && is_due(old, s))
			return old;
		if (order > 0 && s->fate == ADD && is_due(want, s))
			return want;
		if (!order && s->fate == CHANGE && is_due(want, s) && memcmp(&old->value, &want->value, sizeof(old->value)))
			return want;
	}
	return NULL;
}

/* Takes one step, at most `limit` entries of it; *done counts what was applied. */
static int apply(int fd, const struct diff *d, const struct step *s, bool undo, size_t limit, struct rows *rows, size_t *done)
{
	struct walk w = { 0, 0 };
	int e = 0;

	*done = 0;
	while (!e && *done < limit) {
		const struct lists_entry *entry;
		__u32 n = 0, count;

		while (n < BATCH && *done + n < limit && (entry = next(d, &w, s))) {
			rows->key[n] = key_of(&entry->prefix);
			rows->value[n++] = entry->value;
		}
		if (!n)
			break;
		count = n;
		if (s->fate == REMOVE || undo)
			e = bpf_map_delete_batch(fd, rows->key, &count, NULL) ? -errno : 0;
		else
			e = bpf_map_update_batch(fd, rows->key, rows->value, &count, NULL) ? -errno : 0;
		*done += e ? count : n;
	}
	return e;
}

static size_t count_new(const struct diff *d)
{
	size_t n = 0;

	for (size_t i = 0; i < NSTEPS; i++) {
		struct walk w = { 0, 0 };

		while (steps[i].fate == ADD && next(d, &w, &steps[i]))
			n++;
	}
	return n;
}

/* Takes out again what steps[0..last] added, the last of which got as far as `done`. */
static void take_back(int fd, const struct diff *d, size_t last, size_t done, struct rows *rows)
{
	size_t undone;

	for (size_t i = last + 1; i-- > 0;)
		if (steps[i].fate == ADD)
			apply(fd, d, &steps[i], true, i == last ? done : SIZE_MAX, rows, &undone);
}

static int replace(int fd, const struct diff *d, struct rows *rows)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	size_t done;
	int e = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (d->nold + count_new(d) > info.max_entries)
		return -ENOSPC;
	for (size_t i = 0; i < NSTEPS && !e; i++) {
		e = apply(fd, d, &steps[i], false, SIZE_MAX, rows, &done);
		if (e && steps[i].fate != REMOVE)
			take_back(fd, d, i, done, rows);
	}
	return e;
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
