/* SPDX-License-Identifier: BSD-2-Clause */
/* gatelist.c: the lists in the maps: found, counted, and replaced step by step. */
#include "user/gatelist_int.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/crew.h"
#include "user/refuse.h"

/* --- finding --------------------------------------------------------------------- */

static int class_get(const struct kern_maps *m, __u32 class, struct pst_class *out)
{
	return bpf_map_lookup_elem(m->class, &class, out) ? -errno : 0;
}

/* By copying all 16 MiB: a few milliseconds. */
static int cell_copy(int fd, size_t i, __u8 *out)
{
	struct pst_cells *all = malloc(sizeof(*all));
	const __u32 only = 0;
	int e = 0;

	if (!all)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &only, all))
		e = -errno;
	else
		*out = all->cell[i];
	free(all);
	return e;
}

/* One byte: only its page is mapped. The kernel maps nothing of a descriptor that may only read. */
static int cell_get(int fd, size_t i, __u8 *out)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	__u8 *p = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)(i & ~(page - 1)));

	if (p == MAP_FAILED)
		return errno == EINVAL ? cell_copy(fd, i, out) : -errno;
	*out = p[i & (page - 1)];
	munmap(p, page);
	return 0;
}

/* The class of a, 0 = none; -ENOENT: the leaf has gone since its cell was read. */
static int class4(const struct kern_maps *m, const struct pst_addr *a)
{
	__u32 net = (__u32)a->b[12] << 16 | (__u32)a->b[13] << 8 | a->b[14], key;
	struct pst_leaf4 leaf;
	struct pst_rich4 rich;
	__u8 cell = 0, low = a->b[15];
	int e = cell_get(m->cell4, net, &cell);

	if (e || cell < PST_CELL_BITS)
		return e ? e : cell;
	key = PST_LEAF_KEY(net, cell);
	if (cell >= PST_CELL_RICH)
		return bpf_map_lookup_elem(m->rich4, &key, &rich) ? -errno : rich.class[low];
	if (bpf_map_lookup_elem(m->leaf4, &key, &leaf))
		return -errno;
	return leaf.bits[low >> 6] >> (low & 63) & 1 ? (int)leaf.class : 0;
}

/* Without the filter: the same answer, and nobody waits for it. */
static int class6(const struct kern_maps *m, const struct pst_addr *a)
{
	struct pst_lens6 lens;
	__u32 now = 0, found = 0;

	if (bpf_map_lookup_elem(m->lens6, &now, &lens) || (now = lens.now, bpf_map_lookup_elem(m->lens6, &now, &lens)))
		return -errno;
	for (unsigned i = 0; i < lens.n && i < 129; i++) {
		struct pst_prefix p = prefix_of(a, lens.row[i].len);
		struct pst_lpm_key key = { .len = p.len, .addr = p.addr };
		struct pst_net6 net;
		struct pst_class class;

		if (bpf_map_lookup_elem(m->net6, &key, &net))
			continue;
		found = found ? found : net.class;
		if (!class_get(m, net.class, &class) && class.action != PST_ACT_OBSERVE)
			return (int)net.class;
	}
	return (int)found;
}

int list_find(const struct kern_maps *m, const struct pst_addr *a, struct pst_class *out)
{
	int class = -ENOENT;

	for (int tries = 0; tries < 8 && class == -ENOENT; tries++)
		class = addr_is4(a) ? class4(m, a) : class6(m, a);
	if (class <= 0)
		return class ? class : -ENOENT;
	return class_get(m, (__u32)class, out);
}

int list_info(const struct kern_maps *m, unsigned row, struct pst_list_info *out)
{
	__u32 key = row;

	if (bpf_map_lookup_elem(m->list_info, &key, out))
		return -errno;
	out->name[sizeof(out->name) - 1] = 0;
	out->source[sizeof(out->source) - 1] = 0;
	return out->name[0] ? 0 : -ENOENT;
}

/* --- hits ------------------------------------------------------------------------ */

static int class_hits(const struct kern_maps *m, __u32 class, __u64 *out)
{
	int cpus = libbpf_num_possible_cpus(), e = 0;
	__u64 *each;

	*out = 0;
	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(m->class_hits, &class, each))
		e = -errno;
	for (int i = 0; i < cpus; i++)
		*out += each[i];
	free(each);
	return e;
}

