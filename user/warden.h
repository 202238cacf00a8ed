/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden.h: the process that root starts: loads and attaches the kernel half, binds the sockets, starts
 * judge and workers and starts them again. It parses nothing from the network and keeps only the
 * capabilities that this takes. When it ends, pins and program stay: bans go on being enforced.
 */
#ifndef WARDEN_H
#define WARDEN_H

#include "user/config.h"

/* Takes conf. Runs until SIGTERM or SIGINT; returns the exit status. SIGHUP reads path again. */
int warden_run(const char *path, struct conf *conf, bool debug);

#endif
