/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/store_int.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "user/log.h"

#define S_NS	    1000000000ull
#define MS_NS	    1000000ull
#define SWEEP_NS    (600 * S_NS) /* bans that ended, sources that made room for others: no hurry */
#define SHARE	    4		 /* scans may take one part in this many of a CPU */
#define PAUSE_MAX_MS 10000	 /* and are not put off longer for it */
#define RETRY_MIN_MS 500	 /* doubles with every failure */
#define RETRY_MAX_MS 15000
#define LOCK_MS	    100
#define JUDGE_MS    3000 /* for the judge's last words, when the warden is gone */

void store_count(struct store *s, enum pst_counter c, __u64 n)
{
	s->setup->stats->counter[c] += n;
}

static void set_state(struct store *s, enum store_state state)
{
	struct store_status *st = &s->setup->share->status;

	if (st->state != state)
		st->since_ns = kern_now_ns();
	st->state = state;
	s->setup->stats->counter[PST_CNT_STORE_UP] = state == STORE_UP;
}

static void tell_size(struct store *s)
{
	struct store_db_size size = store_db_size(s->db);
	struct store_status *st = &s->setup->share->status;

	st->records = size.records;
	st->bytes = size.bytes;
	st->bytes_max = size.bytes_max;
	st->bad = s->bad;
}

/* --- the warden's word ----------------------------------------------------------------- */

static void hear(struct store *s)
{
	struct judge_msg m;
	int rc;

	while ((rc = judge_recv(s->setup->warden_fd, &m)) == 1)
		s->stop |= m.tag == JUDGE_STOP;
	s->orphan |= rc != 1 && rc != -EAGAIN;
	s->stop |= s->orphan;
}

bool store_wait(struct store *s, unsigned ms)
{
	struct pollfd p = { .fd = s->setup->warden_fd, .events = POLLIN };
	__u64 until = kern_now_ns() + ms * MS_NS, now;

	while (!s->stop && (now = kern_now_ns()) < until)
		if (poll(&p, 1, (int)((until - now + MS_NS - 1) / MS_NS)) > 0)
			hear(s);
	return s->stop;
}

/* A judge without a warden still hears what its workers have sent. */
static void wait_for_judge(const struct store *s)
{
	struct pollfd p = { .fd = s->setup->judge_fd };

	poll(&p, 1, JUDGE_MS);
}

/* --- open --------------------------------------------------------------------------------- */

static void alarm_of(struct store *s, const char *why)
{
	struct store_status *st = &s->setup->share->status;

	snprintf(st->why, sizeof(st->why), "%s", why);
	set_state(s, STORE_FAILED);
	if (!strcmp(s->why, why))
		return;
	snprintf(s->why, sizeof(s->why), "%s", why);
	log_warnx("store-failed dir=\"%s\": %s; state is kept in memory alone, and tried again", s->setup->conf->store.path, why);
}

static void close_db(struct store *s)
{
	store_db_close(s->db);
	s->db = NULL;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
	store_scan_forget(s);
}

/* A folder that was made or mounted since the cage was built is out of its reach. */
static bool is_other_dir(const struct store *s)
{
	struct stat st;

	return !stat(s->setup->conf->store.path, &st) && S_ISDIR(st.st_mode) &&
	       (!s->setup->dir_ino_ok || st.st_dev != s->setup->dir_dev || st.st_ino != s->setup->dir_ino);
}

static int lock(struct store *s)
{
	const char *dir = s->setup->conf->store.path;
	char why[256];
	int rc;

	while ((rc = store_db_lock(dir, &s->lock_fd)) == -EAGAIN)
		if (store_wait(s, LOCK_MS))
			return -EINTR;
	if (!rc)
		return 0;
	snprintf(why, sizeof(why), "%s: %s%s%s%s", dir, strerror(-rc), rc == -EACCES || rc == -EPERM ? "; it must belong to " : "",
		 rc == -EACCES || rc == -EPERM ? s->setup->conf->judge_user : "", rc == -ENOENT ? "; make it, or start posternd again" : "");
	alarm_of(s, why);
	return rc;
}

/* Kept for whoever wants to look into it. */
static int set_aside(struct store *s, const char *why)
{
	struct store_status *st = &s->setup->share->status;
	int rc = store_db_set_aside(s->setup->conf->store.path, st->aside, sizeof(st->aside));

	if (rc)
		return rc;
	log_warnx("store-set-aside file=\"%s\": a new one is begun: %s", st->aside, why);
	return 0;
}

static int open_db(struct store *s, char *why, size_t size)
{
	const struct conf *c = s->setup->conf;
	int rc = store_db_open(&s->db, c->store.path, c->store.bytes, false, why, size);

	if ((rc == -EBADMSG || rc == -EPROTO) && !set_aside(s, why))
		rc = store_db_open(&s->db, c->store.path, c->store.bytes, false, why, size);
	if (rc == -EACCES || rc == -EPERM)
		snprintf(why + strlen(why), size - strlen(why), "; folder and file must belong to %s", c->judge_user);
	return rc;
}

static __u64 wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * S_NS + t.tv_nsec;
}

