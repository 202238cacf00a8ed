/* SPDX-License-Identifier: BSD-2-Clause */
/* ban_evict.h: room in a full ban table. For ban.c alone. */
#ifndef BAN_EVICT_H
#define BAN_EVICT_H

#include "user/ban.h"

enum ban_room { BAN_ROOM_EXPIRED, BAN_ROOM_EVICTED }; /* who made room: the dead, or one of the living */

/*
 * Makes room for incoming: by removing what has ended; failing that, the automatic ban that ends soonest, provided that
 * incoming is an operator's or ends later. enum ban_room, or -E2BIG when nothing may give way.
 *
 * A full table means an attack, so not every call may read the whole table: one reading remembers the
 * next candidates, and later calls check and use those.
 */
int ban_evict(const struct kern_maps *m, const struct pst_ban *incoming);
/* A ban ending at until_ns was written: remembered candidates that end later are no longer known to be the soonest. */
void ban_evict_written(__u64 until_ns);

#endif
