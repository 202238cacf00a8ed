/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.h: the name of a client: what reverse DNS says of its address (RFC 1035 section 3.5, RFC 3596 section 2.5), believed only
 * if that name has the address among its own. Asynchronous, in the worker's loop. What was learnt is kept as long as the records
 * say and in a table of fixed size; no answer in time is kept for a moment only.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <event2/event.h>

#include "user/config.h"

#define RESOLVE_LOOKUPS_MAX 1024 /* under way at once; who comes on top of them has no name */

struct resolver;

struct resolve_calls {
	void (*named)(void *ctx, const struct pst_addr *addr, struct str name, enum sess_lack lack);
	void (*led)(void *ctx, const struct pst_addr *addr, struct str name, bool leads, bool unsure);
};

/* Reads /etc/resolv.conf where conf names no servers. Before the cage closes; opens no socket yet. NULL with the reason in *why. */
struct resolver *resolve_open(const struct conf_dns *conf, const char **why);
/*
 * Lookups run in base from now on. calls->named is called from the loop, once per lookup that resolve_name() began: name is canonical
 * (user/core/mailbox.h), its bytes die with the call, and it is empty when the client has none that can be confirmed; lack: why.
 * seed: of the table's hash. 0 or -ENOMEM.
 */
int resolve_start(struct resolver *r, struct event_base *base, __u64 seed, const struct resolve_calls *calls, void *ctx);
/* True: *name is known; its bytes live until the next call. False: named() will tell. */
bool resolve_name(struct resolver *r, const struct pst_addr *addr, struct str *name, enum sess_lack *lack);
/*
 * Whether addr is among the addresses of name, MAILBOX_DOMAIN_MAX octets at most: led() will tell, maybe within this call; unsure: there was no
 * answer. False: too much is asked at once, and it will not.
 */
bool resolve_leads(struct resolver *r, const struct pst_addr *addr, const char *name);
/* NULL is fine. Nobody is called any more. */
void resolve_free(struct resolver *r);

/* resolve_answer.c: what an answer says. */
#define RESOLVE_NAMES_MAX 4 /* of one address that are looked at */

struct resolve_names {
	unsigned n;
	unsigned ttl_s; /* the least of all records that led here; of a denial, as RFC 2308 section 5 has it */
	char name[RESOLVE_NAMES_MAX][MAILBOX_DOMAIN_MAX + 1];
};

/* "7.100.51.198.in-addr.arpa" */
#define RESOLVE_ARPA_MAX 74
void resolve_arpa(const struct pst_addr *addr, char out[RESOLVE_ARPA_MAX]);
/* The names of a reply to PTR that are host names; none when it is a denial, or malformed (then the TTL is 0). */
void resolve_read_names(const unsigned char *reply, int n, struct resolve_names *out);
#define RESOLVE_ADDRS_MAX 32 /* of one name that are looked at */
/* The IPv4 addresses of a reply to A, none when it is a denial; *ttl_s as above. False when it is malformed. */
bool resolve_read_addrs(const unsigned char *reply, int n, unsigned char addr[RESOLVE_ADDRS_MAX][4], size_t *naddrs, unsigned *ttl_s);
/* Whether a reply to A or AAAA has the address; *ttl_s as above. */
bool resolve_has_addr(const unsigned char *reply, int n, const struct pst_addr *addr, unsigned *ttl_s);

/* resolve_cache.c: names by address, a fixed number of them; the oldest of a few makes room. */
struct resolve_cache;
struct resolve_cache *resolve_cache_new(size_t entries, __u64 seed);
/* NULL is fine. */
void resolve_cache_free(struct resolve_cache *c);
/* The bytes live until the next put. */
bool resolve_cache_find(struct resolve_cache *c, const struct pst_addr *addr, __u64 now_ns, struct str *name, enum sess_lack *lack);
void resolve_cache_put(struct resolve_cache *c, const struct pst_addr *addr, struct str name, enum sess_lack lack, __u64 until_ns);

#endif
