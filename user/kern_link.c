/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kern_link.c: the program on interfaces. One pinned bpf_link per interface: it holds
 * the program there when every process is gone, and the kernel lets nobody else replace it.
 */
#include "user/kern.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/kern_pins.h"
#include "user/kern_shared.h"

int kern_pin_path(char out[KERN_PATH_MAX], const char *dir, const char *prefix, const char *interface)
{
	char name[sizeof(KERN_SHARED) + IFNAMSIZ];

	if (!interface[0] || strlen(interface) >= IFNAMSIZ || strpbrk(interface, "/%"))
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s", prefix, interface);
	for (char *dot = name; (dot = strchr(dot, '.'));)
		*dot = '%';
	return kern_path(out, dir, name);
}

bool kern_pin_name(const char *entry, const char *prefix, char interface[16])
{
	const char *name = entry + strlen(prefix);

	if (strncmp(entry, prefix, strlen(prefix)) || !name[0] || strlen(name) >= IFNAMSIZ)
		return false;
	strcpy(interface, name);
	for (char *dot = interface; (dot = strchr(dot, '%'));)
		*dot = '.';
	return true;
}

/* --- why not native ------------------------------------------------------- */

void kern_why_drop(const char *dir, const char *interface)
{
	char path[KERN_PATH_MAX];

	if (!kern_pin_path(path, dir, KERN_WHY, interface))
		unlink(path);
}

/* A comfort: without it the gate is attached all the same. */
void kern_why_put(const char *dir, const char *interface, const char *why)
{
	char path[KERN_PATH_MAX];

	kern_why_drop(dir, interface);
	if (*why && !kern_pin_path(path, dir, KERN_WHY, interface) && symlink(why, path))
		return;
}

void kern_why_get(const char *dir, const char *interface, char *why, size_t size)
{
	char path[KERN_PATH_MAX];
	ssize_t n = kern_pin_path(path, dir, KERN_WHY, interface) ? -1 : readlink(path, why, size - 1);

	why[n < 0 ? 0 : n] = '\0';
}

static void why_move(const char *dir, const char *from, const char *interface)
{
	char why[160];

	kern_why_get(from, interface, why, sizeof(why));
	kern_why_drop(from, interface);
	kern_why_put(dir, interface, why);
}

/* --- links ---------------------------------------------------------------- */

static int link_info(int fd, struct bpf_link_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

/* Calls each for every link pinned under dir; stops at the first failure. */
static int links_each(const char *dir, int (*each)(void *ctx, const char *interface, int fd), void *ctx)
{
	char path[KERN_PATH_MAX], interface[IFNAMSIZ];
	DIR *d = opendir(dir);
	struct dirent *entry;
	int e = 0;

	if (!d)
		return -errno;
	while (!e && (entry = readdir(d))) {
		int fd;

		if (!kern_pin_name(entry->d_name, KERN_LINK, interface))
			continue;
		e = kern_path(path, dir, entry->d_name);
		if (e)
			break;
		fd = bpf_obj_get(path);
		if (fd < 0) {
			e = errno == ENOENT ? 0 : -errno; /* detached in this moment */
			continue;
		}
		e = each(ctx, interface, fd);
		close(fd);
	}
	closedir(d);
	return e;
}

struct take {
	const char *dir, *from;
	int prog_fd;
	char *err;
	size_t errsize;
};

/* By rename: the link is pinned at every moment, and the pin's age stays that of the attachment. */
static int move_pin(const struct take *t, const char *interface, bool dead)
{
	char old[KERN_PATH_MAX], now[KERN_PATH_MAX];
	int e = kern_pin_path(old, t->from, KERN_LINK, interface);

	if (!e)
		e = kern_pin_path(now, t->dir, KERN_LINK, interface);
	if (!e && (dead ? unlink(old) : rename(old, now)))
		e = -errno;
	if (!e)
		why_move(t->dir, t->from, interface);
	return e;
}

static int take_one(void *ctx, const char *interface, int fd)
{
	struct take *t = ctx;
	int e = bpf_link_update(fd, t->prog_fd, NULL) ? -errno : 0;
	bool dead = e == -ENOLINK; /* the interface is gone: kern_attach() makes a new link when it is back */

	if (dead)
		e = 0;
	if (!e && t->dir != t->from)
		e = move_pin(t, interface, dead);
	if (e)
		snprintf(t->err, t->errsize, "replacing the program on %s: %s", interface, strerror(-e));
	return e;
}

int kern_links_take(const char *dir, const char *from, int prog_fd, char *err, size_t errsize)
{
	struct take t = { .dir = dir, .from = from, .prog_fd = prog_fd, .err = err, .errsize = errsize };
	int e;

	e = links_each(from, take_one, &t);
	return e ? e : kern_shared_take(dir, from, err, errsize);
}

static bool is_native(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query((int)ifindex, 0, &q))
		return false;
	return q.attach_mode == XDP_ATTACHED_DRV || q.attach_mode == XDP_ATTACHED_HW;
}

