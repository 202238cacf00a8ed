/* SPDX-License-Identifier: BSD-2-Clause */
/* monitor.h: events as they happen. */
#ifndef MONITOR_H
#define MONITOR_H

#include <jansson.h>

/* Prints what the daemon tells: request is {"command":"monitor",...}, its reference is taken. count: events, 0 = until interrupted. Exit code. */
int monitor(json_t *request, unsigned long long count);

#endif
