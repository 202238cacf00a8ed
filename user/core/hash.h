/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h: SipHash (Aumasson and Bernstein, 2012). With a secret key nobody outside can aim at a value; with a key that everybody
 * knows it is a name for the bytes, short enough to be kept and to be sent.
 */
#ifndef HASH_H
#define HASH_H

#include "bpf/abi.h"
#include "user/core/str.h"

/*
 * Where an address stands in a table: SipHash-1-3 of its 16 bytes, keyed with the seed, for a stranger who owns a /32 of IPv6
 * chooses among 2^32 sources and must not be able to aim them at one place.
 */
__u64 hash_addr(const struct pst_addr *a, __u64 seed);
/* SipHash-2-4. */
__u64 hash_bytes(const __u64 key[2], struct str s);

#endif
