/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse_model.h: what a refused dialogue must look like on the wire, built byte for byte by a model that shares no
 * code with the gate: cookies by OpenSSL's SipHash, addresses by inet_ntop, sums one octet at a time.
 */
#ifndef REFUSE_MODEL_H
#define REFUSE_MODEL_H

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <time.h>

#include "selftests/packet/gate_run.h"
#include "user/refuse.h"

#define SEQ    0xfffffff0u /* so that sums wrap */
#define WINDOW 536
#define MID    2
#define NOBODY 0xffffffffu

static struct run r;
static struct pst_addr guard4, guard6;
/* No budgets: there are thousands of rows. */
static const struct conf_refuse words = { .hostname = "mx.example.org", .url = "https://example.org/why" };
static const __u64 key[2] = { 0x1122334455667788ull, 0x99aabbccddeeff00ull };

#define HELLO	 "250 mx.example.org\r\n"
#define GREETING "220 mx.example.org ESMTP\r\n"
#define OK	 "250 OK\r\n"

/* --- the model --------------------------------------------------------------------- */

static inline __u32 model_cookie(const struct frame_spec *s, const __u64 k[2], __u64 slot)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t size = 8, got;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end() };
	__u64 word[5], hash;
	__u32 low;

	memcpy(word, s->src.b, 16);
	memcpy(word + 2, s->dst.b, 16);
	word[4] = slot << 32 | (__u64)s->sport << 16 | s->dport;
	assert_int_equal(EVP_MAC_init(ctx, (const void *)k, 16, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, (const void *)word, sizeof(word)), 1);
	assert_int_equal(EVP_MAC_final(ctx, (void *)&hash, &got, sizeof(hash)), 1);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	low = hash & 0x1fffffff;
	if (low > 0x1fffffff - 32768)
		low -= 32768;
	return (__u32)((slot & 7) << 29) | low;
}

/* By the program's clock, which lags a tick behind the fine one: a slot that has not come there yet is none of its own. */
static inline __u64 slot_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return ((__u64)t.tv_sec * 1000000000ull + (__u64)t.tv_nsec) >> PST_SLOT_SHIFT;
}

/* " is banned: ..." of the model's own making */
static inline void model_refusal(char *out, size_t size, const struct frame_spec *s, unsigned code, const char *what)
{
	char addr[INET6_ADDRSTRLEN];

	if (addr_is4(&s->src))
		inet_ntop(AF_INET, s->src.b + 12, addr, sizeof(addr));
	else
		inet_ntop(AF_INET6, s->src.b, addr, sizeof(addr));
	snprintf(out, size, "%u 5.7.1 %s is banned: %s; see %s\r\n", code, addr, what, words.url);
}

/* The text with blanks before its last CRLF until (said + length) % 4 is class. */
static inline unsigned model_pad(char *text, unsigned n, __u32 said, unsigned class)
{
	while (n && (said + n) % 4 != class) {
		memcpy(text + n - 2, " \r\n", 4);
		n++;
	}
	return n;
}

struct model_reply {
	__u32 seq, ack;
	unsigned flags;
	const void *data;
	unsigned n;
	bool mss;
};

static inline void model_frame(struct frame *out, const struct frame_spec *s, unsigned in_bytes, const struct model_reply *m)
{
	struct frame in;
	bool v6 = s->net == NET_IP6;
	unsigned tcp_bytes = 20 + (m->mss ? 4 : 0) + m->n;
	__u8 *ip, *tcp;

	frame_build(&in, s);
	memset(out, 0, sizeof(*out));
	memcpy(frame_add(out, 6), in.b + 6, 6);
	memcpy(frame_add(out, 6), in.b, 6);
	memcpy(frame_add(out, in.l3 - 12), in.b + 12, in.l3 - 12);
	ip = frame_add(out, v6 ? 40 : 20);
	if (v6) {
		ip[0] = 0x60;
		frame_be16(ip + 4, tcp_bytes);
		ip[6] = 6;
		ip[7] = 64;
		memcpy(ip + 8, s->dst.b, 16);
		memcpy(ip + 24, s->src.b, 16);
	} else {
		ip[0] = 0x45;
		frame_be16(ip + 2, 20 + tcp_bytes);
		frame_be16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = 6;
		memcpy(ip + 12, s->dst.b + 12, 4);
		memcpy(ip + 16, s->src.b + 12, 4);
		frame_be16(ip + 10, frame_fold(frame_sum(0, ip, 20)));
	}
	tcp = frame_add(out, tcp_bytes);
	frame_be16(tcp, s->dport);
	frame_be16(tcp + 2, s->sport);
	frame_be32(tcp + 4, m->seq);
	frame_be32(tcp + 8, m->ack);
	tcp[12] = (__u8)((m->mss ? 6 : 5) << 4);
	tcp[13] = (__u8)m->flags;
	frame_be16(tcp + 14, WINDOW);
	if (m->mss) {
		tcp[20] = 2;
		tcp[21] = 4;
		frame_be16(tcp + 22, v6 ? 1440 : 1460);
	}
	memcpy(tcp + tcp_bytes - m->n, m->data, m->n);
	frame_be16(tcp + 16, v6 ? frame_tcp_check(ip + 8, ip + 24, 16, tcp, tcp_bytes) : frame_tcp_check(ip + 12, ip + 16, 4, tcp, tcp_bytes));
	if (out->n < 60 && in_bytes >= 60)
		frame_add(out, 60 - out->n);
}

/* --- the bench ----------------------------------------------------------------------- */

#define PSH 8

static inline int fresh(void **state)
{
	struct pst_secret s = { .gen = { { .key = { key[0], key[1] } } } };
	__u32 only = 0;

	(void)state;
	guard4 = frame_ip4(198, 51, 100, 1);
	guard6 = frame_ip6(0xff, 1);
	assert_int_equal(run_open_sized(&r, 1024, 1024), 0);
	assert_int_equal(bpf_map_update_elem(r.maps.secret, &only, &s, BPF_ANY), 0);
	assert_int_equal(refuse_put(&r.maps, &words), 0);
	return 0;
}

static inline int gone(void **state)
{
	(void)state;
	run_close(&r);
	return 0;
}

/* The frame of s with data for its payload. */
static inline void build(struct frame *f, struct frame_spec *s, const char *data, unsigned n)
{
	s->sport = s->sport ? s->sport : 40000;
	s->dport = PORT;
	s->dst = s->net == NET_IP6 ? guard6 : guard4;
	s->data_bytes = n;
	frame_build(f, s);
	memcpy(f->b + f->n - n, data, n);
}

static inline void assert_frame(int line, const struct outcome *o, const struct frame *want)
{
	if (o->nout != want->n)
		fail_msg("line %d: %u octets, not %u", line, o->nout, want->n);
	for (unsigned i = 0; i < want->n; i++)
		if (o->out[i] != want->b[i])
			fail_msg("line %d: octet %u is %02x, not %02x", line, i, o->out[i], want->b[i]);
}

static inline void assert_dropped(int line, const struct outcome *o, const struct frame *in, unsigned counter)
{
	if (o->verdict != XDP_DROP || o->counter != counter)
		fail_msg("line %d: %u %s", line, o->verdict, counter_name(o->counter));
	assert_int_equal(o->nout, in->n); /* a frame that is dropped was not touched */
	assert_memory_equal(o->out, in->b, in->n);
}

#endif