static void describe(struct kern_link *out, const char *dir, const char *interface, const struct bpf_link_info *info)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->interface, sizeof(out->interface), "%s", interface);
	out->ifindex = info->xdp.ifindex;
	out->prog_id = info->prog_id;
	out->native = out->ifindex && is_native(out->ifindex);
	if (!out->ifindex)
		snprintf(out->why, sizeof(out->why), "the interface is gone; nothing is attached");
	else if (!out->native)
		kern_why_get(dir, interface, out->why, sizeof(out->why));
	if (out->ifindex && !out->native && !*out->why)
		snprintf(out->why, sizeof(out->why), "not known; detach and attach it to try native again");
}

/* A link does not tell since when it is; its pin was made with it. */
static __u64 pinned_since(const char *dir, const char *interface)
{
	char path[KERN_PATH_MAX];
	struct stat st;

	return !kern_pin_path(path, dir, KERN_LINK, interface) && !stat(path, &st) ? (__u64)st.st_mtime : 0;
}

struct collect {
	const char *dir;
	struct kern_link *out;
	size_t n, max;
};

static int collect_one(void *ctx, const char *interface, int fd)
{
	struct collect *c = ctx;
	struct bpf_link_info info;
	int e = link_info(fd, &info);

	if (!e && c->n < c->max) {
		describe(&c->out[c->n], c->dir, interface, &info);
		c->out[c->n++].since_s = pinned_since(c->dir, interface);
	}
	return e;
}

int kern_links(const char *dir, struct kern_link *out, size_t max)
{
	struct collect c = { .dir = dir, .out = out, .max = max };
	int n, e = links_each(dir, collect_one, &c);

	n = e ? e : kern_shared_list(dir, out + c.n, max - c.n);
	return n < 0 ? n : (int)c.n + n;
}

int kern_detach(const char *dir, const char *interface)
{
	char path[KERN_PATH_MAX];
	int fd, e = kern_pin_path(path, dir, KERN_LINK, interface);

	if (e)
		return e;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? kern_shared_detach(dir, interface) : -errno;
	/* Another process may hold the link as well: unpinning alone would leave it working. */
	if (bpf_link_detach(fd) && errno != ENOLINK)
		e = -errno;
	close(fd);
	if (!e && unlink(path))
		e = -errno;
	if (!e)
		kern_why_drop(dir, interface);
	return e;
}

/* "virtio_net, MTU 1500", as far as it can be learnt: what a person needs to see why native was refused. */
static void describe_driver(const char *interface, char *out, size_t size)
{
	struct ethtool_drvinfo drv = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	ifr.ifr_data = (void *)&drv;
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr))
		snprintf(drv.driver, sizeof(drv.driver), "the driver");
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &ifr))
		ifr.ifr_mtu = 0;
	snprintf(out, size, "%.31s, MTU %d", drv.driver, ifr.ifr_mtu);
	if (fd >= 0)
		close(fd);
}

static int link_create(int prog_fd, unsigned ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* Somebody else's program: which one, so that the operator can look at it. */
static int say_busy(const char *interface, unsigned ifindex, int e, char *err, size_t errsize)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	__u32 id = 0;

	if (!bpf_xdp_query((int)ifindex, 0, &q))
		id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id ? q.skb_prog_id : q.hw_prog_id ? q.hw_prog_id : q.prog_id;
	if (!id) { /* the kernel has one program for a device and what it is a member of */
		snprintf(err, errsize, "%s is a member of a device that runs an XDP program already; detach the gate from one of them, "
			 "`postern gate show` tells which is right", interface);
		return e;
	}
	snprintf(err, errsize, "%s runs another XDP program already, id %u (bpftool prog show id %u); "
		 "remove it first: ip link set dev %s xdp off, or destroy its bpf_link", interface, id, id, interface);
	return e;
}

/* A new link, native first. why says what native failed of. Returns the fd or -errno. */
static int create(int prog_fd, const char *interface, unsigned ifindex, enum xdp_mode mode, char why[160],
		  char *err, size_t errsize)
{
	char driver[64];
	int fd;

	why[0] = '\0';
	if (mode != XDP_GENERIC) {
		fd = link_create(prog_fd, ifindex, XDP_FLAGS_DRV_MODE);
		if (fd >= 0)
			return fd;
		if (fd == -EBUSY || fd == -EEXIST)
			return say_busy(interface, ifindex, fd, err, errsize);
		describe_driver(interface, driver, sizeof(driver));
		snprintf(why, 160, "native XDP refused (%s): %s", driver, strerror(-fd));
		if (mode == XDP_NATIVE || fd == -EPERM || fd == -ENODEV) {
			snprintf(err, errsize, "%s: %s", interface, why);
			return fd;
		}
	} else {
		snprintf(why, 160, "generic mode was asked for");
	}
	fd = link_create(prog_fd, ifindex, XDP_FLAGS_SKB_MODE);
	if (fd == -EBUSY || fd == -EEXIST)
		return say_busy(interface, ifindex, fd, err, errsize);
	if (fd < 0)
		snprintf(err, errsize, "%s: generic XDP refused: %s%s%s", interface, strerror(-fd), why[0] ? "; " : "", why);
	return fd;
}

