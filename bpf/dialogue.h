/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dialogue.h: what a refused client is told: the octets of one segment in, the text of one reply
 * out. Knows no TCP. There is no memory between two segments but `said`, the number of octets that the
 * client has had of us, which its own acknowledgment brings back. So three things are written into that number:
 *
 *   said % 4 == 0   the client is at the beginning of a line. Every reply is padded to keep it so
 *   said % 4 == 2   a line was answered before its end had come (DIALOGUE_MID); the rest follows
 *   said % 4 == 1   our FIN was taken (DIALOGUE_OVER), which counts one
 *
 * A line is answered when its verb is there, because a client may write a line in two and wait for the first half
 * to be acknowledged. What does not begin with a verb is the rest of such a line, or the end of one whose
 * beginning was lost: it is acknowledged in the first case only, and so comes again, merged, in the second. What
 * this cannot tell: behind a line that was answered early, a part of the next that has no verb is taken for its rest,
 * so who cuts two lines in a row, the second within its verb or with a loss between, may wait in vain.
 *
 * EHLO is answered without extensions, so nobody is invited to pipeline; who does it is answered line
 * by line as far as one reply goes, and what was not answered is not acknowledged.
 */
#ifndef PST_DIALOGUE_H
#define PST_DIALOGUE_H

#include "bpf/maps.h"
#include "bpf/pkt.h"

/*
 * Set before loading where a kernel's verifier does not follow this file (those of Linux 6.1 and 6.18 do). It is a
 * constant then: the bodies below are cut off before they are verified, and what would be refused is reset.
 */
const volatile __u32 pst_no_dialogue = 0;

#define DIALOGUE_MID  2
#define DIALOGUE_OVER 1

#define DIALOGUE_LINES	  8     /* answered in one reply */
#define DIALOGUE_SAID_MAX 16384 /* a larger number is no number of ours */
#define DIALOGUE_SAID_END 15360 /* who has had so much gets a 421 */
#define DIALOGUE_GROWTH	  176   /* octets that a reply may be longer than its segment: the longest refusal */
#define DIALOGUE_NO_LF	  0xffff

/* Fixed replies. Lengths divisible by four need no padding. */
#define DIALOGUE_REPLIES(X)                         \
	X(GREETING, "220 mail ESMTP\r\n")           \
	X(OK,       "250 OK\r\n")                   \
	X(DATA,     "554 No valid recipient\r\n")   \
	X(BYE,      "221 Bye\r\n")                  \
	X(OTHER,    "502 Not available here\r\n")   \
	X(UNKNOWN,  "500 Command not recognized\r\n") \
	X(TOO_MUCH, "421 Too many commands\r\n")    \
	X(AGAIN,    "550 5.7.1 Client is banned\r\n") /* and the reason was said before */

enum dialogue_reply {
	DIALOGUE_NOTHING,
#define DIALOGUE_X(sym, text) DIALOGUE_##sym,
	DIALOGUE_REPLIES(DIALOGUE_X)
#undef DIALOGUE_X
	DIALOGUE_FIXED_MAX,
	DIALOGUE_HELLO = DIALOGUE_FIXED_MAX, /* the host's name: a row of pst_text */
	DIALOGUE_REFUSAL,		     /* the whole 550 */
};

/* The verbs by their first four letters, which a blank or the end of the line must follow. */
#define DIALOGUE_VERBS(X)         \
	X('E', 'H', 'L', 'O', HELLO)   \
	X('H', 'E', 'L', 'O', HELLO)   \
	X('M', 'A', 'I', 'L', OK)      \
	X('R', 'C', 'P', 'T', REFUSAL) \
	X('D', 'A', 'T', 'A', DATA)    \
	X('R', 'S', 'E', 'T', OK)      \
	X('N', 'O', 'O', 'P', OK)      \
	X('Q', 'U', 'I', 'T', BYE)     \
	X('A', 'U', 'T', 'H', OTHER)   \
	X('B', 'D', 'A', 'T', OTHER)   \
	X('V', 'R', 'F', 'Y', OTHER)   \
	X('E', 'X', 'P', 'N', OTHER)   \
	X('E', 'T', 'R', 'N', OTHER)   \
	X('H', 'E', 'L', 'P', OTHER)

struct dialogue_text {
	char text[28];
	__u32 n;
};

