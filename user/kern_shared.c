/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/kern_shared.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "gate.skel.h"
#include "user/kern_pins.h"

#define RUN_FIRST 10 /* the default of libxdp is 50 */

static char libxdp_said[256];

static int keep_first(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	if (level <= LIBXDP_INFO && !libxdp_said[0]) {
		vsnprintf(libxdp_said, sizeof(libxdp_said), fmt, ap);
		libxdp_said[strcspn(libxdp_said, "\n")] = '\0';
	}
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
	return 0;
}

/* --- descriptors ----------------------------------------------------------- */

#define PROGS_MAX 256

/* The descriptors of programs that this process holds. n > PROGS_MAX: not known. */
struct held {
	size_t n;
	int fd[PROGS_MAX];
};

static bool is_prog(int folder, const char *name)
{
	static const char prog[] = "anon_inode:bpf-prog";
	char to[sizeof(prog)];

	return readlinkat(folder, name, to, sizeof(to)) == (ssize_t)sizeof(prog) - 1 && !memcmp(to, prog, sizeof(prog) - 1);
}

static void held_now(struct held *h)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;

	h->n = d ? 0 : PROGS_MAX + 1;
	while (d && h->n <= PROGS_MAX && (entry = readdir(d))) {
		if (!is_prog(dirfd(d), entry->d_name))
			continue;
		if (h->n < PROGS_MAX)
			h->fd[h->n] = atoi(entry->d_name);
		h->n++;
	}
	if (d)
		closedir(d);
}

/*
 * libxdp 1.3 keeps descriptors of programs that it has looked at, and with each the program's maps: hundreds of megabytes for
 * every gate that was replaced. Those that were not there before and are of no use to anybody go.
 */
static void drop_kept(const struct held *before)
{
	struct held now;

	held_now(&now);
	for (size_t i = 0; before->n <= PROGS_MAX && i < now.n && i < PROGS_MAX; i++) {
		bool new = true;

		for (size_t k = 0; k < before->n; k++)
			new &= before->fd[k] != now.fd[i];
		if (new)
			close(now.fd[i]);
	}
}

/* --- the programs of an interface ---------------------------------------- */

static struct xdp_multiprog *programs_of(unsigned ifindex)
{
	struct xdp_multiprog *mp = ifindex ? xdp_multiprog__get_from_ifindex((int)ifindex) : NULL;

	return libxdp_get_error(mp) ? NULL : mp;
}

static struct xdp_program *program_by_id(struct xdp_multiprog *mp, __u32 id)
{
	struct xdp_program *p = NULL;

	while (mp && (p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) == id)
			return p;
	return NULL;
}

static __u32 id_of_pin(const char *path)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.id = 0;
	close(fd);
	return info.id;
}

/* Takes one of ours out of the dispatcher. 0 as well when it runs there no more. */
static int remove_program(unsigned ifindex, __u32 id)
{
	struct xdp_multiprog *mp = programs_of(ifindex);
	struct xdp_program *p = program_by_id(mp, id);
	int e = p ? xdp_program__detach(p, (int)ifindex, xdp_multiprog__attach_mode(mp), 0) : 0;

	xdp_multiprog__close(mp);
	libxdp_clean_references(0); /* its pins for interfaces that are gone would hold our maps for ever */
	return e;
}

/* --- attaching ------------------------------------------------------------- */

static bool is_busy(int e)
{
	return e == -EBUSY || e == -EEXIST;
}

/* libxdp attaches alone where it can make no dispatcher. That is not what was asked for. */
static int insist_on_dispatcher(struct xdp_program *p, unsigned ifindex)
{
	struct xdp_multiprog *mp = programs_of(ifindex);
	bool alone = !mp || xdp_multiprog__is_legacy(mp);

	if (alone && mp)
		xdp_program__detach(p, (int)ifindex, xdp_multiprog__attach_mode(mp), 0);
	xdp_multiprog__close(mp);
	return alone ? -EOPNOTSUPP : 0;
}

