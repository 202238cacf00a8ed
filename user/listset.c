/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/listset.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "user/gatelist.h"
#include "user/listfile.h"

/* Shared by the copies of one list: the old set and the new one. */
struct listset_block {
	size_t bytes, users;
	struct pst_prefix prefix[];
};

static struct listset_block *block_new(const struct listfile *f)
{
	size_t bytes = sizeof(struct listset_block) + f->n * sizeof(*f->prefix);
	struct listset_block *b = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	madvise(b, bytes, MADV_DONTFORK);
	b->bytes = bytes;
	b->users = 1;
	if (f->n)
		memcpy(b->prefix, f->prefix, f->n * sizeof(*f->prefix));
	return b;
}

void listset_drop_one(struct listset_one *o)
{
	if (o->block && !--o->block->users)
		munmap(o->block, o->block->bytes);
	memset(o, 0, sizeof(*o));
}

void listset_drop(struct listset *s)
{
	while (s->n)
		listset_drop_one(&s->one[--s->n]);
}

/* What the configuration says of it. */
static void describe(struct pst_list_info *info, const struct conf_list *l)
{
	snprintf(info->name, sizeof(info->name), "%s", l->name);
	snprintf(info->source, sizeof(info->source), "%s", l->file);
	info->action = l->action;
	info->follow = l->follow;
}

void listset_share(struct listset_one *out, const struct listset_one *of)
{
	*out = *of;
	if (out->block)
		out->block->users++;
}

int listset_read(struct listset_one *out, const struct conf_list *l, const struct listset_one *old,
		 void (*tell)(void *ctx, size_t prefixes), void *ctx, char *err, size_t errsize)
{
	const struct listfile_options options = { .tell = tell, .ctx = ctx, .everything = l->everything };
	struct listfile file = { 0 };
	int rc = listfile_read(l->file, &options, &file, err, errsize);

	memset(out, 0, sizeof(*out));
	if (!rc) {
		out->block = block_new(&file);
		if (!out->block) {
			snprintf(err, errsize, "%s: out of memory", l->file);
			rc = -ENOMEM;
		}
	}
	if (!rc) {
		out->prefix = out->block->prefix;
		out->info.prefixes = (__u32)file.n;
		out->info.modified_s = (__u64)file.modified;
		out->info.loaded_ns = kern_now_ns();
	} else {
		if (old)
			listset_share(out, old);
		out->info.stale = 1;
	}
	describe(&out->info, l);
	listfile_free(&file);
	return rc;
}

const struct listset_one *listset_find(const struct listset *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->one[i].info.name, name))
			return &s->one[i];
	return NULL;
}

int listset_put(const struct listset *s, const struct kern_maps *m, char *err, size_t errsize)
{
	struct pst_list_info info[PST_LISTS_MAX] = { 0 };
	struct lists_entry *e;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < s->n; i++) {
		info[i] = s->one[i].info;
		n += info[i].prefixes;
	}
	e = calloc(n + 1, sizeof(*e));
	if (!e) {
		snprintf(err, errsize, "out of memory");
		return -ENOMEM;
	}
	n = 0;
	for (__u32 i = 0; i < s->n; i++)
		for (size_t k = 0; k < info[i].prefixes; k++)
			e[n++] = (struct lists_entry){ s->one[i].prefix[k], i };
	rc = list_replace(m, e, n, info, err, errsize);
	free(e);
	return rc;
}

bool listset_would_lose(const struct listset *s, const struct kern_maps *m, const char **name)
{
	struct pst_list_info have;

	for (__u32 i = 0; i < PST_LISTS_MAX; i++) {
		const struct listset_one *o;

		if (bpf_map_lookup_elem(m->list_info, &i, &have) || !have.prefixes)
			continue;
		have.name[sizeof(have.name) - 1] = 0;
		o = listset_find(s, have.name);
		if (o && !o->info.loaded_ns) {
			*name = o->info.name;
			return true;
		}
	}
	return false;
}

void listset_mark_stale(const struct listset *s, const struct kern_maps *m)
{
	struct pst_list_info have;

	for (__u32 i = 0; i < PST_LISTS_MAX; i++) {
		const struct listset_one *o = list_info(m, i, &have) ? NULL : listset_find(s, have.name);

		if (!o || !o->info.stale || have.stale)
			continue;
		have.stale = 1;
		bpf_map_update_elem(m->list_info, &i, &have, BPF_ANY);
	}
}
