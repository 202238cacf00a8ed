/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * list.h: which lists a source is on. IPv4 is answered by one bit per /24 where there is nothing to say, else by one byte and, where
 * a list covers a /24 in part, by a second one and one hash lookup; IPv6 by one byte per /27 and, where that is not
 * zero, by a hash lookup for each prefix length the byte may speak of.
 *
 * Writers change the tables under running packets. They rely on the order here: a bit is read before its cell, which says too
 * little only where the table of before did; a cell before the leaf it points to, and an answer that refuses is taken wherever it is found.
 */
#ifndef PST_LIST_H
#define PST_LIST_H

#include "bpf/maps.h"
#include "bpf/pkt.h"

#define NO_ACTION -1

PKT_INLINE __u32 list_cell(void *map, __u32 i)
{
	const __u32 only = 0;
	const struct pst_cells *cells = bpf_map_lookup_elem(map, &only);

	return cells && i < PST_CELLS ? cells->cell[i] : 0;
}

/* May there be anything in the /24? */
PKT_INLINE int list_some4(__u32 addr)
{
	const __u32 only = 0;
	const struct pst_some *some = bpf_map_lookup_elem(&pst_some4, &only);

	return some && some->word[addr >> 14] >> (addr >> 8 & 63) & 1;
}

/* The class of an IPv4 address in host order; 0 = none. */
PKT_INLINE __u32 list_class4(__u32 addr)
{
	__u32 cell, key;

	if (!list_some4(addr))
		return 0;
	cell = list_cell(&pst_cell4, addr >> 8);
	if (cell < PST_CELL_BITS)
		return cell;
	if (!(list_cell(&pst_part4, addr >> 8) >> (addr >> 5 & 7) & 1))
		return 0;
	key = PST_LEAF_KEY(addr >> 8, cell);
	if (cell < PST_CELL_RICH) {
		const struct pst_leaf4 *leaf = bpf_map_lookup_elem(&pst_leaf4, &key);

		return leaf && leaf->bits[addr >> 6 & 3] >> (addr & 63) & 1 ? leaf->class : 0;
	} else {
		const struct pst_rich4 *rich = bpf_map_lookup_elem(&pst_rich4, &key);

		return rich ? rich->class[addr & 255] : 0;
	}
}

PKT_INLINE const struct pst_lens6 *list_lens6(void)
{
	const __u32 first = 0;
	const struct pst_lens6 *lens = bpf_map_lookup_elem(&pst_lens6, &first);
	__u32 now = lens ? lens->now : 0;

	return bpf_map_lookup_elem(&pst_lens6, &now);
}

PKT_INLINE __u32 list_action(__u32 class)
{
	const struct pst_class *c = bpf_map_lookup_elem(&pst_class, &class);

	return c ? c->action : PST_ACT_OBSERVE;
}

/* The signs of all lengths that may have a prefix around addr. */
PKT_INLINE __u32 list_signs6(const struct pst_lens6 *lens, const struct pst_addr *addr)
{
	__u32 high = pkt_swap32(*(const __u32 *)addr);

	if (lens->all)
		return 0xff;
	return high >> 29 == 1 ? list_cell(&pst_cell6, high >> 5 & (PST_CELLS - 1)) : lens->outside;
}

/*
 * The class of the longest prefix. One that only observes gives way to a shorter one that
 * refuses: in a settled table there is none, in one that is being replaced there may be.
 */
PKT_OPAQUE __u32 list_class6(const struct pst_addr *addr);
PKT_OPAQUE __u32 list_class6(const struct pst_addr *addr)
{
	const struct pst_lens6 *lens = list_lens6();
	const __u32 *from = (const void *)addr;
	__u32 signs, found = 0;

	if (!addr || !lens || !lens->n)
		return 0;
	signs = list_signs6(lens, addr);
	if (!signs)
		return 0;
	for (__u32 i = 0; i < 129 && i < lens->n; i++) {
		const __u32 *mask = (const void *)&lens->row[i].mask;
		struct pst_lpm_key key = { .len = lens->row[i].len };
		__u32 *to = (void *)&key.addr;
		const struct pst_net6 *net;

		if (lens->row[i].sign & ~signs)
			continue;
		for (int k = 0; k < 4; k++)
			to[k] = from[k] & mask[k];
		net = bpf_map_lookup_elem(&pst_net6, &key);
		if (!net)
			continue;
		if (!found)
			found = net->class;
		if (list_action(net->class) != PST_ACT_OBSERVE)
			return net->class;
	}
	return found;
}

PKT_INLINE __u32 list_class(const struct pst_addr *src)
{
	const struct pst_addr own = *src; /* or all of struct pkt would have to live in memory, where the verifier forgets its bounds */
	const __u32 *word = (const void *)src;

	if (!word[0] && !word[1] && word[2] == pkt_swap32(0xffff))
		return list_class4(pkt_swap32(word[3]));
	return list_class6(&own);
}

/* What is to be done with a packet of src, and the list that says so; counts it for every list that src is on. */
PKT_INLINE int listed(const struct pst_addr *src, __u32 *which)
{
	__u32 class = list_class(src);
	const struct pst_class *c;
	__u64 *hits;

	if (!class)
		return NO_ACTION;
	c = bpf_map_lookup_elem(&pst_class, &class);
	hits = bpf_map_lookup_elem(&pst_class_hits, &class);
	if (hits)
		(*hits)++;
	if (!c)
		return NO_ACTION;
	*which = c->list;
	return c->action;
}

#endif
