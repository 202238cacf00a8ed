/* SPDX-License-Identifier: BSD-2-Clause */
/* ban_order.h: what an operator may say of a ban, on the command line and in a line of a file alike. */
#ifndef BAN_ORDER_H
#define BAN_ORDER_H

#include "tools/postern/cli.h"

#define BAN_ORDER_SECONDS 3600 /* unless said otherwise */

struct ban_order {
	unsigned long long seconds; /* ~0 = no end */
	struct pst_ban ban;	    /* action, scope, port, grace */
	char reason[PST_NOTE_MAX];  /* empty = none */
	bool force;
};

/* The order that no word has changed: drop for an hour. */
struct ban_order ban_order_default(void);
/* Reads every word that is left over what o holds already. CLI_OK or CLI_USAGE, said. */
int ban_order_words(struct args *a, struct ban_order *o);

#endif
