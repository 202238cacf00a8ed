/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_int.h: the judge's state, shared by judge.c and the commands of its control socket, and nobody else. */
#ifndef JUDGE_INT_H
#define JUDGE_INT_H

#include <event2/event.h>

#include "user/ban.h"
#include "user/ipc.h"
#include "user/judge.h"
#include "user/live.h"

struct ctl;

struct judge_channel { /* to one worker */
	struct judge *judge;
	struct event *readable;
	int pid;       /* 0 = nobody */
	unsigned live; /* sessions */
	bool fresh;    /* it began while this judge was there, which so hears of all that it counts */
	bool muted;    /* sent a hostile record; ignored until the warden has replaced it */
	struct ipc_backend *backend; /* as it last told: IPC_BACKENDS_MAX rows, those without a name are none; NULL = told nothing */
	struct ipc_zone *zone; /* likewise: DNSL_ZONES_MAX rows, those without a print are none */
};

struct judge {
	const struct judge_setup *setup;
	struct event_base *base;
	struct ctl *ctl;
	struct never_list never;
	struct live live;
	struct judge_channel channel[WORKER_SLOTS];
	struct event *warden, *sweep, *sigterm, *beat;
	bool table_empty; /* of bans, when the store began to give back; nothing else was written since */
	bool gives; /* the store has given something */
	struct event *restore; /* looks for what the store gives back, until it has all been given */
	bool bans_high; /* said that the ban table fills, and it has not emptied since */
	bool breaker_open; /* as it was last said */
	bool reloading; /* a reload was asked for and has not ended */
	struct event *kicks; /* the walk through the ledger after many bans */
	size_t kick_left;    /* entries to go */
	unsigned kick_tries;
	struct pst_named *figures; /* as in the map of this name, PST_NAMED_MAX rows */
};

/* judge_records.c: a worker's channel can be read. */
void judge_worker_readable(evutil_socket_t fd, short what, void *channel);

/* judge_backends.c: IPC_BACKEND, and the end of the worker that sent it. */
void judge_backend_hear(struct judge_channel *c, const struct ipc_backend *b);
void judge_backend_drop(struct judge_channel *c);
/* judge_zones.c: IPC_ZONE, likewise. */
void judge_zone_hear(struct judge_channel *c, const struct ipc_zone *z);
void judge_zone_drop(struct judge_channel *c);

/* judge_figures.c: goes on from what the judge before left; false when memory is out. */
bool judge_figures_begin(struct judge *j);
/* A worker is about to be heard by the functions above. */
void judge_figures_zone(struct judge_channel *c, const struct ipc_zone *z);
void judge_figures_backend(struct judge_channel *c, const struct ipc_backend *b);
/* Into the map. */
void judge_figures_put(struct judge *j);

/* judge_sentence.c: an offence, and all that follows from it. */
void judge_find(struct judge *j, struct finding *f);
/* The source of p, which is banned, retries as a mail queue does: from now on it is told why. */
void judge_amnesty(struct judge *j, const struct pst_prefix *p);
/* Is the breaker open? Says so where it has changed. */
void judge_watch_breaker(struct judge *j);

/* judge_rates.c: what the workers' records are to the ceilings. known: of a source whose mail is accepted. answer: gets the limits. */
void rates_opened(struct judge *j, const struct ipc_record *r, bool known, struct ipc_record *answer);
void rates_message(struct judge *j, const struct ipc_record *r);
void rates_finding(struct judge *j, const struct finding *f);
void rates_closed(struct judge *j, const struct ipc_record *r);
/* Records were lost, or a worker with its sessions: they are counted anew, from what is known of them. */
void rates_recount(struct judge *j);
/* judge_grey.c: a worker asks about a stranger's recipient, known: its source is none; the backend has taken messages. */
void judge_grey_asked(struct judge *j, struct judge_channel *c, const struct ipc_record *r, bool known);
void judge_grey_took(struct judge *j, const struct ipc_record *r);

