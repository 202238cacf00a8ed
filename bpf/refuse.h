/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * refuse.h: a whole TCP connection without a connection: every segment is answered from itself.
 *
 *   SYN           -> SYN-ACK whose sequence number is a keyed cookie; never longer than the SYN
 *   anything else -> its acknowledgment must be the cookie and a little more, or it gets no answer
 *   first ACK     -> the greeting
 *   data          -> dialogue.h's answer; seq = the client's ack, ack = what was read and answered
 *   FIN           -> FIN, or the ACK of it when ours was before
 *   an ACK alone, a reset -> no answer, so nobody can be kept talking with himself
 *
 * A lost reply is repaired by the client's repetition of what it answered. Only the greeting
 * answers nothing that is repeated: with it, or the handshake's last ACK, lost, the client waits until it gives up.
 */
#ifndef PST_REFUSE_H
#define PST_REFUSE_H

#include "bpf/answer.h"
#include "bpf/dialogue.h"
#include "bpf/reply.h"
#include "bpf/siphash.h"

#define REFUSE_FIN 1
#define REFUSE_SYN 2
#define REFUSE_RST 4
#define REFUSE_PSH 8
#define REFUSE_ACK 16

/* The cookie: three bits of its time slot, the rest from the hash; low enough that `said` carries into no slot bit. */
#define REFUSE_HASH_BITS 29
#define REFUSE_HASH_MASK ((1u << REFUSE_HASH_BITS) - 1)

_Static_assert(PST_SLOTS_LIVE == 1 << (32 - REFUSE_HASH_BITS), "slot bits");

/* What the client is told. */
struct refuse_why {
	__u32 text;   /* row of pst_text */
	__u32 banner; /* a 554 greeting and the end, no dialogue */
};

struct refuse_segment {
	__u32 seq, ack; /* host order */
	__u32 data_at, data_bytes;
	__u32 frame_bytes;
	__u32 flags;
};

/* 0 = not to be answered at all: a fragment, a group address, headers that contradict the frame. */
PKT_INLINE int refuse_read(struct xdp_md *ctx, const struct pkt *p, struct refuse_segment *s)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *eth = pkt_at(data, end, 0, 14), *ip = pkt_at(data, end, p->l3 & 31, 20), *tcp = pkt_at(data, end, p->l4 & 0x7fff, 20);
	int data_bytes;

	if (!eth || !ip || !tcp || p->fragment || (eth[0] & 1))
		return 0;
	data_bytes = answer_data_bytes(ctx, p, ip, tcp);
	if (data_bytes < 0)
		return 0;
	s->seq = pkt_be32(tcp + 4);
	s->ack = pkt_be32(tcp + 8);
	s->data_at = p->l4 + (tcp[12] >> 4) * 4;
	s->data_bytes = data_bytes;
	s->frame_bytes = bpf_xdp_get_buff_len(ctx);
	s->flags = tcp[13] & (REFUSE_FIN | REFUSE_SYN | REFUSE_RST | REFUSE_ACK);
	return 1;
}

/* --- the cookie -------------------------------------------------------------------- */

PKT_INLINE int refuse_cookie(const struct pst_secret *secret, const struct pkt *p, __u64 slot, __u32 *cookie)
{
	const __u64 *src = (const void *)&p->src, *dst = (const void *)&p->dst;
	const __u64 word[5] = { src[0], src[1], dst[0], dst[1], slot << 32 | (__u32)p->sport << 16 | p->dport };
	const __u64 *key = secret->gen[0].key;
	__u32 hash;

	if (secret->gen[1].from_slot <= slot && secret->gen[1].from_slot > secret->gen[0].from_slot)
		key = secret->gen[1].key;
	else if (secret->gen[0].from_slot > slot)
		key = secret->gen[1].key;
	if (!(key[0] | key[1]))
		return 0;
	hash = (__u32)siphash_24(key, word, 5) & REFUSE_HASH_MASK;
	if (hash > REFUSE_HASH_MASK - 2 * DIALOGUE_SAID_MAX)
		hash -= 2 * DIALOGUE_SAID_MAX;
	*cookie = (__u32)slot << REFUSE_HASH_BITS | hash;
	return 1;
}

/* Is the acknowledgment one of ours? Sets *said. */
PKT_INLINE int refuse_verify(const struct pst_secret *secret, const struct pkt *p, __u32 ack, __u64 now_slot, __u32 *said)
{
	__u64 age = (now_slot - (ack >> REFUSE_HASH_BITS)) & (PST_SLOTS_LIVE - 1);
	__u32 cookie;

	if (!refuse_cookie(secret, p, now_slot - age, &cookie))
		return 0;
	*said = ack - cookie - 1;
	return *said <= DIALOGUE_SAID_MAX && (*said & 3) != 3;
}

