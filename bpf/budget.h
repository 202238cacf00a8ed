/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * budget.h: how many SYNs a source, and all of them together, may send. A SYN's sender may be
 * invented, so going over the budget loses the SYN and nothing else: it is no offence and makes no ban.
 *
 * A spoofed flood brings a new source with every packet. It must not push out what is known of the
 * real ones: so a sketch of fixed size counts everybody roughly, and only who stands out above the
 * noise of the flood, and sends more than half of what the rate allows, gets a bucket of its own.
 */
#ifndef PST_BUDGET_H
#define PST_BUDGET_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/maps.h"
#include "bpf/pkt.h"

#define BUDGET_GENERATION_BITS 30 /* of nanoseconds: a count halves about every second */
#define BUDGET_GENERATION_NS   (1ull << BUDGET_GENERATION_BITS)
#define BUDGET_NOISE_SHIFT     14 /* the bar lies at four times the mean of a row's cells */
#define BUDGET_SAMPLE	       16 /* one SYN in so many is counted in the total, as so many: the cache line is everybody's */
#define BUDGET_MOST	       0xffffu /* a count that may be more */

enum budget_word { BUDGET_KEPT, BUDGET_SOURCE, BUDGET_GLOBAL, BUDGET_HELD };

PKT_INLINE int budget_on(const struct pst_conf *conf)
{
	return conf->budget.source.cost_ns || conf->budget.global.cost_ns || conf->held_ns;
}

PKT_INLINE __u64 budget_hash(const struct pst_addr *source, __u64 seed)
{
	const __u64 *half = (const void *)source;
	__u64 h = (half[0] ^ seed) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ half[1]) * 0xd6e8feb86659fd93ull;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

/*
 * A count that was made age generations ago, rounded up: one SYN is remembered for one generation more, so
 * whoever sends one in each is seen to send more than one.
 */
PKT_INLINE __u32 budget_aged(__u32 count, __u32 age)
{
	return age < 31 ? (count + (age != 0)) >> age : 0;
}

/*
 * Counts one SYN and returns how many the source has sent lately: never too few, and too many only as far
 * as all four of its cells are shared. Only the lowest cells are raised, which keeps the noise low.
 */
PKT_INLINE __u32 budget_count(struct pst_sketch *sk, __u64 hash, __u32 now)
{
	__u32 (*line)[PST_SKETCH_COLS] = sk->cell[hash & (PST_SKETCH_LINES - 1)];
	__u32 n[PST_SKETCH_ROWS], least = BUDGET_MOST - 1;

#pragma unroll
	for (__u32 row = 0; row < PST_SKETCH_ROWS; row++) {
		__u32 cell = line[row][hash >> (16 + 2 * row) & (PST_SKETCH_COLS - 1)];

		n[row] = budget_aged(cell & 0xffff, (now - (cell >> 16)) & 0xffff);
		if (n[row] < least)
			least = n[row];
	}
	least++;
#pragma unroll
	for (__u32 row = 0; row < PST_SKETCH_ROWS; row++) {
		if (n[row] < least)
			line[row][hash >> (16 + 2 * row) & (PST_SKETCH_COLS - 1)] = now << 16 | least;
	}
	return least;
}

/* All SYNs of late, as far as the sample tells. */
PKT_INLINE __u32 budget_total(const struct pst_sketch *sk, __u32 now)
{
	return budget_aged((__u32)sk->total, now - (__u32)(sk->total >> 32));
}

/* The sample: one source in so many by its first SYN, and of each source one SYN in so many. */
PKT_INLINE void budget_sample(struct pst_sketch *sk, __u64 hash, __u32 n, __u32 now)
{
	if (!(((hash >> 32) + n) & (BUDGET_SAMPLE - 1)))
		sk->total = (__u64)now << 32 | (budget_total(sk, now) + BUDGET_SAMPLE);
}

/* What a source that sent one SYN may seem to have sent, with so many others about. */
PKT_INLINE __u32 budget_bar(const struct pst_sketch *sk, __u32 now)
{
	return 1 + (budget_total(sk, now) >> BUDGET_NOISE_SHIFT);
}

/*
 * Would n SYNs in a generation be half of what the rate allows in it, and of a burst, at most? No bucket would ever be empty for such a
 * source, so none is asked. A count never says too few, and what it still has of the generation before is at least half.
 */
