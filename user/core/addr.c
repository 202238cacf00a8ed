/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/addr.h"

#define BITS_MAX 128
#define BITS4_BASE 96 /* an IPv4 /0 in the common space */

static const struct pst_prefix mapped4 = { { { [10] = 0xff, [11] = 0xff } }, BITS4_BASE };

/* Decimal without leading zeros, 0..max, the whole of s. */
static bool parse_number(struct str s, unsigned max, unsigned *out)
{
	unsigned long long v;

	if (s.n > 3 || (s.n > 1 && s.p[0] == '0') || !str_u64(s, &v) || v > max)
		return false;
	*out = (unsigned)v;
	return true;
}

static bool parse4(struct str s, __u8 out[4])
{
	for (int i = 0; i < 4; i++) {
		const char *dot = i < 3 && s.n ? memchr(s.p, '.', s.n) : NULL;
		size_t n = dot ? (size_t)(dot - s.p) : s.n;
		unsigned v;

		if ((i < 3 && !dot) || !parse_number(str_sub(s, 0, n), 255, &v))
			return false;
		out[i] = (__u8)v;
		if (dot)
			s = str_sub(s, n + 1, s.n);
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One to four hex digits from the head of s. Returns how many, 0 = none, 5 = too many. */
static size_t take_group(struct str s, unsigned *value)
{
	size_t n = 0;

	*value = 0;
	while (n < s.n && n < 5 && hex_value(s.p[n]) >= 0)
		*value = *value << 4 | (unsigned)hex_value(s.p[n++]);
	return n;
}

/*
 * RFC 4291 section 2.2, all three forms. Bytes go to b from the left; where "::" stands is
 * remembered in gap, and what came after it is moved to the right end at last.
 */
static bool parse6(struct str s, __u8 b[16])
{
	size_t at = 0, gap = 16 + 1;

	memset(b, 0, 16);
	if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
		gap = 0;
		s = str_sub(s, 2, s.n);
	}
	while (s.n) {
		unsigned group;
		size_t n = take_group(s, &group);

		if (n && n < s.n && s.p[n] == '.') { /* the last 32 bits as IPv4 */
			if (at > 12 || !parse4(s, b + at))
				return false;
			at += 4;
			break;
		}
		if (!n || n > 4 || at > 14)
			return false;
		b[at++] = (__u8)(group >> 8);
		b[at++] = (__u8)group;
		s = str_sub(s, n, s.n);
		if (!s.n)
			break;
		if (s.p[0] != ':' || s.n == 1) /* only ":" stands between groups, none at the end */
			return false;
		s = str_sub(s, 1, s.n);
		if (s.p[0] == ':') {
			if (gap <= 16)
				return false;
			gap = at;
			s = str_sub(s, 1, s.n);
		}
	}
	if (gap > 16)
		return at == 16;
	if (at == 16) /* "::" stands for at least one group */
		return false;
	memmove(b + 16 - (at - gap), b + gap, at - gap);
	memset(b + gap, 0, 16 - at);
	return true;
}

bool addr_parse(struct str text, struct pst_addr *out)
{
	struct pst_addr a = mapped4.addr;

	if (text.n >= ADDR_TEXT_MAX || !text.n)
		return false;
	if (!(memchr(text.p, ':', text.n) ? parse6(text, a.b) : parse4(text, a.b + 12)))
		return false;
	*out = a;
	return true;
}

static char *put_decimal(char *p, unsigned v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_hex(char *p, unsigned v)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift >= 0; shift -= 4)
		if (v >> shift || !shift)
			*p++ = hex[v >> shift & 15];
	return p;
}

static unsigned group_at(const struct pst_addr *a, int i)
{
	return (unsigned)a->b[2 * i] << 8 | a->b[2 * i + 1];
}

/* The first longest run of two or more zero groups (RFC 5952 section 4.2). Returns its length. */
static int zero_run(const struct pst_addr *a, int *start)
{
	int best = 1;

	*start = -1;
	for (int i = 0, n = 0; i < 8; i++) {
		n = group_at(a, i) ? 0 : n + 1;
		if (n > best) {
			best = n;
			*start = i - n + 1;
		}
	}
	return best;
}

