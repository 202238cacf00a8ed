/* SPDX-License-Identifier: BSD-2-Clause */
/* relay.h: the commands of the object relay that have files of their own. */
#ifndef POSTERN_RELAY_H
#define POSTERN_RELAY_H

#include "tools/postern/cli.h"

int relay_do_explain(struct args *a); /* relay_explain.c */
int relay_do_check(struct args *a);   /* relay_check.c */
int relay_do_resolve(struct args *a); /* relay_resolve.c */

#endif
