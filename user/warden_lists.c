/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * warden_lists.c: blacklists from their files into the kernel, one by one: a list that cannot be read keeps what it had and
 * holds up no other.
 */
#include "user/warden_int.h"

#include <errno.h>
#include <stdio.h>

#include "user/follow.h"
#include "user/log.h"

/* A line every second: a short read has none. */
#define PROGRESS_NS 1000000000ull

struct progress {
	const char *name;
	__u64 said_ns;
};

static void tell_progress(void *ctx, size_t prefixes)
{
	struct progress *p = ctx;
	__u64 now_ns = kern_now_ns();

	if (now_ns - p->said_ns < PROGRESS_NS)
		return;
	p->said_ns = now_ns;
	log_info("list-loading list=%s prefixes=%zu", p->name, prefixes);
}

/* Reads one list; says what is wrong in whole sentences. */
static bool read_one(const struct warden *w, const struct conf_list *l, struct listset_one *out, void (*say)(void *ctx, const char *message), void *ctx)
{
	const struct listset_one *old = listset_find(&w->lists, l->name);
	__u64 began_ns = kern_now_ns(), took_ms;
	struct progress progress = { l->name, began_ns };
	char why[512] = "", message[640];

	if (listset_read(out, l, old, tell_progress, &progress, why, sizeof(why))) {
		snprintf(message, sizeof(message), "list %s not loaded, %s: %s", l->name,
			 out->info.loaded_ns ? "its old entries stay" : "it has no entries yet", why);
		say(ctx, message);
		return false;
	}
	took_ms = (kern_now_ns() - began_ns) / 1000000;
	log_info("list-loaded list=%s prefixes=%u seconds=%llu.%03llu", l->name, out->info.prefixes, (unsigned long long)took_ms / 1000,
		 (unsigned long long)took_ms % 1000);
	return true;
}

void lists_read(const struct warden *w, const struct conf *c, struct listset *out, void (*say)(void *ctx, const char *message), void *ctx)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < c->nlists; i++)
		read_one(w, &c->list[i], &out->one[out->n++], say, ctx);
}

int lists_put(struct warden *w, struct listset *next)
{
	bool stale = false;
	const char *name;
	char err[256] = "";
	int rc = 0;

	for (size_t i = 0; i < next->n; i++)
		stale |= next->one[i].info.stale;

	/* After a start, entries may live in the kernel alone. To refuse too little is worse than to refuse by an old list. */
	if (listset_would_lose(next, &w->maps, &name)) {
		log_warnx("lists-kept list=%s: lists in the kernel stay as they are until this one can be read", name);
		listset_mark_stale(next, &w->maps);
	} else {
		rc = listset_put(next, &w->maps, err, sizeof(err));
	}
	w->stats->counter[PST_CNT_DEGRADED_LISTS] = stale || rc;
	if (rc) {
		log_warnx("lists-kept: the lists stay as they were: %s", err);
		listset_drop(next);
		return rc;
	}
	listset_drop(&w->lists);
	w->lists = *next;
	return 0;
}

/* --- followed files ---------------------------------------------------------------- */

static void say_log(void *ctx, const char *message)
{
	(void)ctx;
	log_warnx("list-error: %s", message);
}

/* Not during a reload that waits for the judge: then the new configuration is in force already. */
static void changed(void *ctx, size_t which)
{
	struct warden *w = ctx;
	struct listset next = { .n = w->lists.n };

	if (w->stopping || which >= w->lists.n)
		return;
	for (size_t i = 0; i < next.n; i++)
		if (i != which)
			listset_share(&next.one[i], &w->lists.one[i]);
	read_one(w, &w->now.conf->list[which], &next.one[which], say_log, NULL);
	lists_put(w, &next);
}

void lists_follow(struct warden *w)
{
	const struct conf *c = w->now.conf;
	int rc = 0;

	follow_free(w->follow);
	w->follow = NULL;
	for (size_t i = 0; i < c->nlists && !rc; i++) {
		if (!c->list[i].follow)
			continue;
		if (!w->follow)
			rc = follow_new(&w->follow, w->base, changed, w);
		if (!rc)
			rc = follow_add(w->follow, i, c->list[i].file);
	}
	if (rc)
		log_warnx("lists-not-followed: changed lists are not noticed, only reloads: %s", strerror(-rc));
}
