/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/window.h"

#include <string.h>

static __u32 slot_of(__u64 slot_ns, __u64 now_ns)
{
	return (__u32)(now_ns / slot_ns);
}

/* How far now is ahead of the youngest slot. Far behind it is another length of slot, or another boot: nothing is known then. */
static __u32 ahead(const struct window *w, __u32 slot)
{
	__u32 behind = w->slot - slot;

	return behind < WINDOW_SLOTS ? 0 : slot - w->slot;
}

void window_add(struct window *w, __u64 slot_ns, __u64 now_ns, __u32 n)
{
	__u32 slot = slot_of(slot_ns, now_ns), step = ahead(w, slot), *at;

	if (step >= WINDOW_SLOTS) {
		memset(w->n, 0, sizeof(w->n));
		w->slot = slot;
	}
	while (w->slot != slot && step--)
		w->n[++w->slot % WINDOW_SLOTS] = 0;
	at = &w->n[w->slot % WINDOW_SLOTS];
	*at = *at > ~0u - n ? ~0u : *at + n;
}

/* Of the slots that still count when the youngest is `step` slots old. */
static __u64 count_after(const struct window *w, __u32 step)
{
	__u64 sum = 0;

	for (__u32 i = 0; i + step < WINDOW_SLOTS; i++)
		sum += w->n[(w->slot - i) % WINDOW_SLOTS];
	return sum;
}

__u64 window_count(const struct window *w, __u64 slot_ns, __u64 now_ns)
{
	__u32 step = ahead(w, slot_of(slot_ns, now_ns));

	return step < WINDOW_SLOTS ? count_after(w, step) : 0;
}

__u64 window_below_ns(const struct window *w, __u64 slot_ns, __u64 now_ns, __u64 ceiling)
{
	__u32 step = ahead(w, slot_of(slot_ns, now_ns)), more = 0;

	while (step + more < WINDOW_SLOTS && count_after(w, step + more) >= ceiling)
		more++;
	return more ? (now_ns / slot_ns + more) * slot_ns : now_ns;
}
