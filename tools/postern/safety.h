/* SPDX-License-Identifier: BSD-2-Clause */
/* safety.h: bans that cut off the wrong people. They need the word force. */
#ifndef SAFETY_H
#define SAFETY_H

#include "user/core/addr.h"

/* Why banning p would be a mistake, as the end of a sentence; NULL = no objection. Text goes to room. */
const char *safety_objection(const struct pst_prefix *p, char *room, size_t size);

#endif
