/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/migrate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/ban.h"
#include "user/file_why.h"
#include "user/gatelist.h"
#include "user/stats.h"

#define BATCH 4096

/* Structs grow at their end, so an old value is the beginning of a new one: its size says all. */
struct layout {
	unsigned schema;
	__u32 ban_bytes, conf_bytes;
	unsigned counters, reasons;
	bool shared; /* all but the counters and the settings is laid out as today */
};

static const struct layout layouts[] = {
	{ .schema = 1, .ban_bytes = 48, .conf_bytes = 8472, .counters = 59, .reasons = 17 },
	{ .schema = 2, .ban_bytes = 64, .conf_bytes = 8552, .counters = 71, .reasons = 17, .shared = true },
};

/* The maps of schema 2 that go on as they are. Its settings are shorter; its sketch of SYNs is old in a second. */
#define SHARED(X) \
	X(allow) X(bans) X(notes) X(cell4) X(leaf4) X(rich4) X(cell6) X(net6) X(lens6) X(class) X(class_hits) X(list_info) X(list_hits) \
	X(secret) X(text) X(reply_budget) X(buckets) X(good)

_Static_assert(offsetof(struct pst_conf, dead_man_ns) == 8552, "schema 2 is the beginning of this");
_Static_assert(offsetof(struct pst_ban, port) == 48, "schema 1 is the beginning of this");
_Static_assert(offsetof(struct pst_conf, port_bits) + sizeof(((struct pst_conf *)0)->port_bits) == 8472, "schema 1 is the beginning of this");

static __u32 stats_bytes(const struct layout *l)
{
	return (l->counters + l->reasons) * (__u32)sizeof(__u64);
}

static const struct layout *layout_of(const struct pst_meta *meta)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
		if (meta->magic == PST_MAGIC && meta->schema == layouts[i].schema && meta->ban_bytes == layouts[i].ban_bytes &&
		    meta->stats_bytes == stats_bytes(&layouts[i]))
			return &layouts[i];
	return NULL;
}

/* --- finding it --------------------------------------------------------- */

static int open_old(const char *dir, const char *name)
{
	char path[KERN_PATH_MAX];
	int fd, e = kern_path(path, dir, name);

	if (e)
		return e;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* -EPROTO: its values are not of this size. */
static int open_sized(const char *dir, const char *name, __u32 value_bytes)
{
	struct bpf_map_info info = { 0 };
	__u32 n = sizeof(info);
	int e = 0, fd = open_old(dir, name);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &n))
		e = -errno;
	else if (info.key_size != sizeof(__u32) || info.value_size != value_bytes)
		e = -EPROTO;
	if (e)
		close(fd);
	return e ? e : fd;
}

static int read_meta(const char *dir, struct pst_meta *meta)
{
	int e, fd = open_old(dir, "pst_meta");

	if (fd < 0)
		return fd;
	e = kern_meta(fd, meta);
	close(fd);
	return e;
}

/* "v7" is 7; 0 = no such name. */
static unsigned schema_of(const char *name)
{
	unsigned n = 0;
	int end = 0;

	return sscanf(name, "v%4u%n", &n, &end) == 1 && !name[end] ? n : 0;
}

/* One folder beside ours. 1: it is an older gate's, one that we know. */
static int judge_folder(const char *path, unsigned named, char *err, size_t errsize)
{
	struct pst_meta meta = { 0 };
	int e = read_meta(path, &meta);

	if (e == -ENOENT) /* no gate: none was ever complete there */
		return 0;
	if (!e && named < PST_SCHEMA && meta.schema == named && layout_of(&meta))
		return 1;
	if (e == -EACCES) {
		snprintf(err, errsize, "%s holds an older gate: %s; chown -R makes it that user's", path, file_why(EACCES));
		return e;
	}
	snprintf(err, errsize, "%s holds a gate of %s version (schema %u, this one has %u and can take over schema 1 to %u): nothing was "
		 "touched; start the posternd that it belongs to, or remove it: postern --pins %s gate unload (its bans go with it)", path,
		 !e && meta.magic == PST_MAGIC && meta.schema > PST_SCHEMA ? "a newer" : "an unknown", e ? 0 : meta.schema, (unsigned)PST_SCHEMA,
		 (unsigned)PST_SCHEMA - 1, path);
	return -EPROTO;
}

int migrate_find(const char *dir, char old[KERN_PATH_MAX], unsigned *schema, char *err, size_t errsize)
{
	char parent[KERN_PATH_MAX], path[KERN_PATH_MAX];
	const char *own = strrchr(dir, '/');
	struct dirent *entry;
	int found = 0;
	DIR *d;

	*schema = 0;
	if (!own || schema_of(own + 1) != PST_SCHEMA || own - dir >= KERN_PATH_MAX)
		return 0;
	snprintf(parent, sizeof(parent), "%.*s", (int)(own - dir), dir);
	d = opendir(parent);
	if (!d)
		return 0;
	while (found >= 0 && (entry = readdir(d))) {
		unsigned named = schema_of(entry->d_name);
		int e = 0;

		if (named && named != PST_SCHEMA && !kern_path(path, parent, entry->d_name))
			e = judge_folder(path, named, err, errsize);
		if (e < 0)
			found = e;
		if (e <= 0 || named < *schema)
			continue;
		strcpy(old, path);
		*schema = named;
		found = 1;
	}
	closedir(d);
	return found;
}

