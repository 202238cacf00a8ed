/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern.c: load and pin the program and its maps, open them again.
 *
 * pst_meta is pinned last and unpinned first: where it is, everything else is. A load
 * that died half-way leaves pins without it, and the next load starts from nothing.
 */
#include "user/kern.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "gate.skel.h"
#include "user/ban.h"
#include "user/gatelist.h"
#include "user/kern_pins.h"
#include "user/migrate.h"
#include "user/refuse.h"

__u64 kern_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ull + (__u64)t.tv_nsec;
}

/* --- opening what is there --------------------------------------------- */

void kern_none(struct kern_maps *m)
{
#define KERN_X(name) m->name = -1;
	KERN_MAPS(KERN_X)
#undef KERN_X
}

void kern_close(struct kern_maps *m)
{
#define KERN_X(name)              \
	if (m->name >= 0)         \
		close(m->name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	kern_none(m);
}

int kern_meta(int fd, struct pst_meta *meta)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), zero = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(*meta))
		return -EPROTO;
	return bpf_map_lookup_elem(fd, &zero, meta) ? -errno : 0;
}

static bool meta_ours(const struct pst_meta *meta)
{
	return meta->magic == PST_MAGIC && meta->schema == PST_SCHEMA && meta->ban_bytes == sizeof(struct pst_ban) &&
	       meta->stats_bytes == sizeof(struct pst_stats);
}

/* Is fd a map as the program's own object describes it? Its size may differ: what is there stays. */
static bool map_fits(int fd, const struct bpf_map *want)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(want) &&
	       info.key_size == bpf_map__key_size(want) && info.value_size == bpf_map__value_size(want);
}

int kern_open(const char *dir, bool readonly, struct kern_maps *out, unsigned *have)
{
	char older[KERN_PATH_MAX], ignored[8];
	struct pst_meta meta = { 0 };
	int e;

	kern_none(out);
	if (have)
		*have = 0;
	out->meta = kern_pins_open(dir, KERN_MAP(meta), readonly);
	if (out->meta < 0) {
		if (out->meta == -ENOENT && have)
			migrate_find(dir, older, have, ignored, sizeof(ignored));
		return out->meta;
	}
	e = kern_meta(out->meta, &meta);
	if (have && meta.magic == PST_MAGIC)
		*have = meta.schema;
	if (!e && !meta_ours(&meta))
		e = -EPROTO;
#define KERN_X(name)                                                        \
	if (!e && out->name < 0) {                                          \
		out->name = kern_pins_open(dir, KERN_MAP(name), readonly);         \
		if (out->name < 0)                                          \
			e = out->name == -ENOENT ? -EPROTO : out->name;     \
	}
	KERN_MAPS(KERN_X)
#undef KERN_X
	if (e)
		kern_close(out);
	return e;
}

static int map_id(int fd, __u32 *id)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*id = info.id;
	return 0;
}

int kern_is_pinned(const char *dir, const struct kern_maps *m)
{
	int e, fd = kern_pins_open(dir, KERN_MAP(meta), true);
	__u32 pinned = 0, held = 0;

	if (fd < 0)
		return fd;
	e = map_id(fd, &pinned);
	close(fd);
	if (!e)
		e = map_id(m->meta, &held);
	return e ? e : pinned == held;
}

/* --- loading ------------------------------------------------------------ */

static char libbpf_said[256];

/* libbpf's warnings belong into our error text, not on stderr: the first one is the cause. */
static int keep_first(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN && !libbpf_said[0]) {
		vsnprintf(libbpf_said, sizeof(libbpf_said), fmt, ap);
		libbpf_said[strcspn(libbpf_said, "\n")] = '\0';
	}
	return 0;
}

