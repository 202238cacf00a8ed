/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h: frames for the tests, written byte by byte from a description. Knows nothing of
 * bpf/pkt.h: what the gate reads back is compared with what was meant here.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <string.h>

#include "bpf/abi.h"

#define FRAME_EXTS_MAX 10

enum frame_net { NET_IP4, NET_IP4_OPTIONS, NET_IP6 };
enum frame_frag { FRAG_NONE, FRAG_FIRST, FRAG_LATER };
enum frame_l4 { L4_TCP, L4_UDP, L4_ICMP, L4_ARP };

struct frame_spec {
	unsigned tags; /* VLAN tags; the outer of two or more is 802.1ad */
	enum frame_net net;
	unsigned exts; /* IPv6 extension headers, a fragment header not counted */
	enum frame_frag frag;
	enum frame_l4 l4;
	struct pst_addr src, dst;
	__u16 sport, dport;
	__u8 flags; /* of TCP; 0 = SYN */
	__u32 seq, ack;
	unsigned data_bytes;
};

struct frame {
	__u8 b[2048];
	unsigned n;
	unsigned l3, l4;			/* where the IP and the transport header begin */
	unsigned next, ext[FRAME_EXTS_MAX + 1]; /* extension headers: how many, and where */
};

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

static inline struct pst_addr frame_ip4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	return (struct pst_addr){ { [10] = 0xff, 0xff, (__u8)a, (__u8)b, (__u8)c, (__u8)d } };
}

/* 2001:db8:NET::HOST */
static inline struct pst_addr frame_ip6(unsigned net, unsigned host)
{
	return (struct pst_addr){ { 0x20, 0x01, 0x0d, 0xb8, (__u8)(net >> 8), (__u8)net, [14] = (__u8)(host >> 8), (__u8)host } };
}

static inline __u8 *frame_add(struct frame *f, unsigned n)
{
	__u8 *at = f->b + f->n;

	memset(at, 0, n);
	f->n += n;
	return at;
}

static inline void frame_be16(__u8 *at, unsigned v)
{
	at[0] = (__u8)(v >> 8);
	at[1] = (__u8)v;
}

static inline void frame_be32(__u8 *at, __u32 v)
{
	frame_be16(at, v >> 16);
	frame_be16(at + 2, v & 0xffff);
}

