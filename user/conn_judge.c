/* SPDX-License-Identifier: BSD-2-Clause */
/* conn_judge.c: records for the judge. It is never waited for: what it is too slow to take is counted and dropped. */
#include "user/conn_int.h"

#include "user/ipc.h"

static void tell(struct conns *cs, const struct ipc_record *r)
{
	if (cs->judge_fd >= 0 && ipc_send(cs->judge_fd, r))
		cs->unsaid++;
}

void conn_judge_opened(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_OPENED;
	r.session = c->who.id;
	r.addr = c->who.addr;
	tell(c->cs, &r);
}

void conn_judge_finding(struct conn *c, const struct finding *f)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_FINDING;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.finding = *f;
	tell(c->cs, &r);
}

void conn_judge_closed(struct conn *c)
{
	struct ipc_record r;

	memset(&r, 0, sizeof(r));
	r.tag = IPC_CLOSED;
	r.session = c->who.id;
	r.addr = c->who.addr;
	r.messages = c->sess.messages;
	r.rcpts = c->totals.rcpts;
	tell(c->cs, &r);
}
