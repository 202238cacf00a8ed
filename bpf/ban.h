/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ban.h: is the source banned, and what is done about it. A ban is one hash lookup for each
 * prefix length in use; a length that no ban has is never asked for, and what pst_ban_bits does not
 * know neither. A banned IPv4 host that is to be dropped is answered from pst_ban_quick.
 */
#ifndef PST_BAN_H
#define PST_BAN_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/ban_index.h"
#include "bpf/budget.h"
#include "bpf/maps.h"
#include "bpf/pkt.h"

#define BAN_SECOND_SHIFT 10 /* of `last` of a place: about a second */
#define BAN_SECOND_NS (1ull << (PST_QUICK_LAST_SHIFT + BAN_SECOND_SHIFT))
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

/* quick_hits: packets that were answered from pst_ban_quick since the ban was told last; after its grace they were all contacts. */
PKT_INLINE void ban_hit(struct pst_ban *ban, __u32 quick_hits, __u64 now_ns)
{
	__sync_fetch_and_add(&ban->hits, 1 + quick_hits);
	if (quick_hits && ban->grace)
		__sync_fetch_and_add(&ban->contacts, quick_hits);
	if (ban->last_ns != now_ns)
		ban->last_ns = now_ns;
	if (!ban->first_ns) /* the fine clock: latency from offence to first refusal is read from it */
		__sync_val_compare_and_swap(&ban->first_ns, 0, bpf_ktime_get_ns());
}

/*
 * A SYN of a banned source after a pause. A queue comes again later and later; what the pause is compared with is rounded down to
 * its unit, so one unit less is no shorter. Two CPUs at once may lose a try.
 */
PKT_INLINE void ban_try(struct pst_ban *ban, const struct pst_conf *conf, __u64 last_ns, __u64 now_ns)
{
	__u64 past_ns = now_ns - last_ns, units = past_ns >> PST_PAUSE_SHIFT;
	__u32 word = ban->score, before = PST_BAN_PAUSE(word), tries = PST_BAN_RETRIES(word);

	if (!conf->retry_ns || !last_ns || last_ns > now_ns || past_ns < conf->retry_ns)
		return;
	if (units + 1 < before - before / 4)
		tries = 0;
	tries += tries < 0xff;
	ban->score = PST_BAN_SCORE(word) | tries << 16 | (__u32)(units < 0xff ? units : 0xff) << 24;
}

/* When the source was last heard of: the place knows to the millisecond what the ban has not been told. */
PKT_INLINE __u64 ban_last(const struct pst_ban *ban, const struct pst_quick_place *q, __u64 now_ns)
{
	__u64 told_ns = 0;

	if (q && q->last && q->hits)
		told_ns = now_ns - ((__u64)((__u32)(now_ns >> PST_QUICK_LAST_SHIFT) - q->last) << PST_QUICK_LAST_SHIFT);
	return told_ns > ban->last_ns ? told_ns : ban->last_ns;
}