static inline unsigned frame_get16(const __u8 *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static inline __u32 frame_get32(const __u8 *at)
{
	return (__u32)frame_get16(at) << 16 | frame_get16(at + 2);
}

/* RFC 1071 over bytes, one after the other. */
static inline __u32 frame_sum(__u32 sum, const __u8 *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sum += i % 2 ? b[i] : (__u32)b[i] << 8;
	return sum;
}

static inline unsigned frame_fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* 0 when the TCP checksum of n bytes at tcp is right. */
static inline unsigned frame_tcp_check(const __u8 *src, const __u8 *dst, unsigned addr_bytes, const __u8 *tcp, unsigned n)
{
	__u32 sum = frame_sum(frame_sum(0, src, addr_bytes), dst, addr_bytes);

	return frame_fold(frame_sum(sum + 6 + n, tcp, n));
}

static inline unsigned frame_protocol(enum frame_l4 l4)
{
	return l4 == L4_TCP ? 6 : l4 == L4_UDP ? 17 : 58;
}

/* Extension header number i of a chain: every kind has its turn, with different lengths. */
static inline unsigned frame_ext_type(unsigned i)
{
	static const __u8 type[] = { 0, 60, 43, 51, 135, 60, 139, 140, 43, 60 };

	return type[i % sizeof(type)];
}

static inline void frame_add_ext(struct frame *f, unsigned type, unsigned next, unsigned i)
{
	unsigned bytes = type == 51 ? 12 + 4 * (i % 3) : 8 * (1 + i % 4);
	__u8 *ext;

	f->ext[f->next++] = f->n;
	ext = frame_add(f, bytes);
	ext[0] = (__u8)next;
	ext[1] = (__u8)(type == 51 ? bytes / 4 - 2 : bytes / 8 - 1);
}

static inline void frame_add_frag6(struct frame *f, enum frame_frag frag, unsigned next)
{
	__u8 *ext;

	f->ext[f->next++] = f->n;
	ext = frame_add(f, 8);
	ext[0] = (__u8)next;
	frame_be16(ext + 2, frag == FRAG_FIRST ? 1 : 185 << 3);
}

static inline void frame_add_ip6(struct frame *f, const struct frame_spec *s)
{
	unsigned last = frame_protocol(s->l4), frag_or_last = s->frag ? 44 : last;
	__u8 *ip = frame_add(f, 40);

	ip[0] = 0x60;
	ip[6] = (__u8)(s->exts ? frame_ext_type(0) : frag_or_last);
	ip[7] = 57;
	memcpy(ip + 8, s->src.b, 16);
	memcpy(ip + 24, s->dst.b, 16);
	for (unsigned i = 0; i < s->exts; i++)
		frame_add_ext(f, frame_ext_type(i), i + 1 < s->exts ? frame_ext_type(i + 1) : frag_or_last, i);
	if (s->frag)
		frame_add_frag6(f, s->frag, last);
}

static inline void frame_add_ip4(struct frame *f, const struct frame_spec *s)
{
	unsigned bytes = s->net == NET_IP4_OPTIONS ? 44 : 20;
	__u8 *ip = frame_add(f, bytes);

	ip[0] = (__u8)(0x40 | bytes / 4);
	frame_be16(ip + 6, s->frag == FRAG_FIRST ? 0x2000 : s->frag == FRAG_LATER ? 185 : 0x4000);
	ip[8] = 57;
	ip[9] = (__u8)(s->l4 == L4_ICMP ? 1 : frame_protocol(s->l4));
	memcpy(ip + 12, s->src.b + 12, 4);
	memcpy(ip + 16, s->dst.b + 12, 4);
	memset(ip + 20, 1, bytes - 20); /* no-operation options */
}

static inline void frame_add_tcp(struct frame *f, const struct frame_spec *s)
{
	__u8 *tcp = frame_add(f, 24 + s->data_bytes); /* with one 4-byte option */

	frame_be16(tcp, s->sport);
	frame_be16(tcp + 2, s->dport);
	frame_be32(tcp + 4, s->seq);
	frame_be32(tcp + 8, s->ack);
	tcp[12] = 6 << 4;
	tcp[13] = s->flags ? s->flags : TCP_SYN;
	memcpy(tcp + 20, (__u8[]){ 2, 4, 5, 0xb4 }, 4);
	memset(tcp + 24, 'x', s->data_bytes);
}

static inline void frame_add_vlans(struct frame *f, unsigned tags)
{
	for (unsigned i = 0; i < tags; i++) {
		frame_be16(frame_add(f, 2), i + 1 < tags ? 0x88a8 : 0x8100);
		frame_be16(frame_add(f, 2), 100 + i);
	}
}

static inline void frame_build(struct frame *f, const struct frame_spec *s)
{
	static const __u8 macs[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	memset(f, 0, sizeof(*f));
	memcpy(frame_add(f, 12), macs, 12);
	frame_add_vlans(f, s->tags);
	frame_be16(frame_add(f, 2), s->l4 == L4_ARP ? 0x0806 : s->net == NET_IP6 ? 0x86dd : 0x0800);
	f->l3 = f->n;
	if (s->l4 == L4_ARP) {
		frame_add(f, 28);
		return;
	}
	if (s->net == NET_IP6)
		frame_add_ip6(f, s);
	else
		frame_add_ip4(f, s);
	f->l4 = f->n;
	if (s->l4 == L4_TCP) {
		frame_add_tcp(f, s);
	} else {
		frame_be16(frame_add(f, 2), s->sport);
		frame_be16(frame_add(f, 6), s->dport);
	}
	if (s->net == NET_IP6)
		frame_be16(f->b + f->l3 + 4, f->n - f->l3 - 40);
	else
		frame_be16(f->b + f->l3 + 2, f->n - f->l3);
}

#endif
