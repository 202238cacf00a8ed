/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/herald.h"

#define V1_MAX	107 /* octets, CRLF included */
#define V2_HEAD 16

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* Version 2, the upper half of its 13th octet; the lower: */
enum { V2_LOCAL = 0x20, V2_PROXY = 0x21 };
/* Its 14th: family and transport. */
enum { V2_UNSPEC = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21 };

static unsigned be16(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static struct pst_addr addr4(const char *p)
{
	struct pst_addr a = { { [10] = 0xff, [11] = 0xff } };

	memcpy(&a.b[12], p, 4);
	return a;
}

static struct pst_addr addr6(const char *p)
{
	struct pst_addr a;

	memcpy(&a, p, 16);
	return a;
}

/* body: the addresses and whatever TLVs follow. */
static bool v2_addresses(unsigned char family, struct str body, struct herald *out)
{
	size_t each = family == V2_TCP4 ? 4 : 16;

	if (family == V2_UNSPEC)
		return true;
	if ((family != V2_TCP4 && family != V2_TCP6) || body.n < 2 * each + 4)
		return false;
	out->client = each == 4 ? addr4(body.p) : addr6(body.p);
	out->local = each == 4 ? addr4(body.p + 4) : addr6(body.p + 16);
	out->client_port = (unsigned short)be16(body.p + 2 * each);
	out->local_port = (unsigned short)be16(body.p + 2 * each + 2);
	out->known = true;
	return true;
}

static enum herald_result take_v2(struct str in, struct herald *out)
{
	unsigned char command, family;
	size_t n;

	if (in.n < V2_HEAD)
		return HERALD_MORE;
	command = (unsigned char)in.p[12];
	family = (unsigned char)in.p[13];
	n = V2_HEAD + be16(in.p + 14);
	if ((command != V2_LOCAL && command != V2_PROXY) || n > HERALD_MAX)
		return HERALD_BAD;
	if (in.n < n)
		return HERALD_MORE;
	out->n = n;
	if (command == V2_PROXY && !v2_addresses(family, str_sub(in, V2_HEAD, n), out))
		return HERALD_BAD;
	return HERALD_DONE;
}

/* The next word, cut at exactly one space; empty where two meet. */
static struct str word(struct str *rest)
{
	const char *space = memchr(rest->p, ' ', rest->n);
	size_t n = space ? (size_t)(space - rest->p) : rest->n;
	struct str w = str_sub(*rest, 0, n);

	*rest = str_sub(*rest, space ? n + 1 : n, rest->n);
	return w;
}

static bool take_port(struct str text, unsigned short *out)
{
	unsigned long long v;

	if (!str_u64(text, &v) || v > 65535)
		return false;
	*out = (unsigned short)v;
	return true;
}

static bool v1_addresses(struct str line, struct herald *out)
{
	struct str family = word(&line);
	bool four = str_eq(family, STR("TCP4"));

	if (str_eq(family, STR("UNKNOWN")))
		return true; /* the receiver must ignore the rest */
	if (!four && !str_eq(family, STR("TCP6")))
		return false;
	if (!addr_parse(word(&line), &out->client) || !addr_parse(word(&line), &out->local) || !take_port(word(&line), &out->client_port) ||
	    !take_port(line, &out->local_port))
		return false;
	out->known = true;
	return !four || (addr_is4(&out->client) && addr_is4(&out->local));
}

static enum herald_result take_v1(struct str in, struct herald *out)
{
	const char *cr = memchr(in.p, '\r', in.n < V1_MAX ? in.n : V1_MAX);
	size_t n = cr ? (size_t)(cr - in.p) : 0;

	if (!cr || n + 1 == in.n)
		return in.n < V1_MAX ? HERALD_MORE : HERALD_BAD;
	if (cr[1] != '\n' || n + 2 > V1_MAX || !v1_addresses(str_sub(in, 6, n), out))
		return HERALD_BAD;
	out->n = n + 2;
	return HERALD_DONE;
}

static bool begins(struct str in, struct str whole)
{
	return !memcmp(in.p, whole.p, in.n < whole.n ? in.n : whole.n);
}

enum herald_result herald_take(struct str in, struct herald *out)
{
	struct str v1 = STR("PROXY "), v2 = { v2_signature, sizeof(v2_signature) };

	memset(out, 0, sizeof(*out));
	if (!in.n)
		return HERALD_MORE;
	if (begins(in, v1))
		return in.n < v1.n ? HERALD_MORE : take_v1(in, out);
	if (begins(in, v2))
		return take_v2(in, out);
	return HERALD_BAD;
}
