/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_store.c: the store's memory and folder, and its process: started when the judge is, replaced when what it reads is. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/ban.h"
#include "user/cage.h"
#include "user/log.h"
#include "user/store.h"
#include "user/warden_int.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static void read_boot(struct warden *w)
{
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, w->boot, sizeof(w->boot) - 1);

	if (fd >= 0)
		close(fd);
	w->boot[n > 0 ? strcspn(w->boot, "\n") : 0] = 0;
}

/* What we make is the judge's; what is there already we leave as it is. */
static int make_dir(const char *path, const char *user)
{
	uid_t uid;
	gid_t gid;

	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	if (!config_user(user, &uid, &gid) && !chown(path, uid, gid))
		return 0;
	rmdir(path);
	return -EPERM;
}

static void make_dirs(const struct conf *c)
{
	char parent[4096];
	char *slash;
	int rc;

	snprintf(parent, sizeof(parent), "%s", c->store.path);
	slash = strrchr(parent, '/');
	if (slash && slash > parent) {
		*slash = 0;
		mkdir(parent, 0755); /* one step up: /var/lib/postern */
	}
	rc = make_dir(c->store.path, c->judge_user);
	if (rc)
		log_warnx("store-failed dir=\"%s\": it cannot be made: %s; `install -d -m 0700 -o %s` makes it", c->store.path, strerror(-rc), c->judge_user);
}

int store_open(struct warden *w)
{
	void *p;

	if (!w->now.conf->store.enabled)
		return 0;
	make_dirs(w->now.conf);
	if (w->store)
		return 0;
	read_boot(w);
	if (!w->life[1] && pipe2(w->life, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	p = mmap(NULL, sizeof(*w->store), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	w->store = p;
	return 0;
}

void store_start(struct warden *w)
{
	int rc = child_start(w, &w->store_child);

	if (!rc)
		return;
	log_warnx("store-failed: it cannot be started: %s", strerror(-rc));
	w->store_child.wanted = true;
	w->store_child.quick_deaths++;
	event_add(w->store_child.restart, &(struct timeval){ .tv_sec = 1 });
}

void store_stop(struct warden *w)
{
	struct judge_msg m = { .tag = JUDGE_STOP };
	struct child *c = &w->store_child;

	if (!c->pid || c->told_stop)
		return;
	c->told_stop = !judge_send(c->fd, &m);
}

/* The old one writes what its memory holds, and the new one is started when it has ended. */
void store_renew(struct warden *w)
{
	struct child *c = &w->store_child;

	c->wanted = w->now.conf->store.enabled && w->store;
	c->quick_deaths = 0;
	event_del(c->restart);
	if (c->pid)
		store_stop(w);
	else if (c->wanted)
		store_start(w);
	else if (w->store)
		w->store->status.state = STORE_OFF;
}

bool store_died(struct warden *w, int status)
{
	static const int by_file[] = { SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL };
	bool again = w->store_child.told_stop || (WIFEXITED(status) && WEXITSTATUS(status) == STORE_AGAIN);

	w->store_child.wanted = w->now.conf->store.enabled;
	w->store_aside = false;
	for (size_t i = 0; i < sizeof(by_file) / sizeof(*by_file); i++)
		w->store_aside |= WIFSIGNALED(status) && WTERMSIG(status) == by_file[i];
	if (!w->store)
		return again;
	w->store->status.state = !w->store_child.wanted ? STORE_OFF : w->store_aside ? STORE_FAILED : STORE_OPENING;
	if (w->store_aside)
		snprintf(w->store->status.why, sizeof(w->store->status.why), "the process that keeps it was ended by a signal: %s", strsignal(WTERMSIG(status)));
	return again;
}

/* --- in the child --------------------------------------------------------------------- */

static int enter_cage(struct warden *w, struct store_setup *setup, const int *keep, size_t n)
{
	const struct conf *c = w->now.conf;
	struct stat st;
	uid_t uid;
	gid_t gid;
	int rc = config_user(c->judge_user, &uid, &gid);

	if (!rc)
		rc = cage_fds(keep, n);
	log_init("store", c->log_to, c->log_format == LOG_IS_JSON, w->debug);
	setup->dir_ino_ok = !stat(c->store.path, &st) && S_ISDIR(st.st_mode);
	setup->dir_dev = st.st_dev;
	setup->dir_ino = st.st_ino;
	if (!rc)
		rc = cage_store(uid, gid, c->store.path);
	if (rc)
		log_warnx("start-failed: cannot give up its rights and ends: %s", strerror(-rc));
	return rc;
}

int store_child(struct warden *w, int warden_fd)
{
	struct pst_conf gate;
	struct kern_maps maps;
	struct store_setup setup = { .conf = w->now.conf, .maps = &maps, .ledger = w->ledger, .grey = w->now.conf->grey.mode == GREY_OFF ? NULL : w->grey,
				     .share = w->store, .boot = w->boot, .warden_fd = warden_fd, .judge_fd = w->life[0], .set_aside = w->store_aside };
	int keep[] = { warden_fd, w->life[0], w->maps.bans, w->maps.notes };

	if (!gate_conf_get(&w->maps, &gate))
		setup.gate = gate.budget.seed;
	kern_none(&maps);
	maps.bans = w->maps.bans;
	maps.notes = w->maps.notes;
	leave_warden(w);
	serving_tls_free(&w->now);
	munmap(w->quotas, sizeof(*w->quotas));
	munmap(w->keep, w->keep_bytes);
	mprotect(w->ledger, w->ledger_bytes, PROT_READ);
	if (w->grey)
		mprotect(w->grey, w->grey_bytes, PROT_READ);
	prctl(PR_SET_NAME, "postern-store");
	umask(077);
	setup.stats = stats_map_slot(&w->maps, STORE_SLOT);
	log_counts(setup.stats);
	if (!setup.stats || enter_cage(w, &setup, keep, sizeof(keep) / sizeof(*keep)))
		return 1;
	return store_run(&setup);
}
