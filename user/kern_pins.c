/* SPDX-License-Identifier: BSD-2-Clause */
/* kern_pins.c: the folder of the pins: made, locked, filled and emptied. */
#include "user/kern_pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int kern_path(char out[KERN_PATH_MAX], const char *dir, const char *name)
{
	int n = snprintf(out, KERN_PATH_MAX, "%s/%s", dir, name);

	return n < 0 || n >= KERN_PATH_MAX ? -ENAMETOOLONG : 0;
}

int kern_pins_open(const char *dir, const char *name, bool readonly)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = readonly ? BPF_F_RDONLY : 0);
	char path[KERN_PATH_MAX];
	int fd, e = kern_path(path, dir, name);

	if (e)
		return e;
	fd = bpf_obj_get_opts(path, &opts);
	return fd < 0 ? -errno : fd;
}

/* A warden that is not root must be able to use what root makes in its folder. */
static int give_to_owner(const char *path)
{
	char folder[KERN_PATH_MAX];
	struct stat st;

	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (stat(folder, &st))
		return -errno;
	return geteuid() || !st.st_uid || !chown(path, st.st_uid, st.st_gid) ? 0 : -errno;
}

int kern_pins_put(const char *path, int fd)
{
	return bpf_obj_pin(fd, path) ? -errno : give_to_owner(path);
}

int kern_pins_make(const char *dir, char *err, size_t errsize)
{
	char path[KERN_PATH_MAX];
	struct statfs fs;
	char *cut;
	int e = kern_path(path, dir, "");

	if (e) {
		snprintf(err, errsize, "%s: name too long", dir);
		return e;
	}
	do { /* up to the nearest part that exists */
		cut = strrchr(path, '/');
		if (cut)
			*cut = '\0';
	} while (cut && path[0] && statfs(path, &fs) < 0 && errno == ENOENT);
	if (path[0] && cut && statfs(path, &fs) < 0 && errno == EACCES) {
		snprintf(err, errsize, "%s: no permission; run as root", path);
		return -EACCES;
	}
	if (!path[0] || !cut || statfs(path, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		snprintf(err, errsize, strncmp(dir, "/sys/fs/bpf/", 12) ? "%s is not on a bpffs; name a folder under /sys/fs/bpf" :
		    "%s is not on a bpffs; mount one: mount -t bpf bpf /sys/fs/bpf", dir);
		return -ENOTSUP;
	}
	for (const char *p = dir + strlen(path); *p; p++) { /* and down again */
		size_t n = strcspn(p + 1, "/");

		if (n) {
			snprintf(path, sizeof(path), "%.*s", (int)(p + 1 + n - dir), dir);
			e = !mkdir(path, 0700) ? give_to_owner(path) : errno == EEXIST ? 0 : -errno;
			if (e) {
				snprintf(err, errsize, "mkdir %s: %s", path, strerror(-e));
				return e;
			}
		}
		p += n;
	}
	return 0;
}

int kern_pins_lock(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;

	if (fd < 0)
		return -errno;
	e = flock(fd, LOCK_EX) ? -errno : 0;
	if (e)
		close(fd);
	return e ? e : fd;
}

void kern_pins_drop(const char *dir, const char *name)
{
	char path[KERN_PATH_MAX];

	if (!kern_path(path, dir, name))
		unlink(path);
}

void kern_pins_clear_most(const char *dir)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		if ((!strncmp(entry->d_name, "pst_", 4) && strcmp(entry->d_name, KERN_MAP(meta))) || !strcmp(entry->d_name, KERN_PROG) ||
		    !strcmp(entry->d_name, KERN_PROG "_new"))
			kern_pins_drop(dir, entry->d_name);
	if (d)
		closedir(d);
}

void kern_pins_clear(const char *dir)
{
	kern_pins_drop(dir, KERN_MAP(meta));
	kern_pins_clear_most(dir);
}

int kern_pins_put_map(const char *dir, const struct bpf_map *map)
{
	char path[KERN_PATH_MAX];
	int e = kern_path(path, dir, bpf_map__name(map));

	if (e)
		return e;
	return kern_pins_put(path, bpf_map__fd(map));
}

/* By rename, so that there is a program under the name at every moment. */
int kern_pins_put_prog(const char *dir, int fd)
{
	char path[KERN_PATH_MAX], next[KERN_PATH_MAX];
	int e = kern_path(path, dir, KERN_PROG);

	if (!e)
		e = kern_path(next, dir, KERN_PROG "_new");
	if (e)
		return e;
	unlink(next);
	e = kern_pins_put(next, fd);
	return !e && rename(next, path) ? -errno : e;
}
