/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * amnesty.h: does a banned source behave as a mail queue does? It comes again after a pause, and its pauses do not become shorter
 * (RFC 5321 section 4.5.4.1): the kernel half counts such tries in the ban itself. A queue has mail that it will not give up, and a
 * postmaster: it is owed the reason, which a dropped packet does not tell. Pure.
 */
#ifndef AMNESTY_H
#define AMNESTY_H

#include <stdbool.h>

#include "bpf/abi.h"

/*
 * Is the ban b of p, of a machine's making, to be one that refuses with a reason from now on? tries: in a row, 0 = never. Only silence
 * (drop, reset) is changed, of one source (IPv4 /32, IPv6 /64 or longer): the tries of a prefix are those of many.
 */
bool amnesty_due(const struct pst_prefix *p, const struct pst_ban *b, unsigned tries, __u64 now_ns);

#endif
