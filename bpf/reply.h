/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reply.h: how many replies (resets too) a refused source, and all of them together, may have. A token bucket as
 * one number: the time until which its tokens are spent. A reply moves it on by what a reply costs; when it
 * would run further ahead of the clock than the burst, there is none. No division, no refill.
 *
 * Two CPUs that charge the common clock in the same instant may pay once for both: the budget is a bound
 * of load, not an account. Fails open where user space has set none.
 */
#ifndef PST_REPLY_H
#define PST_REPLY_H

#include "bpf/maps.h"
#include "bpf/siphash.h"

PKT_INLINE __u64 reply_spent(__u64 clock, __u64 now_ns, const struct pst_reply_budget *b)
{
	return (clock > now_ns ? clock : now_ns) + b->cost_ns;
}

PKT_INLINE int reply_allowed(const struct pst_addr *src, const struct pst_secret *secret, __u64 now_ns)
{
	const __u32 only = 0, one = PST_REPLY_SOURCE, every = PST_REPLY_ALL;
	const struct pst_reply_budget *source = bpf_map_lookup_elem(&pst_reply_budget, &one);
	const struct pst_reply_budget *all = bpf_map_lookup_elem(&pst_reply_budget, &every);
	struct reply_clocks *clocks = bpf_map_lookup_elem(&pst_reply_clocks, &only);
	const __u64 *from = (const void *)src;
	const __u64 word[2] = { from[0], from[0] ? 0 : from[1] }; /* an IPv6 /64; an IPv4 address is in the second half */
	__u64 hash = siphash_13(secret->gen[0].key, word, 2), spent, total, common;
	__u64 *a, *b;

	if (!source || !all || !clocks)
		return 1;
	a = &clocks->source[0][hash & (MAPS_REPLY_CELLS - 1)];
	b = &clocks->source[1][hash >> 16 & (MAPS_REPLY_CELLS - 1)];
	spent = reply_spent(*a < *b ? *a : *b, now_ns, source);
	common = clocks->all;
	total = reply_spent(common, now_ns, all);
	if ((source->cost_ns && spent - now_ns > source->burst_ns) || (all->cost_ns && total - now_ns > all->burst_ns))
		return 0;
	if (*a < spent)
		*a = spent;
	if (*b < spent)
		*b = spent;
	__sync_val_compare_and_swap(&clocks->all, common, total);
	return 1;
}

#endif