/* Those of m that are open. */
static int reuse_maps(struct gate *g, const struct kern_maps *m, char *err, size_t errsize)
{
	int e = 0;

#define KERN_X(name)                                                                                               \
	if (!e && m->name >= 0 && !map_fits(m->name, g->maps.pst_##name)) {                                                        \
		e = -EPROTO;                                                                                       \
		snprintf(err, errsize, "pinned map " KERN_MAP(name) " has another layout than this version's; "          \
				  "unload that gate first, its bans go with it");                                  \
	}                                                                                                          \
	if (!e && m->name >= 0 && (e = bpf_map__reuse_fd(g->maps.pst_##name, m->name)))                                            \
		snprintf(err, errsize, "pinned map " KERN_MAP(name) ": %s", strerror(-e));
	KERN_MAPS(KERN_X)
#undef KERN_X
	return e;
}

/* A gate without ports guards nothing: it is safe to attach before it is configured. */
static int write_conf(const struct gate *g)
{
	struct pst_conf *c = calloc(1, sizeof(*c));
	__u32 zero = 0;
	int e;

	if (!c)
		return -ENOMEM;
	c->mode = PST_MODE_ENFORCE;
	e = bpf_map_update_elem(bpf_map__fd(g->maps.pst_conf), &zero, c, BPF_ANY) ? -errno : 0;
	free(c);
	return e;
}

static int write_meta(const struct gate *g)
{
	struct pst_meta meta = {
		.magic = PST_MAGIC,
		.schema = PST_SCHEMA,
		.ban_bytes = sizeof(struct pst_ban),
		.stats_bytes = sizeof(struct pst_stats),
		.loaded_ns = kern_now_ns(),
		.version = POSTERN_VERSION,
	};
	__u32 zero = 0;

	return bpf_map_update_elem(bpf_map__fd(g->maps.pst_meta), &zero, &meta, BPF_ANY) ? -errno : 0;
}

static int pin_maps(const char *dir, const struct gate *g)
{
	int e = 0;

#define KERN_X(name)                                      \
	if (!e && g->maps.pst_##name != g->maps.pst_meta) \
		e = kern_pins_put_map(dir, g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	return e;
}

static struct kern_maps maps_of(const struct gate *g)
{
	return (struct kern_maps){
#define KERN_X(name) .name = bpf_map__fd(g->maps.pst_##name),
		KERN_MAPS(KERN_X)
#undef KERN_X
	};
}

/* older: the folder of the gate whose bans are to be copied, NULL = there is none; common: its maps that are ours too. */
static int load_fresh(const char *dir, const char *older, const struct kern_maps *common, struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m = maps_of(g);
	int e;

	kern_pins_clear(dir); /* what a load that died has left */
	e = common->conf < 0 ? write_conf(g) : 0;
	if (!e)
		e = write_meta(g);
	if (!e && older && (e = migrate_copy(older, &m, false, err, errsize)))
		return e;
	if (!e)
		e = pin_maps(dir, g);
	if (!e)
		e = kern_pins_put_prog(dir, bpf_program__fd(g->progs.gate));
	if (!e)
		e = kern_pins_put_map(dir, g->maps.pst_meta);
	if (e)
		snprintf(err, errsize, "pinning under %s: %s", dir, strerror(-e));
	return e;
}

/* What the program says by itself; a gate that was there keeps its own. */
static int start_refusing(const struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m = maps_of(g);
	int e = refuse_start(&m);

	if (e)
		snprintf(err, errsize, "writing the secret and the texts of refusals: %s", strerror(-e));
	return e;
}

/*
 * A gate with its maps, and its program not yet loaded. dialogue: with the answers of bpf/dialogue.h, which
 * not every kernel's verifier follows.
 */
static int open_gate(struct gate **g, const struct kern_maps *reuse, bool dialogue, char *err, size_t errsize)
{
	*g = gate__open();
	if (!*g) {
		int e = -errno;

		snprintf(err, errsize, "opening the XDP program: %s", strerror(-e));
		return e;
	}
	(*g)->rodata->pst_no_dialogue = !dialogue;
	return reuse_maps(*g, reuse, err, errsize);
}

static int load_prog(struct gate *g, char *err, size_t errsize)
{
	int e;

	libbpf_said[0] = '\0';
	e = gate__load(g);
	if (e)
		snprintf(err, errsize, "loading the XDP program: %s%s%s%s", strerror(-e), libbpf_said[0] ? ": " : "", libbpf_said,
			 e == -EPERM || e == -EACCES ? " (it takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)" : "");
	return e;
}

/*
 * The whole program, or on a kernel whose verifier refuses it, the one that resets where it would have answered. Who
 * may not load the one may not load the other.
 */
static int load_gate(struct gate **g, const struct kern_maps *reuse, char *err, size_t errsize)
{
	int e = open_gate(g, reuse, true, err, errsize);

	if (e)
		return e;
	e = load_prog(*g, err, errsize);
	if (!e)
		return start_refusing(*g, err, errsize);
	if (e == -EPERM || e == -ENOMEM)
		return e;
	gate__destroy(*g);
	e = open_gate(g, reuse, false, err, errsize);
	return e ? e : load_prog(*g, err, errsize);
}

/* A gate of ours and an older one: a take-over died, and the older one may have gone on alone. */
static int load_over(const char *dir, const char *older, struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m = maps_of(g);
	int e = older ? migrate_copy(older, &m, true, err, errsize) : 0;

	if (e)
		return e;
	e = ban_index_all(&m);
	if (!e)
		e = list_some_fill(&m);
	if (e) {
		snprintf(err, errsize, "indexing the bans and lists: %s", strerror(-e));
		return e;
	}
	e = kern_pins_put_prog(dir, bpf_program__fd(g->progs.gate));
	if (e)
		snprintf(err, errsize, "pinning under %s: %s", dir, strerror(-e));
	return e;
}

int kern_open_gate(const char *dir, struct gate **out, char *err, size_t errsize)
{
	struct kern_maps have;
	int e = kern_open(dir, false, &have, NULL);

	*out = NULL;
	if (e) {
		snprintf(err, errsize, "no gate is loaded under %s; load it first", dir);
		return e;
	}
	e = open_gate(out, &have, refuse_started(&have), err, errsize);
	kern_close(&have);
	return e;
}

static int load_locked(const char *dir, char *err, size_t errsize)
{
	char path[KERN_PATH_MAX];
	struct kern_maps have;
	unsigned schema = 0, ignored;
	struct gate *g = NULL;
	bool reuse;
	int e, older = migrate_find(dir, path, &ignored, err, errsize);

	if (older < 0)
		return older;
	e = kern_open(dir, false, &have, &schema);

	if (e == -EPROTO)
		snprintf(err, errsize, "%s holds the pins of another version (schema %u; this one has schema %u with its own layout); "
		    "unload that gate first, its bans go with it", dir, schema, (unsigned)PST_SCHEMA);
	else if (e && e != -ENOENT)
		snprintf(err, errsize, "opening the pins under %s: %s", dir, strerror(-e));
	if (e && e != -ENOENT)
		return e;
	reuse = !e;
	e = older && !reuse ? migrate_share(path, &have) : 0;
	if (e)
		snprintf(err, errsize, "opening the maps of the older gate under %s: %s", path, strerror(-e));
	else
		e = load_gate(&g, &have, err, errsize);
	if (!e)
		e = reuse ? load_over(dir, older ? path : NULL, g, err, errsize) : load_fresh(dir, older ? path : NULL, &have, g, err, errsize);
	gate__destroy(g);
	kern_close(&have);
	return e;
}

int kern_locked(const char *dir, int (*work)(const char *dir, char *err, size_t errsize), char *err, size_t errsize)
{
	libbpf_print_fn_t before;
	int e, lock = kern_pins_lock(dir);

	if (lock < 0) {
		e = lock;
		snprintf(err, errsize, "locking %s: %s", dir, strerror(-e));
		return e;
	}
	before = libbpf_set_print(keep_first);
	e = work(dir, err, errsize);
	libbpf_set_print(before);
	close(lock);
	return e;
}

int kern_load(const char *dir, char *err, size_t errsize)
{
	int e = kern_pins_make(dir, err, errsize);

	return e ? e : kern_locked(dir, load_locked, err, errsize);
}
