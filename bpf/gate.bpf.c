// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gate.bpf.c: the XDP program. It executes sentences and never passes them:
 *
 *   packet -> guarded? -> allowed? -> banned? -> listed? -> leave()
 *
 * decide() names the counter that describes what happens to the packet; leave() is the
 * only exit, counts it and turns the counter into a verdict. What cannot be parsed passes and
 * is counted by reason. XDP_ABORTED is never returned.
 *
 * "xdp.frags": a jumbo frame in several buffers is taken as well. Only headers are read
 * and drivers keep those in the first buffer; where they do not, the source still decides.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/answer.h"
#include "bpf/list.h"
#include "bpf/maps.h"
#include "bpf/pkt.h"
#include "bpf/refuse.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

PKT_INLINE int addr_equal(const struct pst_addr *a, const struct pst_addr *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* Ports decide when they are known; the destination always does. */
PKT_INLINE int guarded(const struct pst_conf *conf, enum pkt_kind kind, const struct pkt *p)
{
	if (kind == PKT_TCP && !(conf->port_bits[p->dport >> 6] >> (p->dport & 63) & 1))
		return 0;
	if (!conf->naddrs)
		return 1;
	for (__u32 i = 0; i < PST_GUARD_ADDRS_MAX && i < conf->naddrs; i++)
		if (addr_equal(&conf->addr[i], &p->dst))
			return 1;
	return 0;
}

PKT_INLINE int allowed(const struct pst_addr *src)
{
	struct pst_lpm_key key = { .len = 128, .addr = *src };

	return bpf_map_lookup_elem(&pst_allow, &key) != NULL;
}

/* The first len bits of addr, 0 < len <= 128. */
PKT_INLINE void cut(struct pst_prefix *out, const struct pst_addr *addr, __u32 len)
{
	const __u64 *from = (const void *)addr;
	__u64 *to = (void *)&out->addr;

	to[0] = len >= 64 ? from[0] : from[0] & pkt_swap64(~0ull << (64 - len));
	to[1] = len <= 64 ? 0 : from[1] & pkt_swap64(~0ull << ((128 - len) & 63));
	out->len = len;
}

PKT_INLINE void ban_hit(struct pst_ban *ban, __u64 now_ns)
{
	__sync_fetch_and_add(&ban->hits, 1);
	ban->last_ns = now_ns;
	if (!ban->first_ns) /* the fine clock: latency from offence to first refusal is read from it */
		__sync_val_compare_and_swap(&ban->first_ns, 0, bpf_ktime_get_ns());
}

/*
 * Action of the longest live ban of src. One that only observes is counted and the search goes on:
 * it must not shelter its source from a stricter one.
 */
PKT_INLINE int banned(const struct pst_conf *conf, const struct pst_addr *src, struct refuse_why *why)
{
	const __u32 *word = (const void *)src;
	int is4 = !word[0] && !word[1] && word[2] == pkt_swap32(0xffff);
	const __u8 *lens = is4 ? conf->ban_len4 : conf->ban_len6;
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	struct pst_prefix key;
	int action = NO_ACTION;

	for (int i = 0; i < PST_BAN_LENS_MAX; i++) {
		struct pst_ban *ban;

		if (!lens[i] || lens[i] > 128)
			break;
		cut(&key, src, lens[i]);
		ban = bpf_map_lookup_elem(&pst_bans, &key);
		if (!ban || now_ns >= ban->until_ns)
			continue;
		ban_hit(ban, now_ns);
		action = ban->action;
		why->text = PST_TEXT_REASON(ban->reason);
		if (action != PST_ACT_OBSERVE)
			break;
	}
	return action;
}

/* What a refusal is counted as. Without a TCP header there is nothing to answer; PST_CNT_REFUSE_SILENT is the dialogue's turn. */
PKT_INLINE __u32 refusal(int action, __u32 mode, enum pkt_kind kind, __u32 dropped, __u32 reset, struct refuse_why *why)
{
	if (mode == PST_MODE_OBSERVE)
		return PST_CNT_PASS_OBSERVED;
	if (kind != PKT_TCP || action == PST_ACT_DROP)
		return dropped;
	why->banner = action == PST_ACT_BANNER;
	return action == PST_ACT_RESET || pst_no_dialogue ? reset : PST_CNT_REFUSE_SILENT;
}

PKT_INLINE __u32 decide(struct xdp_md *ctx, struct pkt *p, struct refuse_why *why)
{
	const __u32 only = 0;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);
	enum pkt_kind kind;
	__u32 which = 0;
	int ban, list;

	if (!conf || conf->mode == PST_MODE_OFF)
		return PST_CNT_PASS_OFF;
	kind = pkt_walk((void *)(long)ctx->data, (void *)(long)ctx->data_end, p);
	if (kind == PKT_PASS)
		return p->why;
	if (!guarded(conf, kind, p))
		return PST_CNT_PASS_UNGUARDED;
	if (allowed(&p->src))
		return PST_CNT_PASS_ALLOWED;
	ban = banned(conf, &p->src, why);
	if (ban > PST_ACT_OBSERVE)
		return refusal(ban, conf->mode, kind, PST_CNT_DROP_BANNED, PST_CNT_RESET_BANNED, why);
	list = listed(&p->src, &which);
	if (list > PST_ACT_OBSERVE) {
		why->text = PST_TEXT_LIST(which);
		return refusal(list, conf->mode, kind, PST_CNT_DROP_LISTED, PST_CNT_RESET_LISTED, why);
	}
	return ban == NO_ACTION && list == NO_ACTION ? p->why : PST_CNT_PASS_OBSERVED;
}

PKT_INLINE int leave(struct xdp_md *ctx, const struct pkt *p, const struct refuse_why *why, __u32 counter)
{
	const __u32 only = 0;
	struct pst_stats *stats = bpf_map_lookup_elem(&pst_stats, &only);
	int verdict = XDP_PASS;

	switch (counter) {
	case PST_CNT_RESET_BANNED:
	case PST_CNT_RESET_LISTED:
		verdict = XDP_TX;
		if (answer_reset(ctx, p))
			break;
		counter = counter == PST_CNT_RESET_BANNED ? PST_CNT_DROP_BANNED : PST_CNT_DROP_LISTED;
		/* fall through */
	case PST_CNT_DROP_BANNED:
	case PST_CNT_DROP_LISTED:
		verdict = XDP_DROP;
		break;
	case PST_CNT_REFUSE_SILENT:
		counter = refuse_answer(ctx, p, why);
		verdict = refuse_sent(counter) ? XDP_TX : XDP_DROP;
	}
	if (stats && counter < PST_CNT_MAX)
		stats->counter[counter]++;
	return verdict;
}

SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	struct refuse_why why = { 0 };
	struct pkt p;

	return leave(ctx, &p, &why, decide(ctx, &p, &why));
}