/* A dispatcher that is there decides on the mode. */
static enum xdp_attach_mode mode_there(unsigned ifindex)
{
	struct xdp_multiprog *mp = programs_of(ifindex);
	enum xdp_attach_mode mode = mp ? xdp_multiprog__attach_mode(mp) : XDP_MODE_UNSPEC;

	xdp_multiprog__close(mp);
	return mode;
}

/* why holds the reason of before, and stays where the dispatcher that is there decides. */
static int attach_program(struct xdp_program *p, unsigned ifindex, enum xdp_mode mode, char *why, size_t whysize)
{
	enum xdp_attach_mode there = mode_there(ifindex), first = mode == XDP_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
	int e;

	if (mode == XDP_GENERIC)
		snprintf(why, whysize, "generic mode was asked for");
	if (mode == XDP_AUTO && there != XDP_MODE_UNSPEC)
		first = there;
	if (there != XDP_MODE_UNSPEC && there != first)
		return -EEXIST;
	if (first == XDP_MODE_NATIVE)
		why[0] = '\0';
	e = xdp_program__attach(p, (int)ifindex, first, 0);
	if (e && mode == XDP_AUTO && there == XDP_MODE_UNSPEC && !is_busy(e)) {
		snprintf(why, whysize, "native XDP refused: %s", strerror(-e));
		e = xdp_program__attach(p, (int)ifindex, XDP_MODE_SKB, 0);
	}
	return e ? e : insist_on_dispatcher(p, ifindex);
}

static int pin_path(char out[KERN_PATH_MAX], const char *dir, const char *interface)
{
	return kern_pin_path(out, dir, KERN_SHARED, interface);
}

static void describe(struct kern_link *out, const char *dir, const char *interface, unsigned ifindex, __u32 id)
{
	struct xdp_multiprog *mp = programs_of(ifindex);
	bool runs = program_by_id(mp, id);

	memset(out, 0, sizeof(*out));
	snprintf(out->interface, sizeof(out->interface), "%s", interface);
	out->shared = true;
	out->prog_id = id;
	out->ifindex = runs ? ifindex : 0;
	out->native = runs && xdp_multiprog__attach_mode(mp) == XDP_MODE_NATIVE;
	if (!runs)
		snprintf(out->why, sizeof(out->why), "the program is not among those of the interface any more");
	else if (!out->native)
		kern_why_get(dir, interface, out->why, sizeof(out->why));
	if (runs && !out->native && !*out->why)
		snprintf(out->why, sizeof(out->why), "the dispatcher that it shares is attached in generic mode");
	xdp_multiprog__close(mp);
}

/* The pin of the one before is replaced by rename, when the new program works. */
static int replace_pin(struct xdp_program *p, const char *path, const char *dir)
{
	char next[KERN_PATH_MAX];
	int e = kern_path(next, dir, KERN_SHARED_NEXT);

	if (e)
		return e;
	unlink(next);
	e = xdp_program__pin(p, next);
	return e ? e : rename(next, path) ? -errno : 0;
}

static int put_in(struct xdp_program *p, const char *path, const char *dir, const char *from, const char *interface, enum xdp_mode mode)
{
	unsigned ifindex = if_nametoindex(interface);
	char why[160];
	int e;

	kern_why_get(from, interface, why, sizeof(why));
	e = attach_program(p, ifindex, mode, why, sizeof(why));
	if (e)
		return e;
	e = replace_pin(p, path, dir);
	if (e)
		remove_program(ifindex, xdp_program__id(p));
	else
		kern_why_put(dir, interface, why);
	return e;
}

static int attach_object(struct gate *g, const char *dir, const char *from, const char *interface, enum xdp_mode mode, struct kern_link *out)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = g->obj, .prog_name = "gate");
	unsigned ifindex = if_nametoindex(interface);
	char path[KERN_PATH_MAX], old[KERN_PATH_MAX];
	struct xdp_program *p;
	__u32 before;
	int e;

	if ((e = pin_path(path, dir, interface)) || (e = pin_path(old, from, interface)))
		return e;
	before = id_of_pin(old);
	p = xdp_program__create(&opts);
	e = (int)libxdp_get_error(p);
	if (e)
		return e;
	e = xdp_program__set_run_prio(p, RUN_FIRST);
	if (!e)
		e = put_in(p, path, dir, from, interface, mode);
	if (!e && before)
		e = remove_program(ifindex, before);
	if (!e && strcmp(path, old)) {
		unlink(old);
		kern_why_drop(from, interface);
	}
	if (!e)
		describe(out, dir, interface, ifindex, xdp_program__id(p));
	xdp_program__close(p);
	return e;
}

