/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ban.h: is the source banned, and what is done about it. A ban is one hash lookup for each
 * prefix length in use; a length that no ban has is never asked for.
 */
#ifndef PST_BAN_H
#define PST_BAN_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/maps.h"
#include "bpf/pkt.h"

#define BAN_NONE -1 /* no live ban speaks of the packet */

/* The first len bits of addr, 0 < len <= 128. */
PKT_INLINE void ban_cut(struct pst_prefix *out, const struct pst_addr *addr, __u32 len)
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

/* A packet that hides its port is any port's. */
PKT_INLINE int ban_covers(const struct pst_ban *ban, enum pkt_kind kind, const struct pkt *p, int guarded)
{
	if (ban->scope == PST_SCOPE_HOST)
		return 1;
	if (!guarded)
		return 0;
	return ban->scope != PST_SCOPE_PORT || kind != PKT_TCP || ban->port == p->dport;
}

/*
 * Is this packet told why, in place of the action? A SYN while the grace has room; and whatever may belong to the dialogue
 * that a SYN began, as the dialogue knows its own segments from others.
 */
PKT_INLINE int ban_grace(struct pst_ban *ban, const struct pst_conf *conf, const struct pkt *p, __u64 now_ns)
{
	__u64 since_ns = ban->window_ns;
	int over = !since_ns || now_ns - since_ns >= conf->grace_window_ns;

	if (!pkt_is_syn(p))
		return !over && ban->contacts;
	if (over && __sync_val_compare_and_swap(&ban->window_ns, since_ns, now_ns) == since_ns)
		ban->contacts = 0;
	return __sync_fetch_and_add(&ban->contacts, 1) < ban->grace;
}

PKT_INLINE int ban_action(struct pst_ban *ban, const struct pst_conf *conf, enum pkt_kind kind, const struct pkt *p, int guarded,
			  __u64 now_ns)
{
	ban_hit(ban, now_ns);
	if (ban->grace && ban->action != PST_ACT_OBSERVE && guarded && kind == PKT_TCP && ban_grace(ban, conf, p, now_ns))
		return PST_ACT_REFUSE;
	return ban->action;
}

/* Which lengths are there to ask for? The caller does without the clock when there are none. */
PKT_INLINE const __u8 *ban_lens(const struct pst_conf *conf, const struct pst_addr *src, int guarded)
{
	const __u32 *word = (const void *)src;
	int is4 = !word[0] && !word[1] && word[2] == pkt_swap32(0xffff);

	if (guarded)
		return is4 ? conf->ban_len4 : conf->ban_len6;
	return is4 ? conf->host_len4 : conf->host_len6;
}

/* What banned() answers: BAN_NONE, or an action with the ban's reason. */
#define BAN_ANSWER(action, reason) ((action) | (reason) << 8)
#define BAN_ACTION(answer) ((answer) < 0 ? (answer) : (answer) & 0xff)
#define BAN_REASON(answer) ((answer) < 0 ? 0 : (answer) >> 8 & 0xff)

/*
 * Action of the longest live ban of the source that speaks of this packet. One that only observes is counted and the
 * search goes on: it must not shelter its source from a stricter one.
 */
PKT_OPAQUE int banned(const struct pkt *p, __u32 kind, __u32 guarded, __u64 now_ns);
PKT_OPAQUE int banned(const struct pkt *p, __u32 kind, __u32 guarded, __u64 now_ns)
{
	const __u32 only = 0;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);
	const __u8 *lens;
	struct pst_prefix key;
	int answer = BAN_NONE;

	if (!conf || !p)
		return answer;
	lens = ban_lens(conf, &p->src, guarded);
	for (int i = 0; i < PST_BAN_LENS_MAX; i++) {
		struct pst_ban *ban;
		int action;

		if (!lens[i] || lens[i] > 128)
			break;
		ban_cut(&key, &p->src, lens[i]);
		ban = bpf_map_lookup_elem(&pst_bans, &key);
		if (!ban || now_ns >= ban->until_ns || !ban_covers(ban, kind, p, guarded))
			continue;
		action = ban_action(ban, conf, kind, p, guarded, now_ns);
		answer = BAN_ANSWER(action, ban->reason);
		if (action != PST_ACT_OBSERVE)
			break;
	}
	return answer;
}

#endif
