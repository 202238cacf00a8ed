/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_grey.c: the greylist's memory. It outlives judges, and a reload that gives it another size. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "user/warden_int.h"

static size_t size_for(unsigned entries)
{
	size_t n = GREY_ENTRIES_MIN;

	while (n < entries)
		n *= 2;
	return n;
}

static void move(const struct grey *old, struct grey *to, const struct grey_rules *r)
{
	__u64 now_ns = kern_now_ns();

	for (size_t i = 0; i < old->nentries; i++)
		grey_adopt(to, r, &old->entry[i], now_ns);
}

/* Turned off it keeps what it has: it may be turned on again. */
int grey_open(struct warden *w, const struct grey_rules *r)
{
	size_t n = size_for(r->entries), bytes = sizeof(struct grey) + n * sizeof(struct grey_entry);
	__u64 seed[2];
	struct grey *g;

	if (!w->grey)
		w->grey = room_inherit(w, ROOM_GREY, &w->grey_bytes);
	if (r->mode == GREY_OFF || (w->grey && w->grey->nentries == n))
		return 0;
	g = room_make(w, ROOM_GREY, bytes);
	if (!g)
		return -errno;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
		munmap(g, bytes);
		return -EIO;
	}
	grey_init(g, (struct grey_entry *)(g + 1), n, seed);
	if (w->grey) {
		move(w->grey, g, r);
		munmap(w->grey, w->grey_bytes);
	}
	w->grey = g;
	w->grey_bytes = bytes;
	return 0;
}