/* --- maps in common -------------------------------------------------------- */

int migrate_share(const char *old, struct kern_maps *out)
{
	const struct layout *l;
	struct pst_meta meta;
	int e = read_meta(old, &meta);

	kern_none(out);
	l = e ? NULL : layout_of(&meta);
	if (!l)
		return e ? e : -EPROTO;
#define KERN_X(name)                                                        \
	if (!e && l->shared) {                                              \
		out->name = open_old(old, KERN_MAP(name));                  \
		e = out->name < 0 ? out->name : 0;                          \
	}
	SHARED(KERN_X)
#undef KERN_X
	return e;
}

static bool is_same(int a, int b)
{
	struct bpf_map_info x = { 0 }, y = { 0 };
	__u32 nx = sizeof(x), ny = sizeof(y);

	return !bpf_obj_get_info_by_fd(a, &x, &nx) && !bpf_obj_get_info_by_fd(b, &y, &ny) && x.id == y.id;
}

/* --- tables -------------------------------------------------------------- */

struct table {
	int from, to;
	__u32 key_bytes, from_bytes, to_bytes;
	__u8 *key, *old, *now;
	bool again;
};

static int table_open(struct table *t, const char *old, const char *name, int to, bool again)
{
	struct bpf_map_info a = { 0 }, b = { 0 };
	__u32 na = sizeof(a), nb = sizeof(b);

	*t = (struct table){ .from = open_old(old, name), .to = to, .again = again };
	if (t->from < 0)
		return t->from;
	if (bpf_obj_get_info_by_fd(t->from, &a, &na) || bpf_obj_get_info_by_fd(to, &b, &nb))
		return -errno;
	if (a.key_size != b.key_size || a.value_size > b.value_size)
		return -EPROTO;
	t->key_bytes = a.key_size;
	t->from_bytes = a.value_size;
	t->to_bytes = b.value_size;
	t->key = malloc((size_t)BATCH * t->key_bytes);
	t->old = malloc((size_t)BATCH * t->from_bytes);
	t->now = calloc(BATCH, t->to_bytes);
	return t->key && t->old && t->now ? 0 : -ENOMEM;
}

static void table_close(struct table *t)
{
	if (t->from >= 0)
		close(t->from);
	free(t->key);
	free(t->old);
	free(t->now);
}

static int put_missing(const struct table *t, __u32 count)
{
	for (__u32 i = 0; i < count; i++)
		if (bpf_map_update_elem(t->to, t->key + (size_t)i * t->key_bytes, t->now + (size_t)i * t->to_bytes, BPF_NOEXIST) &&
		    errno != EEXIST)
			return -errno;
	return 0;
}

static int put_batch(const struct table *t, __u32 count)
{
	for (__u32 i = 0; i < count; i++)
		memcpy(t->now + (size_t)i * t->to_bytes, t->old + (size_t)i * t->from_bytes, t->from_bytes);
	if (t->again)
		return put_missing(t, count);
	return count && bpf_map_update_batch(t->to, t->key, t->now, &count, NULL) ? -errno : 0;
}

static int table_copy(struct table *t)
{
	__u8 place[32], *from = NULL; /* the cursor: a bucket number, or a key of a trie */
	int e = 0, last = 0;

	while (!e && !last) {
		__u32 count = BATCH;

		if (bpf_map_lookup_batch(t->from, from, place, t->key, t->old, &count, NULL))
			last = errno;
		e = last && last != ENOENT ? -last : put_batch(t, count);
		from = place;
	}
	return e;
}

static int copy_table(const char *old, const char *name, int to, bool again)
{
	struct table t;
	int e = table_open(&t, old, name, to, again);

	if (!e && !is_same(t.from, to))
		e = table_copy(&t);
	table_close(&t);
	return e;
}

/* A table of one row. What the old one has not keeps its default. */
static int copy_conf(const char *old, const struct layout *l, const struct kern_maps *to)
{
	struct pst_conf conf = { 0 };
	__u32 zero = 0;
	int e = 0, fd = open_sized(old, "pst_conf", l->conf_bytes);

	if (fd < 0)
		return fd;
	/* The second reading is the shorter one. */
	if (!is_same(fd, to->conf) && (bpf_map_lookup_elem(to->conf, &zero, &conf) || bpf_map_lookup_elem(fd, &zero, &conf) ||
	    bpf_map_update_elem(to->conf, &zero, &conf, BPF_ANY)))
		e = -errno;
	close(fd);
	return e;
}

