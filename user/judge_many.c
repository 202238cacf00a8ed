/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge_many.c: many bans at once, and the live sessions that they end. A kick for every ban would drown the workers in bans of
 * sources that have no session: the ledger knows who has been here, so it is walked once, a piece at a time.
 */
#include "user/judge_int.h"

#include <errno.h>

#include "user/log.h"

#define ENTRIES_PER_TURN 1024
#define AGAIN_US	 5000 /* after a worker had no room for a kick */
#define AGAIN_MAX	 400  /* then it does not listen */

static void walk_on(struct judge *j, unsigned us)
{
	const struct timeval next = { .tv_usec = us };

	event_add(j->kicks, &next);
}

/* False when a worker has no room: the same entry again, later. */
static bool kick_entry(struct judge *j, const struct ledger_entry *e, __u64 now_ns)
{
	return !e->source.len || !judge_bans(j, &e->source.addr, now_ns) || judge_kick(j, &e->source, true);
}

void judge_kick_some(evutil_socket_t fd, short what, void *ctx)
{
	struct judge *j = ctx;
	const struct ledger *l = j->setup->ledger;
	__u64 now = kern_now_ns();

	(void)fd, (void)what;
	for (unsigned i = 0; i < ENTRIES_PER_TURN && j->kick_left; i++, j->kick_left--) {
		if (kick_entry(j, &l->entry[j->kick_left - 1], now)) {
			j->kick_tries = 0;
			continue;
		}
		if (++j->kick_tries > AGAIN_MAX) {
			log_warnx("worker-deaf: a worker does not listen; its sessions of banned sources starve in the kernel");
			return;
		}
		walk_on(j, AGAIN_US);
		return;
	}
	if (j->kick_left)
		walk_on(j, 0);
}

void judge_kick_banned(struct judge *j)
{
	j->kick_left = j->setup->ledger->nentries;
	j->kick_tries = 0;
	walk_on(j, 0);
}

/* A ban within a source (an IPv6 address of a /64) is not found by the source. */
static void kick_within(struct judge *j, const struct ban_row *row)
{
	const struct pst_prefix *p = &row->prefix;

	if (p->len > prefix_source(&p->addr).len && row->ban.action != PST_ACT_OBSERVE && ledger_find(j->setup->ledger, &p->addr))
		judge_kick(j, p, true);
}

int judge_ban_many(struct judge *j, const struct ban_row *row, size_t n, struct ban_many *done)
{
	struct pst_stats *stats = j->setup->stats;
	bool enforced = judge_mode(j) == PST_MODE_ENFORCE;
	int rc = ban_put_many(j->setup->maps, row, n, done);

	stats->counter[PST_CNT_BAN_OPERATOR] += done->written;
	stats->counter[PST_CNT_BAN_EVICTED] += done->evicted;
	stats->counter[PST_CNT_BAN_FULL] += rc == -ENOSPC || rc == -E2BIG;
	for (size_t i = 0; i < done->written; i++) {
		judge_store_changed(j, &row[i].prefix);
		good_del(j->setup->maps, &row[i].prefix.addr);
		if (enforced)
			kick_within(j, &row[i]);
	}
	return rc;
}
