/* SPDX-License-Identifier: BSD-2-Clause */
/* explain.h: everything that decides about one address, in one answer. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "user/core/addr.h"

/* The kernel's half is read from the pins; the judge's half is asked for and may be missing. Exit code. */
int explain(const struct pst_addr *a);

#endif
