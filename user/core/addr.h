/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h: IP addresses and prefixes as both planes keep them (struct pst_addr and
 * struct pst_prefix of bpf/abi.h: one 128-bit space, IPv4 v4-mapped, network
 * order). Pure; no name is ever resolved here.
 */
#ifndef ADDR_H
#define ADDR_H

#include "bpf/abi.h"
#include "user/core/str.h"

#define ADDR_TEXT_MAX	46 /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)

enum prefix_flaw {
	PREFIX_OK,
	PREFIX_BAD_ADDRESS,
	PREFIX_BAD_LENGTH,
	PREFIX_HOST_BITS, /* 192.0.2.1/24: the caller says what the network would be */
	PREFIX_BOTH_FAMILIES, /* ::/0 ... ::/80 hold the v4-mapped space: they would hit IPv4 */
};

static inline bool addr_is4(const struct pst_addr *a)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, mapped, 12);
}

/* Strict text: dotted quad without leading zeros, or RFC 4291 IPv6 without zone. */
bool addr_parse(struct str text, struct pst_addr *out);
/* RFC 5952 text; IPv4 dotted. Returns out. */
const char *addr_text(const struct pst_addr *a, char out[ADDR_TEXT_MAX]);

/* "ADDR" (host prefix) or "ADDR/LEN". On HOST_BITS *out is the network that covers the text. */
enum prefix_flaw prefix_parse(struct str text, struct pst_prefix *out);
const char *prefix_flaw_text(enum prefix_flaw flaw);
/* Host prefixes without "/len". IPv4 lengths as IPv4 writes them. Returns out. */
const char *prefix_text(const struct pst_prefix *p, char out[PREFIX_TEXT_MAX]);
/* The prefix of length len (128-bit space) around a. */
struct pst_prefix prefix_of(const struct pst_addr *a, unsigned len);
bool prefix_covers(const struct pst_prefix *p, const struct pst_addr *a);
/* True when inner lies wholly in outer (equal counts). */
bool prefix_within(const struct pst_prefix *outer, const struct pst_prefix *inner);
static inline bool prefix_is4(const struct pst_prefix *p)
{
	return p->len >= 96 && addr_is4(&p->addr);
}

/* Wider than any network ever given to one holder: an IPv4 /8, an IPv6 /19. Nobody knows all who are in it. */
static inline bool prefix_is_wide(const struct pst_prefix *p)
{
	return p->len < (prefix_is4(p) ? 96 + 8 : 19);
}
/* The unit that is judged: IPv4 /32, IPv6 /64. */
struct pst_prefix prefix_source(const struct pst_addr *a);
/* memcmp order: address first, shorter prefix first. For qsort. */
int prefix_cmp(const void *a, const void *b);

#endif