/* judge_store.c. False = there is no memory. */
bool judge_store_open(struct judge *j);
/* A ban of p was written, or deleted; more was forgotten than can be said so. */
void judge_store_changed(struct judge *j, const struct pst_prefix *p);
void judge_store_forgot(struct judge *j);
/* A record of before, sound and in the time of this boot. *out: to be written with ban_put_many(); false when it must not be, or another ban stands there now. */
bool judge_restore_ban(struct judge *j, const struct saved_ban *b, __u64 now_ns, struct ban_row *out);
void judge_restore_source(struct judge *j, const struct ledger_entry *e, __u64 now_ns);
void judge_restore_grey(struct judge *j, const struct grey_entry *e, __u64 now_ns);

/* judge_beat.c: tells the kernel half that the policy is vouched for; see conf.dead_man_s. */
void judge_begin_beating(struct judge *j);
void judge_beat(evutil_socket_t fd, short what, void *judge); /* the event of it */
/* judge_ban.c */
void judge_count(const struct judge *j, enum pst_counter c, __u64 n);
/* One line: what = "ban", "would-ban" … */
void judge_log_ban(const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session, const char *what);
/* As the kernel's table says; PST_MODE_ENFORCE when it cannot be read. */
enum pst_mode judge_mode(const struct judge *j);
/*
 * Writes a ban, counts it, ends the source's live sessions (in mode enforce) and tells the log and the monitors.
 * session is for them, 0 = none. 0 or -errno as ban_put().
 */
int judge_ban(struct judge *j, const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session);
/*
 * Writes many by an operator's word and counts them. Their sources' sessions go on until judge_kick_banned() is called after the
 * last of them. Nothing is said to log and monitors. As ban_put_many().
 */
int judge_ban_many(struct judge *j, const struct ban_row *row, size_t n, struct ban_many *done);
/* Ends, bit by bit, the live sessions of every source of the ledger that is banned. */
void judge_kick_banned(struct judge *j);
void judge_kick_some(evutil_socket_t fd, short what, void *judge); /* the event of it */
/* Tells every worker to end the sessions of p, those of allow-listed sources only if it is not banned. False when one has no room for it now. */
bool judge_kick(struct judge *j, const struct pst_prefix *p, bool banned);
/* Does a ban that is enforced cover a? */
bool judge_bans(const struct judge *j, const struct pst_addr *a, __u64 now_ns);
/* Asks the warden for a reload; -EBUSY while one is under way. */
int judge_ask_reload(struct judge *j);

/* ctl.c: the control socket. */
struct ctl *ctl_open(struct judge *j, int listen_fd);
/* Accepts no more and ends the judge's loop when the last request is answered. */
void ctl_drain(struct ctl *c);
void ctl_close(struct ctl *c);
/* ctl_backends.c: how many are up, down or neither, into the judge's counters. */
void ctl_backends_count(const struct judge *j);
/* Is anybody watching? Events need not be made otherwise. */
bool ctl_watched(const struct ctl *c);
void ctl_event_finding(struct ctl *c, const struct finding *f, unsigned score);
void ctl_event_ban(struct ctl *c, const struct pst_prefix *p, const struct pst_ban *b, const char *note, __u64 session, const char *what);
/* How far a session is. */
void ctl_event_state(struct ctl *c, const struct ipc_record *r);
void ctl_event_limit(struct ctl *c, const struct pst_prefix *p, enum crowd_kind kind, __u64 count, unsigned ceiling, __u64 session);
/* The breaker has opened, or closed. share: percent of good traffic that bans of late hit. */
void ctl_event_breaker(struct ctl *c, bool open, unsigned share);
void ctl_event_import(struct ctl *c, size_t bans);
void ctl_event_session(struct ctl *c, const struct ipc_record *r, const char *what);
void ctl_reload_note(struct ctl *c, const char *error);
void ctl_reload_done(struct ctl *c, bool ok);

#endif
