/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.h: tells when files or folders changed, by inotify. A file that is written, or put in place by rename or link, is
 * seen; so are files that come and go in a folder, and a path that is not there yet. What is written behind a symbolic
 * link in another folder is not seen.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <event2/event.h>
#include <stddef.h>

struct follow;

/* Reads are begun a moment after the last sign of a change, and before long while signs go on. */
#define FOLLOW_QUIET_MS 200
#define FOLLOW_WAIT_MS	2000

/* changed() is called on the loop of base with the number that follow_add() was given. 0 or -errno. */
int follow_new(struct follow **out, struct event_base *base, void (*changed)(void *ctx, size_t which), void *ctx);
/* A path that cannot be watched is tried again every few seconds, and tells of a change when it can. path is copied. 0 or -ENOMEM. */
int follow_add(struct follow *f, size_t which, const char *path);
/* May be called with NULL, but not by changed(). */
void follow_free(struct follow *f);

#endif
