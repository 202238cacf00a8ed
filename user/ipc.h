/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc.h: records between worker and judge, and warden and its children, over
 * SOCK_SEQPACKET: one send is one record. Fixed size; the receiver treats every record as
 * hostile: a wrong size, tag or value ends that worker, never the receiver.
 */
#ifndef IPC_H
#define IPC_H

#include "user/core/dnsl.h"
#include "user/core/finding.h"
#include "user/core/sess_phase.h"
#include "user/core/triage.h"

#define IPC_NAME_MAX 96
#define IPC_HELO_MAX 64
#define IPC_BACKEND_MAX 32
#define IPC_BACKENDS_MAX 64 /* of a configuration */
#define IPC_ERROR_MAX 128

enum ipc_trait { IPC_TLS = 1 << 0, IPC_LOGGED_IN = 1 << 1, IPC_TRAITS = (1 << 2) - 1 };

enum ipc_tag {
	IPC_OPENED = 1, /* worker -> judge: a session began: session, addr */
	IPC_STANDING,	/* judge -> worker: session, standing, passes, limits, seconds (of the limits), score, stutter; may come again while the session lives */
	IPC_FINDING,	/* worker -> judge: finding */
	IPC_CLOSED,	/* worker -> judge: session, addr, passes, seconds (that the one of DNS lists lives at most), zone.print (of all lists: dnsl_rules_print()); messages and rcpts of the whole session */
	IPC_KICK,	/* judge -> worker: end every session of prefix, or, where session is not 0, that one. standing BANNED: not those of allow-listed sources */
	IPC_DRAIN,	/* warden -> worker: accept no more, shut down your half of the channel, exit when the last session is over */
	IPC_STOP,	/* warden -> worker, judge: say 421 and exit */
	IPC_MESSAGE,	/* worker -> judge: session, addr, name, messages that the backend has taken, rcpts accepted, both since the last such record */
	IPC_GREY,	/* worker -> judge: session, addr, key, name: may this stranger's recipient pass the greylist? */
	IPC_GREYED,	/* judge -> worker: session, key, grey, seconds */
	IPC_LIMIT,	/* judge -> worker: every live session of prefix is over these limits, for seconds */
	IPC_STATE,	/* worker -> judge: session, addr, messages, rcpts, state: how far a session is that lives for a second or more */
	IPC_ZONE,	/* worker -> judge: zone: how a DNS list fares in this worker */
	IPC_CHARGE,	/* worker -> judge: session, key (of the account), messages, rcpts: may it send so much more? */
	IPC_CHARGED,	/* judge -> worker: session; limits is 0 or LIMIT_RCPT: no, not for seconds */
	IPC_BACKEND,	/* worker -> judge: backend: how one of its backends fares in this worker */
	IPC_TAG_MAX,
};

struct ipc_state {
	__u64 since_ns; /* the session's begin, CLOCK_MONOTONIC */
	__u32 phase;	/* enum sess_phase */
	__u32 traits;	/* enum ipc_trait */
	char helo[IPC_HELO_MAX];       /* canonical, cut, NUL-padded */
	char backend[IPC_BACKEND_MAX]; /* its name; "" = none yet */
};

/* Counts since the worker began. */
struct ipc_zone {
	__u32 zone;  /* of the configuration */
	__u32 state; /* enum dnsl_state */
	__u32 why;   /* enum dnsl_why: what its last test found */
	__u32 zero;
	__u64 print; /* of its name: a worker may serve an older configuration than the judge */
	__u64 since_ns;
	__u64 queries, listed, errors, timeouts;
};

enum ipc_backend_health { IPC_UNASKED, IPC_UP, IPC_DOWN };

/* Counts since the worker began. */
struct ipc_backend {
	__u32 index;  /* of the worker's configuration */
	__u32 health; /* enum ipc_backend_health */
	__u32 port, weight;
	__u32 weight_permille; /* of weight, now: it starts slowly */
	__u32 live, idle;
	__u32 waiting; /* sessions, for it or for another that could serve them */
	__u64 since_ns, error_ns; /* of health and error, CLOCK_MONOTONIC; 0 = never */
	__u64 sessions, checks, failures;
	struct pst_addr addr;
	char name[IPC_BACKEND_MAX]; /* cut, NUL-padded, as is */
	char error[IPC_ERROR_MAX];  /* the last one */
};

struct ipc_record {
	__u32 tag; /* enum ipc_tag */
	__u32 standing; /* enum sess_standing */
	__u64 session;
	__u32 messages, rcpts;
	__u32 passes;  /* a bit per enum triage_test: IPC_CLOSED passed, IPC_STANDING remembered */
	__u32 limits;  /* enum sess_limit bits */
	__u32 score;   /* whole points */
	__u32 stutter; /* 1 = answer slowly, if there is room */
	__u32 grey;    /* enum sess_grey */
	__u32 seconds; /* until a retry passes; 0 = not told */
	__u64 key[2];  /* IPC_GREY: of sender and recipient, keyless hash; the judge adds the source and a secret. IPC_CHARGE: see quota_key() */
	struct pst_addr addr;
	struct pst_prefix prefix;
	__u32 serial; /* of the worker's records, lost ones included: what is missing is seen */
	struct finding finding;
	struct ipc_state state;
	struct ipc_zone zone;
	struct ipc_backend backend;
	char name[IPC_NAME_MAX]; /* the client's confirmed name, NUL-padded; longer ones are left out */
};

/* 0, or -errno; -EAGAIN when the peer is slow: findings are then dropped by the caller and counted, never waited for. */
int ipc_send(int fd, const struct ipc_record *r);
/* 1 = a record, 0 = end of file, -EAGAIN, -EBADMSG for a hostile one, else -errno. */
int ipc_recv(int fd, struct ipc_record *r);

#endif