static const struct dialogue_text dialogue_texts[DIALOGUE_FIXED_MAX] = {
#define DIALOGUE_X(sym, line) [DIALOGUE_##sym] = { .text = line, .n = sizeof(line) - 1 },
	DIALOGUE_REPLIES(DIALOGUE_X)
#undef DIALOGUE_X
};

/* Words whose first octet in memory is the lowest one. */
PKT_INLINE __u64 dialogue_load(const __u8 *from)
{
	__u64 v = PKT_LOAD(__u64, from);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
}

PKT_INLINE void dialogue_store(__u8 *to, __u32 v)
{
	*(__u32 *)to = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap32(v);
}

/* --- the client's address, without a branch: the verifier follows every way through it ---- */

/* "255." of one octet. Returns its length, the dot included. */
PKT_INLINE __u32 dialogue_octet(__u8 *to, __u32 v)
{
	__u32 hundreds = v * 41 >> 12, rest = v - hundreds * 100, tens = rest * 205 >> 11; /* exact up to 255 */
	__u32 n = 1 + ((v + 246) >> 8) + ((v + 156) >> 8);

	dialogue_store(to, (0x2e303030 + (hundreds | tens << 8 | (rest - tens * 10) << 16)) >> (3 - n) * 8);
	return n + 1;
}

/* "2001" of one group, without leading zeros. Returns its length. */
PKT_INLINE __u32 dialogue_hextet(__u8 *to, __u32 v)
{
	__u32 digits = v >> 12 | (v & 0xf00) | (v & 0xf0) << 12 | (v & 0xf) << 24;
	__u32 letters = (digits + 0x06060606) >> 4 & 0x01010101;
	__u32 n = 1 + ((v + 0xfff0) >> 16) + ((v + 0xff00) >> 16) + ((v + 0xf000) >> 16);

	dialogue_store(to, (digits + 0x30303030 + letters * ('a' - '9' - 1)) >> (4 - n) * 8);
	return n;
}

/* Of the groups that are zero (bit n = group n) those that "::" stands for: the longest run, of equals the first, never one alone (RFC 5952). */
PKT_OPAQUE __u32 dialogue_run(__u32 zero);
PKT_OPAQUE __u32 dialogue_run(__u32 zero)
{
	__u32 begins = zero & 0xff, longest = 0, n = 0;

	if (pst_no_dialogue)
		return 0;
	for (__u32 i = 1; i < 8; i++) {
		begins &= zero >> i; /* where i + 1 zeros begin */
		if (begins) {
			longest = begins;
			n = i + 1;
		}
	}
	return n ? ((1u << n) - 1) * (longest & -longest) : 0;
}

PKT_INLINE __u32 dialogue_addr4(__u8 *to, const struct pst_addr *a)
{
	__u32 n = 0;

	for (int i = 12; i < 16; i++)
		n += dialogue_octet(to + n, a->b[i]);
	return n - 1;
}

PKT_INLINE __u32 dialogue_addr6(__u8 *to, const struct pst_addr *a)
{
	__u32 zero = 0, run, n = 0, left_out = 0;

	for (int i = 0; i < 8; i++)
		zero |= (((pkt_be16(a->b + 2 * i) + 0xffff) >> 16) ^ 1) << i;
	run = dialogue_run(zero) & 0xff;
	for (int i = 0; i < 8; i++) {
		__u32 out = run >> i & 1;

		to[n] = ':';
		to[n + 1] = ':';
		n += (out & ~left_out) * 2; /* the run begins */
		n += (i > 0) & ~out & ~left_out & 1;
		n += dialogue_hextet(to + n, pkt_be16(a->b + 2 * i)) * (out ^ 1);
		left_out = out;
		PKT_PIN(n);
		n &= 63; /* changes nothing: 41 at most; a verifier that multiplies no ranges has lost them (Linux 6.1) */
	}
	return n;
}

/* --- saying ---------------------------------------------------------------------- */

/* Where the next text goes, or NULL when there is no room. */
PKT_INLINE __u8 *dialogue_end(struct dialogue *d)
{
	__u32 at = d->nout;

	PKT_PIN(at);
	return at > DIALOGUE_OUT ? (void *)0 : d->out + at;
}

