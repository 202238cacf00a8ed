/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_zones.c: how the zones of DNS lists fare, as each worker tells it. One row per zone and worker, nothing that grows. */
#include "user/judge_int.h"

#include <stdlib.h>

void judge_zone_hear(struct judge_channel *c, const struct ipc_zone *z)
{
	if (!c->zone)
		c->zone = calloc(DNSL_ZONES_MAX, sizeof(*c->zone));
	if (c->zone) /* without memory it is told again */
		c->zone[z->zone] = *z;
}

void judge_zone_drop(struct judge_channel *c)
{
	free(c->zone);
	c->zone = NULL;
}
