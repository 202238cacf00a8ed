/* SPDX-License-Identifier: BSD-2-Clause */
/* query.h: c-ares in a libevent loop: questions of DNS (RFC 1035), asked of some servers within a fixed time. */
#ifndef QUERY_H
#define QUERY_H

#include <ares.h>
#include <event2/event.h>

#include "user/core/addr.h"

struct query;

/*
 * server: none = those of /etc/resolv.conf, which is read now: before the cage closes. Opens no socket yet. NULL with the reason in *why.
 * timeout_ms: of a question, with its repetitions.
 */
struct query *query_open(const struct pst_addr *server, size_t nservers, unsigned timeout_ms, const char **why);
/* Questions may be asked from now on, and are answered in base. 0 or -ENOMEM. */
int query_start(struct query *q, struct event_base *base);
/* Asks for name as it is, in class IN; type: ns_t_*. answered is called once, maybe within this call. */
void query_ask(struct query *q, const char *name, int type, ares_callback answered, void *ctx);
/* Whether a server answered at all, be it that there is nothing: status as answered() has it. */
bool query_answered(int status);
/* Calls answered of all questions that are open. NULL is fine. */
void query_free(struct query *q);

#endif
