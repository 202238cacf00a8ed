/* SPDX-License-Identifier: BSD-2-Clause */
/* cage_filter.h: the system calls of each process, as tables. For cage.c alone. */
#ifndef CAGE_FILTER_H
#define CAGE_FILTER_H

/* Install the filter for good, for this thread and its children. 0 or -errno. Need no_new_privs. */
int cage_filter_worker(void);
int cage_filter_judge(void);

#endif