int list_hits(const struct kern_maps *m, unsigned row, __u64 *out)
{
	__u32 key = row;

	if (bpf_map_lookup_elem(m->list_hits, &key, out))
		return -errno;
	for (__u32 i = 1; i <= PST_CLASSES_MAX; i++) {
		struct pst_class class;
		__u64 hits;
		int e = class_get(m, i, &class);

		if (!e && class.lists >> row & 1) {
			e = class_hits(m, i, &hits);
			*out += hits;
		}
		if (e)
			return e;
	}
	return 0;
}

static int hits_clear(int fd, __u32 key)
{
	int cpus = libbpf_num_possible_cpus(), e;
	__u64 *zero = cpus > 0 ? calloc((size_t)cpus, sizeof(*zero)) : NULL;

	if (!zero)
		return -ENOMEM;
	e = bpf_map_update_elem(fd, &key, zero, BPF_ANY) ? -errno : 0;
	free(zero);
	return e;
}

/* A class that no packet meets any more: its hits go to its lists, its number is free. */
static int class_retire(struct replace *r, __u32 i)
{
	__u64 hits, sum;
	int e = class_hits(r->m, i, &hits);

	for (__u32 row = 0; row < PST_LISTS_MAX && hits && !e; row++) {
		if (!((r->class[i].lists & ~r->reused) >> row & 1))
			continue;
		if (bpf_map_lookup_elem(r->m->list_hits, &row, &sum))
			return -errno;
		sum += hits;
		if (bpf_map_update_elem(r->m->list_hits, &row, &sum, BPF_ANY))
			return -errno;
	}
	memset(&r->class[i], 0, sizeof(r->class[i]));
	return e ? e : hits_clear(r->m->class_hits, i);
}

/* --- rows and numbers ------------------------------------------------------------- */

/* A list keeps its row by its name; a new one takes a free row, or at last one whose list is gone. */
static void rows_assign(struct replace *r, const struct pst_list_info *info, struct pst_list_info now[PST_LISTS_MAX], __u8 row[PST_LISTS_MAX])
{
	bool taken[PST_LISTS_MAX] = { 0 };

	memset(row, PST_LISTS_MAX, PST_LISTS_MAX);
	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		for (unsigned k = 0; k < PST_LISTS_MAX && info[i].name[0]; k++)
			if (!taken[k] && !strncmp(info[i].name, now[k].name, sizeof(now[k].name))) {
				row[i] = (__u8)k;
				taken[k] = true;
				break;
			}
	for (int empty = 1; empty >= 0; empty--)
		for (unsigned i = 0; i < PST_LISTS_MAX; i++)
			for (unsigned k = 0; k < PST_LISTS_MAX && info[i].name[0] && row[i] == PST_LISTS_MAX; k++)
				if (!taken[k] && (!empty || !now[k].name[0])) {
					row[i] = (__u8)k;
					taken[k] = true;
					r->reused |= 1ull << k;
				}
}

/* The number of a class as the kernel shall know it: that of an equal one, or one that no packet can meet. 0 = none is left. */
static unsigned number_for(struct replace *r, const struct pst_class *c, bool taken[256])
{
	for (unsigned i = 1; i <= PST_CLASSES_MAX && !(c->lists & r->reused); i++)
		if (r->used[i] && !memcmp(&r->class[i], c, sizeof(*c)))
			return i;
	for (unsigned i = 1; i <= PST_CLASSES_MAX; i++) {
		if (!r->used[i] && !taken[i]) {
			taken[i] = true;
			r->class[i] = *c;
			return i;
		}
	}
	return 0;
}

static int classes_assign(struct replace *r, const __u8 row[PST_LISTS_MAX])
{
	bool taken[256] = { 0 };

	for (unsigned i = 1; i <= r->t->nclass; i++) {
		const struct pst_class *from = &r->t->class[i];
		struct pst_class c = { .action = from->action, .list = row[from->list] % PST_LISTS_MAX };

		for (unsigned k = 0; k < PST_LISTS_MAX; k++)
			if (from->lists >> k & 1)
				c.lists |= 1ull << (row[k] % PST_LISTS_MAX);
		r->number[i] = (__u8)number_for(r, &c, taken);
		if (!r->number[i])
			return -ENOSPC;
	}
	return 0;
}

static int infos_read(const struct kern_maps *m, struct pst_list_info now[PST_LISTS_MAX])
{
	for (__u32 i = 0; i < PST_LISTS_MAX; i++)
		if (bpf_map_lookup_elem(m->list_info, &i, &now[i]))
			return -errno;
	return 0;
}

