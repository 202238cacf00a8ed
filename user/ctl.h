/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h: the control socket of the judge. One JSON object a line in, one JSON object a line out
 * (monitor: many). Requests:
 *
 *   {"command":"ban add","prefix":P,"seconds":N|null,"action":A,"reason":TEXT,"force":B}
 *   {"command":"ban del","prefix":P}        {"command":"allow add"|"allow del","prefix":P}
 *   {"command":"client show","address":A}   {"command":"client list","limit":N}
 *   {"command":"client forget","address":A} {"command":"config reload"}
 *   {"command":"gate mode","mode":M}        {"command":"daemon show"}
 *   {"command":"monitor"}
 *
 * Replies: {"schema":1, ...} or {"schema":1,"error":TEXT,"usage":B}; usage true = the request was malformed. What a table in
 * the kernel holds (bans, lists, counters) is read there and not asked for here, so it is also shown when no daemon runs.
 * Input is hostile: a line over CTL_LINE_MAX or bad JSON gets an error and the connection is closed.
 */
#ifndef CTL_H
#define CTL_H

#define CTL_SCHEMA   1
#define CTL_LINE_MAX 4096
#define CTL_SOCKET   "/run/postern/control.sock"

#endif
