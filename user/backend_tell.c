/* SPDX-License-Identifier: BSD-2-Clause */
/* backend_tell.c: how a worker's backends fare, for the judge, who shows it. */
#include "user/backend_int.h"

#include <string.h>

#include "user/kern.h"

#define RETELL_NS (10 * 1000000000ull) /* another judge may have come that knows nothing */

_Static_assert(BACKENDS_MAX == IPC_BACKENDS_MAX, "all are told of");

static __u32 weight_permille(const struct pick *p, __u64 now_ns)
{
	return p->conf->weight ? (__u32)(pick_weight(p, now_ns) / p->conf->weight) : 1000;
}

static void describe(const struct backends *bs, unsigned i, __u64 now_ns, struct ipc_backend *out)
{
	const struct conf_backend *c = &bs->conf->backend[i];
	const struct backend_state *s = &bs->state[i];
	const struct pick *p = &bs->pick[i];

	memset(out, 0, sizeof(*out));
	out->index = i;
	out->health = p->down ? IPC_DOWN : s->answered ? IPC_UP : IPC_UNASKED;
	out->addr = c->addr;
	out->port = c->port;
	out->weight = c->weight;
	out->weight_permille = weight_permille(p, now_ns);
	out->live = p->live;
	out->idle = s->nidle;
	out->waiting = wait_count(bs, i);
	out->since_ns = s->since_ns;
	out->error_ns = s->error_ns;
	out->sessions = s->sessions;
	out->checks = s->checks;
	out->failures = s->failures;
	memcpy(out->name, c->name, strnlen(c->name, sizeof(out->name) - 1));
	memcpy(out->error, s->error, sizeof(out->error));
}

void backends_tell(struct backends *bs, int judge_fd)
{
	struct ipc_record r = { .tag = IPC_BACKEND };
	__u64 now_ns = kern_now_ns();

	for (unsigned i = 0; i < bs->n && judge_fd >= 0; i++) {
		struct backend_state *s = &bs->state[i];

		describe(bs, i, now_ns, &r.backend);
		if (s->told_ns && now_ns - s->told_ns < RETELL_NS && !memcmp(&r.backend, &s->told, sizeof(s->told)))
			continue;
		if (ipc_send(judge_fd, &r)) /* has no room: again in a second */
			return;
		s->told = r.backend;
		s->told_ns = now_ns;
	}
}

size_t backends_links(const struct backends *bs)
{
	const struct link *l;
	size_t n = 0;

	LIST_FOREACH(l, &bs->links, entry)
		n++;
	for (size_t i = 0; i < bs->n; i++)
		n += bs->state[i].nidle;
	return n;
}
