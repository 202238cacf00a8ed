/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pkt.h: from the first byte of a frame to its TCP header, every step bounds-checked.
 * Knows no map and no policy; the tests compile it natively as well.
 *
 * The way a packet can hide its port from us must not hide its source: as soon as the
 * addresses are known and TCP is not ruled out, the answer is at least PKT_UNLOCATED, and the
 * gate refuses a banned source by address alone.
 */
#ifndef PST_PKT_H
#define PST_PKT_H

#include "bpf/abi.h"

#define PKT_INLINE static inline __attribute__((always_inline))

#define PKT_VLANS_MAX 2 /* 802.1ad outside, 802.1Q inside */
#define PKT_EXTS_MAX  8 /* IPv6 extension headers walked */

enum pkt_kind {
	PKT_PASS,      /* not ours to judge: `why` is the counter */
	PKT_OTHER,     /* IP, addresses known, not TCP: only a host-wide ban refuses it; `why` is the counter */
	PKT_UNLOCATED, /* IP, addresses known, TCP possible, ports unknown: `why` counts it if it passes */
	PKT_TCP,       /* every field is set, 20 bytes of TCP header are there */
};

struct pkt {
	struct pst_addr src __attribute__((aligned(8))), dst; /* read as two words each */
	__u32 why;	    /* enum pst_counter: how to count it when nothing refuses it */
	__u32 l3, l4;	    /* offsets of the IP and the TCP header in the frame */
	__u16 sport, dport; /* host order */
	__u8 v6;	    /* the header on the wire is IPv6, whatever src looks like */
	__u8 fragment;	    /* a fragment, the first one included */
	__u8 flags;	    /* of TCP */
	__u8 zero[5];	    /* every byte is set: functions of their own take it by address */
};

#ifdef __bpf__
/* The kernel reads unaligned words where that is fast; byte by byte would double the program. */
#define PKT_LOAD(type, from) (*(const type *)(from))
/* Keeps the address in one register, so that the check and the access speak of the same pointer. */
#define PKT_PIN(var) asm volatile("" : "+r"(var))
/*
 * A function that the verifier checks once and whose result it then takes as any number: what follows
 * is checked once, not once for each way through it.
 */
#define PKT_OPAQUE __attribute__((noinline))
#else
#define PKT_LOAD(type, from) ({ type pkt_v; __builtin_memcpy(&pkt_v, from, sizeof(pkt_v)); pkt_v; })
#define PKT_PIN(var) ((void)(var))
#define PKT_OPAQUE static inline
#endif

PKT_INLINE __u16 pkt_swap16(__u16 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(v);
#else
	return v;
#endif
}

PKT_INLINE __u32 pkt_swap32(__u32 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(v);
#else
	return v;
#endif
}

