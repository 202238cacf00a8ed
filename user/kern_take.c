/* SPDX-License-Identifier: BSD-2-Clause */
/* kern_take.c: the program in the place of the one before, also an older version's; and all of it taken away. */
#include "user/kern.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/ban.h"
#include "user/gatelist.h"
#include "user/kern_pins.h"
#include "user/migrate.h"

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
	if (!e) /* of maps in common: what the older daemon has written since the copy */
		e = ban_index_all(&m);
	if (!e)
		e = list_some_fill(&m);
	kern_close(&m);
	if (e) {
		snprintf(err, errsize, "taking over the counters and bans from %s: %s", older, strerror(-e));
		return e;
	}
	kern_pins_clear_most(older);
	kern_pins_drop(older, KERN_MAP(meta));
	rmdir(older);
	return 0;
}

static int take_over_locked(const char *dir, char *err, size_t errsize)
{
	char path[KERN_PATH_MAX];
	unsigned ignored;
	int e, older, fd = kern_pins_open(dir, KERN_PROG, false);

	if (fd < 0) {
		snprintf(err, errsize, "%s/" KERN_PROG ": %s", dir, strerror(-fd));
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
	return kern_locked(dir, take_over_locked, err, errsize);
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
	int lock = kern_pins_lock(dir), n, e = 0;

	if (lock < 0)
		return lock;
	while ((n = kern_links(dir, links, 64)) > 0 && !e)
		for (int i = 0; i < n && !e; i++)
			e = kern_detach(dir, links[i].interface);
	if (n < 0)
		e = n;
	if (!e) {
		switch_off(dir);
		kern_pins_clear(dir);
	}
	close(lock);
	if (!e && !rmdir(dir) && !kern_path(path, dir, "")) {
		/* The parent holds the schemas; it goes with the last of them, but for one that was made for another user. */
		path[strlen(dir)] = '\0';
		char *cut = strrchr(path, '/');
		struct stat st;

		if (cut && cut != path) {
			*cut = '\0';
			if (!stat(path, &st) && st.st_uid == geteuid())
				rmdir(path);
		}
	}
	return e;
}
