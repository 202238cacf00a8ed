/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_backends.c: how the backends fare, as each worker tells it. One row per backend and worker, nothing that grows. */
#include "user/judge_int.h"

#include <stdlib.h>

void judge_backend_hear(struct judge_channel *c, const struct ipc_backend *b)
{
	if (!c->backend)
		c->backend = calloc(IPC_BACKENDS_MAX, sizeof(*c->backend));
	if (c->backend) /* without memory it is told again */
		c->backend[b->index] = *b;
}

void judge_backend_drop(struct judge_channel *c)
{
	free(c->backend);
	c->backend = NULL;
}
