/* SPDX-License-Identifier: BSD-2-Clause */
/* dnsl_check.h: DNS lists asked here and now, from this machine and with its configuration, by the code that the daemon asks with. */
#ifndef DNSL_CHECK_H
#define DNSL_CHECK_H

#include "user/zones.h"

struct dnsl_check;

/*
 * Tests the zones of conf, then asks those that are sound about addr; NULL = only tests. Takes a few times the configured timeout
 * at most. NULL with the reason in *why.
 */
struct dnsl_check *dnsl_check(const struct conf *conf, const struct pst_addr *addr, const char **why);
void dnsl_check_free(struct dnsl_check *c);

const struct dnsl_verdict *dnsl_check_verdict(const struct dnsl_check *c);
/* Is every zone up? */
bool dnsl_check_sound(const struct dnsl_check *c);
/* "score 3, zen.example 3" */
const char *dnsl_check_told(const struct dnsl_check *c);
/* The table of the zones, with what each said. */
void dnsl_check_table(struct dnsl_check *c, const char *key);

#endif
