/* SPDX-License-Identifier: BSD-2-Clause */
/* grey_key.c: who is meant: the source as a text, sender and recipient as 128 bits. See grey.h */
#include "user/core/grey.h"
#include "user/core/hash.h"
#include "user/core/put.h"

/* --- does a name say its address? --------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* How many runs of decimal digits in the name have the value v, leading zeros or not. */
static unsigned numbers(struct str name, unsigned v)
{
	unsigned n = 0;

	for (size_t i = 0; i < name.n;) {
		unsigned long run = 0;
		size_t from = i;

		for (; i < name.n && is_digit(name.p[i]); i++)
			run = run < 100000 ? 10 * run + (unsigned long)(name.p[i] - '0') : run;
		n += i > from && run == v;
		i += i == from;
	}
	return n;
}

static bool contains(struct str text, struct str part)
{
	for (size_t i = 0; i + part.n <= text.n; i++)
		if (!memcmp(text.p + i, part.p, part.n))
			return true;
	return false;
}

static void put_hex_byte(struct put *o, unsigned b)
{
	char digits[2] = { "0123456789abcdef"[b >> 4 & 15], "0123456789abcdef"[b & 15] };

	put_str(o, (struct str){ digits, 2 });
}

static struct str hex(const __u8 *b, size_t n, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };

	for (size_t i = 0; i < n; i++)
		put_hex_byte(&o, b[i]);
	return put_done(&o);
}

/* The two last octets, as numbers of their own, or all four as hexadecimal digits or as twelve decimal ones. */
static bool says_four(const __u8 b[4], struct str name)
{
	char digits[12], text[8];

	for (int i = 0; i < 4; i++) {
		digits[3 * i] = (char)('0' + b[i] / 100);
		digits[3 * i + 1] = (char)('0' + b[i] / 10 % 10);
		digits[3 * i + 2] = (char)('0' + b[i] % 10);
	}
	if (contains(name, hex(b, 4, text, sizeof(text))) || contains(name, (struct str){ digits, sizeof(digits) }))
		return true;
	return b[2] == b[3] ? numbers(name, b[2]) >= 2 : numbers(name, b[2]) && numbers(name, b[3]);
}

/* A word between dots and hyphens that is the hextet, leading zeros or not. */
static bool has_hextet(struct str name, unsigned hextet)
{
	for (size_t i = 0; i < name.n;) {
		unsigned v = 0;
		size_t from = i;

		for (; i < name.n && is_hex(name.p[i]) && i - from < 5; i++)
			v = 16 * v + (unsigned)(is_digit(name.p[i]) ? name.p[i] - '0' : name.p[i] - 'a' + 10);
		if (i > from && i - from < 5 && v == hextet && (i == name.n || name.p[i] == '.' || name.p[i] == '-'))
			return true;
		while (i < name.n && name.p[i] != '.' && name.p[i] != '-')
			i++;
		i++;
	}
	return false;
}

#define HEXTETS_TOLD 3 /* more than chance */

/* One half as sixteen digits, whatever stands between them, or three of the hextets. */
static bool says_six(const __u8 b[16], struct str name)
{
	char plain[MAILBOX_DOMAIN_MAX], text[16];
	struct put o = { .p = plain, .max = sizeof(plain) };
	unsigned told = 0;

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != '.' && name.p[i] != '-')
			put_str(&o, str_sub(name, i, i + 1));
	for (int i = 0; i < 16; i += 8)
		if (contains(put_done(&o), hex(b + i, 8, text, sizeof(text))))
			return true;
	for (int i = 0; i < 16; i += 2) {
		unsigned hextet = (unsigned)b[i] << 8 | b[i + 1];

		told += hextet && has_hextet(name, hextet);
	}
	return told >= HEXTETS_TOLD;
}

bool grey_name_is_address(const struct pst_addr *a, struct str name)
{
	return addr_is4(a) ? says_four(a->b + 12, name) : says_six(a->b, name);
}

/* --- the source ------------------------------------------------------------------------ */

static size_t labels(struct str name)
{
	size_t n = name.n > 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

/* The name without its first label, never fewer than two labels, and not what registries sell under: "co.uk". */
static struct str domain_above(struct str name)
{
	const char *dot = memchr(name.p, '.', name.n);
	struct str above;
	size_t second;

	if (labels(name) < 3)
		return name;
	above = str_sub(name, (size_t)(dot + 1 - name.p), name.n);
	second = (size_t)((const char *)memchr(above.p, '.', above.n) - above.p);
	return labels(above) == 2 && second <= 3 && above.n - second - 1 == 2 ? name : above;
}

/* From another process: nothing but what a host's name is made of. */
static bool is_plain(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '_' && (c != '.' || !i || name.p[i - 1] == '.' || i + 1 == name.n))
			return false;
	}
	return labels(name) >= 2;
}

void grey_source(const struct grey_rules *r, const struct pst_addr *a, struct str name, char out[GREY_SOURCE_MAX])
{
	unsigned len = addr_is4(a) ? 96 + r->ipv4 : r->ipv6;
	struct pst_prefix network;
	char text[PREFIX_TEXT_MAX];

	_Static_assert(PREFIX_TEXT_MAX <= GREY_SOURCE_MAX, "every network has room");
	if (r->by_name && is_plain(name) && !grey_name_is_address(a, name)) {
		struct str domain = domain_above(name);

		if (domain.n < GREY_SOURCE_MAX) {
			memcpy(out, domain.p, domain.n);
			out[domain.n] = '\0';
			return;
		}
	}
	network = prefix_of(a, len);
	prefix_text(&network, text);
	memcpy(out, text, strlen(text) + 1);
}

/* --- sender and recipient ---------------------------------------------------------------- */

/* In clear: not secrets, only two different hashes. */
static const __u64 halves[2][2] = { { 0x67726579206f6e65, 1 }, { 0x677265792074776f, 2 } };

static struct str spell(const struct mailbox *m, char *out, size_t size)
{
	struct put o = { .p = out, .max = size };

	for (size_t i = 0; i < m->nlocal; i++) {
		char c = m->local[i];

		c = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
		put_str(&o, (struct str){ &c, 1 });
	}
	if (m->kind == MAILBOX_DOMAIN || m->kind == MAILBOX_LITERAL) {
		put_text(&o, "@");
		put_str(&o, (struct str){ m->domain, m->ndomain });
	}
	return put_done(&o);
}

void grey_sender(const struct mailbox *from, __u64 out[2])
{
	char text[MAILBOX_LOCAL_MAX + 1 + MAILBOX_DOMAIN_MAX];
	struct str s = spell(from, text, sizeof(text));

	for (int i = 0; i < 2; i++)
		out[i] = hash_bytes(halves[i], s);
}

void grey_key(const __u64 sender[2], const struct mailbox *to, __u64 out[2])
{
	__u64 key[2];

	grey_sender(to, key);
	for (int i = 0; i < 2; i++)
		out[i] = hash_bytes((__u64[2]){ sender[i], i + 1 }, (struct str){ (const char *)key, sizeof(key) });
}

bool grey_exempts(const struct sender_list *l, const struct mailbox *m)
{
	struct sender_list one = *l;
	struct sender_rules rules = { .list = &one, .nlists = 1 };

	return l->nrules && sender_decide(&rules, m, false).list;
}
