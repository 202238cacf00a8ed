/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * links.h: tells when the machine's links or addresses changed, not what: the reader looks for itself, so a lost
 * message costs nothing.
 */
#ifndef LINKS_H
#define LINKS_H

#include <stdbool.h>

struct links;

/* 0 or -errno. The descriptor is non-blocking; readable = something changed, call links_changed(). */
int links_open(struct links **out);
int links_fd(const struct links *l);
/* Takes all that is queued. True when a link or an address came, went or changed. */
bool links_changed(struct links *l);

#endif
