/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_int.h: between the control socket's connections (ctl.c) and its commands (ctl_commands.c). */
#ifndef CTL_INT_H
#define CTL_INT_H

#include <jansson.h>

#include "user/ctl_watch.h"
#include "user/judge_int.h"

struct ctl_client;

/* What a command leaves behind. */
enum ctl_then {
	CTL_REPLIED,  /* *reply is set */
	CTL_STREAMS,  /* the client now watches events */
	CTL_WAITS,    /* for the end of a reload */
	CTL_ROWS,     /* rows of `ban import` follow: see ctl_import_begin() */
};

/* Carries out one request. *reply is a new reference whenever CTL_REPLIED is returned. who: for the log. */
enum ctl_then ctl_command(struct judge *j, json_t *request, const char *who, json_t **reply);

/* {"schema":1,"error":TEXT,"usage":B} */
json_t *ctl_error(bool usage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *ctl_ok(void);

/* Reading a request: NULL, or the error. */
json_t *ctl_need_prefix(json_t *request, struct pst_prefix *p);

/* `session show` and `session kill` (ctl_sessions.c). */
json_t *ctl_session_show(struct judge *j, json_t *request);
json_t *ctl_session_count(struct judge *j, json_t *request);
json_t *ctl_session_kill(struct judge *j, json_t *request);
/* `backend show` (ctl_backends.c). */
json_t *ctl_backend_show(struct judge *j, json_t *request);
/* The live sessions of the sources in p, LIST_MAX at most, oldest first. */
json_t *ctl_sessions_of(struct judge *j, const struct pst_prefix *p, size_t max, size_t *all);

/* Adds what else is known of a source to the answer of `client show`; e is its record, NULL = it has none. */
void ctl_client_more(struct judge *j, const struct pst_addr *a, const struct ledger_entry *e, __u64 now_ns, json_t *reply);
/* `dnsl show` (ctl_dnsl.c). */
json_t *ctl_dnsl_show(struct judge *j, json_t *request);

/* The greylist (ctl_grey.c). */
/* Its entries under the network of a, at most max; an array. What is kept under the client's name is not found by an address. */
json_t *ctl_grey_of(struct judge *j, const struct pst_addr *a, size_t max);
json_t *ctl_grey_show(struct judge *j, json_t *request);
json_t *ctl_grey_del(struct judge *j, json_t *request);
json_t *ctl_grey_flush(struct judge *j, json_t *request);
json_t *ctl_grey_stats(struct judge *j, json_t *request);

/* The store (ctl_store.c). */
json_t *ctl_store_show(struct judge *j, json_t *request);
json_t *ctl_store_compact(struct judge *j, json_t *request);
/* Its state, as a part of other replies. */
json_t *ctl_store_state(struct judge *j);
/* One line of an export. NULL, or what is wrong with it. *is_ban: *row is to be written; what it points to lives as long as r. */
const char *ctl_store_take(struct judge *j, struct str line, struct saved *r, struct ban_row *row, bool *is_ban, struct str *at);

/* A ban of p that an operator must say force for, as an error, or NULL. */
json_t *ctl_objection(struct judge *j, const struct pst_prefix *p);

/* `ban import` and `store import`: NULL and *error when the request is wrong; otherwise so many rows follow. */
struct ctl_import *ctl_import_begin(struct judge *j, json_t *request, json_t **error);
/* Takes a row. The reply when it was the last, or is wrong; then nothing more may come. NULL = go on. */
json_t *ctl_import_row(struct ctl_import *m, const char *line, size_t n);
size_t ctl_import_written(const struct ctl_import *m);
/* What has been written stays, and its sources' sessions are ended. NULL will do. */
void ctl_import_free(struct ctl_import *m);

/* To those who watch and want it; takes the reference. what: its name. */
void ctl_event_send(struct ctl *c, const struct ctl_about *about, const char *what, json_t *event);

/* Pieces that replies and events share. Evidence and notes are escaped. */
json_t *ctl_ban_json(const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 now_ns);
json_t *ctl_evidence(const struct finding *f);
json_t *ctl_session_id(__u64 id);

#endif
