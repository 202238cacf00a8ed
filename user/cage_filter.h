/* SPDX-License-Identifier: BSD-2-Clause */
/* cage_filter.h: the system calls of each process, as tables. For cage.c alone. */
#ifndef CAGE_FILTER_H
#define CAGE_FILTER_H

#include <stdbool.h>

/* Install the filter for good, for this thread and its children. 0 or -errno. Need no_new_privs. datagrams: IPv4 and IPv6, for DNS. */
int cage_filter_worker(bool datagrams);
int cage_filter_judge(void);
int cage_filter_exporter(void);
int cage_filter_store(void);

#endif
