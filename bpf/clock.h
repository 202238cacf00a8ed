/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * clock.h: the coarse clock (CLOCK_MONOTONIC as of the last tick) for the price of two loads. It stands still between two ticks,
 * so it is asked once in each, by whoever comes first, and kept for the others. The kernel counts a tick a moment before
 * it moves its clock: who asks in that moment keeps the clock one tick behind until the next. Never ahead.
 */
#ifndef PST_CLOCK_H
#define PST_CLOCK_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/pkt.h"

__u64 clock_tick, clock_then_ns; /* shared by the CPUs: written once a tick */

PKT_INLINE __u64 clock_ns(void)
{
	__u64 tick = bpf_jiffies64(), now_ns; /* a load: the kernel puts no call here */

	if (*(volatile __u64 *)&clock_tick == tick)
		return *(volatile __u64 *)&clock_then_ns;
	now_ns = bpf_ktime_get_coarse_ns();
	*(volatile __u64 *)&clock_then_ns = now_ns; /* before the tick, or others would take what was there before */
	*(volatile __u64 *)&clock_tick = tick;
	return now_ns;
}

#endif
