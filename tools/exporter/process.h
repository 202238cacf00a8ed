/* SPDX-License-Identifier: BSD-2-Clause */
/* process.h: what Prometheus' own libraries tell of a process, of this one: the standard families process_*. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdio.h>

struct process {
	long long start_ms; /* since 1970 */
	int statm;	    /* /proc/self/statm, open: later no file can be opened; -1 = there is none, and no memory is told of */
};

/* At the start, while files can be opened. */
void process_begin(struct process *p);
/* The families as they are now. open: in OpenMetrics. Opens nothing. */
void process_print(FILE *f, const struct process *p, bool open);

#endif
