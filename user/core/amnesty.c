/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/amnesty.h"

#include "user/core/addr.h"

bool amnesty_due(const struct pst_prefix *p, const struct pst_ban *b, unsigned tries, __u64 now_ns)
{
	if (!tries || PST_BAN_RETRIES(b->score) < tries || now_ns >= b->until_ns)
		return false;
	if (b->origin != PST_ORIGIN_AUTOMATIC || (b->action != PST_ACT_DROP && b->action != PST_ACT_RESET))
		return false;
	return p->len >= prefix_source(&p->addr).len;
}
