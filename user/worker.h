/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.h: one worker process: accepts from the shared listening sockets, runs the
 * sessions and proxies them to the backends. It sees strangers' bytes and owns nothing but its
 * sockets; it can tell the judge what it found and nothing else.
 */
#ifndef WORKER_H
#define WORKER_H

#include "user/config.h"
#include "user/resolve.h"
#include "user/zones.h"

struct worker_setup {
	const struct conf *conf;
	const int *listen_fd;	 /* one per conf->listener: bound, listening, non-blocking, shared by all workers */
	void *const *tls;	 /* one per conf->listener: tls_load()'s context, NULL = no STARTTLS there */
	void *const *backend_tls; /* one per conf->backend: tls_client_load()'s context, NULL = none */
	int judge_fd, warden_fd; /* SOCK_SEQPACKET, non-blocking; see ipc.h */
	struct zones *lists;	 /* zones_open()'s, likewise; NULL = no DNS lists are asked */
	struct resolver *names;	 /* resolve_open()'s, the worker's from now on; NULL = nobody's name is looked up */
	struct pst_stats *stats; /* this process's own slot, mapped writable */
	unsigned index;		 /* 0-based; part of the session ids */
};

/*
 * Serves until drained or stopped, and returns the exit status: 0 when every session ended as
 * it should. Call it in a child of the warden, after cage_fds(), log_init() and cage_worker():
 *
 *	exit(worker_run(&setup));
 *
 * It closes listen_fd[], judge_fd and warden_fd, installs its own signal dispositions and expects the setup (conf and
 * contexts included) to outlive it. IPC_DRAIN: stops accepting, serves the live sessions to their end. IPC_STOP, end of file on
 * warden_fd, or SIGTERM: 421 4.3.2 to every session; a message whose end of data is under way waits, bounded, for the
 * backend's word. SIGINT and SIGHUP are the warden's business and ignored. A dead or slow judge is never waited for.
 */
int worker_run(const struct worker_setup *setup);

#endif
