/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern.c: load and pin the program and its maps, open them again, take them away.
 *
 * pst_meta is pinned last and unpinned first: where it is, everything else is. A load
 * that died half-way leaves pins without it, and the next load starts from nothing.
 */
#include "user/kern.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "gate.skel.h"
#include "user/kern_pins.h"
#include "user/migrate.h"
#include "user/refuse.h"

#define MAP_PIN(name) "pst_" #name

static __attribute__((format(printf, 3, 4))) void say(char *err, size_t errsize, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errsize, fmt, ap);
	va_end(ap);
}

__u64 kern_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000ull + (__u64)t.tv_nsec;
}

int kern_path(char out[KERN_PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, KERN_PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= KERN_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* --- opening what is there --------------------------------------------- */

static int open_pin(const char *dir, const char *name, bool readonly)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = readonly ? BPF_F_RDONLY : 0);
	char path[KERN_PATH_MAX];
	int fd, e = kern_path(path, dir, name);

	if (e)
		return e;
	fd = bpf_obj_get_opts(path, &opts);
	return fd < 0 ? -errno : fd;
}

static void maps_none(struct kern_maps *m)
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
	maps_none(m);
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

	maps_none(out);
	if (have)
		*have = 0;
	out->meta = open_pin(dir, MAP_PIN(meta), readonly);
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
		out->name = open_pin(dir, MAP_PIN(name), readonly);         \
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
	int e, fd = open_pin(dir, MAP_PIN(meta), true);
	__u32 pinned = 0, held = 0;

	if (fd < 0)
		return fd;
	e = map_id(fd, &pinned);
	close(fd);
	if (!e)
		e = map_id(m->meta, &held);
	return e ? e : pinned == held;
}

/* --- the directory ----------------------------------------------------- */

