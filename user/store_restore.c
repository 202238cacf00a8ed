/* SPDX-License-Identifier: BSD-2-Clause */
/* store_restore.c: from the disk to the judge. What is over, or cannot be read, stays behind. */
#include "user/store_int.h"

#include <errno.h>

#include "user/log.h"

#define FULL_MS 1 /* the judge takes thousands in that time */
#define TAKEN_MS 5

struct restore {
	struct store *store;
	__u64 now_ns;
	bool bans; /* the kernel's table is another than the one they were in */
};

static bool is_wanted(const struct restore *to, const struct saved *r)
{
	switch (r->kind) {
	case SAVED_BAN:
		return to->bans && !saved_is_over(r, to->now_ns);
	case SAVED_SOURCE:
		return true;
	case SAVED_GREY:
		return grey_is_live(&to->store->setup->conf->grey, &r->grey, to->now_ns);
	default:
		return false;
	}
}

static int hand_on(void *ctx, const struct saved *given)
{
	const struct restore *to = ctx;
	struct store_share *share = to->store->setup->share;
	struct saved r = *given;

	saved_shift(&r, -to->store->offset_ns);
	if (!is_wanted(to, &r))
		return 0;
	while (!store_row_put(share, &r))
		if (store_wait(to->store, FULL_MS))
			return -EINTR;
	share->status.restored[r.kind]++;
	return 0;
}

/* Bans that are there already are in the table that they came from. */
static bool is_other_table(const struct store *s, const struct saved_head *head)
{
	return !s->setup->gate || head->gate != s->setup->gate;
}

static void say(struct store *s, __u64 took_ns)
{
	const struct store_status *st = &s->setup->share->status;

	log_info("store-restored bans=%llu sources=%llu entries=%llu seconds=%llu.%03llu", (unsigned long long)st->restored[SAVED_BAN],
		 (unsigned long long)st->restored[SAVED_SOURCE], (unsigned long long)st->restored[SAVED_GREY], (unsigned long long)took_ns / 1000000000,
		 (unsigned long long)took_ns / 1000000 % 1000);
	if (s->bad)
		log_warnx("store-damaged records=%zu: they could not be read, and are dropped", s->bad);
}

int store_restore(struct store *s)
{
	struct store_share *share = s->setup->share;
	struct restore to = { .store = s, .now_ns = kern_now_ns() };
	struct saved_head head;
	int rc = 0;

	memset(share->status.restored, 0, sizeof(share->status.restored));
	if (store_db_head(s->db, &head)) {
		to.bans = is_other_table(s, &head);
		rc = store_db_each(s->db, hand_on, &to, &s->bad);
	}
	while (!rc && !store_rows_are_taken(share))
		if (store_wait(s, TAKEN_MS))
			rc = -EINTR;
	if (rc)
		return rc;
	share->status.restore_took_ns = kern_now_ns() - to.now_ns;
	share->status.bad = s->bad;
	__atomic_store_n(&share->restored, 1, __ATOMIC_RELEASE);
	say(s, share->status.restore_took_ns);
	return 0;
}
