/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breaker.h: do automatic bans hit too much good traffic? Good traffic is mail that backends accepted, counted per source and in all,
 * both halving every half_life_s; what a ban hits is the mail of its source. When the bans of late would hit more than a share of all
 * of it, and that of more than a few sources, no further one is made for a while: a wrong test, list or point must not shut the
 * world out. Bans that stand are not touched. Pure.
 */
#ifndef BREAKER_H
#define BREAKER_H

#include <stdbool.h>

#include "bpf/abi.h"

struct breaker_rules {
	unsigned share;	      /* percent of good traffic; 0 = no breaker */
	unsigned sources;     /* with accepted mail, banned of late: fewer never open it */
	unsigned pause_s;     /* no automatic bans for so long, from the last one that would have hit good traffic */
	unsigned half_life_s; /* of what counts as late */
};

/* Something that is counted and halves: all zero = nothing. */
struct breaker_count {
	__u64 milli, when_ns;
};

struct breaker {
	struct breaker_count good;    /* messages accepted, of all */
	struct breaker_count hit;     /* messages of the sources that were banned */
	struct breaker_count sources; /* that were banned and had mail accepted */
	__u64 open_until_ns;	      /* 0 = never opened */
};

enum breaker_word {
	BREAKER_PASS,  /* ban it: it has been counted */
	BREAKER_OPENS, /* do not; so it is from now on */
	BREAKER_IS_OPEN, /* do not */
};

/* n messages of a source were accepted. source: its own count, kept by the caller. */
void breaker_mail(struct breaker *b, const struct breaker_rules *r, struct breaker_count *source, unsigned n, __u64 now_ns);
/* May a source be banned by a machine's word that is not yet banned? Properties (tested): a source without mail never opens it; time alone closes it. */
enum breaker_word breaker_ban(struct breaker *b, const struct breaker_rules *r, const struct breaker_count *source, __u64 now_ns);
bool breaker_is_open(const struct breaker *b, const struct breaker_rules *r, __u64 now_ns);
/* How much of the good traffic of late its bans hit, in percent rounded to nearest; 0 without any. */
unsigned breaker_share(const struct breaker *b, const struct breaker_rules *r, __u64 now_ns);
/* Whole ones, to the nearest. */
__u64 breaker_count(const struct breaker_count *c, const struct breaker_rules *r, __u64 now_ns);

#endif
