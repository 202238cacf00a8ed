/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * answer.h: headers of what the gate itself says on the wire, and the reset. The frame that came
 * in is turned round in place: Ethernet and VLAN tags stay, IP options and extension headers go.
 *
 * A reset is never longer than the frame it answers, so nobody is amplified at.
 * The checksum of the segment is not verified: a bad one costs its sender a reset it
 * ignores, and reading the whole payload would cost us more than the attack is worth.
 */
#ifndef PST_ANSWER_H
#define PST_ANSWER_H

#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_helpers.h>

#include "bpf/pkt.h"

#define ANSWER_FRAME_MIN 60 /* Ethernet's shortest frame without its checksum */

/* One's complement sum over n bytes, n a constant multiple of 4, bytes in memory order. */
PKT_INLINE __u64 answer_sum(__u64 sum, const void *bytes, __u32 n)
{
	const __u32 *word = bytes;

	for (__u32 i = 0; i < n / 4; i++)
		sum += word[i];
	return sum;
}

PKT_INLINE __u16 answer_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * The reset of RFC 9293 section 3.10.7.1 for the segment at tcp, whose payload is data_bytes long:
 * with an ACK, seq is what the peer expects; without, seq 0 and an ACK of all that was sent.
 */
PKT_INLINE void answer_reset_tcp(struct tcphdr *out, const struct pkt *p, const __u8 *tcp, __u32 data_bytes)
{
	__u8 flags = tcp[13];
	int syn = (flags >> 1) & 1, fin = flags & 1, ack = (flags >> 4) & 1;

	*out = (struct tcphdr){
		.source = pkt_swap16(p->dport),
		.dest = pkt_swap16(p->sport),
		.doff = 5,
		.rst = 1,
	};
	if (ack) {
		out->seq = PKT_LOAD(__u32, tcp + 8);
	} else {
		out->ack = 1;
		out->ack_seq = pkt_swap32(pkt_be32(tcp + 4) + data_bytes + syn + fin);
	}
}

/* The header of a reply with so many octets of TCP; no fragments, so no identification (RFC 6864). */
PKT_INLINE void answer_ip4(struct iphdr *out, const struct pkt *p, __u32 tcp_bytes)
{
	*out = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = pkt_swap16(20 + tcp_bytes),
		.frag_off = pkt_swap16(0x4000),
		.ttl = 64,
		.protocol = PKT_IPPROTO_TCP,
		.saddr = ((const __u32 *)p->dst.b)[3],
		.daddr = ((const __u32 *)p->src.b)[3],
	};
	out->check = answer_fold(answer_sum(0, out, sizeof(*out)));
}

PKT_INLINE void answer_ip6(struct ipv6hdr *out, const struct pkt *p, __u32 tcp_bytes)
{
	*out = (struct ipv6hdr){
		.version = 6,
		.payload_len = pkt_swap16(tcp_bytes),
		.nexthdr = PKT_IPPROTO_TCP,
		.hop_limit = 64,
	};
	__builtin_memcpy(&out->saddr, &p->dst, 16);
	__builtin_memcpy(&out->daddr, &p->src, 16);
}

/* The sum of the reply's pseudo header. */
PKT_INLINE __u64 answer_pseudo(const struct pkt *p, __u32 tcp_bytes)
{
	__u64 sum = (__u64)pkt_swap32(PKT_IPPROTO_TCP) + pkt_swap32(tcp_bytes);

	if (p->v6)
		return answer_sum(answer_sum(sum, &p->src, 16), &p->dst, 16);
	return answer_sum(answer_sum(sum, p->src.b + 12, 4), p->dst.b + 12, 4);
}

/* Payload length of the segment at l4 by its own headers; negative when they contradict each other or the frame. */
PKT_INLINE int answer_data_bytes(struct xdp_md *ctx, const struct pkt *p, const __u8 *ip, const __u8 *tcp)
{
	int total = p->v6 ? 40 + pkt_be16(ip + 4) : pkt_be16(ip + 2);
	int header = (tcp[12] >> 4) * 4;

	if (header < 20 || p->l3 + total > bpf_xdp_get_buff_len(ctx))
		return -1;
	return total - (int)(p->l4 - p->l3) - header;
}

PKT_INLINE void answer_swap_mac(__u8 *eth)
{
	for (int i = 0; i < 3; i++) {
		__u16 *mac = (__u16 *)eth, dst = mac[i];

		mac[i] = mac[i + 3];
		mac[i + 3] = dst;
	}
}

/* The padding behind a short reply: none of the sender's bytes go back. */
PKT_INLINE void answer_zero(const __u8 *data, const __u8 *end, __u32 off)
{
	for (int i = 0; i < 3; i++, off += 2) {
		__u16 *at = (__u16 *)pkt_at(data, end, off, 2);

		if (!at)
			return;
		*at = 0;
	}
}

/*
 * Writes the header of the reset that the segment is due, without its checksum. 0 = none is (a reset itself, a
 * fragment, a group address, a broken segment). Leaves the frame alone.
 */
PKT_INLINE int answer_reset(struct xdp_md *ctx, const struct pkt *p, struct tcphdr *seg)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	/* The masks change nothing (22 at most, and l4 neither); they bound the offsets for the verifier. */
	const __u8 *eth = pkt_at(data, end, 0, 14), *ip = pkt_at(data, end, p->l3 & 31, 20), *tcp = pkt_at(data, end, p->l4 & 0x7fff, 20);
	int data_bytes;

	if (!eth || !ip || !tcp || p->fragment || (eth[0] & 1) || (tcp[13] & 4))
		return 0;
	data_bytes = answer_data_bytes(ctx, p, ip, tcp);
	if (data_bytes < 0)
		return 0;
	answer_reset_tcp(seg, p, tcp, data_bytes);
	return 1;
}

/* Rewrites the frame into the segment's reset for its sender. 1 = it is to be sent; 0 = the kernel could not shorten it. */
PKT_INLINE int answer_reset_send(struct xdp_md *ctx, const struct pkt *p, struct tcphdr *seg)
{
	__u32 l3 = p->l3 & 31, reply_bytes = l3 + (p->v6 ? 60 : 40), frame_bytes = bpf_xdp_get_buff_len(ctx);
	int pad = reply_bytes < ANSWER_FRAME_MIN && frame_bytes >= ANSWER_FRAME_MIN ? ANSWER_FRAME_MIN - reply_bytes : 0;
	const __u8 *data, *end, *eth;
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} net;
	__u8 *out;

	if (p->v6)
		answer_ip6(&net.v6, p, sizeof(*seg));
	else
		answer_ip4(&net.v4, p, sizeof(*seg));
	seg->check = answer_fold(answer_sum(answer_pseudo(p, sizeof(*seg)), seg, sizeof(*seg)));
	if (bpf_xdp_adjust_tail(ctx, (int)(reply_bytes + pad) - (int)frame_bytes))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	eth = pkt_at(data, end, 0, 14);
	out = (__u8 *)pkt_at(data, end, l3, 40);
	if (!eth || !out)
		return 0;
	answer_swap_mac((__u8 *)eth);
	if (p->v6) {
		out = (__u8 *)pkt_at(data, end, l3, 60);
		if (!out)
			return 0;
		__builtin_memcpy(out, &net.v6, 40);
		__builtin_memcpy(out + 40, seg, 20);
		return 1;
	}
	__builtin_memcpy(out, &net.v4, 20);
	__builtin_memcpy(out + 20, seg, 20);
	answer_zero(data, end, l3 + 40);
	return 1;
}

#endif