PKT_INLINE __u64 pkt_swap64(__u64 v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

PKT_INLINE __u16 pkt_be16(const __u8 *from)
{
	return pkt_swap16(PKT_LOAD(__u16, from));
}

PKT_INLINE __u32 pkt_be32(const __u8 *from)
{
	return pkt_swap32(PKT_LOAD(__u32, from));
}

/* A first contact; of a SYN-ACK, and of a packet that hides its header, it is not. */
PKT_INLINE int pkt_is_syn(const struct pkt *p)
{
	return (p->flags & 0x12) == 0x02;
}

/* n bytes at off, or NULL when the frame ends before. */
PKT_INLINE const __u8 *pkt_at(const __u8 *data, const __u8 *end, __u32 off, __u32 n)
{
	const __u8 *at = data + off;

	PKT_PIN(at);
	return at + n > end ? (void *)0 : at;
}

PKT_INLINE enum pkt_kind pkt_is(struct pkt *p, enum pkt_kind kind, __u32 why)
{
	p->why = why;
	return kind;
}

PKT_INLINE void pkt_addr4(struct pst_addr *a, const __u8 *from)
{
	const __u32 word[4] = { 0, 0, pkt_swap32(0xffff), PKT_LOAD(__u32, from) };

	__builtin_memcpy(a->b, word, 16);
}

PKT_INLINE void pkt_addr6(struct pst_addr *a, const __u8 *from)
{
	const __u64 half[2] = { PKT_LOAD(__u64, from), PKT_LOAD(__u64, from + 8) };

	__builtin_memcpy(a->b, half, 16);
}

PKT_INLINE enum pkt_kind pkt_tcp(const __u8 *data, const __u8 *end, __u32 off, struct pkt *p)
{
	const __u8 *tcp = pkt_at(data, end, off, 20);

	if (!tcp)
		return pkt_is(p, PKT_UNLOCATED, PST_CNT_PASS_SHORT_TCP);
	p->l4 = off;
	p->sport = pkt_be16(tcp);
	p->dport = pkt_be16(tcp + 2);
	p->flags = tcp[13];
	return pkt_is(p, PKT_TCP, PST_CNT_PASS_CLEAN);
}

#define PKT_IPPROTO_TCP	   6
#define PKT_IPPROTO_ICMP6 58

PKT_INLINE enum pkt_kind pkt_ip4(const __u8 *data, const __u8 *end, __u32 l3, struct pkt *p)
{
	const __u8 *ip = pkt_at(data, end, l3, 20);
	__u32 header_bytes, fragment;

	if (!ip)
		return pkt_is(p, PKT_PASS, PST_CNT_PASS_SHORT_IP4);
	header_bytes = (ip[0] & 0x0f) * 4;
	if (ip[0] >> 4 != 4 || header_bytes < 20)
		return pkt_is(p, PKT_PASS, PST_CNT_PASS_BAD_IP4);
	pkt_addr4(&p->src, ip + 12);
	pkt_addr4(&p->dst, ip + 16);
	if (ip[9] != PKT_IPPROTO_TCP) /* true of every fragment of a datagram */
		return pkt_is(p, PKT_OTHER, PST_CNT_PASS_UNGUARDED);
	fragment = pkt_be16(ip + 6);
	p->fragment = (fragment & 0x3fff) != 0;
	if (fragment & 0x1fff)
		return pkt_is(p, PKT_UNLOCATED, PST_CNT_PASS_FRAGMENT);
	return pkt_tcp(data, end, l3 + header_bytes, p);
}

/*
 * IPv6 that is not TCP. Neighbour discovery (RFC 4861: types 133 to 137) is the link's, as ARP is: without it
 * nobody on the link could talk to a router that shares the source's prefix.
 */
PKT_INLINE enum pkt_kind pkt_other6(const __u8 *data, const __u8 *end, __u32 off, __u8 type, struct pkt *p)
{
	const __u8 *icmp = pkt_at(data, end, off, 1);
	int neighbour = type == PKT_IPPROTO_ICMP6 && (!icmp || (icmp[0] >= 133 && icmp[0] <= 137));

	return pkt_is(p, neighbour ? PKT_PASS : PKT_OTHER, PST_CNT_PASS_UNGUARDED);
}

/* Length of an extension header from its second byte; 0 = not an extension header we can step over. */
PKT_OPAQUE __u32 pkt_ext_bytes(__u8 type, __u8 len);
PKT_OPAQUE __u32 pkt_ext_bytes(__u8 type, __u8 len)
{
	switch (type) {
	case 0:	  /* hop-by-hop options, RFC 8200 */
	case 43:  /* routing */
	case 60:  /* destination options */
	case 135: /* mobility, RFC 6275 */
	case 139: /* host identity, RFC 7401 */
	case 140: /* shim6, RFC 5533 */
		return (len + 1) * 8;
	case 44: /* fragment */
		return 8;
	case 51: /* authentication header, RFC 4302: counts in words of 4, less 2 */
		return (len + 2) * 4;
	default:
		return 0;
	}
}

PKT_INLINE enum pkt_kind pkt_ip6(const __u8 *data, const __u8 *end, __u32 l3, struct pkt *p)
{
	const __u8 *ip = pkt_at(data, end, l3, 40);
	__u32 off = l3 + 40;
	__u8 type;

	if (!ip)
		return pkt_is(p, PKT_PASS, PST_CNT_PASS_SHORT_IP6);
	if (ip[0] >> 4 != 6)
		return pkt_is(p, PKT_PASS, PST_CNT_PASS_BAD_IP6);
	p->v6 = 1;
	pkt_addr6(&p->src, ip + 8);
	pkt_addr6(&p->dst, ip + 24);
	type = ip[6];
	for (int i = 0; i < PKT_EXTS_MAX; i++) {
		const __u8 *ext;
		__u32 bytes;

		if (type == PKT_IPPROTO_TCP)
			return pkt_tcp(data, end, off, p);
		if (!pkt_ext_bytes(type, 0))
			return pkt_other6(data, end, off, type, p);
		ext = pkt_at(data, end, off, 8);
		if (!ext)
			return pkt_is(p, PKT_UNLOCATED, PST_CNT_PASS_SHORT_EXT);
		bytes = pkt_ext_bytes(type, ext[1]);
		PKT_PIN(bytes);
		bytes &= 0xfff; /* changes nothing (2048 at most); it bounds off for the verifier */
		if (type == 44) {
			__u16 fragment = pkt_be16(ext + 2);

			p->fragment |= (fragment & 0xfff9) != 0;
			if (fragment & 0xfff8) /* what follows is payload; only its type is known */
				return ext[0] == PKT_IPPROTO_TCP || pkt_ext_bytes(ext[0], 0) ?
					       pkt_is(p, PKT_UNLOCATED, PST_CNT_PASS_FRAGMENT) :
					       pkt_is(p, PKT_OTHER, PST_CNT_PASS_UNGUARDED);
		}
		type = ext[0];
		off += bytes;
	}
	if (type == PKT_IPPROTO_TCP)
		return pkt_tcp(data, end, off, p);
	if (!pkt_ext_bytes(type, 0))
		return pkt_other6(data, end, off, type, p);
	return pkt_is(p, PKT_UNLOCATED, PST_CNT_PASS_EXT_DEPTH);
}

PKT_INLINE int pkt_is_vlan(__u16 type)
{
	return type == 0x8100 || type == 0x88a8;
}

/* Fills *p as far as the returned kind promises. Never reads at or behind end. */
PKT_INLINE enum pkt_kind pkt_walk(const void *frame, const void *frame_end, struct pkt *p)
{
	const __u8 *data = frame, *end = frame_end;
	__u32 off = 14;
	__u16 type;

	*p = (struct pkt){ 0 };
	if (data + off > end)
		return pkt_is(p, PKT_PASS, PST_CNT_PASS_SHORT_ETH);
	type = pkt_be16(data + 12);
	for (int i = 0; i < PKT_VLANS_MAX && pkt_is_vlan(type); i++) {
		const __u8 *tag = pkt_at(data, end, off, 4);

		if (!tag)
			return pkt_is(p, PKT_PASS, PST_CNT_PASS_SHORT_VLAN);
		type = pkt_be16(tag + 2);
		off += 4;
	}
	p->l3 = off;
	if (type == 0x0800)
		return pkt_ip4(data, end, off, p);
	if (type == 0x86dd)
		return pkt_ip6(data, end, off, p);
	return pkt_is(p, PKT_PASS, pkt_is_vlan(type) ? PST_CNT_PASS_VLAN_DEPTH : PST_CNT_PASS_NOT_IP);
}

#endif