/* --- the frame that goes out --------------------------------------------------------- */

struct refuse_reply {
	__u32 seq, ack;
	__u32 flags;
	__u32 option_bytes; /* the head of d->out is TCP options */
};

PKT_INLINE void refuse_tcp(struct tcphdr *tcp, const struct pkt *p, const struct refuse_reply *r, const struct dialogue *d, __u32 n)
{
	__u8 *flags = (__u8 *)tcp + 13;

	*tcp = (struct tcphdr){
		.source = pkt_swap16(p->dport),
		.dest = pkt_swap16(p->sport),
		.seq = pkt_swap32(r->seq),
		.ack_seq = pkt_swap32(r->ack),
		.doff = 5 + r->option_bytes / 4,
		.window = pkt_swap16(DIALOGUE_IN),
	};
	*flags = r->flags;
	tcp->check = answer_fold(answer_sum(answer_pseudo(p, 20 + n), tcp, 20) +
				 bpf_csum_diff((void *)0, 0, (void *)d->out, (n + 3) & ~3u, 0));
}

/*
 * Turns the frame into the reply with d->out[0..n) behind its TCP header. It grows at its head: frames that the
 * stack made have no room at their tail; only where the head has too little the tail is tried.
 */
PKT_INLINE int refuse_send(struct xdp_md *ctx, const struct pkt *p, struct dialogue *d, const struct refuse_segment *s,
			   const struct refuse_reply *r)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	const __u8 *eth = pkt_at(data, end, 0, 22);
	__u32 ip_bytes = p->v6 ? 40 : 20, l3 = p->l3, n = d->nout, begin, frame_bytes;
	struct tcphdr *tcp = (void *)(d->head + DIALOGUE_HEAD - 20);
	__u8 *out;
	int growth;

	PKT_PIN(n);
	if (!eth || l3 < 14 || l3 > 22 || n > DIALOGUE_OUT)
		return 0;
	begin = DIALOGUE_HEAD - (l3 + ip_bytes + 20);
	PKT_PIN(begin);
	out = d->head + begin;
	__builtin_memcpy(out, eth + 6, 6);
	__builtin_memcpy(out + 6, eth, 6);
	__builtin_memcpy(out + 12, eth + 12, 10); /* tags and type; what is more than that is overwritten now */
	if (p->v6)
		answer_ip6((void *)(tcp) - 40, p, 20 + n);
	else
		answer_ip4((void *)(tcp) - 20, p, 20 + n);
	for (int i = 0; i < 8; i++) /* to a whole word of the checksum, and the frame's padding */
		d->out[n + i] = 0;
	refuse_tcp(tcp, p, r, d, n);

	frame_bytes = DIALOGUE_HEAD - begin + n;
	if (frame_bytes < ANSWER_FRAME_MIN && s->frame_bytes >= ANSWER_FRAME_MIN)
		frame_bytes = ANSWER_FRAME_MIN;
	growth = (int)frame_bytes - (int)s->frame_bytes;
	if (growth > 0 ? bpf_xdp_adjust_head(ctx, -growth) && bpf_xdp_adjust_tail(ctx, growth) : bpf_xdp_adjust_tail(ctx, growth))
		return 0;
	return !bpf_xdp_store_bytes(ctx, 0, out, frame_bytes);
}

/* --- what is due -------------------------------------------------------------------- */

PKT_INLINE __u32 refuse_syn(struct dialogue *d, const struct refuse_segment *s, struct refuse_reply *r, const struct pkt *p,
			    const struct pst_secret *secret, __u64 slot)
{
	__u32 room = s->frame_bytes - p->l3 - (p->v6 ? 60 : 40);

	if (!refuse_cookie(secret, p, slot, &r->seq))
		return PST_CNT_REFUSE_SILENT;
	r->ack = s->seq + 1; /* data in a SYN comes again */
	r->flags = REFUSE_SYN | REFUSE_ACK;
	d->nout = 0;
	if ((int)room >= 4) { /* a SYN without options is answered without one: never a longer frame */
		dialogue_store(d->out, p->v6 ? 0xa0050402 : 0xb4050402); /* 1440 or 1460 */
		d->nout = r->option_bytes = 4;
	}
	return PST_CNT_REFUSE_SYNACK;
}

/*
 * The first n octets of the payload into d->in. The number is bounded as the last octet's index: that bounds it
 * from below as well, which a verifier does not learn from "not zero" (Linux 6.1).
 */
