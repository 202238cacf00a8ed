/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_ledger.c: what judges know of clients and accounts, in memory that outlives them: ledger, crowd, quotas. */
#include "user/warden_int.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>

/* A new room takes over what the old one knows. */
static void ledger_move(const struct ledger *old, struct ledger *to, const struct policy *p, __u64 now)
{
	for (size_t i = 0; i < old->nentries; i++) {
		const struct ledger_entry *e = &old->entry[i];

		if (e->source.len)
			*ledger_take(to, &e->source.addr, p, now) = *e;
	}
}

int quotas_open(struct warden *w)
{
	size_t bytes;

	w->quotas = room_inherit(w, ROOM_QUOTAS, &bytes);
	if (!w->quotas)
		w->quotas = room_make(w, ROOM_QUOTAS, sizeof(*w->quotas));
	return w->quotas ? 0 : -errno;
}

static __u64 some_seed(void)
{
	__u64 seed;

	return getrandom(&seed, sizeof(seed), 0) == sizeof(seed) ? seed : kern_now_ns();
}

static int keep_open(struct warden *w, size_t n)
{
	size_t bytes = sizeof(*w->keep) + n * sizeof(struct crowd_entry);
	struct judge_keep *k = room_inherit(w, ROOM_KEEP, &w->keep_bytes);

	if (k) {
		w->keep = k;
		return 0;
	}
	k = room_make(w, ROOM_KEEP, bytes);
	if (!k)
		return -errno;
	crowd_init(&k->crowd, (struct crowd_entry *)(k + 1), n, some_seed());
	k->promote.seed = some_seed();
	w->keep = k;
	w->keep_bytes = bytes;
	return 0;
}

int ledger_open(struct warden *w, unsigned entries)
{
	size_t n = 16, bytes;
	struct ledger *l;
	int rc;

	while (n < entries)
		n *= 2;
	if (!w->keep && (rc = keep_open(w, n)))
		return rc;
	if (!w->ledger)
		w->ledger = room_inherit(w, ROOM_LEDGER, &w->ledger_bytes);
	if (w->ledger && w->ledger->nentries == n)
		return 0;
	bytes = sizeof(*l) + n * sizeof(struct ledger_entry);
	l = room_make(w, ROOM_LEDGER, bytes);
	if (!l)
		return -errno;
	ledger_init(l, (struct ledger_entry *)(l + 1), n, some_seed());
	if (w->ledger) {
		ledger_move(w->ledger, l, &w->now.conf->policy, kern_now_ns());
		munmap(w->ledger, w->ledger_bytes);
	}
	w->ledger = l;
	w->ledger_bytes = bytes;
	return 0;
}
