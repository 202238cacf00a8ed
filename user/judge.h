/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * judge.h: the judge process: the only writer of bans. It receives findings from the workers,
 * keeps the ledger, writes bans and answers the control socket. No capability, own user.
 *
 * All that outlives a judge is the warden's: the ledger (shared memory), both ends of every
 * worker's channel, the listening control socket. So a killed judge is replaced without a
 * worker or a stranger noticing.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include "user/core/crowd.h"
#include "user/core/grey.h"
#include "user/core/ledger.h"
#include "user/core/promote.h"
#include "user/core/quota.h"
#include "user/kern.h"
#include "user/never.h"
#include "user/stats.h"
#include "user/store_share.h"

#define JUDGE_SLOT   0 /* of pst_slots */
#define WARDEN_SLOT  1
#define WORKER_SLOT  2 /* the first of the workers */
#define STORE_SLOT   (STATS_CARRY_SLOT - 1)
#define WORKER_SLOTS (STORE_SLOT - WORKER_SLOT)

/* Between warden and judge, SOCK_SEQPACKET, one message a send. The warden treats the judge's as hostile. */
enum judge_tag {
	JUDGE_STOP = 1,	   /* warden -> judge: finish and exit */
	JUDGE_WORKER,	   /* warden -> judge: slot now belongs to pid, 0 = nobody */
	JUDGE_NEVER,	   /* warden -> judge: prefix is never banned, text says why */
	JUDGE_NOTE,	   /* warden -> judge: text is an error of the reload under way */
	JUDGE_RELOADED,	   /* warden -> judge: the reload is over; ok tells how it went */
	JUDGE_RELOAD,	   /* judge -> warden: an operator asks for a reload */
	JUDGE_BAD_WORKER,  /* judge -> warden: the process of slot sent a hostile record */
	JUDGE_TAG_MAX,
};

struct judge_msg {
	__u32 tag; /* enum judge_tag */
	__u32 slot;
	__s32 pid;
	__u32 ok;
	struct pst_prefix prefix;
	char text[768]; /* NUL-terminated */
};

/* What a judge leaves to the next one, besides the ledger. All zero is the beginning, but for the crowd's room and the seeds. */
struct judge_keep {
	struct crowd crowd;
	struct promote promote;
	struct breaker breaker;
	__u64 lists; /* dnsl_rules_print() of what the ledger's passes of DNS lists are about */
	__u32 serial[WORKER_SLOTS]; /* of the last record of each worker; 0 = none */
};

struct judge_setup {
	const struct conf *conf;
	const struct kern_maps *maps;
	struct ledger *ledger; /* shared memory, initialised */
	struct quotas *quotas; /* likewise */
	struct judge_keep *keep; /* likewise */
	struct grey *grey; /* likewise; NULL = there was no greylist yet */
	struct store_share *store; /* likewise; NULL = state is not kept on disk */
	const struct never_list *never;
	int control_fd;			    /* listening */
	int warden_fd;
	int worker_fd[WORKER_SLOTS]; /* the judge's ends, non-blocking */
	int worker_pid[WORKER_SLOTS]; /* 0 = nobody */
	struct pst_stats *stats;
	__u64 started_ns; /* of the daemon */
	bool apply_conf;  /* set mode and guarded ports first: after a reload, when no other judge lives */
};

/* Serves until JUDGE_STOP, SIGTERM or end of file on warden_fd; returns the exit status. Call it after cage_judge(). */
int judge_run(const struct judge_setup *setup);

/* 0, or -errno (-EAGAIN: the peer is slow). */
int judge_send(int fd, const struct judge_msg *m);
/* 1 = a message, 0 = end of file, -EAGAIN, -EBADMSG, else -errno. text is NUL-terminated whatever the peer sent. */
int judge_recv(int fd, struct judge_msg *m);

/*
 * Sets mode, ports, addresses, grace window, SYN budget and whether the allow table is asked in the kernel's table, whatever ban lengths
 * it holds, and what refused clients are told. Until when the policy is vouched for stays as it is. 0 or -errno.
 */
int judge_put_conf(const struct kern_maps *maps, const struct conf *c);

#endif
