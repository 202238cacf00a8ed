/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table_model.h: the meaning of the lists straight from the words, and sets of prefixes on which tables go wrong: a
 * small world in which they nest, touch, repeat and have every length.
 */
#ifndef TABLE_MODEL_H
#define TABLE_MODEL_H

#include <stdlib.h>

#include "selftests/unit/rnd.h"
#include "user/core/table.h"

/* The lists that a is on, by looking at every prefix. IPv6 prefixes cover no IPv4 address. */
static inline __u64 model_lists(const struct lists_entry *e, size_t n, const struct pst_addr *a)
{
	__u64 lists = 0;

	for (size_t i = 0; i < n; i++)
		if (prefix_covers(&e[i].prefix, a) && prefix_is4(&e[i].prefix) == addr_is4(a))
			lists |= 1ull << e[i].value;
	return lists;
}

static inline struct pst_addr model_addr(void)
{
	static const __u8 bytes[] = { 0x00, 0x80, 0xff, 0x01, 0xfe, 0x7f };
	struct pst_addr a = { { [10] = 0xff, 0xff } };

	if (rnd_below(2)) {
		a = (struct pst_addr){ { rnd_below(4) ? 0x20 : 0 } };
		for (int i = 0; i < 3; i++)
			a.b[rnd_below(16)] = bytes[rnd_below(sizeof(bytes))];
	} else {
		for (int i = 12; i < 16; i++)
			a.b[i] = rnd_below(3) ? 0 : bytes[rnd_below(sizeof(bytes))];
	}
	return a;
}

static inline struct lists_entry model_entry(unsigned nlists)
{
	static const unsigned lengths4[] = { 96, 97, 104, 112, 119, 120, 121, 126, 127, 128 };
	static const unsigned lengths6[] = { 0, 1, 2, 3, 8, 26, 27, 28, 32, 48, 64, 80, 96, 126, 127, 128 };
	struct pst_addr a = model_addr();
	unsigned len = addr_is4(&a) ? lengths4[rnd_below(10)] : lengths6[rnd_below(16)];

	if (!rnd_below(3))
		len = addr_is4(&a) ? 96 + rnd_below(33) : rnd_below(129);
	if ((len <= 3 || (addr_is4(&a) && len < 99)) && rnd_below(10)) /* or they would answer for all */
		len = 128;
	return (struct lists_entry){ .prefix = prefix_of(&a, len), .value = rnd_below(nlists) };
}

/* First, last and neighbours of a prefix: where matchers go wrong. */
static inline struct pst_addr model_edge(const struct pst_prefix *p)
{
	struct pst_addr a = p->addr;
	bool last = rnd_below(2);

	for (unsigned bit = p->len; bit < 128 && last; bit++)
		a.b[bit / 8] |= (__u8)(0x80 >> bit % 8);
	if (rnd_below(2))
		for (int i = 15; i >= 0 && (last ? ++a.b[i] == 0 : a.b[i]-- == 0); i--)
			;
	return a;
}

/* Somewhere inside a prefix. */
static inline struct pst_addr model_inside(const struct pst_prefix *p)
{
	struct pst_addr a = p->addr;

	for (unsigned bit = p->len; bit < 128; bit++)
		if (rnd_below(2))
			a.b[bit / 8] |= (__u8)(0x80 >> bit % 8);
	return a;
}

static inline struct pst_addr model_probe(const struct lists_entry *e, size_t n)
{
	const struct pst_prefix *p = n ? &e[rnd_below((unsigned)n)].prefix : NULL;

	switch (p ? rnd_below(4) : 0) {
	case 0:
		return model_addr();
	case 1:
		return model_inside(p);
	default:
		return model_edge(p);
	}
}

static inline struct table *model_table(size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	*t = (struct table){
		.cell4 = calloc(PST_CELLS, 1),
		.cell6 = calloc(PST_CELLS, 1),
		.leaf4 = calloc(n + 1, sizeof(*t->leaf4)),
		.rich4 = calloc(n + 1, sizeof(*t->rich4)),
		.net6 = calloc(n + 1, sizeof(*t->net6)),
		.leaf4_max = n,
		.rich4_max = n,
		.net6_max = n,
	};
	return t;
}

static inline void model_table_free(struct table *t)
{
	free(t->cell4);
	free(t->cell6);
	free(t->leaf4);
	free(t->rich4);
	free(t->net6);
	free(t);
}

#endif