static int attach_new(const char *dir, const char *path, int prog_fd, const char *interface, unsigned ifindex, enum xdp_mode mode,
		      struct kern_link *out, char *err, size_t errsize)
{
	struct bpf_link_info info;
	char why[160];
	int e, fd = create(prog_fd, interface, ifindex, mode, why, err, errsize);

	if (fd < 0)
		return fd;
	e = kern_pins_put(path, fd);
	if (!e)
		e = link_info(fd, &info);
	if (e) {
		snprintf(err, errsize, "pinning %s: %s", path, strerror(-e));
		unlink(path);
	} else {
		kern_why_put(dir, interface, why);
		describe(out, dir, interface, &info);
	}
	close(fd); /* the pin holds it; without a pin this detaches */
	return e;
}

/* The link that is pinned: does it sit on this very interface, in a mode that will do? */
static bool keeps(const struct bpf_link_info *info, unsigned ifindex, enum xdp_mode mode)
{
	if (info->xdp.ifindex != ifindex)
		return false;
	return mode == XDP_AUTO || is_native(ifindex) == (mode == XDP_NATIVE);
}

/*
 * A mode can be changed only by taking the program off first. When the new mode is then
 * refused, the old one is put back: an error must not leave the interface open.
 */
static int attach_changed(const char *dir, const char *path, int old_fd, const struct bpf_link_info *old, int prog_fd, const char *interface,
			  unsigned ifindex, enum xdp_mode mode, struct kern_link *out, char *err, size_t errsize)
{
	bool same = old->xdp.ifindex == ifindex, was_native = same && is_native(ifindex);
	char ignored[160], why[160];
	int e;

	kern_why_get(dir, interface, why, sizeof(why));
	if (same && bpf_link_detach(old_fd))
		return -errno;
	unlink(path);
	e = attach_new(dir, path, prog_fd, interface, ifindex, mode, out, err, errsize);
	if (e && same &&
	    !attach_new(dir, path, prog_fd, interface, ifindex, was_native ? XDP_NATIVE : XDP_GENERIC, out, ignored, sizeof(ignored)))
		kern_why_put(dir, interface, why);
	return e;
}

int kern_attach(const char *dir, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err, size_t errsize)
{
	unsigned ifindex = if_nametoindex(interface);
	char path[KERN_PATH_MAX], prog_path[KERN_PATH_MAX];
	struct bpf_link_info info;
	int prog_fd, fd, e;

	memset(out, 0, sizeof(*out));
	if (!ifindex) {
		snprintf(err, errsize, "%s: there is no such interface here", interface);
		return -ENODEV;
	}
	if ((e = kern_pin_path(path, dir, KERN_LINK, interface)) || (e = kern_path(prog_path, dir, KERN_PROG))) {
		snprintf(err, errsize, "%s: %s", interface, strerror(-e));
		return e;
	}
	prog_fd = bpf_obj_get(prog_path);
	if (prog_fd < 0) {
		e = -errno;
		snprintf(err, errsize, e == -ENOENT ? "no gate is loaded under %s; load it first" : "%s: %s", dir, strerror(-e));
		return e;
	}
	fd = bpf_obj_get(path);
	if (fd < 0) {
		kern_shared_detach(dir, interface); /* alone now: the kernel lets nobody in beside a link */
		e = attach_new(dir, path, prog_fd, interface, ifindex, mode, out, err, errsize);
	} else if ((e = link_info(fd, &info)) == 0 && keeps(&info, ifindex, mode)) {
		e = bpf_link_update(fd, prog_fd, NULL) ? -errno : link_info(fd, &info);
		if (e)
			snprintf(err, errsize, "replacing the program on %s: %s", interface, strerror(-e));
		else
			describe(out, dir, interface, &info);
	} else if (!e) {
		e = attach_changed(dir, path, fd, &info, prog_fd, interface, ifindex, mode, out, err, errsize);
	}
	if (fd >= 0)
		close(fd);
	close(prog_fd);
	return e;
}

int kern_attach_shared(const char *dir, const char *interface, enum xdp_mode mode, struct kern_link *out, char *err, size_t errsize)
{
	char alone[sizeof(out->alone)] = "", path[KERN_PATH_MAX];
	bool linked = !kern_pin_path(path, dir, KERN_LINK, interface) && !access(path, F_OK);
	int e;

	memset(out, 0, sizeof(*out));
	if (!if_nametoindex(interface)) {
		snprintf(err, errsize, "%s: there is no such interface here", interface);
		return -ENODEV;
	}
	if (linked && (e = kern_detach(dir, interface))) {
		snprintf(err, errsize, "%s: %s", interface, strerror(-e));
		return e;
	}
	e = kern_shared_attach(dir, dir, interface, mode, out, alone, sizeof(alone));
	if (!e)
		return 0;
	/* Alone is better than not at all. */
	if (!kern_attach(dir, interface, mode, out, err, errsize)) {
		memcpy(out->alone, alone, sizeof(alone));
		return 0;
	}
	snprintf(err, errsize, "%s", alone);
	return e;
}
