/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reset.h: the reset as the gate sends it. Who is reset need not be who sent the packet, so resets
 * have the budgets that the replies of a dialogue have, and share them.
 */
#ifndef PST_RESET_H
#define PST_RESET_H

#include "bpf/answer.h"
#include "bpf/reply.h"

enum reset_word {
	RESET_NONE, /* none is due: the frame is to be dropped */
	RESET_OVER, /* over the budget: likewise, and the frame is untouched */
	RESET_SENT, /* the frame is the reset now */
};

/* enum reset_word. A function of its own, so that the verifier checks it once. */
PKT_OPAQUE int reset(struct xdp_md *ctx, const struct pkt *p);
PKT_OPAQUE int reset(struct xdp_md *ctx, const struct pkt *p)
{
	const __u32 only = 0;
	const struct pst_secret *secret = bpf_map_lookup_elem(&pst_secret, &only);
	struct tcphdr seg;

	if (!p || !secret || !answer_reset(ctx, p, &seg))
		return RESET_NONE;
	if (!reply_allowed(&p->src, secret, bpf_ktime_get_coarse_ns()))
		return RESET_OVER;
	return answer_reset_send(ctx, p, &seg) ? RESET_SENT : RESET_NONE;
}

#endif
