/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_reload.c: a new configuration. Everything that can fail is done before anything changes: read,
 * load TLS, bind, then the lists, of which each may fail by itself. Then new workers take over from old ones, which serve their last sessions.
 */
#include "user/warden_int.h"

#include <signal.h>
#include <stdio.h>

#include "user/ban.h"
#include "user/log.h"

#define JUDGE_STOP_S 3 /* then it is killed; what it has not read stays in its channels */

/* To the log, and to the operator who asked on the control socket. */
static void say_error(void *ctx, const char *message)
{
	struct judge_msg m = { .tag = JUDGE_NOTE };

	log_warnx("config-error: %s", message);
	snprintf(m.text, sizeof(m.text), "%s", message);
	judge_tell(ctx, &m);
}

static int prepare(struct warden *w, struct serving *next)
{
	struct listset lists;
	char err[512] = "";
	int rc = config_read(w->path, &next->conf, say_error, w);

	if (rc)
		return rc;
	rc = serving_tls(next, err, sizeof(err));
	if (!rc)
		rc = listen_all(&w->now, next, err, sizeof(err));
	if (!rc) {
		lists_read(w, next->conf, &lists, say_error, w);
		rc = lists_put(w, &lists);
		if (!rc)
			rc = gate_allow(&w->maps, next->conf);
		if (rc)
			snprintf(err, sizeof(err), "the kernel's tables could not be changed: %s", strerror(-rc));
	}
	if (rc)
		say_error(w, *err ? err : strerror(-rc));
	return rc;
}

/* What only a restart can change is kept as it is, and said. */
static void say_fixed(const struct conf *now, const struct conf *next)
{
	const struct { const char *name, *now, *next; } fixed[] = {
		{ "control_socket", now->control_socket, next->control_socket },
		{ "control_group", now->control_group ? now->control_group : "", next->control_group ? next->control_group : "" },
		{ "pin_dir", now->pin_dir, next->pin_dir },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		if (strcmp(fixed[i].now, fixed[i].next))
			log_warnx("restart-needed setting=%s next=\"%s\" now=\"%s\": it takes a restart", fixed[i].name, fixed[i].next, fixed[i].now);
}

static void end_old_judge(struct warden *w)
{
	struct judge_msg stop = { .tag = JUDGE_STOP };
	struct timeval limit = { .tv_sec = JUDGE_STOP_S };

	if (w->judge.pid && w->judge.inherited)
		child_signal(&w->judge, SIGTERM); /* whatever messages its version has */
	else
		judge_tell(w, &stop);
	w->apply_conf = !gate_is_unloaded(w);
	w->replacing_judge = true; /* it is told nothing more; its successor is forked with all there is to know */
	event_add(w->judge_timer, &limit);
	if (!w->judge.pid) /* it had died by itself and waits for its restart */
		judge_replace(w);
}

void judge_replace(struct warden *w)
{
	int rc = ledger_open(w, w->now.conf->ledger_entries);

	if (rc)
		log_warnx("ledger-kept: the ledger keeps its size: %s", strerror(-rc));
	rc = grey_open(w, &w->now.conf->grey);
	if (rc)
		log_warnx("grey-kept: the greylist keeps its size: %s", strerror(-rc));
	w->replacing_judge = false;
	event_del(w->judge_timer);
	event_del(w->judge.restart);
	if (store_open(w))
		log_warnx("store-failed: there is no memory for it");
	judge_start(w);
	store_renew(w);
	if (w->reload_again) {
		w->reload_again = false;
		warden_reload(w);
	} else if (w->upgrade_again) {
		w->upgrade_again = false;
		warden_upgrade(w);
	}
}

void replace_children(struct warden *w)
{
	end_old_judge(w);
	workers_start(w, w->now.conf->workers);
}

static void finish(struct warden *w, bool ok)
{
	struct judge_msg m = { .tag = JUDGE_RELOADED, .ok = ok };

	warden_count(w, ok ? PST_CNT_RELOAD_OK : PST_CNT_RELOAD_FAILED);
	w->stats->counter[PST_CNT_DEGRADED_CONFIG] = !ok;
	judge_tell(w, &m);
	if (ok)
		log_init("warden", w->now.conf->log_to, w->now.conf->log_format == LOG_IS_JSON, w->debug);
	if (ok)
		log_info("config-reloaded file=\"%s\"", w->path);
	else
		log_warnx("config-kept file=\"%s\": configuration not reloaded, the old one stays", w->path);
}

static void take_over(struct warden *w, struct serving *next)
{
	struct serving old = w->now;

	say_fixed(old.conf, next->conf);
	next->conf->pin_dir = w->pin_dir;
	w->now = *next;
	never_collect(w->now.conf, &w->never);
	workers_drain(w);
	finish(w, true); /* nobody meets the old configuration any more */
	replace_children(w);
	gate_detach_gone(w, old.conf);
	w->nlinks = 0; /* xdp_mode may be another */
	gate_audit(w);
	lists_follow(w);
	serving_free(&old, &w->now);
}

void warden_reload(struct warden *w)
{
	struct serving next = { 0 };
	bool other;
	int rc;

	if (w->stopping)
		return;
	if (w->replacing_judge) {
		w->reload_again = true;
		return;
	}
	warden_notify_reloading();
	other = gate_is_other(w) && gate_follow(w);
	rc = prepare(w, &next);
	if (rc) {
		serving_free(&next, &w->now);
		finish(w, false);
		if (other) {
			workers_drain(w);
			replace_children(w);
		}
	} else {
		take_over(w, &next);
	}
	warden_notify_ready(w, rc);
}
