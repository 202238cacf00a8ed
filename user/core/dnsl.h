/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dnsl.h: DNS lists (RFC 5782): what a zone is asked about an address, what its answer means, and what all answers together
 * weigh. Pure, over tables that the configuration made.
 *
 * A zone is asked once, however many rules it has. A rule adds its weight once, when one record at least is a listing that one of
 * its filters has. 127.0.0.1, 127.255.255.0/24 and everything outside 127.0.0.0/8 are no listings: so answer zones that refuse the
 * resolver, domains that were sold and resolvers that lie about names that do not exist. An answer with such a record is an
 * error as a whole, and an error weighs nothing.
 */
#ifndef DNSL_H
#define DNSL_H

#include "bpf/abi.h"
#include "user/core/str.h"

#define DNSL_ZONES_MAX	32
#define DNSL_RULES_MAX	64
#define DNSL_WEIGHT_MAX 1000
#define DNSL_NAME_MAX	253 /* of a question */
#define DNSL_DOMAIN_MAX (DNSL_NAME_MAX - 64) /* IPv6 needs two octets a nibble */
#define DNSL_LIFE_MIN_S 60
#define DNSL_LIFE_MAX_S 3600

struct dnsl_filter {
	bool mask;	    /* otherwise a pattern */
	__u32 bits;	    /* of a mask: one of them is set in the answer's last three octets */
	__u64 octet[3][4];  /* of a pattern: the values that the second, third and fourth octet may have */
};

struct dnsl_rule {
	const char *name; /* what clients, logs and operators are told; the zone's own may be a secret */
	unsigned zone;
	const struct dnsl_filter *filter;
	size_t nfilters; /* none = every listing */
	int weight;	 /* negative: the list speaks for an address */
	const char *text; /* what a refused client is told; "" = the default */
	unsigned line;
};

struct dnsl_zone {
	const char *name;   /* of its first rule */
	const char *domain; /* what is asked */
	bool asked4, asked6;
	bool untested; /* it has no test entries: believed as it is */
};

struct dnsl_rules {
	const struct dnsl_zone *zone;
	size_t nzones;
	const struct dnsl_rule *rule;
	size_t nrules;
	int enforce;
	int ban;  /* 0 = off */
	int skip; /* negative; 0 = off */
};

/* Reads "127.0.0.[2..11;13]" (numbers and ranges in place of each octet) or "&0x04". NULL, or what is wrong with it. */
const char *dnsl_filter_read(struct str text, struct dnsl_filter *out);
bool dnsl_filter_has(const struct dnsl_filter *f, const unsigned char answer[4]);

/* "7.100.51.198.zen.example"; nibbles: as an IPv6 address is asked for. domain: DNSL_DOMAIN_MAX octets at most. Returns the length; out is NUL-terminated. */
size_t dnsl_name(const struct pst_addr *addr, bool nibbles, const char *domain, char out[DNSL_NAME_MAX + 1]);

enum dnsl_meaning { DNSL_CLEAN, DNSL_LISTED, DNSL_ERROR };

/* What one record says, whatever the rules are. */
enum dnsl_meaning dnsl_record(const unsigned char answer[4]);
/* What all n records of an answer say: LISTED when a rule of the zone matches. Sets the bits of such rules in *matched, and clears none. */
enum dnsl_meaning dnsl_answer(const struct dnsl_rules *r, unsigned zone, const unsigned char (*answer)[4], size_t n, __u64 *matched);

/* How long an answer is believed whose records say ttl_s; of a denial, as RFC 2308 has it. */
unsigned dnsl_life(unsigned ttl_s);

/* What is known of an address so far. */
struct dnsl_known {
	__u64 matched; /* a bit per rule */
	__u32 asked;   /* a bit per zone whose answer is still awaited */
	__u32 failed;  /* a bit per zone that gave no answer, or an error */
	unsigned life_s; /* of the shortest-lived answer */
};

/* In the order of strictness. OPEN: it hangs on answers that have not come. */
#define DNSL_VERDICTS(X) X(OPEN, "open") X(SKIP, "skip") X(PASS, "pass") X(ENFORCE, "enforce") X(BAN, "ban")

enum dnsl_does {
#define DNSL_X(sym, name) DNSL_##sym,
	DNSL_VERDICTS(DNSL_X)
#undef DNSL_X
};

struct dnsl_verdict {
	unsigned does; /* enum dnsl_does: what holds whatever the answers are that have not come */
	bool over;     /* all have */
	bool sure;     /* and no zone failed */
	int score;     /* so far */
	unsigned life_s;
	const struct dnsl_rule *worst; /* of those that matched, the heaviest; the first of equals. NULL = none speaks against it */
	__u64 matched;
};

/* A zone that failed weighs nothing; one whose answer is awaited could weigh anything that its rules can. */
struct dnsl_verdict dnsl_weigh(const struct dnsl_rules *r, const struct dnsl_known *k);
/* "score 1, zen.example 3, dnswl.example -2", as many names as fit. Returns the length. */
size_t dnsl_told(const struct dnsl_rules *r, const struct dnsl_verdict *v, char *out, size_t size);
const char *dnsl_does_name(unsigned does);

/* What its tests (RFC 5782 section 5) say of a zone: it lists 127.0.0.2 and ::ffff:7f00:2, and neither 127.0.0.1 nor ::ffff:7f00:1. */
#define DNSL_STATES(X) X(NEW, "untested") X(UP, "up") X(DOWN, "down")
#define DNSL_WHYS(X) \
	X(NONE, "") \
	X(SILENT, "no answer") \
	X(REFUSES, "answers with what is no listing: it may refuse this resolver, or be gone") \
	X(EMPTY, "does not list its test entry 127.0.0.2") \
	X(EVERYBODY, "lists 127.0.0.1: it may list everybody") \
	X(EMPTY6, "does not list its test entry ::ffff:7f00:2") \
	X(EVERYBODY6, "lists ::ffff:7f00:1: it may list everybody")

enum dnsl_state {
#define DNSL_X(sym, name) DNSL_STATE_##sym,
	DNSL_STATES(DNSL_X)
#undef DNSL_X
	DNSL_STATE_MAX
};

enum dnsl_why {
#define DNSL_X(sym, text) DNSL_WHY_##sym,
	DNSL_WHYS(DNSL_X)
#undef DNSL_X
	DNSL_WHY_MAX
};

/* One of a zone's test questions, n from 0 on; false when it has no more. listed: what a sound zone says. */
struct dnsl_test {
	struct pst_addr addr;
	bool nibbles;
	bool listed;
	enum dnsl_why unlike; /* why it is down when it says the other */
};
bool dnsl_test(const struct dnsl_zone *z, unsigned n, struct dnsl_test *out);
/* What an answer to it makes of the zone; WHY_NONE = it is sound. */
enum dnsl_why dnsl_tested(const struct dnsl_test *t, const unsigned char (*answer)[4], size_t n);
/* A zone's name in a number: processes may have configurations of different age. */
__u64 dnsl_print(const struct dnsl_zone *z);
/* All that a verdict hangs on, likewise. */
__u64 dnsl_rules_print(const struct dnsl_rules *r);
const char *dnsl_state_name(unsigned state);
const char *dnsl_why_text(unsigned why);

#endif
