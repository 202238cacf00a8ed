/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h: the sessions that live now, as the judge has heard of them from the workers. A bounded table: what does not fit is
 * counted and not kept. A session whose worker says nothing of it for LIVE_STALE_S is taken for gone (its end was not heard).
 */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "user/ipc.h"

#define LIVE_STALE_S 200 /* a worker tells of every session at least once a minute */
#define LIVE_MAX     65536

struct live_session {
	__u64 id; /* 0 = free */
	__u64 heard_ns;
	unsigned slot; /* of its worker */
	unsigned messages, rcpts;
	struct pst_addr addr;
	struct ipc_state state;
};

struct live {
	struct live_session *entry; /* 2^bits */
	unsigned bits;
	size_t used, left_out;
	__u64 seed; /* of the hash: a worker chooses ids */
};

/* For about max sessions. 0 or -ENOMEM. */
int live_init(struct live *l, size_t max, __u64 seed);
void live_free(struct live *l);
/* IPC_OPENED and IPC_STATE of the worker in slot. An id that another worker has is not this one's to tell of: ignored. */
void live_hear(struct live *l, unsigned slot, const struct ipc_record *r, __u64 now_ns);
/* IPC_CLOSED. */
void live_close(struct live *l, unsigned slot, __u64 id);
/* The worker in slot is gone, and its sessions with it. */
void live_drop(struct live *l, unsigned slot);
/* NULL = there is none. */
const struct live_session *live_find(const struct live *l, __u64 id, __u64 now_ns);
/* Calls each for every live session of a source in p, until it returns false. */
void live_each(const struct live *l, const struct pst_prefix *p, __u64 now_ns, bool (*each)(void *ctx, const struct live_session *s),
	       void *ctx);

#endif