int kern_shared_attach(const char *dir, const char *from, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err,
		       size_t errsize)
{
	libxdp_print_fn_t before_xdp = libxdp_set_print(keep_first);
	libbpf_print_fn_t before_bpf = libbpf_set_print(quiet);
	struct gate *g = NULL;
	struct held held;
	int e;

	held_now(&held);
	e = kern_open_gate(dir, &g, err, errsize);
	libxdp_said[0] = '\0';
	if (!e) {
		e = attach_object(g, dir, from, interface, mode, out);
		if (e)
			snprintf(err, errsize, "%s: sharing through libxdp's dispatcher: %s%s%s", interface, strerror(-e), *libxdp_said ? ": " : "",
				 libxdp_said);
	}
	gate__destroy(g);
	drop_kept(&held);
	libbpf_set_print(before_bpf);
	libxdp_set_print(before_xdp);
	return e;
}

int kern_shared_detach(const char *dir, const char *interface)
{
	libxdp_print_fn_t before = libxdp_set_print(keep_first);
	char path[KERN_PATH_MAX];
	int e = pin_path(path, dir, interface);
	struct held held;
	__u32 id;

	held_now(&held);
	if (!e && access(path, F_OK))
		e = -errno;
	id = e ? 0 : id_of_pin(path);
	if (!e)
		e = remove_program(if_nametoindex(interface), id);
	if (!e && unlink(path))
		e = -errno;
	if (!e)
		kern_why_drop(dir, interface);
	drop_kept(&held);
	libxdp_set_print(before);
	return e;
}

/* --- all of them --------------------------------------------------------------- */

static __u64 pinned_since(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (__u64)st.st_mtime;
}

int kern_shared_list(const char *dir, struct kern_link *out, size_t max)
{
	char interface[IFNAMSIZ], path[KERN_PATH_MAX];
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct held held;
	size_t n = 0;

	if (!d)
		return -errno;
	held_now(&held);
	while (n < max && (entry = readdir(d))) {
		if (!kern_pin_name(entry->d_name, KERN_SHARED, interface) || kern_path(path, dir, entry->d_name))
			continue;
		describe(&out[n], dir, interface, if_nametoindex(interface), id_of_pin(path));
		out[n++].since_s = pinned_since(path);
	}
	closedir(d);
	drop_kept(&held);
	return (int)n;
}

void kern_shared_others(unsigned ifindex, unsigned ours, char *text, size_t size)
{
	struct xdp_program *p = NULL;
	struct xdp_multiprog *mp;
	struct held held;
	size_t n = 0;

	held_now(&held);
	mp = programs_of(ifindex);
	text[0] = '\0';
	while (mp && n < size && (p = xdp_multiprog__next_prog(p, mp)))
		if (xdp_program__id(p) != ours)
			n += (size_t)snprintf(text + n, size - n, "%sid %u (%s)", n ? ", " : "", xdp_program__id(p), xdp_program__name(p));
	xdp_multiprog__close(mp);
	drop_kept(&held);
}

int kern_shared_take(const char *dir, const char *from, char *err, size_t errsize)
{
	struct kern_link link[64], got;
	char path[KERN_PATH_MAX];
	int n = kern_shared_list(from, link, sizeof(link) / sizeof(*link)), e = n < 0 ? n : 0;

	for (int i = 0; !e && i < n; i++) {
		if (link[i].ifindex) /* in the mode in which it is */
			e = kern_shared_attach(dir, from, link[i].interface, XDP_AUTO, &got, err, errsize);
		else if (dir != from && !pin_path(path, from, link[i].interface))
			unlink(path);
	}
	return e;
}