static char *put_addr6(char *p, const struct pst_addr *a)
{
	int start, run = zero_run(a, &start);

	for (int i = 0; i < 8; i++) {
		if (i == start) {
			*p++ = ':';
			*p++ = ':';
			i += run - 1;
			continue;
		}
		if (i && i != start + run)
			*p++ = ':';
		p = put_hex(p, group_at(a, i));
	}
	return p;
}

static char *put_addr(char *p, const struct pst_addr *a)
{
	if (!addr_is4(a))
		return put_addr6(p, a);
	for (int i = 12; i < 16; i++) {
		if (i > 12)
			*p++ = '.';
		p = put_decimal(p, a->b[i]);
	}
	return p;
}

const char *addr_text(const struct pst_addr *a, char out[ADDR_TEXT_MAX])
{
	*put_addr(out, a) = '\0';
	return out;
}

enum prefix_flaw prefix_parse(struct str text, struct pst_prefix *out)
{
	const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	size_t n = slash ? (size_t)(slash - text.p) : text.n;
	bool is6 = n && memchr(text.p, ':', n);
	unsigned base = is6 ? 0 : BITS4_BASE, len = BITS_MAX - base;
	struct pst_addr a;

	if (!addr_parse(str_sub(text, 0, n), &a))
		return PREFIX_BAD_ADDRESS;
	if (slash && !parse_number(str_sub(text, n + 1, text.n), BITS_MAX - base, &len))
		return PREFIX_BAD_LENGTH;
	*out = prefix_of(&a, base + len);
	if (prefix_within(out, &mapped4) && out->len < BITS4_BASE)
		return PREFIX_BOTH_FAMILIES;
	return memcmp(&out->addr, &a, sizeof(a)) ? PREFIX_HOST_BITS : PREFIX_OK;
}

const char *prefix_flaw_text(enum prefix_flaw flaw)
{
	switch (flaw) {
	case PREFIX_OK:
		return "no flaw";
	case PREFIX_BAD_ADDRESS:
		return "not an IPv4 or IPv6 address";
	case PREFIX_BAD_LENGTH:
		return "the length after / must be 0 to 32 for IPv4, 0 to 128 for IPv6";
	case PREFIX_HOST_BITS:
		return "bits are set behind the length";
	case PREFIX_BOTH_FAMILIES:
		return "this would cover IPv4 too; all of global IPv6 is 2000::/3";
	}
	return "?";
}

const char *prefix_text(const struct pst_prefix *p, char out[PREFIX_TEXT_MAX])
{
	unsigned base = prefix_is4(p) ? BITS4_BASE : 0;
	char *end = put_addr(out, &p->addr);

	if (p->len < BITS_MAX) {
		*end++ = '/';
		end = put_decimal(end, p->len - base);
	}
	*end = '\0';
	return out;
}

struct pst_prefix prefix_of(const struct pst_addr *a, unsigned len)
{
	struct pst_prefix p = { .len = len < BITS_MAX ? len : BITS_MAX };
	unsigned whole = p.len / 8, rest = p.len % 8;

	memcpy(p.addr.b, a->b, whole);
	if (rest)
		p.addr.b[whole] = a->b[whole] & (__u8)(0xff00 >> rest);
	return p;
}

bool prefix_covers(const struct pst_prefix *p, const struct pst_addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (memcmp(p->addr.b, a->b, whole))
		return false;
	return !rest || !((p->addr.b[whole] ^ a->b[whole]) & (0xff00 >> rest) & 0xff);
}

bool prefix_within(const struct pst_prefix *outer, const struct pst_prefix *inner)
{
	return outer->len <= inner->len && prefix_covers(outer, &inner->addr);
}

struct pst_prefix prefix_source(const struct pst_addr *a)
{
	return prefix_of(a, addr_is4(a) ? BITS_MAX : 64);
}

int prefix_cmp(const void *a, const void *b)
{
	const struct pst_prefix *pa = a, *pb = b;
	int c = memcmp(&pa->addr, &pb->addr, sizeof(pa->addr));

	return c ? c : (pa->len > pb->len) - (pa->len < pb->len);
}
