/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_beat.c: the policy in the kernel half is vouched for, again and again, for as long as this judge does its work. */
#include "user/judge_int.h"

#include <errno.h>

#include "user/log.h"

#define S_NS	   1000000000ull
#define BEATS	   4 /* that would have to be missed */
#define BEAT_MAX_S 60

void judge_beat(evutil_socket_t fd, short what, void *ctx)
{
	struct judge *j = ctx;
	unsigned s = j->setup->conf->dead_man_s;
	__u64 now = kern_now_ns();
	struct pst_conf c;
	int rc = gate_conf_get(j->setup->maps, &c);

	(void)fd, (void)what;
	if (!rc && c.dead_man_ns && c.dead_man_ns <= now)
		log_warnx("dead-man seconds=%llu: everything passed the card for so long, for nobody vouched for the policy; it is in force again",
			  (unsigned long long)((now - c.dead_man_ns) / S_NS));
	c.dead_man_ns = s ? now + s * S_NS : 0;
	if (!rc)
		rc = gate_conf_put(j->setup->maps, &c);
	errno = -rc;
	if (rc)
		log_warn("settings-kept: the policy could not be vouched for");
}

void judge_begin_beating(struct judge *j)
{
	unsigned s = j->setup->conf->dead_man_s;
	struct timeval every = { .tv_sec = s / BEATS < BEAT_MAX_S ? s / BEATS : BEAT_MAX_S };

	judge_beat(-1, 0, j); /* also to take back what an older configuration said */
	if (s)
		event_add(j->beat, &every);
}