static void choose_offset(struct store *s)
{
	struct saved_head head;
	bool has = store_db_head(s->db, &head);
	enum saved_clock how;

	s->offset_ns = s->setup->share->status.offset_ns;
	if (s->offset_ns)
		return; /* decided in this boot */
	s->offset_ns = s->setup->share->status.offset_ns = saved_offset(has ? &head : NULL, has && saved_same_boot(&head, s->setup->boot, s->setup->gate), wall_ns(), kern_now_ns(), &how);
	if (how != SAVED_CLOCK_SURE)
		log_warnx("store-clock: the clock is %s the store's last write; it counts as if no time had passed since",
			  how == SAVED_CLOCK_BEHIND ? "behind" : "more than a year ahead of");
}

/* Everything up to the first scan. */
static int come_up(struct store *s)
{
	char why[256] = "";
	int rc = lock(s);

	if (rc)
		return rc;
	rc = open_db(s, why, sizeof(why));
	if (rc) {
		alarm_of(s, why);
		return rc;
	}
	choose_offset(s);
	if (!store_is_restored(s->setup->share)) {
		set_state(s, STORE_RESTORING);
		rc = store_restore(s);
	}
	s->swept_ns = 0;
	return rc;
}

/* --- keep ------------------------------------------------------------------------------------ */

static int compact(struct store *s)
{
	__u32 wished = __atomic_exchange_n(&s->setup->share->compact, 0, __ATOMIC_ACQ_REL);
	char why[256];
	int rc;

	if (!wished)
		return 0;
	rc = store_db_compact(s->db);
	if (rc) {
		log_warnx("store-not-compacted: %s", store_db_why(s->db));
		return 0;
	}
	store_db_close(s->db);
	rc = open_db(s, why, sizeof(why));
	if (!rc)
		s->setup->share->status.compactions++;
	return rc;
}

static bool sweep_is_due(const struct store *s)
{
	return __atomic_exchange_n(&s->setup->share->sweep, 0, __ATOMIC_ACQ_REL) || !s->swept_ns || kern_now_ns() - s->swept_ns > SWEEP_NS;
}

static int scan(struct store *s)
{
	int rc = store_scan_hints(s);

	if (!rc && sweep_is_due(s)) {
		s->swept_ns = 0;
		rc = store_scan_all(s);
		if (!rc)
			s->swept_ns = kern_now_ns();
	}
	if (!rc)
		rc = store_scan_ledger(s);
	return rc ? rc : store_scan_grey(s);
}

static int tick(struct store *s)
{
	int rc;

	if (!store_db_is_there(s->db)) {
		alarm_of(s, "its file was taken away");
		return -ENOENT;
	}
	rc = scan(s);
	if (rc)
		alarm_of(s, store_db_why(s->db));
	else if ((rc = compact(s)))
		alarm_of(s, "it cannot be opened again");
	return rc;
}

/* Until it is told to stop (0), or something is wrong. */
static int keep(struct store *s)
{
	unsigned interval_ms = s->setup->conf->store.interval_s * 1000;

	for (;;) {
		__u64 from = kern_now_ns(), took_ms;
		int rc = tick(s);

		if (rc)
			return rc;
		if (s->setup->share->status.state != STORE_UP)
			log_info("store-up dir=\"%s\"", s->setup->conf->store.path);
		s->why[0] = 0;
		s->well = true;
		set_state(s, STORE_UP);
		tell_size(s);
		took_ms = (kern_now_ns() - from) / MS_NS * SHARE;
		if (took_ms > PAUSE_MAX_MS)
			took_ms = PAUSE_MAX_MS;
		if (store_wait(s, took_ms > interval_ms ? (unsigned)took_ms : interval_ms))
			return 0;
	}
}

/* The warden said stop, or is gone. What was not restored yet is on disk as it was. */
static void last_words(struct store *s)
{
	if (!s->db || !store_is_restored(s->setup->share))
		return;
	if (s->orphan)
		wait_for_judge(s);
	tick(s);
}

static bool open_store(struct store *s)
{
	s->ledger_seen = calloc(s->setup->ledger->nentries, sizeof(*s->ledger_seen));
	s->grey_seen = s->setup->grey ? calloc(s->setup->grey->nentries, sizeof(*s->grey_seen)) : NULL;
	return s->ledger_seen && (!s->setup->grey || s->grey_seen);
}

int store_run(const struct store_setup *setup)
{
	struct store s = { .setup = setup, .lock_fd = -1 };
	unsigned retry_ms = RETRY_MIN_MS;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* to a whole group; the warden says when */
	if (!open_store(&s)) {
		log_warn("store-failed: no memory");
		return 1;
	}
	if (setup->share->status.state != STORE_FAILED)
		set_state(&s, STORE_OPENING);
	if (setup->set_aside)
		set_aside(&s, "the process that read it was ended by it");
	while (!s.stop) {
		s.well = false;
		if (!come_up(&s) && !keep(&s))
			break;
		close_db(&s);
		if (is_other_dir(&s))
			return STORE_AGAIN;
		store_wait(&s, retry_ms);
		retry_ms = s.well ? RETRY_MIN_MS : retry_ms * 2;
		if (retry_ms > RETRY_MAX_MS)
			retry_ms = RETRY_MAX_MS;
	}
	last_words(&s);
	setup->stats->counter[PST_CNT_STORE_UP] = 0;
	close_db(&s);
	return 0;
}