/* A prefix is banned for what others in it did: whoever has delivered mail is not meant. */
PKT_INLINE int ban_spares(const struct pst_ban *ban, const struct pst_addr *src, __u64 now_ns)
{
	struct pst_addr source __attribute__((aligned(8)));

	if (ban->reason != PST_RSN_PREFIX || ban->origin != PST_ORIGIN_AUTOMATIC)
		return 0;
	source = budget_source(src);
	return budget_good(&source, now_ns);
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

/* --- pst_ban_quick --------------------------------------------------------- */

/* 1 = the place is that of the address, 0 = it is not, and no branch: no processor can guess which of four it is. */
PKT_INLINE __u64 ban_quick_is(const struct pst_quick_place *place, __u64 want)
{
	__u64 other = (place->ban ^ want) >> 32; /* less than 2^32 */

	PKT_PIN(other);
	return (other - 1) >> 63;
}

/* The place of the source, NULL = it has none. */
PKT_INLINE struct pst_quick_place *ban_quick(const struct pst_addr *host, __u64 hash, __u32 mask)
{
	__u32 row = ban_index_row(hash, mask);
	struct pst_quick *quick = bpf_map_lookup_elem(&pst_ban_quick, &row);
	__u64 want = ban_index_host(host), second, third, fourth;

	if (!quick)
		return NULL;
	second = ban_quick_is(&quick->place[1], want);
	third = ban_quick_is(&quick->place[2], want);
	fourth = ban_quick_is(&quick->place[3], want);
	if (!(ban_quick_is(&quick->place[0], want) | second | third | fourth))
		return NULL;
	return &quick->place[(second + 2 * third + 3 * fourth) & 3];
}

/*
 * Does the place alone answer this packet? Then it is counted. Of a ban with grace only a SYN does, and only in the second in which
 * the ban dropped one: the ban alone knows when its grace begins again.
 */
PKT_INLINE int ban_quick_drops(struct pst_quick_place *q, const struct pst_conf *conf, const struct pkt *p, __u64 now_ns)
{
	__u32 last = q->last, now = now_ns >> PST_QUICK_LAST_SHIFT;
	__u64 ban = q->ban;

	if (!last || now_ns >> PST_QUICK_TIME_SHIFT >= (ban & PST_QUICK_UNTIL) || q->hits >= PST_QUICK_HITS_MAX)
		return 0;
	if (conf->retry_ns && now - last >= (__u32)(conf->retry_ns >> PST_QUICK_LAST_SHIFT)) /* the ban counts the try */
		return 0;
	if (ban & PST_QUICK_GRACE &&
	    (!pkt_is_syn(p) || now >> BAN_SECOND_SHIFT != last >> BAN_SECOND_SHIFT || conf->grace_window_ns <= BAN_SECOND_NS))
		return 0;
	__sync_fetch_and_add(&q->hits, 1);
	if (last != now)
		q->last = now | !now;
	return 1;
}

/*
 * The ban has been asked: from now on the place answers, if it may. One with grace needs a SYN that was dropped, and a
 * window that does not end within this second.
 */
PKT_INLINE void ban_quick_arm(struct pst_quick_place *q, const struct pst_ban *ban, const struct pst_conf *conf, const struct pkt *p,
			      int action, __u64 now_ns)
{
	__u32 now = now_ns >> PST_QUICK_LAST_SHIFT;
	__u64 window_ns = now_ns - ban->window_ns;

	if (ban->grace && !pkt_is_syn(p))
		return;
	if (ban->grace && (action != PST_ACT_DROP || window_ns + BAN_SECOND_NS > conf->grace_window_ns))
		q->last = 0;
	else
		q->last = now | !now;
}

PKT_INLINE int ban_maybe(const struct pst_ban_bits *bits, __u64 hash, __u32 mask)
{
	return !mask || (bits->word[ban_index_word(hash, mask)] & ban_index_bit(hash)) != 0;
}

/* What the tables in front of pst_bans know of a ban of the IPv4 address itself. */
enum ban_host { BAN_HOST_NONE, BAN_HOST_DROPS, BAN_HOST_ASK };

PKT_INLINE enum ban_host ban_host4(const struct pst_conf *conf, const struct pkt *p, __u64 now_ns)
{
	const __u32 only = 0;
	const struct pst_ban_bits *bits = bpf_map_lookup_elem(&pst_ban_bits, &only);
	__u64 hash = ban_index_mix(0, ((const __u64 *)&p->src)[1], 128);
	struct pst_quick_place *quick;

	if (bits && !ban_maybe(bits, hash, conf->ban_mask))
		return BAN_HOST_NONE;
	quick = ban_quick(&p->src, hash, conf->ban_mask);
	return quick && ban_quick_drops(quick, conf, p, now_ns) ? BAN_HOST_DROPS : BAN_HOST_ASK;
}

/*
 * Action of the longest live ban of the source that speaks of this packet. One that only observes is counted and the
 * search goes on: it must not shelter its source from a stricter one.
 */
PKT_OPAQUE int banned(const struct pkt *p, __u32 kind, __u32 guarded, __u64 now_ns);
PKT_OPAQUE int banned(const struct pkt *p, __u32 kind, __u32 guarded, __u64 now_ns)
{
	const __u32 only = 0;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);
	const struct pst_ban_bits *bits = bpf_map_lookup_elem(&pst_ban_bits, &only);
	const __u8 *lens;
	__u32 mask;
	struct pst_prefix key __attribute__((aligned(8)));
	int answer = BAN_NONE;

	if (!conf || !bits || !p)
		return answer;
	lens = ban_lens(conf, &p->src, guarded);
	mask = conf->ban_mask;
	for (int i = 0; i < PST_BAN_LENS_MAX; i++) {
		struct pst_quick_place *quick = NULL;
		struct pst_ban *ban;
		__u64 hash;
		int action;

		if (!lens[i] || lens[i] > 128)
			break;
		ban_cut(&key, &p->src, lens[i]);
		hash = ban_index_hash(&key);
		if (!ban_maybe(bits, hash, mask))
			continue;
		if (mask && lens[i] == 128 && guarded && lens == conf->ban_len4)
			quick = ban_quick(&key.addr, hash, mask); /* it did not answer: ban_of() has asked it */
		ban = bpf_map_lookup_elem(&pst_bans, &key);
		if (!ban || now_ns >= ban->until_ns || !ban_covers(ban, kind, p, guarded) || ban_spares(ban, &p->src, now_ns))
			continue;
		if (kind == PKT_TCP && pkt_is_syn(p))
			ban_try(ban, conf, ban_last(ban, quick, now_ns), now_ns);
		ban_hit(ban, quick ? __sync_lock_test_and_set(&quick->hits, 0) : 0, now_ns);
		action = ban_action(ban, conf, kind, p, guarded, now_ns);
		if (quick)
			ban_quick_arm(quick, ban, conf, p, action, now_ns);
		answer = BAN_ANSWER(action, ban->reason);
		if (action != PST_ACT_OBSERVE)
			break;
	}
	return answer;
}

/* As banned(), with the short way in front of it that most packets take: of IPv4, and of bans of hosts alone. lens: by ban_lens(), not empty. */
PKT_INLINE int ban_of(const struct pst_conf *conf, const __u8 *lens, enum pkt_kind kind, const struct pkt *p, int guarded, __u64 now_ns)
{
	if (guarded && conf->ban_mask && lens == conf->ban_len4 && lens[0] == 128) {
		enum ban_host host = ban_host4(conf, p, now_ns);

		if (host == BAN_HOST_DROPS)
			return PST_ACT_DROP;
		if (host == BAN_HOST_NONE && !lens[1])
			return BAN_NONE;
	}
	return banned(p, kind, guarded, now_ns);
}

#endif
