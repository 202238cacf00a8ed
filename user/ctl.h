/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h: the control socket of the judge. One JSON object a line in, one JSON object a line out
 * (monitor: many). Requests:
 *
 *   {"command":"ban add","prefix":P,"seconds":N|null,"action":A,"reason":TEXT,"force":B,
 *    "scope":"guarded"|"host"|"port","port":N,"grace":N}; all but prefix may be missing
 *   {"command":"ban import","rows":N,"force":B}, and then N lines of rows:
 *   PREFIX SECONDS|- ACTION SCOPE PORT|0 GRACE [REASON], "-" = without an end
 *   {"command":"never show"}
 *   {"command":"ban del","prefix":P}        {"command":"allow add"|"allow del","prefix":P}
 *   {"command":"client show","address":A}   {"command":"client list","limit":N}
 *   {"command":"client forget","address":A} {"command":"config reload"}
 *   {"command":"gate mode","mode":M}        {"command":"daemon show"}
 *   {"command":"grey show","source":S,"limit":N}, S = an address, a network or a domain; both may be missing
 *   {"command":"grey del","source":S}       {"command":"grey flush"}   {"command":"grey stats"}
 *   {"command":"session show"|"session count","prefix":P}, which may be missing
 *   {"command":"store show"}   {"command":"store compact"}
 *   {"command":"store import","rows":N,"force":B}, and then N lines of an export (user/core/saved.h)
 *   {"command":"monitor"}
 *
 * Replies: {"schema":1, ...} or {"schema":1,"error":TEXT,"usage":B}; usage true = the request was malformed, "again":true = a judge that
 * makes way for a new configuration did not carry it out, and its successor will if it is asked again. What a table in
 * the kernel holds (bans, lists, counters) is read there and not asked for here, so it is also shown when no daemon runs.
 * What a reply holds besides:
 *   client show    known source score threshold sessions messages offences relapses first_seen_seconds_ago
 *                  last_seen_seconds_ago ban allow never_ban list findings[{reason seconds_ago session evidence}]
 *                  passes[{test seconds_left}] limits[{of what count ceiling over seconds_left}] greylist[as grey show]
 *                  live[as session show] live_sessions
 *   client list    known clients[{source score ...}], the worst first
 *   daemon show    version warden_pid judge_pid uptime_seconds config mode sessions sources_* breaker{open seconds_left share share_max messages
 *                  banned_sources} workers[{pid sessions}] store
 *   ban import     bans evicted noteless (whose reason found no room), after the last row; the first row that is wrong ends it,
 *                  and what came before stands
 *   never show     never_ban[{prefix why}]
 *   session count  live, room for so many, phases{name: number}
 *   grey show      source known entries[{source state key count since_seconds_ago last_seconds_ago seconds}]
 *   grey del, grey flush: forgotten
 *   grey stats     mode waiting passed sources known room evicted full
 *   store show     state path why aside records bytes bytes_max ...; store compact: compactions done before; it is done in a while
 *   store import   records bans skipped (over already, or another stands), after the last row; as ban import
 *   config reload  reloaded errors[], once it is over
 * Events of monitor: {"event":E,"time":T,...}, E = a name of CTL_EVENTS (user/ctl_watch.h). A client that reads too slowly
 * is dropped. Evidence and notes are escaped: no terminal is reached by a stranger's bytes.
 *
 * Input is hostile: a line over CTL_LINE_MAX, bad JSON or a bad row gets an error and the connection is closed; after an import it is closed, too.
 */
#ifndef CTL_H
#define CTL_H

#define CTL_SCHEMA   1
#define CTL_LINE_MAX 4096
#define CTL_SOCKET   "/run/postern/control.sock"

#endif
