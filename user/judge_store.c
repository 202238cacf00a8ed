/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_store.c: what the store gives back, and what it is told. The judge never waits for it. */
#include "user/judge_int.h"

#include <errno.h>
#include <stdlib.h>

#include "user/core/when.h"
#include "user/log.h"

#define ROWS_PER_TURN 4096
#define POLL_US	      10000 /* while there may be something to give back */
#define SOON_US	      1000  /* once there is */

void judge_store_changed(struct judge *j, const struct pst_prefix *p)
{
	struct store_share *s = j->setup->store;

	j->table_empty = false;
	if (s && !store_hint(s, p))
		judge_count(j, PST_CNT_STORE_DROPPED, 1);
}

void judge_store_forgot(struct judge *j)
{
	if (j->setup->store)
		store_want_sweep(j->setup->store);
}

/* --- what comes back ------------------------------------------------------------------ */

/* Who must not be banned was perhaps made so while the machine was off. An operator's ban was meant. */
static bool is_pardoned(const struct judge *j, const struct saved_ban *b)
{
	return b->ban.origin == PST_ORIGIN_AUTOMATIC && never_find(&j->never, &b->prefix);
}

bool judge_restore_ban(struct judge *j, const struct saved_ban *b, __u64 now_ns, struct ban_row *out)
{
	if (b->ban.until_ns <= now_ns || is_pardoned(j, b) || (!j->table_empty && ban_stands(j->setup->maps, &b->prefix, now_ns)))
		return false; /* what was said since wins */
	*out = (struct ban_row){ .prefix = b->prefix, .ban = b->ban, .note = b->note[0] ? b->note : NULL };
	return true;
}

void judge_restore_source(struct judge *j, const struct ledger_entry *e, __u64 now_ns)
{
	ledger_restore(j->setup->ledger, e, &j->setup->conf->policy, now_ns);
}

void judge_restore_grey(struct judge *j, const struct grey_entry *e, __u64 now_ns)
{
	if (j->setup->grey)
		grey_restore(j->setup->grey, &j->setup->conf->grey, e, now_ns);
}

/* Bans of one turn go into the kernel together. */
static void write_bans(struct judge *j, const struct ban_row *row, size_t n)
{
	struct ban_many done;
	int rc = n ? ban_put_new(j->setup->maps, row, n, j->table_empty, &done) : 0;

	if (rc) {
		errno = -rc;
		log_warn("ban-failed bans=%zu: they could not be restored", n - done.written);
	}
}

static unsigned take_rows(struct judge *j, struct ban_row *row)
{
	const struct store_share *s = j->setup->store;
	__u64 now = kern_now_ns();
	const struct saved *r;
	size_t bans = 0;
	unsigned n = 0;

	for (; n < ROWS_PER_TURN && (r = store_row_at(s, n)); n++) {
		if (!saved_is_sound(r))
			continue;
		if (r->kind == SAVED_BAN)
			bans += judge_restore_ban(j, &r->ban, now, &row[bans]);
		else if (r->kind == SAVED_SOURCE)
			judge_restore_source(j, &r->source, now);
		else if (r->kind == SAVED_GREY)
			judge_restore_grey(j, &r->grey, now);
	}
	write_bans(j, row, bans);
	return n;
}

static void look(evutil_socket_t fd, short what, void *ctx)
{
	struct judge *j = ctx;
	struct timeval next = { .tv_usec = POLL_US };
	struct ban_row *row = calloc(ROWS_PER_TURN, sizeof(*row));
	unsigned n = row ? take_rows(j, row) : 0;

	(void)fd, (void)what;
	free(row);
	store_rows_taken(j->setup->store, n);
	j->gives |= n != 0;
	if (j->gives)
		next.tv_usec = n ? 0 : SOON_US;
	if (!store_is_restored(j->setup->store)) {
		event_add(j->restore, &next);
		return;
	}
	j->table_empty = false;
	judge_kick_banned(j);
}

bool judge_store_open(struct judge *j)
{
	const struct timeval soon = { .tv_usec = POLL_US };

	if (!j->setup->store || store_is_restored(j->setup->store))
		return true;
	j->table_empty = ban_is_empty(j->setup->maps);
	j->restore = event_new(j->base, -1, 0, look, j);
	return j->restore && !event_add(j->restore, &soon);
}
