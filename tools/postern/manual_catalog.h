/* SPDX-License-Identifier: BSD-2-Clause */
/* manual_catalog.h: the events of the log as a catalog of systemd's journal, which `journalctl -x` prints under the entries. */
#ifndef MANUAL_CATALOG_H
#define MANUAL_CATALOG_H

#include "tools/postern/cli.h"

/* Prints it: an entry for every event of log_rows.h, under its MESSAGE_ID. */
int manual_catalog(struct args *a);

#endif