PKT_INLINE int budget_quiet(const struct pst_rate *rate, __u32 n)
{
	__u64 twice_ns = 2 * n * rate->cost_ns;

	if (n >= BUDGET_MOST || rate->cost_ns > BUDGET_GENERATION_NS) /* the second: no overflow above */
		return 0;
	return twice_ns <= BUDGET_GENERATION_NS && twice_ns - rate->cost_ns <= rate->slack_ns;
}

/* Takes one token; 0 = there is none. */
PKT_INLINE int budget_take(__u64 *spent_ns, const struct pst_rate *rate, __u64 now_ns)
{
	__u64 was = *spent_ns, until_ns = was & ~PST_BUCKET_HELD, from = until_ns < now_ns ? now_ns : until_ns;

	if (from - now_ns > rate->slack_ns)
		return 0;
	if (__sync_val_compare_and_swap(spent_ns, was, from + rate->cost_ns) != was)
		__sync_fetch_and_add(spent_ns, rate->cost_ns); /* another CPU took one at the same time */
	return 1;
}

/* A new bucket has paid for the SYNs that the sketch saw before it. */
PKT_INLINE struct pst_bucket *budget_bucket(const struct pst_addr *source, const struct pst_rate *rate, __u32 before, __u64 now_ns)
{
	struct pst_bucket *bucket = bpf_map_lookup_elem(&pst_buckets, source), made;
	__u64 paid_ns = before * rate->cost_ns, most_ns = rate->slack_ns + rate->cost_ns;

	if (bucket)
		return bucket;
	made.spent_ns = now_ns + (paid_ns < most_ns ? paid_ns : most_ns);
	bpf_map_update_elem(&pst_buckets, source, &made, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pst_buckets, source);
}

PKT_INLINE int budget_good(const struct pst_addr *source, __u64 now_ns)
{
	const struct pst_good *good = bpf_map_lookup_elem(&pst_good, source);

	return good && now_ns < good->until_ns;
}

PKT_INLINE struct pst_addr budget_source(const struct pst_addr *src)
{
	const __u32 *word = (const void *)src;
	struct pst_addr a = *src;

	if (word[0] || word[1] || word[2] != pkt_swap32(0xffff))
		((__u64 *)&a)[1] = 0;
	return a;
}

/* By the judge's word, whatever the rate. */
PKT_INLINE int budget_held(const struct pst_addr *source, __u64 now_ns)
{
	const struct pst_bucket *bucket = bpf_map_lookup_elem(&pst_buckets, source);

	return bucket && bucket->spent_ns & PST_BUCKET_HELD && now_ns < (bucket->spent_ns & ~PST_BUCKET_HELD);
}

/* Judges one SYN; enum budget_word. Known-good sources pass when the others' tokens are gone, but each keeps to its own. */
PKT_OPAQUE int budget(const struct pkt *p, __u64 now_ns);
PKT_OPAQUE int budget(const struct pkt *p, __u64 now_ns)
{
	const __u32 only = 0, now = now_ns >> BUDGET_GENERATION_BITS;
	const struct pst_conf *conf = bpf_map_lookup_elem(&pst_conf, &only);
	struct pst_sketch *sk = bpf_map_lookup_elem(&pst_sketch, &only);
	struct pst_addr source __attribute__((aligned(8)));
	const struct pst_budget *b;

	if (!sk || !conf || !p)
		return BUDGET_KEPT;
	b = &conf->budget;
	source = budget_source(&p->src);
	if (now_ns < conf->held_ns && budget_held(&source, now_ns))
		return BUDGET_HELD;
	if (b->source.cost_ns) {
		__u64 hash = budget_hash(&source, b->seed);
		__u32 n = budget_count(sk, hash, now);

		budget_sample(sk, hash, n, now);
		if (!budget_quiet(&b->source, n) && n > budget_bar(sk, now)) {
			struct pst_bucket *bucket = budget_bucket(&source, &b->source, n - 1, now_ns);

			if (bucket && !budget_take(&bucket->spent_ns, &b->source, now_ns))
				return BUDGET_SOURCE;
		}
	}
	if (b->global.cost_ns && !budget_take(&sk->global_ns, &b->global, now_ns) && !budget_good(&source, now_ns))
		return BUDGET_GLOBAL;
	return BUDGET_KEPT;
}

#endif
