/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unmanned.h: changes written straight into the pinned maps, for when no daemon runs. Each says so
 * in a note. They return 0, or CLI_FAILED after saying why.
 */
#ifndef UNMANNED_H
#define UNMANNED_H

#include "user/ban.h"

/* Guarded ports, addresses and mode of the configuration, if there is one; port 25 otherwise, if nothing is guarded yet. */
int unmanned_settings(void);
/* Reads the lists of the configuration from their files into the maps; all of them, or none and a word about the first that fails. */
int unmanned_lists(void);
int unmanned_mode(unsigned mode);
/* b says action, scope, port and grace. */
int unmanned_ban(const struct pst_prefix *p, unsigned long long seconds, const struct pst_ban *b, const char *reason);
/* The same for n bans; get makes each. *done tells what became of them. */
int unmanned_bans(size_t n, void (*get)(void *ctx, size_t i, struct ban_row *out), void *ctx, struct ban_many *done);
int unmanned_unban(const struct pst_prefix *p);
int unmanned_allow(const struct pst_prefix *p, bool add);

#endif
