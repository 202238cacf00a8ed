/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recipients.h: which recipients there are in our domains, by a list that the configuration made. Pure. A domain of which the list
 * names nobody is not spoken of: its recipients are the backend's to know. Recipients are compared in canonical form, ASCII in
 * lower case: "A"@d, a@d and a@D. are one.
 */
#ifndef RECIPIENTS_H
#define RECIPIENTS_H

#include "user/core/mailbox.h"

#define RECIPIENT_KEY_MAX (MAILBOX_DOMAIN_MAX + 1 + MAILBOX_LOCAL_MAX)

/* key: "example.org@local"; "example.org@" = everybody in the domain. */
struct recipient_rule {
	struct str key;
	const char *file; /* where it was written */
	unsigned line;
};

struct recipient_rules {
	const struct recipient_rule *rule; /* in recipient_order() */
	size_t nrules;
	const char *delimiters; /* each begins the tag of "local+tag", NULL = none does */
};

enum recipient_word {
	RECIPIENT_UNSAID, /* the list names nobody of this domain */
	RECIPIENT_KNOWN,
	RECIPIENT_UNKNOWN,
};

/* The key of "local@example.org", "@example.org" or "example.org"; the last two mean everybody there. False when it is none of
 * them: "user" alone is no domain. */
bool recipient_key(struct str entry, char out[RECIPIENT_KEY_MAX + 1]);
/* <0, 0, >0: how the rules are ordered. */
int recipient_order(struct str a, struct str b);
/*
 * The whole local part is looked for first, then what stands before each delimiter, the longest first. *rule (may be NULL) gets the
 * rule that knows the recipient, otherwise NULL. One search for the domain, and one for each try.
 */
enum recipient_word recipients_ask(const struct recipient_rules *r, const struct mailbox *m, const struct recipient_rule **rule);

#endif
