/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ban_index.h: where a ban lies in the two tables in front of pst_bans, computed alike on both sides. Knows no
 * map. Strangers can choose addresses that meet in one place: that costs a lookup more and decides nothing.
 */
#ifndef PST_BAN_INDEX_H
#define PST_BAN_INDEX_H

#include "bpf/pkt.h"

/*
 * Neighbours differ in the last octets, which a little-endian load puts on top, where a multiplication loses them: so
 * the upper half is folded down before each.
 */
PKT_INLINE __u64 ban_index_mix(__u64 upper, __u64 lower, __u32 len)
{
	__u64 h = (upper ^ len) * 0x9e3779b97f4a7c15ull;

	h ^= h >> 32 ^ lower;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

PKT_INLINE __u64 ban_index_hash(const struct pst_prefix *p)
{
	return ban_index_mix(PKT_LOAD(__u64, p->addr.b), PKT_LOAD(__u64, p->addr.b + 8), p->len);
}

/* The bit of pst_ban_bits: word, and bit in it. mask: pst_conf.ban_mask. */
PKT_INLINE __u32 ban_index_word(__u64 hash, __u32 mask)
{
	return hash & mask & (PST_BAN_ROWS_MAX - 1);
}

PKT_INLINE __u64 ban_index_bit(__u64 hash)
{
	return 1ull << (hash >> 58);
}

/* The row of pst_ban_quick. */
PKT_INLINE __u32 ban_index_row(__u64 hash, __u32 mask)
{
	return hash >> 32 & mask;
}

/* The upper half of a place of an IPv4 host. */
PKT_INLINE __u64 ban_index_host(const struct pst_addr *addr)
{
	return (__u64)PKT_LOAD(__u32, addr->b + 12) << 32;
}

/* The time of a place: rounded down, so it ends before the ban does and never after. */
PKT_INLINE __u64 ban_index_until(__u64 until_ns)
{
	__u64 t = until_ns >> PST_QUICK_TIME_SHIFT;

	return t < PST_QUICK_UNTIL ? t : PST_QUICK_UNTIL;
}

#endif
