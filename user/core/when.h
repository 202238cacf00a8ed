/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * when.h: moments of CLOCK_MONOTONIC in nanoseconds. What was kept from before the machine started lies before zero, in two's complement:
 * so moments are compared by their distance, which is right for 292 years to either side. Not for the end of a ban, where ~0 is none.
 */
#ifndef WHEN_H
#define WHEN_H

#include <linux/types.h>
#include <stdbool.h>

static inline bool when_before(__u64 a_ns, __u64 b_ns)
{
	return (__s64)(a_ns - b_ns) < 0;
}

/* How long then_ns is past; 0 when it is not. */
static inline __u64 when_since(__u64 then_ns, __u64 now_ns)
{
	return when_before(then_ns, now_ns) ? now_ns - then_ns : 0;
}

#endif
