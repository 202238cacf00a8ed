/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grey.h: the greylist: a stranger's recipient is deferred once, for what does not keep mail does not come again. A bounded table
 * in memory given by the caller; pure: no malloc, no clock.
 *
 * Two kinds of entries. A triplet is source, sender and recipient: it waits from its first try on, passes when it comes again
 * between delay and window, and stays passed while it is used. A source has passes: after some it is let through at once, whoever
 * writes to whom, until it has sent no mail for so long.
 *
 * A source is not an address: a large sender's retry comes from another machine of its pool. It is the domain above the client's
 * confirmed name, or the network around its address. The key is envelope and source, never content: who sends one text to many
 * would open the door for himself. Of a pass only one in a delay counts, and only when a message was taken: many recipients tried at
 * once are one proof.
 *
 * Memory: a source's triplets have GREY_SPAN windows of GREY_PROBE entries and no more, so that no flood of one fills the table.
 * A triplet that waits makes room for nobody but its own source. What there is no room for is let pass: whatever strangers do, nobody
 * waits longer for it.
 */
#ifndef GREY_H
#define GREY_H

#include "user/core/addr.h"
#include "user/core/mailbox.h"
#include "user/core/sender.h"

#define GREY_SOURCE_MAX 64 /* with its NUL; a longer domain is not used, the network is */
#define GREY_PROBE	16
#define GREY_SPAN	8
#define GREY_ENTRIES_MIN (GREY_PROBE * GREY_SPAN)

/* stress: as enforce while the gate is under stress, else as observe */
#define GREY_MODES(X) X(OFF, "off") X(OBSERVE, "observe") X(ENFORCE, "enforce") X(STRESS, "stress")

enum grey_mode {
#define GREY_X(sym, name) GREY_##sym,
	GREY_MODES(GREY_X)
#undef GREY_X
};

struct grey_rules {
	enum grey_mode mode;
	unsigned delay_s;   /* from the first try to the first one that passes */
	unsigned window_s;  /* from the first try to the last one that passes */
	unsigned keep_s;    /* since it was last used: a passed triplet, a source */
	unsigned passes;    /* after so many a source waits no more */
	unsigned timeout_s; /* of the session, for the table's owner to answer; then the recipient passes */
	unsigned ipv4, ipv6; /* prefix lengths of sources without a name */
	bool by_name;
	unsigned entries;
	struct sender_list exempt_recipients, exempt_senders; /* their rules alone are looked at */
};

struct grey_entry {
	__u64 key[2]; /* grey_key(); both zero = the source itself */
	char source[GREY_SOURCE_MAX]; /* grey_source(), NUL-terminated; "" = free */
	__u64 since_ns; /* moments: see when.h. triplet: the first try; source: the last pass that counted, 0 = none yet */
	__u64 last_ns;	/* triplet: the last try; source: the last pass, or the last message once it waits no more */
	__u32 count;	/* triplet: tries; source: passes that count */
	bool passed;	/* triplet: it has; source: it has, and the message is not taken yet */
};

struct grey {
	struct grey_entry *entry;
	size_t nentries; /* a power of two */
	__u64 seed[2];	 /* of the hash: strangers choose the addresses */
	__u64 evicted;	 /* gave its place away */
	__u64 full;	 /* let pass because there was no room */
};

/* What the greylist says of a recipient of a stranger. KNOWN: of any recipient, for the source waits no more. */
enum sess_grey { GREY_PASS, GREY_KNOWN, GREY_DEFER };

struct grey_answer {
	enum sess_grey what;
	unsigned seconds; /* of DEFER: a try after so many passes */
	unsigned tries;	  /* of the triplet, this one included; 0 = KNOWN, or no room */
};

/* "example.net", "192.0.2.0/24" or "2001:db8::/64". name: confirmed by DNS, lower case; empty = none. */
void grey_source(const struct grey_rules *r, const struct pst_addr *a, struct str name, char out[GREY_SOURCE_MAX]);
/* Says the name its address? Then it was made from it, and the domain above is a provider's, not a sender's. */
bool grey_name_is_address(const struct pst_addr *a, struct str name);
/* 128 bits of the sender's address, and of that and the recipient's. Nobody's secret; case of local parts does not matter. */
void grey_sender(const struct mailbox *from, __u64 out[2]);
void grey_key(const __u64 sender[2], const struct mailbox *to, __u64 out[2]);
/* Never greylisted by the operator's word. */
bool grey_exempts(const struct sender_list *l, const struct mailbox *m);

/* room: nentries zeroed entries, caller's. nentries must be a power of two >= GREY_ENTRIES_MIN. */
void grey_init(struct grey *g, struct grey_entry *room, size_t nentries, const __u64 seed[2]);
/* One try. now_ns may be slightly older than what is remembered: that counts as no time. */
struct grey_answer grey_try(struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns);
/* Not to be changed; it lives until the next call. NULL = none that is live. */
const struct grey_entry *grey_find(const struct grey *g, const struct grey_rules *r, const char *source, const __u64 key[2], __u64 now_ns);
/* A message of the source was taken. */
void grey_took(struct grey *g, const struct grey_rules *r, const char *source, __u64 now_ns);
/* Does the entry still say anything? A free one does not. */
bool grey_is_live(const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns);
static inline bool grey_is_source(const struct grey_entry *e)
{
	return e->source[0] && !e->key[0] && !e->key[1];
}
/* Takes over an entry of another table, as far as there is room: a triplet that waits never takes anybody's. */
void grey_adopt(struct grey *g, const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns);
/* As grey_adopt(), of an entry that was kept elsewhere, and beside which another of the same name may have come up; twice is as once. */
void grey_restore(struct grey *g, const struct grey_rules *r, const struct grey_entry *e, __u64 now_ns);
/* All entries of the source, "" = all there are. Returns how many there were. */
size_t grey_forget(struct grey *g, const char *source);

#endif
