/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window.h: how many events there were lately, in fixed memory. A window is WINDOW_SLOTS slots of time; the slot of
 * now is counted as far as it has come. So what is told is exact for a time between 7/8 of the window and all of it: never more
 * than happened in the window, never less than happened in 7/8 of it. Nobody is over a ceiling by the rounding.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <linux/types.h>

#define WINDOW_SLOTS 8

struct window {
	__u32 slot; /* number of the youngest, of slot_ns each */
	__u32 n[WINDOW_SLOTS]; /* by slot modulo WINDOW_SLOTS; saturating */
};

/* All zero is an empty window. slot_ns: the window's length / WINDOW_SLOTS, not 0. A clock that runs back counts into the youngest slot. */
void window_add(struct window *w, __u64 slot_ns, __u64 now_ns, __u32 n);
__u64 window_count(const struct window *w, __u64 slot_ns, __u64 now_ns);
/* When the count is below ceiling (1 or more) if nothing more comes: now_ns if it is. */
__u64 window_below_ns(const struct window *w, __u64 slot_ns, __u64 now_ns, __u64 ceiling);

#endif