PKT_INLINE void dialogue_fixed(struct dialogue *d, __u32 reply)
{
	__u8 *to = dialogue_end(d);

	if (!to || reply >= DIALOGUE_FIXED_MAX)
		return;
	for (int i = 0; i < 28; i += 4)
		*(__u32 *)(to + i) = *(const __u32 *)(dialogue_texts[reply].text + i);
	d->nout += dialogue_texts[reply].n;
}

/* Copies a row of pst_text to the end. Returns its length, 0 = there is none. */
PKT_INLINE __u32 dialogue_row(__u8 *to, __u32 row)
{
	const struct pst_text *t = bpf_map_lookup_elem(&pst_text, &row);

	if (!t || t->n > PST_TEXT_MAX - 4)
		return 0;
	for (int i = 0; i < PST_TEXT_MAX - 4; i += 4)
		*(__u32 *)(to + i) = *(const __u32 *)(t->text + i);
	return t->n;
}

PKT_INLINE void dialogue_say_row(struct dialogue *d, __u32 row, __u32 instead)
{
	__u8 *to = dialogue_end(d);
	__u32 n = to ? dialogue_row(to, row) : 0;

	if (n)
		d->nout += n;
	else
		dialogue_fixed(d, instead);
}

/* "550 5.7.1 ADDRESS is banned: REASON; see URL", or 554. A function of its own: it is checked once. */
PKT_OPAQUE int dialogue_refusal(struct dialogue *d);
PKT_OPAQUE int dialogue_refusal(struct dialogue *d)
{
	const __u32 *word;
	__u8 *to;
	__u32 n = 10, text, more;

	if (!d || pst_no_dialogue)
		return 0;
	to = dialogue_end(d);
	if (!to)
		return 0;
	word = (const void *)&d->p.src;
	__builtin_memcpy(to, "550 5.7.1 ", 10);
	to[2] = d->banner ? '4' : '0';
	if (!word[0] && !word[1] && word[2] == pkt_swap32(0xffff))
		n += dialogue_addr4(to + n, &d->p.src);
	else
		n += dialogue_addr6(to + n, &d->p.src);
	PKT_PIN(n);
	n &= 63; /* changes nothing: 10 and at most 39 */
	text = dialogue_row(to + n, d->text) & 127;
	if (text) {
		n += text;
		PKT_PIN(n);
		more = dialogue_row(to + n, PST_TEXT_MORE);
		if (!more)
			dialogue_store(to + n, '\r' | '\n' << 8);
		d->nout += n + (more ? more : 2);
	} else {
		dialogue_fixed(d, DIALOGUE_AGAIN);
		to[2] = d->banner ? '4' : '0';
	}
	d->refused += !d->banner;
	return 0;
}

/* Blanks before the last CRLF, until the client will be where it shall be after this reply. */
PKT_INLINE void dialogue_pad(struct dialogue *d)
{
	__u32 n = ((d->early ? DIALOGUE_MID : 0) - (d->said + d->nout)) & 3;
	__u8 *to = dialogue_end(d);

	if (!to || d->nout < 2)
		return;
	dialogue_store(to - 2, 0x20202020);
	to += n;
	to[-2] = '\r';
	to[-1] = '\n';
	d->nout += n;
}

/* --- reading ---------------------------------------------------------------------- */