PKT_INLINE int refuse_load(struct xdp_md *ctx, struct dialogue *d, __u32 at, __u32 n)
{
	__u64 last = n - 1;

	d->nin = n;
	PKT_PIN(last);
	if (last < DIALOGUE_IN) {
		PKT_PIN(last);
		if (bpf_xdp_load_bytes(ctx, at, d->in, last + 1))
			return 0;
		for (int i = 0; i < 8; i++)
			d->in[last + 1 + i] = 0;
	}
	return 1;
}

PKT_INLINE __u32 refuse_data(struct xdp_md *ctx, struct dialogue *d, const struct refuse_segment *s, struct refuse_reply *r)
{
	__u32 fin = s->flags & REFUSE_FIN, n = s->data_bytes;

	r->flags = REFUSE_ACK;
	r->seq = s->ack;
	d->nout = d->fin = d->refused = 0;
	if ((d->said & 3) == DIALOGUE_OVER) { /* we have nothing to say any more */
		r->ack = s->seq + n + fin;
		return n | fin ? PST_CNT_REFUSE_ACK : PST_CNT_REFUSE_SILENT;
	}
	if (!n && !fin && d->said)
		return PST_CNT_REFUSE_SILENT;
	if (n > DIALOGUE_IN)
		n = DIALOGUE_IN;
	if (!refuse_load(ctx, d, s->data_at, n))
		return PST_CNT_REFUSE_SILENT;
	dialogue_answer(d);
	if (fin) {
		d->eaten = s->data_bytes;
		d->fin = 1;
	}
	if (!d->nout && !d->eaten && !d->fin)
		return PST_CNT_REFUSE_SILENT;
	r->ack = s->seq + d->eaten + fin;
	r->flags |= (d->nout ? REFUSE_PSH : 0) | (d->fin ? REFUSE_FIN : 0);
	return !d->nout ? PST_CNT_REFUSE_ACK :
	       d->refused ? PST_CNT_REFUSE_RECIPIENT :
	       d->said ? PST_CNT_REFUSE_REPLY : PST_CNT_REFUSE_GREETING;
}

/* A function of its own, so that the verifier checks it once, apart from the gate. */
PKT_OPAQUE __u32 refuse_segment(struct xdp_md *ctx, struct dialogue *d);
PKT_OPAQUE __u32 refuse_segment(struct xdp_md *ctx, struct dialogue *d)
{
	const __u32 only = 0;
	const struct pst_secret *secret = bpf_map_lookup_elem(&pst_secret, &only);
	__u64 now_ns = bpf_ktime_get_coarse_ns(), slot = now_ns >> PST_SLOT_SHIFT;
	struct refuse_segment s;
	struct refuse_reply r = { 0 };
	const struct pkt *p;
	__u32 did;

	if (!d || !secret || pst_no_dialogue)
		return PST_CNT_REFUSE_SILENT;
	p = &d->p;
	if (!refuse_read(ctx, p, &s) || (s.flags & REFUSE_RST))
		return PST_CNT_REFUSE_SILENT;
	if (s.flags == REFUSE_SYN) {
		did = refuse_syn(d, &s, &r, p, secret, slot);
	} else if (!(s.flags & REFUSE_ACK) || (s.flags & REFUSE_SYN) || !refuse_verify(secret, p, s.ack, slot, &d->said)) {
		return PST_CNT_REFUSE_UNVERIFIED;
	} else {
		did = refuse_data(ctx, d, &s, &r);
	}
	if (did == PST_CNT_REFUSE_SILENT)
		return did;
	if (!reply_allowed(&p->src, secret, now_ns))
		return PST_CNT_REFUSE_BUDGET;
	return refuse_send(ctx, p, d, &s, &r) ? did : PST_CNT_REFUSE_SILENT;
}

/*
 * Answers the segment. Returns the counter that says what was done; refuse_sent() tells whether the frame is
 * a reply now or to be dropped.
 */
PKT_INLINE __u32 refuse_answer(struct xdp_md *ctx, const struct pkt *p, const struct refuse_why *why)
{
	const __u32 only = 0;
	struct dialogue *d = bpf_map_lookup_elem(&pst_dialogue, &only);

	if (!d)
		return PST_CNT_REFUSE_SILENT;
	d->p = *p;
	d->text = why->text;
	d->banner = why->banner;
	return refuse_segment(ctx, d);
}

PKT_INLINE int refuse_sent(__u32 did)
{
	return did == PST_CNT_REFUSE_SYNACK || did == PST_CNT_REFUSE_GREETING || did == PST_CNT_REFUSE_REPLY ||
	       did == PST_CNT_REFUSE_RECIPIENT || did == PST_CNT_REFUSE_ACK;
}

#endif
