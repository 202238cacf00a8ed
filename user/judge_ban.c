/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_ban.c: bans as the judge writes, counts and tells them. */
#include "user/judge_int.h"

#include <errno.h>

#include "user/core/names.h"
#include "user/log.h"

#define S_NS 1000000000ull

void judge_count(const struct judge *j, enum pst_counter c, __u64 n)
{
	j->setup->stats->counter[c] += n;
}

enum pst_mode judge_mode(const struct judge *j)
{
	struct pst_conf c;

	return gate_conf_get(j->setup->maps, &c) || c.mode >= PST_MODE_MAX ? PST_MODE_ENFORCE : c.mode;
}

bool judge_kick(struct judge *j, const struct pst_prefix *p, bool banned)
{
	struct ipc_record r = { .tag = IPC_KICK, .prefix = *p, .standing = banned ? STANDING_BANNED : STANDING_UNKNOWN };
	bool all = true;

	for (size_t i = 0; i < WORKER_SLOTS; i++)
		if (j->channel[i].pid && !j->channel[i].muted)
			all &= !ipc_send(j->setup->worker_fd[i], &r);
	return all;
}

static bool kick_if_banned(void *ctx, const struct live_session *s)
{
	struct judge *j = ctx;
	struct pst_prefix source = prefix_source(&s->addr);

	return !judge_bans(j, &s->addr, kern_now_ns()) || judge_kick(j, &source, true);
}

/* A promoted prefix is not banned as a whole: who in it has delivered mail goes on. */
static bool kick_prefix(struct judge *j, const struct pst_prefix *p)
{
	live_each(&j->live, p, kern_now_ns(), kick_if_banned, j);
	return true;
}

void judge_log_ban(const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session, const char *what)
{
	char prefix[PREFIX_TEXT_MAX], length[32], safe[2 * PST_NOTE_MAX];
	__u64 now = kern_now_ns();

	str_escape(str_of(note ? note : ""), safe, sizeof(safe));
	duration_text(b->until_ns == ~0ull ? ~0ull : b->until_ns > now ? (b->until_ns - now + S_NS / 2) / S_NS : 0, length);
	log_info("%s prefix=%s for=%s reason=%s score=%u action=%s origin=%s relapse=%u session=%016llx%s%s%s", what, prefix_text(p, prefix),
		 length, reason_name(b->reason), PST_BAN_SCORE(b->score), action_name(b->action), origin_name(b->origin), b->relapse,
		 (unsigned long long)session, note ? " note=\"" : "", safe, note ? "\"" : "");
}

int judge_ban(struct judge *j, const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session)
{
	bool by_hand = b->origin == PST_ORIGIN_OPERATOR, evicted = false, enforced = judge_mode(j) == PST_MODE_ENFORCE;
	const char *what = by_hand || enforced ? "ban" : "would-ban"; /* it stands in the table, so that its packets are counted */
	int rc = ban_put(j->setup->maps, p, b, note, by_hand, &evicted);
	char prefix[PREFIX_TEXT_MAX];

	judge_count(j, PST_CNT_BAN_EVICTED, evicted);
	if (rc) {
		judge_count(j, PST_CNT_BAN_FULL, rc == -ENOSPC || rc == -E2BIG);
		errno = -rc;
		log_warn("ban-failed prefix=%s reason=%s", prefix_text(p, prefix), reason_name(b->reason));
		return rc;
	}
	judge_count(j, by_hand ? PST_CNT_BAN_OPERATOR : PST_CNT_BAN_AUTOMATIC, 1);
	judge_store_changed(j, p);
	if (b->reason != PST_RSN_PREFIX)
		good_del(j->setup->maps, &p->addr);
	if (b->action != PST_ACT_OBSERVE && enforced && !(b->reason == PST_RSN_PREFIX ? kick_prefix(j, p) : judge_kick(j, p, true)))
		log_warnx("worker-deaf prefix=%s: a worker does not listen; its sessions of this prefix starve in the kernel", prefix_text(p, prefix));
	judge_log_ban(p, b, note, session, what);
	ctl_event_ban(j->ctl, p, b, note, session, what);
	return 0;
}

bool judge_bans(const struct judge *j, const struct pst_addr *a, __u64 now)
{
	struct pst_prefix p;
	struct pst_ban b;

	return !ban_find(j->setup->maps, a, now, &p, &b, NULL) && b.action != PST_ACT_OBSERVE && !allow_has(j->setup->maps, a) &&
	       judge_mode(j) == PST_MODE_ENFORCE;
}