static int infos_write(struct replace *r, const struct pst_list_info *info, const __u8 row[PST_LISTS_MAX])
{
	int e = 0;

	for (__u32 i = 0; i < PST_LISTS_MAX && !e; i++) {
		__u32 k = row[i];

		if (!info[i].name[0])
			continue;
		if (r->reused >> k & 1)
			e = hits_clear(r->m->list_hits, k);
		if (!e)
			e = refuse_put_list(r->m, k, info[i].name);
		if (!e && bpf_map_update_elem(r->m->list_info, &k, &info[i], BPF_ANY))
			e = -errno;
	}
	return e;
}

static int infos_clear(const struct kern_maps *m, const struct pst_list_info *info, const __u8 row[PST_LISTS_MAX])
{
	static const struct pst_list_info none;
	bool taken[PST_LISTS_MAX + 1] = { 0 };

	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		taken[info[i].name[0] ? row[i] : PST_LISTS_MAX] = true;
	for (__u32 k = 0; k < PST_LISTS_MAX; k++)
		if (!taken[k] && bpf_map_update_elem(m->list_info, &k, &none, BPF_ANY))
			return -errno;
	return 0;
}

/* --- the steps --------------------------------------------------------------------- */

/*
 * An update of a map in a map returns when no program runs that may have seen the old one: the one promise
 * of this kind that the kernel makes for programs of every type (membarrier() refuses on nohz_full machines).
 */
int list_grace(void)
{
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pst_grace", 4, 4, 1, NULL);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (__u32)inner);
	int outer = inner < 0 ? -1 : bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "pst_grace", 4, 4, 1, &opts);
	__u32 zero = 0;
	int e = outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY) ? -errno : 0;

	if (outer >= 0)
		close(outer);
	if (inner >= 0)
		close(inner);
	return e;
}

static int map_in(void *out, int fd, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(out, &p, sizeof(p));
	return 0;
}

static const size_t class_bytes = 256 * sizeof(struct pst_class), lens_bytes = 2 * sizeof(struct pst_lens6);

static int maps_in(struct replace *r)
{
	int e = map_in(&r->cell4, r->m->cell4, PST_CELLS);

	if (!e)
		e = map_in(&r->some4, r->m->some4, sizeof(*r->some4));
	if (!e)
		e = map_in(&r->part4, r->m->part4, PST_CELLS);
	if (!e)
		e = map_in(&r->cell6, r->m->cell6, PST_CELLS);
	if (!e)
		e = map_in(&r->class, r->m->class, class_bytes);
	if (!e)
		e = map_in(&r->lens6, r->m->lens6, lens_bytes);
	return e;
}

/* What a writer that died has left no packet can meet afterwards: leaves without a cell, classes without either. */
static int rests_clear(struct replace *r)
{
	int e;

	list4_mark(r);
	list6_mark(r);
	e = list_grace();
	for (__u32 i = 1; i <= PST_CLASSES_MAX && !e; i++)
		if (!r->used[i] && r->class[i].lists)
			e = class_retire(r, i);
	return e;
}

static void state_free(struct replace *r)
{
	if (r->cell4)
		munmap(r->cell4, PST_CELLS);
	if (r->some4)
		munmap(r->some4, sizeof(*r->some4));
	if (r->part4)
		munmap(r->part4, PST_CELLS);
	if (r->cell6)
		munmap(r->cell6, PST_CELLS);
	if (r->class)
		munmap(r->class, class_bytes);
	if (r->lens6)
		munmap(r->lens6, lens_bytes);
	list4_free(r);
	free(r->old6);
}

/* Everything that can fail for want of room. */
static int add(struct replace *r)
{
	int e = list4_add(r);

	if (e)
		return e;
	e = list6_add(r);
	if (e)
		list4_undo(r);
	return e;
}

/* From here on a failure means that the kernel refuses what it granted a moment ago; the next replacement repairs. */
static int switch_over(struct replace *r)
{
	int e = list6_switch(r);

	if (e)
		return e;
	list4_switch(r);
	e = list_grace();
	if (!e)
		e = list4_remove(r);
	if (!e)
		e = list6_remove(r);
	for (unsigned i = 1; i <= r->t->nclass; i++)
		r->used[r->number[i]] = false;
	for (__u32 i = 1; i <= PST_CLASSES_MAX && !e; i++)
		if (r->used[i])
			e = class_retire(r, i);
	return e;
}