/* --- counters -------------------------------------------------------------- */

/* Counters and reasons are appended to, each in its own array, so an index means the same for ever. */
static void add_stats(struct pst_stats *sum, const __u64 *old, const struct layout *l)
{
	for (unsigned i = 0; i < l->counters; i++)
		sum->counter[i] += old[i];
	for (unsigned i = 0; i < l->reasons; i++)
		sum->found[i] += old[l->counters + i];
}

static int add_slot(int slots, __u32 slot, struct pst_stats *sum, const struct layout *l)
{
	struct pst_slot page;

	if (bpf_map_lookup_elem(slots, &slot, &page))
		return -errno;
	add_stats(sum, (const __u64 *)&page, l);
	return 0;
}

static int put_slot(const struct kern_maps *to, __u32 slot, const struct pst_stats *stats)
{
	struct pst_slot page = { .stats = *stats };

	return bpf_map_update_elem(to->slots, &slot, &page, BPF_ANY) ? -errno : 0;
}

static int add_cpus(int fd, struct pst_stats *sum, const struct layout *l)
{
	int cpus = libbpf_num_possible_cpus();
	size_t each = stats_bytes(l);
	__u32 zero = 0;
	__u8 *values;
	int e = 0;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, each);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, values))
		e = -errno;
	for (int i = 0; !e && i < cpus; i++)
		add_stats(sum, (const __u64 *)(values + (size_t)i * each), l);
	free(values);
	return e;
}

static int copy_slots(const char *old, const struct layout *l, const struct kern_maps *to)
{
	int e = 0, fd = open_sized(old, "pst_slots", PST_SLOT_BYTES);

	if (fd < 0)
		return fd;
	for (__u32 i = 0; !e && i < PST_SLOTS_MAX; i++) {
		struct pst_stats stats = { 0 };

		if (i == STATS_CARRY_SLOT)
			continue;
		e = add_slot(fd, i, &stats, l);
		if (!e)
			e = put_slot(to, i, &stats);
	}
	close(fd);
	return e;
}

static int carry(const char *old, const struct layout *l, const struct kern_maps *to)
{
	int stats = open_sized(old, "pst_stats", stats_bytes(l)), slots = open_sized(old, "pst_slots", PST_SLOT_BYTES);
	struct pst_stats sum = { 0 };
	int e = stats < 0 ? stats : slots < 0 ? slots : 0;

	if (!e)
		e = add_cpus(stats, &sum, l);
	if (!e)
		e = add_slot(slots, STATS_CARRY_SLOT, &sum, l); /* what it had carried over itself */
	if (!e)
		e = put_slot(to, STATS_CARRY_SLOT, &sum);
	if (stats >= 0)
		close(stats);
	if (slots >= 0)
		close(slots);
	return e;
}

int migrate_counters(const char *old, const struct kern_maps *to)
{
	struct pst_meta meta;
	const struct layout *l;
	int e = read_meta(old, &meta);

	if (e)
		return e;
	l = layout_of(&meta);
	e = l ? carry(old, l, to) : -EPROTO;
	return e == -ENOENT ? 0 : e; /* it is being removed: they were carried over before that */
}

/* --- all of it -------------------------------------------------------------- */

int migrate_copy(const char *old, const struct kern_maps *to, bool again, char *err, size_t errsize)
{
	const struct { const char *name; int to; } tables[] = {
		{ "pst_bans", to->bans }, { "pst_notes", to->notes }, { "pst_allow", to->allow },
	};
	const char *what = "pst_meta";
	const struct layout *l;
	struct pst_meta meta;
	int e = read_meta(old, &meta);

	l = e ? NULL : layout_of(&meta);
	if (!e && !l)
		e = -EPROTO;
	for (size_t i = 0; !e && i < sizeof(tables) / sizeof(*tables); i++) {
		what = tables[i].name;
		e = copy_table(old, what, tables[i].to, again);
		if (e == -ENOENT && again) /* it is being removed already */
			e = 0;
	}
	if (!e) {
		what = "the index of pst_bans";
		e = ban_index_all(to);
	}
	if (!e) {
		what = "the index of pst_cell4";
		e = list_some_fill(to);
	}
	if (!e && !l->shared) {
		what = "pst_lists";
		e = migrate_lists(old, to, err, errsize);
		e = e == -ENOENT && again ? 0 : e;
	}
	if (!e && !again) {
		what = "pst_conf";
		e = copy_conf(old, l, to);
	}
	if (!e && !again) {
		what = "pst_slots";
		e = copy_slots(old, l, to);
	}
	if (!e) {
		what = "pst_stats";
		e = migrate_counters(old, to);
	}
	if (e)
		snprintf(err, errsize, "taking over %s of schema %u from %s: %s; that gate stays in force as it is", what, l ? l->schema : 0, old,
			 strerror(-e));
	return e;
}
