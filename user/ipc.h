/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc.h: records between worker and judge, and warden and its children, over
 * SOCK_SEQPACKET: one send is one record. Fixed size; the receiver treats every record as
 * hostile: a wrong size, tag or value ends that worker, never the receiver.
 */
#ifndef IPC_H
#define IPC_H

#include "user/core/finding.h"
#include "user/core/sess.h"

enum ipc_tag {
	IPC_OPENED = 1, /* worker -> judge: a session began: session, addr */
	IPC_STANDING,	/* judge -> worker: session, standing */
	IPC_FINDING,	/* worker -> judge: finding */
	IPC_CLOSED,	/* worker -> judge: session, addr, messages, rcpts */
	IPC_KICK,	/* judge -> worker: end every session of prefix */
	IPC_DRAIN,	/* warden -> worker: accept no more, exit when the last session is over */
	IPC_STOP,	/* warden -> worker, judge: say 421 and exit */
};

struct ipc_record {
	__u32 tag; /* enum ipc_tag */
	__u32 standing; /* enum sess_standing */
	__u64 session;
	__u32 messages, rcpts;
	struct pst_addr addr;
	struct pst_prefix prefix;
	__u32 zero;
	struct finding finding;
};

/* 0, or -errno; -EAGAIN when the peer is slow: findings are then dropped by the caller and counted, never waited for. */
int ipc_send(int fd, const struct ipc_record *r);
/* 1 = a record, 0 = end of file, -EAGAIN, -EBADMSG for a hostile one, else -errno. */
int ipc_recv(int fd, struct ipc_record *r);

#endif