static int say(char *err, size_t errsize, int e, const char *what)
{
	snprintf(err, errsize, "%s%s%s", what, e == -ENOSPC ? "" : ": ", e == -ENOSPC ? "" : strerror(-e));
	return e;
}

static int say_unread(char *err, size_t errsize, int e)
{
	return say(err, errsize, e, "the kernel's list table cannot be read");
}

static int replace(struct replace *r, const struct pst_list_info *info, char *err, size_t errsize)
{
	struct pst_list_info now[PST_LISTS_MAX];
	__u8 row[PST_LISTS_MAX];
	int e = infos_read(r->m, now);

	if (!e) {
		rows_assign(r, info, now, row);
		e = rests_clear(r);
	}
	if (e)
		return say_unread(err, errsize, e);
	e = classes_assign(r, row);
	if (e)
		return say(err, errsize, e, "the old and the new lists together overlap in more than 251 different combinations; "
					    "take out the old ones first");
	e = add(r);
	if (e)
		return say(err, errsize, e, e == -ENOSPC ? "the old and the new lists do not fit into the kernel's table together; "
							   "take out the old ones first" : "the lists cannot be put into the kernel's table");
	e = infos_write(r, info, row);
	if (!e)
		e = switch_over(r);
	if (!e)
		e = infos_clear(r->m, info, row);
	return e ? say(err, errsize, e, "the lists are only partly in the kernel's table; load them again") : 0;
}

int list_some_fill(const struct kern_maps *m)
{
	struct replace r = { .m = m };
	int e = maps_in(&r);

	if (!e)
		list4_some_add(&r);
	state_free(&r);
	return e;
}

/* --- memory ---------------------------------------------------------------------- */

static void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->cell4);
	free(t->cell6);
	free(t->leaf4);
	free(t->rich4);
	free(t->net6);
	free(t);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Pages that the compiler does not touch cost nothing. */
static struct table *table_new(size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->leaf4_max = least(n, PST_LEAVES4_MAX);
	t->rich4_max = least(n, PST_RICHES4_MAX);
	t->net6_max = least(n, PST_NETS6_MAX);
	t->cell4 = calloc(PST_CELLS, 1);
	t->cell6 = calloc(PST_CELLS, 1);
	t->leaf4 = calloc(t->leaf4_max + 1, sizeof(*t->leaf4));
	t->rich4 = calloc(t->rich4_max + 1, sizeof(*t->rich4));
	t->net6 = calloc(t->net6_max + 1, sizeof(*t->net6));
	if (t->cell4 && t->cell6 && t->leaf4 && t->rich4 && t->net6)
		return t;
	table_free(t);
	return NULL;
}

/* --- all of it --------------------------------------------------------------------- */

struct job {
	struct replace *r;
	struct lists_entry *e;
	size_t n;
	const struct pst_list_info *info;
	enum table_flaw flaw;
};

static int compile(struct job *j)
{
	struct lists_entry *spare = malloc((j->n + 1) * sizeof(*spare));
	__u8 action[PST_LISTS_MAX];

	if (!spare)
		return -ENOMEM;
	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		action[i] = j->info[i].action;
	j->flaw = table_compile(j->r->t, j->e, spare, j->n, action);
	free(spare);
	return 0;
}

/* What can be done at the same time: the new table, and reading both halves of the old one. */
static int prepare(void *ctx, size_t which, size_t end)
{
	struct job *j = ctx;

	(void)end;
	return which == 0 ? compile(j) : which == 1 ? list4_read(j->r) : list6_read(j->r);
}

static int job_do(struct job *j, char *err, size_t errsize)
{
	int e = maps_in(j->r);

	if (!e)
		e = crew_run(3, 1, prepare, j);
	if (e)
		return say_unread(err, errsize, e);
	if (j->flaw)
		return say(err, errsize, -ENOSPC, table_flaw_text(j->flaw));
	return replace(j->r, j->info, err, errsize);
}

int list_replace(const struct kern_maps *m, struct lists_entry *e, size_t n, const struct pst_list_info info[PST_LISTS_MAX],
		 char *err, size_t errsize)
{
	struct replace r = { .m = m, .t = table_new(n) };
	struct job j = { .r = &r, .e = e, .n = n, .info = info };
	int rc = r.t ? job_do(&j, err, errsize) : say(err, errsize, -ENOMEM, "the lists");

	state_free(&r);
	table_free(r.t);
	return rc;
}
