/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/lists.h"

#define DIGITS 17 /* the length, and the address from its last byte on: the least significant first */

static unsigned digit_of(const struct lists_entry *e, unsigned digit)
{
	return digit ? e->prefix.addr.b[16 - digit] : e->prefix.len;
}

/* One stable pass; false, and nothing done, when all entries have the same digit. */
static bool pass(const struct lists_entry *from, struct lists_entry *to, size_t n, unsigned digit, size_t count[256])
{
	size_t at = 0;

	if (count[digit_of(from, digit)] == n)
		return false;
	for (unsigned v = 0; v < 256; v++) {
		size_t here = count[v];

		count[v] = at;
		at += here;
	}
	for (size_t i = 0; i < n; i++)
		to[count[digit_of(&from[i], digit)]++] = from[i];
	return true;
}

void lists_sort(struct lists_entry *e, struct lists_entry *spare, size_t n)
{
	struct lists_entry *from = e, *to = spare;
	size_t count[DIGITS][256] = { 0 };

	if (!n)
		return;
	for (size_t i = 0; i < n; i++)
		for (unsigned digit = 0; digit < DIGITS; digit++)
			count[digit][digit_of(&e[i], digit)]++;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		if (pass(from, to, n, digit, count[digit])) {
			struct lists_entry *t = from;

			from = to;
			to = t;
		}
	}
	if (from != e)
		memcpy(e, from, n * sizeof(*e));
}
