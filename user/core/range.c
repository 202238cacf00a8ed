/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/range.h"

#define BITS_MAX 128

static struct pst_addr last_of(const struct pst_prefix *p)
{
	struct pst_addr a = p->addr;
	unsigned whole = p->len / 8;

	if (p->len < BITS_MAX) {
		a.b[whole] |= (__u8)(0xff >> p->len % 8);
		memset(a.b + whole + 1, 0xff, sizeof(a.b) - whole - 1);
	}
	return a;
}

struct range range_of(const struct pst_prefix *p)
{
	return (struct range){ p->addr, last_of(p) };
}

/* The shortest prefix that may begin at a: its host bits are a's trailing zeros. */
static unsigned shortest_at(const struct pst_addr *a)
{
	unsigned len = BITS_MAX;

	while (len && !(a->b[(len - 1) / 8] >> (7 - (len - 1) % 8) & 1))
		len--;
	return len;
}

/* Wraps to zero behind the last address. */
static void step(struct pst_addr *a)
{
	for (int i = 15; i >= 0 && !++a->b[i]; i--)
		;
}

bool range_take(struct range *r, struct pst_prefix *out)
{
	unsigned len = shortest_at(&r->first);
	struct pst_addr last;

	for (;; len++) {
		*out = (struct pst_prefix){ r->first, len };
		last = last_of(out);
		if (memcmp(&last, &r->last, sizeof(last)) <= 0)
			break;
	}
	r->first = last;
	step(&r->first);
	return memcmp(&last, &r->last, sizeof(last)) < 0;
}