/* Makes every missing part of dir, provided that what exists is a bpffs. */
static int make_dir(const char *dir, char *err, size_t errsize)
{
	char path[KERN_PATH_MAX];
	struct statfs fs;
	char *cut;
	int e = kern_path(path, dir, "");

	if (e) {
		say(err, errsize, "%s: name too long", dir);
		return e;
	}
	do { /* up to the nearest part that exists */
		cut = strrchr(path, '/');
		if (cut)
			*cut = '\0';
	} while (cut && path[0] && statfs(path, &fs) < 0 && errno == ENOENT);
	if (path[0] && cut && statfs(path, &fs) < 0 && errno == EACCES) {
		say(err, errsize, "%s: no permission; run as root", path);
		return -EACCES;
	}
	if (!path[0] || !cut || statfs(path, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		say(err, errsize, strncmp(dir, "/sys/fs/bpf/", 12) ? "%s is not on a bpffs; name a folder under /sys/fs/bpf" :
		    "%s is not on a bpffs; mount one: mount -t bpf bpf /sys/fs/bpf", dir);
		return -ENOTSUP;
	}
	for (const char *p = dir + strlen(path); *p; p++) { /* and down again */
		size_t n = strcspn(p + 1, "/");

		if (n) {
			snprintf(path, sizeof(path), "%.*s", (int)(p + 1 + n - dir), dir);
			if (mkdir(path, 0700) && errno != EEXIST) {
				e = -errno;
				say(err, errsize, "mkdir %s: %s", path, strerror(-e));
				return e;
			}
		}
		p += n;
	}
	return 0;
}

/* Two loads at one moment would mix their pins. The lock goes with the fd. */
static int lock_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void unpin(const char *dir, const char *name)
{
	char path[KERN_PATH_MAX];

	if (!kern_path(path, dir, name))
		unlink(path);
}

/* Maps and program of any version, all but pst_meta. */
static void unpin_most(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		if ((!strncmp(entry->d_name, "pst_", 4) && strcmp(entry->d_name, MAP_PIN(meta))) || !strcmp(entry->d_name, KERN_PROG) ||
		    !strcmp(entry->d_name, KERN_PROG "_new"))
			unpin(dir, entry->d_name);
	if (d)
		closedir(d);
}

static void unpin_all(const char *dir)
{
	unpin(dir, MAP_PIN(meta));
	unpin_most(dir);
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

static int reuse_maps(struct gate *g, const struct kern_maps *m, char *err, size_t errsize)
{
	int e = 0;

#define KERN_X(name)                                                                                               \
	if (!e && !map_fits(m->name, g->maps.pst_##name)) {                                                        \
		e = -EPROTO;                                                                                       \
		say(err, errsize, "pinned map " MAP_PIN(name) " has another layout than this version's; "          \
				  "unload that gate first, its bans go with it");                                  \
	}                                                                                                          \
	if (!e && (e = bpf_map__reuse_fd(g->maps.pst_##name, m->name)))                                            \
		say(err, errsize, "pinned map " MAP_PIN(name) ": %s", strerror(-e));
	KERN_MAPS(KERN_X)
#undef KERN_X
	return e;
}

/* A gate without ports guards nothing: it is safe to attach before it is configured. */
static int write_defaults(const struct gate *g)
{
	struct pst_conf *c = calloc(1, sizeof(*c));
	struct pst_meta meta = {
		.magic = PST_MAGIC,
		.schema = PST_SCHEMA,
		.ban_bytes = sizeof(struct pst_ban),
		.stats_bytes = sizeof(struct pst_stats),
		.loaded_ns = kern_now_ns(),
		.version = POSTERN_VERSION,
	};
	__u32 zero = 0;
	int e = 0;

	if (!c)
		return -ENOMEM;
	c->mode = PST_MODE_ENFORCE;
	if (bpf_map_update_elem(bpf_map__fd(g->maps.pst_conf), &zero, c, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(g->maps.pst_meta), &zero, &meta, BPF_ANY))
		e = -errno;
	free(c);
	return e;
}

static int pin_map(const char *dir, const struct bpf_map *map)
{
	char path[KERN_PATH_MAX];
	int e = kern_path(path, dir, bpf_map__name(map));

	if (e)
		return e;
	return bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
}

static int pin_maps(const char *dir, const struct gate *g)
{
	int e = 0;

#define KERN_X(name)                                      \
	if (!e && g->maps.pst_##name != g->maps.pst_meta) \
		e = pin_map(dir, g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	return e;
}

/* By rename, so that there is a program under the name at every moment. */
static int pin_prog(const char *dir, int fd)
{
	char path[KERN_PATH_MAX], next[KERN_PATH_MAX];
	int e = kern_path(path, dir, KERN_PROG);

	if (!e)
		e = kern_path(next, dir, KERN_PROG "_new");
	if (e)
		return e;
	unlink(next);
	if (bpf_obj_pin(fd, next) || rename(next, path))
		return -errno;
	return 0;
}

static struct kern_maps maps_of(const struct gate *g)
{
	return (struct kern_maps){
#define KERN_X(name) .name = bpf_map__fd(g->maps.pst_##name),
		KERN_MAPS(KERN_X)
#undef KERN_X
	};
}

/* older: the folder of the gate whose bans are to be copied, NULL = there is none. */
static int load_fresh(const char *dir, const char *older, struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m = maps_of(g);
	int e;

	unpin_all(dir); /* what a load that died has left */
	e = write_defaults(g);
	if (!e && older && (e = migrate_copy(older, &m, false, err, errsize)))
		return e;
	if (!e)
		e = pin_maps(dir, g);
	if (!e)
		e = pin_prog(dir, bpf_program__fd(g->progs.gate));
	if (!e)
		e = pin_map(dir, g->maps.pst_meta);
	if (e)
		say(err, errsize, "pinning under %s: %s", dir, strerror(-e));
	return e;
}

/* What the program says by itself; a gate that was there keeps its own. */
static int start_refusing(const struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m;
	int e;

#define KERN_X(name) m.name = bpf_map__fd(g->maps.pst_##name);
	KERN_MAPS(KERN_X)
#undef KERN_X
	e = refuse_start(&m);
	if (e)
		say(err, errsize, "writing the secret and the texts of refusals: %s", strerror(-e));
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

		say(err, errsize, "opening the XDP program: %s", strerror(-e));
		return e;
	}
	(*g)->rodata->pst_no_dialogue = !dialogue;
	return reuse ? reuse_maps(*g, reuse, err, errsize) : 0;
}

/* The whole program, or on a kernel that refuses it, the one that resets where it would have answered. */
static int load_gate(struct gate **g, const struct kern_maps *reuse, char *err, size_t errsize)
{
	int e = open_gate(g, reuse, true, err, errsize);

	if (e)
		return e;
	libbpf_said[0] = '\0';
	if (!gate__load(*g))
		return start_refusing(*g, err, errsize);
	gate__destroy(*g);
	e = open_gate(g, reuse, false, err, errsize);
	if (e)
		return e;
	libbpf_said[0] = '\0';
	e = gate__load(*g);
	if (e)
		say(err, errsize, "loading the XDP program: %s%s%s%s", strerror(-e), libbpf_said[0] ? ": " : "", libbpf_said,
		    e == -EPERM || e == -EACCES ? " (it takes CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)" : "");
	return e;
}

/* A gate of ours and an older one: a take-over died, and the older one may have gone on alone. */
static int load_over(const char *dir, const char *older, struct gate *g, char *err, size_t errsize)
{
	struct kern_maps m = maps_of(g);
	int e = older ? migrate_copy(older, &m, true, err, errsize) : 0;

	if (e)
		return e;
	e = pin_prog(dir, bpf_program__fd(g->progs.gate));
	if (e)
		say(err, errsize, "pinning under %s: %s", dir, strerror(-e));
	return e;
}

int kern_open_gate(const char *dir, struct gate **out, char *err, size_t errsize)
{
	struct kern_maps have;
	int e = kern_open(dir, false, &have, NULL);

	*out = NULL;
	if (e) {
		say(err, errsize, "no gate is loaded under %s; load it first", dir);
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
	struct gate *g;
	bool reuse;
	int e, older = migrate_find(dir, path, &ignored, err, errsize);

	if (older < 0)
		return older;
	e = kern_open(dir, false, &have, &schema);

	if (e == -EPROTO)
		say(err, errsize, "%s holds the pins of another version (schema %u; this one has schema %u with its own layout); "
		    "unload that gate first, its bans go with it", dir, schema, (unsigned)PST_SCHEMA);
	else if (e && e != -ENOENT)
		say(err, errsize, "opening the pins under %s: %s", dir, strerror(-e));
	if (e && e != -ENOENT)
		return e;
	reuse = !e;
	e = load_gate(&g, reuse ? &have : NULL, err, errsize);
	if (!e)
		e = (reuse ? load_over : load_fresh)(dir, older ? path : NULL, g, err, errsize);
	gate__destroy(g);
	kern_close(&have);
	return e;
}

static int locked(const char *dir, int (*work)(const char *dir, char *err, size_t errsize), char *err, size_t errsize)
{
	libbpf_print_fn_t before;
	int e, lock = lock_dir(dir);

	if (lock < 0) {
		e = -errno;
		say(err, errsize, "locking %s: %s", dir, strerror(-e));
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
	int e = make_dir(dir, err, errsize);

	return e ? e : locked(dir, load_locked, err, errsize);
}

/* --- taking over --------------------------------------------------------- */

/* The last pin of it is pst_meta: until then the next start finds it and goes on here. */
static int take_older(const char *dir, const char *older, int prog_fd, char *err, size_t errsize)
{
	struct kern_maps m;
	int e = kern_links_take(dir, older, prog_fd, err, errsize);

	if (e)
		return e;
	e = kern_open(dir, false, &m, NULL);
	if (!e)
		e = migrate_counters(older, &m);
	kern_close(&m);
	if (e) {
		say(err, errsize, "taking over the counters from %s: %s", older, strerror(-e));
		return e;
	}
	unpin_most(older);
	unpin(older, MAP_PIN(meta));
	rmdir(older);
	return 0;
}

static int take_over_locked(const char *dir, char *err, size_t errsize)
{
	char path[KERN_PATH_MAX];
	unsigned ignored;
	int e, older, fd = open_pin(dir, KERN_PROG, false);

	if (fd < 0) {
		say(err, errsize, "%s/" KERN_PROG ": %s", dir, strerror(-fd));
		return fd;
	}
	e = kern_links_take(dir, dir, fd, err, errsize);
	older = e ? e : migrate_find(dir, path, &ignored, err, errsize);
	e = older > 0 ? take_older(dir, path, fd, err, errsize) : older;
	close(fd);
	return e;
}

int kern_take_over(const char *dir, char *err, size_t errsize)
{
	return locked(dir, take_over_locked, err, errsize);
}

/* --- taking away ---------------------------------------------------------- */

/* A daemon that runs keeps the maps: what it reads there must not make it refuse in sessions what passes at the card. */
static void switch_off(const char *dir)
{
	struct kern_maps m;
	struct pst_conf *c = malloc(sizeof(*c));
	__u32 zero = 0;

	if (c && !kern_open(dir, false, &m, NULL)) {
		if (!bpf_map_lookup_elem(m.conf, &zero, c)) {
			c->mode = PST_MODE_OFF;
			bpf_map_update_elem(m.conf, &zero, c, BPF_ANY);
		}
		kern_close(&m);
	}
	free(c);
}

int kern_unload(const char *dir)
{
	struct kern_link links[64];
	char path[KERN_PATH_MAX];
	int lock = lock_dir(dir), n, e = 0;

	if (lock < 0)
		return -errno;
	while ((n = kern_links(dir, links, 64)) > 0 && !e)
		for (int i = 0; i < n && !e; i++)
			e = kern_detach(dir, links[i].interface);
	if (n < 0)
		e = n;
	if (!e) {
		switch_off(dir);
		unpin_all(dir);
	}
	close(lock);
	if (!e && !rmdir(dir) && !kern_path(path, dir, "")) {
		/* The parent holds the schemas; it goes with the last of them. */
		path[strlen(dir)] = '\0';
		char *cut = strrchr(path, '/');

		if (cut && cut != path) {
			*cut = '\0';
			rmdir(path);
		}
	}
	return e;
}
