/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve.h: the exporter's HTTP answers, by libevent: /metrics, /healthz, /readyz and / . GET and HEAD only, no body taken,
 * connections bounded and timed. Nothing that a client says changes anything.
 */
#ifndef SERVE_H
#define SERVE_H

#include <event2/event.h>
#include <sys/utsname.h>

#include "tools/exporter/history.h"
#include "tools/exporter/process.h"
#include "user/kern.h"

#define SERVE_CLIENTS_MAX 64
#define SERVE_TIMEOUT_S   10

struct serve {
	struct event_base *base;
	struct kern_maps maps; /* read-only; stats, slots, named and conf are enough */
	struct pst_stats stats; /* as last read */
	struct pst_named named[PST_NAMED_MAX];
	int readable;
	struct history history;
	struct event *tick;
	struct process process;
	struct utsname kernel;
};

/* A listening socket for "ADDRESS:PORT", "[ADDRESS]:PORT" or "unix:/PATH" (mode 0660; a socket left there by nobody is replaced). -errno. */
int serve_listen(const char *where);
/* Answers on listen_fd until the base's loop ends. 0 or -errno. */
int serve_begin(struct serve *s, int listen_fd);

#endif
