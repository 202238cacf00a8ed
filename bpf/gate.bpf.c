// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * gate.bpf.c: the XDP program. It executes sentences and never passes them:
 *
 *   packet -> guarded? -> allowed? -> policy still vouched for? -> banned? -> listed? -> over the SYN budget? -> leave()
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
#include "bpf/ban.h"
#include "bpf/budget.h"
#include "bpf/clock.h"
#include "bpf/list.h"
#include "bpf/maps.h"
#include "bpf/pkt.h"
#include "bpf/refuse.h"
#include "bpf/reset.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

PKT_INLINE int addr_equal(const struct pst_addr *a, const struct pst_addr *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return x[0] == y[0] && x[1] == y[1];
}

/* A function of its own: the ways out of its loop are checked once, and not again with each way that follows. */
PKT_OPAQUE int guarded_addr(const struct pst_addr *dst);
PKT_OPAQUE int guarded_addr(const struct pst_addr *dst)
{
	const __u32 only = 0;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);

	if (!conf || !dst)
		return 0;
	for (__u32 i = 0; i < PST_GUARD_ADDRS_MAX && i < conf->naddrs; i++)
		if (addr_equal(&conf->addr[i], dst))
			return 1;
	return 0;
}

/* Ports decide when they are known; the destination always does. */
PKT_INLINE int guarded(const struct pst_conf *conf, enum pkt_kind kind, const struct pkt *p)
{
	if (kind == PKT_TCP && !(conf->port_bits[p->dport >> 6] >> (p->dport & 63) & 1))
		return 0;
	return !conf->naddrs || guarded_addr(&p->dst);
}

PKT_INLINE int allowed(const struct pst_conf *conf, const struct pst_addr *src)
{
	struct pst_lpm_key key = { .len = 128, .addr = *src };

	return !conf->no_allows && bpf_map_lookup_elem(&pst_allow, &key) != NULL;
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

/* No SMTP is spoken where no guarded port is: there is nobody to tell a reason to. */
PKT_INLINE __u32 refusal_unguarded(int action, __u32 mode, enum pkt_kind kind, struct refuse_why *why)
{
	if (action == BAN_NONE)
		return PST_CNT_PASS_UNGUARDED;
	if (action == PST_ACT_OBSERVE)
		return PST_CNT_PASS_OBSERVED;
	return refusal(action == PST_ACT_RESET ? action : PST_ACT_DROP, mode, kind, PST_CNT_DROP_BANNED_HOST, PST_CNT_RESET_BANNED, why);
}

/* A SYN over the budget; 0 when the budget holds. */
PKT_INLINE __u32 over_budget(const struct pst_conf *conf, enum pkt_kind kind, const struct pkt *p, __u64 now_ns)
{
	int word;

	if (kind != PKT_TCP || !pkt_is_syn(p))
		return 0;
	word = budget(p, now_ns);
	if (word == BUDGET_KEPT)
		return 0;
	if ((conf->budget.observe && word != BUDGET_HELD) || conf->mode == PST_MODE_OBSERVE)
		return PST_CNT_PASS_SYN_OBSERVED;
	return word == BUDGET_GLOBAL ? PST_CNT_DROP_SYN_GLOBAL : PST_CNT_DROP_SYN_SOURCE;
}

/* No table is asked that the settings call empty, and the clock is read once, if at all. */
PKT_INLINE __u32 decide(struct xdp_md *ctx, struct pkt *p, struct refuse_why *why)
{
	const __u32 only = 0;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);
	__u32 which = 0, over = 0;
	int answer = BAN_NONE, ban, list, is_guarded;
	const __u8 *lens;
	enum pkt_kind kind;
	__u64 now_ns = 0;

	if (!conf || conf->mode == PST_MODE_OFF)
		return PST_CNT_PASS_OFF;
	kind = pkt_walk((void *)(long)ctx->data, (void *)(long)ctx->data_end, p);
	if (kind == PKT_PASS)
		return p->why;
	is_guarded = kind != PKT_OTHER && guarded(conf, kind, p);
	lens = ban_lens(conf, &p->src, is_guarded);
	if (!is_guarded && !lens[0])
		return PST_CNT_PASS_UNGUARDED;
	if (allowed(conf, &p->src))
		return is_guarded ? PST_CNT_PASS_ALLOWED : PST_CNT_PASS_UNGUARDED;
	if (lens[0] || budget_on(conf) || conf->dead_man_ns)
		now_ns = clock_ns();
	if (conf->dead_man_ns && now_ns >= conf->dead_man_ns)
		return is_guarded ? PST_CNT_PASS_DEAD_MAN : PST_CNT_PASS_UNGUARDED;
	if (lens[0])
		answer = ban_of(conf, lens, kind, p, is_guarded, now_ns);
	ban = BAN_ACTION(answer);
	why->text = PST_TEXT_REASON(BAN_REASON(answer));
	if (!is_guarded)
		return refusal_unguarded(ban, conf->mode, kind, why);
	if (ban > PST_ACT_OBSERVE)
		return refusal(ban, conf->mode, kind, PST_CNT_DROP_BANNED, PST_CNT_RESET_BANNED, why);
	list = listed(&p->src, &which);
	if (list > PST_ACT_OBSERVE) {
		why->text = PST_TEXT_LIST(which);
		return refusal(list, conf->mode, kind, PST_CNT_DROP_LISTED, PST_CNT_RESET_LISTED, why);
	}
	if (budget_on(conf))
		over = over_budget(conf, kind, p, now_ns);
	if (over)
		return over;
	return ban == BAN_NONE && list == NO_ACTION ? p->why : PST_CNT_PASS_OBSERVED;
}

PKT_INLINE int leave(struct xdp_md *ctx, const struct pkt *p, const struct refuse_why *why, __u32 counter)
{
	const __u32 only = 0;
	struct pst_stats *stats = bpf_map_lookup_elem(&pst_stats, &only);
	__u64 bytes = ctx->data_end - ctx->data; /* an answer changes both. Of a jumbo frame the first buffer: to ask for all costs every packet a nanosecond */
	int verdict = XDP_PASS, word;

	switch (counter) {
	case PST_CNT_RESET_BANNED:
	case PST_CNT_RESET_LISTED:
		word = reset(ctx, p);
		verdict = XDP_TX;
		if (word == RESET_SENT)
			break;
		counter = word == RESET_OVER ? PST_CNT_REFUSE_BUDGET :
			  counter == PST_CNT_RESET_BANNED ? PST_CNT_DROP_BANNED : PST_CNT_DROP_LISTED;
		/* fall through */
	case PST_CNT_DROP_BANNED:
	case PST_CNT_DROP_LISTED:
	case PST_CNT_DROP_BANNED_HOST:
	case PST_CNT_DROP_SYN_SOURCE:
	case PST_CNT_DROP_SYN_GLOBAL:
		verdict = XDP_DROP;
		break;
	case PST_CNT_REFUSE_SILENT:
		counter = refuse_answer(ctx, p, why);
		verdict = refuse_sent(counter) ? XDP_TX : XDP_DROP;
	}
	if (stats && counter < PST_CNT_MAX) {
		stats->counter[counter]++;
		stats->counter[verdict == XDP_PASS ? PST_CNT_BYTES_PASSED : verdict == XDP_DROP ? PST_CNT_BYTES_DROPPED : PST_CNT_BYTES_ANSWERED] += bytes;
	}
	return verdict;
}

SEC("xdp.frags")
int gate(struct xdp_md *ctx)
{
	struct refuse_why why = { 0 };
	struct pkt p;

	return leave(ctx, &p, &why, decide(ctx, &p, &why));
}
