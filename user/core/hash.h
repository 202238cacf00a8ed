/* SPDX-License-Identifier: BSD-2-Clause */
/* hash.h: where an address stands in a table, keyed: strangers choose addresses. */
#ifndef HASH_H
#define HASH_H

#include "bpf/abi.h"

/*
 * SipHash-1-3 of the 16 address bytes, keyed with the seed: a stranger who owns a /32 of IPv6
 * chooses among 2^32 sources and must not be able to aim them at one place.
 */
__u64 hash_addr(const struct pst_addr *a, __u64 seed);

#endif