/* Index of the first LF at or behind from, or DIALOGUE_NO_LF. Eight octets at a time. */
PKT_OPAQUE __u32 dialogue_lf(const struct dialogue *d, __u32 from);
PKT_OPAQUE __u32 dialogue_lf(const struct dialogue *d, __u32 from)
{
	if (!d || pst_no_dialogue)
		return DIALOGUE_NO_LF;
	for (__u32 i = 0; i < DIALOGUE_IN / 8 + 1; i++) {
		__u32 at = from + i * 8;
		__u64 x, lf;

		PKT_PIN(at);
		if (at >= d->nin || at >= DIALOGUE_IN)
			break;
		x = dialogue_load(d->in + at) ^ 0x0a0a0a0a0a0a0a0aull;
		lf = (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
		if (!lf)
			continue;
		lf = (lf & -lf) >> 7; /* 256 to the power of the octet's index */
		at += (__u32)(lf * 0x0001020304050607ull >> 56);
		return at < d->nin ? at : DIALOGUE_NO_LF;
	}
	return DIALOGUE_NO_LF;
}

/* What the line that begins with these eight octets is answered with. */
PKT_OPAQUE __u32 dialogue_verb(__u64 line);
PKT_OPAQUE __u32 dialogue_verb(__u64 line)
{
	__u32 four = (__u32)line & 0xdfdfdfdf, fifth = line >> 32 & 0xff; /* in capitals */

	if (pst_no_dialogue || line & 0x80808080)
		return DIALOGUE_NOTHING;
	if (fifth == ' ' || fifth == '\t' || fifth == '\r' || fifth == '\n') {
#define DIALOGUE_X(a, b, c, d, reply)                                     \
		if (four == ((a) | (b) << 8 | (c) << 16 | (__u32)(d) << 24)) \
			return DIALOGUE_##reply;
		DIALOGUE_VERBS(DIALOGUE_X)
#undef DIALOGUE_X
	}
	/* 'A' to 'Z' each: something that calls itself a command */
	if (((four + 0x3f3f3f3f) & 0x80808080) == 0x80808080 && !((four + 0x25252525) & 0x80808080))
		return DIALOGUE_UNKNOWN;
	return DIALOGUE_NOTHING;
}

PKT_INLINE int dialogue_has_room(const struct dialogue *d, __u32 bytes)
{
	__u32 end = d->nout + bytes;

	return end <= DIALOGUE_OUT && end <= d->nin + DIALOGUE_GROWTH;
}

PKT_INLINE void dialogue_say(struct dialogue *d, __u32 reply)
{
	if (reply == DIALOGUE_HELLO)
		dialogue_say_row(d, PST_TEXT_HELLO, DIALOGUE_OK);
	else if (reply == DIALOGUE_REFUSAL && !d->refused)
		dialogue_refusal(d);
	else
		dialogue_fixed(d, reply == DIALOGUE_REFUSAL ? DIALOGUE_AGAIN : reply);
}

/* Reads and answers the line at d->at. 0 = it is not to be answered now, nor is what follows it. */
PKT_OPAQUE int dialogue_line(struct dialogue *d);
PKT_OPAQUE int dialogue_line(struct dialogue *d)
{
	__u32 at, end, next, reply;
	int whole, rest;

	if (!d || pst_no_dialogue)
		return 0;
	at = d->at;
	PKT_PIN(at);
	if (at >= d->nin || at >= DIALOGUE_IN)
		return 0;
	end = dialogue_lf(d, at);
	whole = end != DIALOGUE_NO_LF;
	next = whole ? end + 1 : d->nin;
	rest = !at && (d->said & 3) == DIALOGUE_MID;
	reply = dialogue_verb(dialogue_load(d->in + at));
	d->at = next;
	if (reply == DIALOGUE_NOTHING || (reply == DIALOGUE_UNKNOWN && (rest || !whole))) {
		if (rest) {
			d->eaten = next;
			d->early = !whole;
		}
		return 1;
	}
	if (!dialogue_has_room(d, reply == DIALOGUE_REFUSAL && !d->refused ? DIALOGUE_GROWTH :
				  reply == DIALOGUE_HELLO		    ? PST_TEXT_MAX :
									      32))
		return 0;
	dialogue_say(d, reply);
	d->eaten = next;
	d->fin = reply == DIALOGUE_BYE;
	d->early = !whole && !d->fin; /* our FIN counts one more, and after it nothing is read */
	return !d->fin;
}

/*
 * The answer to d->in[0..nin) of a client that has had d->said octets. Sets nout, eaten, fin, refused. Nothing
 * said and nothing eaten = no answer is due. A client that has had nothing gets the greeting in
 * front of everything: what it knows already it will drop as received before.
 */
PKT_INLINE void dialogue_answer(struct dialogue *d)
{
	d->at = d->eaten = d->nout = d->early = d->fin = d->refused = 0;
	if (d->banner || d->said > DIALOGUE_SAID_END) {
		if (d->banner)
			dialogue_refusal(d);
		else
			dialogue_fixed(d, DIALOGUE_TOO_MUCH);
		d->fin = 1;
	} else {
		if (!d->said) {
			dialogue_say_row(d, PST_TEXT_GREETING, DIALOGUE_GREETING);
			dialogue_pad(d);
		}
		for (int i = 0; i < DIALOGUE_LINES; i++)
			if (!dialogue_line(d))
				break;
	}
	if (d->fin)
		d->eaten = d->nin;
	dialogue_pad(d);
}

#endif
