/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gatelist6.c: IPv6. A prefix's class is changed in place, under the lock that its value has for this: a hash
 * would put another value into other memory and recycle the old at once, under a packet that reads it.
 *
 * The bytes of the filter mean signs of prefix lengths, and another table has other signs. While they are
 * rewritten the program is told to look for every length of both tables; then no byte is asked.
 */
#include "user/gatelist_int.h"

#include <errno.h>
#include <stddef.h>

#include "user/lpm.h"

int list6_read(struct replace *r)
{
	long n = lpm_read(r->m->net6, &r->old6);

	if (n < 0)
		return (int)n;
	r->nold6 = (size_t)n;
	return 0;
}

void list6_mark(struct replace *r)
{
	for (size_t i = 0; i < r->nold6; i++)
		r->used[r->old6[i].value & 255] = true;
}

static struct lpm_diff diff_of(const struct replace *r)
{
	return (struct lpm_diff){ .old = r->old6, .nold = r->nold6, .want = r->t->net6, .nwant = r->t->nnet6 };
}

int list6_add(struct replace *r)
{
	struct lpm_diff d = diff_of(r);

	for (size_t i = 0; i < r->t->nnet6; i++)
		r->t->net6[i].value = r->number[r->t->net6[i].value];
	return lpm_apply(r->m->net6, &d, LPM_ADD, false);
}

void list6_undo(struct replace *r)
{
	struct lpm_diff d = diff_of(r);

	lpm_apply(r->m->net6, &d, LPM_ADD, true);
}

/* Fills the entry that is not in force, and puts it in force. No packet reads it: list_grace() was called since it was. */
static void lens_put(struct replace *r, const struct pst_lens6 *want)
{
	const size_t behind = offsetof(struct pst_lens6, n);
	__u32 next = !r->lens6->now;

	memcpy((char *)&r->lens6[next] + behind, (const char *)want + behind, sizeof(*want) - behind);
	__atomic_store_n(&r->lens6->now, next, __ATOMIC_RELEASE);
}

/* Every length of both tables, for every source. */
static void lens_of_both(const struct replace *r, struct pst_lens6 *out)
{
	bool has[129] = { 0 };

	for (size_t i = 0; i < r->nold6; i++)
		has[r->old6[i].prefix.len] = true;
	for (size_t i = 0; i < r->t->lens6.n; i++)
		has[r->t->lens6.row[i].len] = true;
	table_lens6(out, has);
	out->all = 1;
}

int list6_switch(struct replace *r)
{
	struct lpm_diff d = diff_of(r);
	struct pst_lens6 both;
	int e;

	lens_of_both(r, &both);
	lens_put(r, &both);
	e = list_grace();
	if (!e)
		e = lpm_apply(r->m->net6, &d, LPM_CHANGE, false);
	if (e)
		return e;
	for (size_t i = 0; i < PST_CELLS; i++)
		if (r->cell6[i] != r->t->cell6[i])
			r->cell6[i] = r->t->cell6[i];
	lens_put(r, &r->t->lens6);
	return 0;
}

int list6_remove(struct replace *r)
{
	struct lpm_diff d = diff_of(r);

	return lpm_apply(r->m->net6, &d, LPM_REMOVE, false);
}
