/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/store_share.h"

#include <string.h>

static __u64 load(const __u64 *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void store(__u64 *at, __u64 v)
{
	__atomic_store_n(at, v, __ATOMIC_RELEASE);
}

/* Entries between the two ends; whatever the other side wrote, no more than there is room for. */
static __u64 filled(const __u64 *put, const __u64 *taken, __u64 room)
{
	__u64 n = load(put) - load(taken);

	return n < room ? n : room;
}

/* --- hints ----------------------------------------------------------------------------- */

bool store_hint(struct store_share *s, const struct pst_prefix *p)
{
	__u64 at = s->hints_put;

	if (filled(&s->hints_put, &s->hints_taken, STORE_HINTS) == STORE_HINTS) {
		store_want_sweep(s);
		return false;
	}
	s->hint[at % STORE_HINTS] = *p;
	store(&s->hints_put, at + 1);
	return true;
}

void store_want_sweep(struct store_share *s)
{
	__atomic_store_n(&s->sweep, 1, __ATOMIC_RELEASE);
}

bool store_hint_at(const struct store_share *s, unsigned ahead, struct pst_prefix *out)
{
	if (ahead >= filled(&s->hints_put, &s->hints_taken, STORE_HINTS))
		return false;
	*out = s->hint[(s->hints_taken + ahead) % STORE_HINTS];
	return true;
}

void store_hints_taken(struct store_share *s, unsigned n)
{
	store(&s->hints_taken, s->hints_taken + n);
}

/* --- rows ------------------------------------------------------------------------------ */

size_t store_row_bytes(const struct saved *r)
{
	static const size_t bytes[] = { [SAVED_BAN] = sizeof(r->ban), [SAVED_SOURCE] = sizeof(r->source), [SAVED_PASS] = sizeof(r->pass),
					[SAVED_FINDING] = sizeof(r->finding), [SAVED_GREY] = sizeof(r->grey), [SAVED_HEAD] = sizeof(r->head) };

	return offsetof(struct saved, ban) + ((unsigned)r->kind < SAVED_KIND_MAX ? bytes[r->kind] : 0);
}

bool store_row_put(struct store_share *s, const struct saved *r)
{
	__u64 at = s->rows_put;

	if (filled(&s->rows_put, &s->rows_taken, STORE_ROWS) == STORE_ROWS)
		return false;
	memcpy(&s->row[at % STORE_ROWS], r, store_row_bytes(r));
	store(&s->rows_put, at + 1);
	return true;
}

const struct saved *store_row_at(const struct store_share *s, unsigned ahead)
{
	return ahead < filled(&s->rows_put, &s->rows_taken, STORE_ROWS) ? &s->row[(s->rows_taken + ahead) % STORE_ROWS] : NULL;
}

void store_rows_taken(struct store_share *s, unsigned n)
{
	store(&s->rows_taken, s->rows_taken + n);
}

bool store_rows_are_taken(const struct store_share *s)
{
	return !filled(&s->rows_put, &s->rows_taken, STORE_ROWS);
}

bool store_is_restored(const struct store_share *s)
{
	return __atomic_load_n(&s->restored, __ATOMIC_ACQUIRE);
}
