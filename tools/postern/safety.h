/* SPDX-License-Identifier: BSD-2-Clause */
/* safety.h: bans that cut off the wrong people, and allow entries that let everybody in. They need the word force. */
#ifndef SAFETY_H
#define SAFETY_H

#include "user/never.h"

/* Why banning p would be a mistake, as the end of a sentence; NULL = no objection. Text goes to room. */
const char *safety_objection(const struct pst_prefix *p, char *room, size_t size);
/* The same by the rules that the daemon keeps, for when none runs: gateways, resolvers, and backends, balancers and never_ban of the configuration. */
const char *safety_unmanned(const struct pst_prefix *p, char *room, size_t size);
/* Those rules; they live as long as the program. */
const struct never_list *safety_never(void);
/* Why p cannot be the network of somebody whom one knows, as the end of a sentence; NULL = it can. */
const char *safety_too_wide(const struct pst_prefix *p);

#endif
