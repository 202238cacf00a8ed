/* SPDX-License-Identifier: BSD-2-Clause */
/* warden_gate.c: the kernel half as the configuration wants it: tables filled, program attached, and kept so. */
#include "user/warden_int.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "user/ban.h"
#include "user/device.h"
#include "user/log.h"
#include "user/stats.h"

/* --- links ------------------------------------------------------------------------ */

static struct warden_link *link_of(struct warden *w, const char *name)
{
	for (size_t i = 0; i < w->nlinks; i++)
		if (!strcmp(w->link[i].name, name))
			return &w->link[i];
	if (w->nlinks == sizeof(w->link) / sizeof(*w->link))
		return NULL;
	w->link[w->nlinks] = (struct warden_link){ .state = LINK_NEW };
	snprintf(w->link[w->nlinks].name, sizeof(w->link->name), "%s", name);
	return &w->link[w->nlinks++];
}

/* NULL = there is none. */
static const struct kern_link *attached(const struct kern_link *have, int n, const char *name, unsigned ifindex)
{
	for (int i = 0; i < n; i++)
		if (have[i].ifindex == ifindex && !strcmp(have[i].interface, name))
			return &have[i];
	return NULL;
}

static void say_better_place(const char *interface)
{
	struct device d;
	char advice[192];

	if (!device_read(interface, &d) && device_elsewhere(&d, advice, sizeof(advice)))
		log_warnx("interface-advice interface=%s: %s", interface, advice);
}

static void attach(struct warden *w, struct warden_link *l)
{
	struct kern_link got;
	char err[512] = "";
	const struct conf *c = w->now.conf;
	int rc = (c->shared ? kern_attach_shared : kern_attach)(c->pin_dir, l->name, c->xdp_mode, &got, err, sizeof(err));

	if (rc) {
		if (l->state != LINK_FAILED)
			log_warnx("gate-not-attached interface=%s: %s; tried again every 10 s", l->name, *err ? err : strerror(-rc));
		l->state = LINK_FAILED;
		return;
	}
	if (l->state != LINK_NEW)
		warden_count(w, PST_CNT_GATE_REATTACHED);
	log_info("gate-attached interface=%s mode=%s shared=%s%s%s", l->name, got.native ? "native" : "generic", got.shared ? "yes" : "no",
		 *got.why ? ": " : "", got.why);
	if (*got.alone)
		log_warnx("gate-alone: no other program can be beside it: %s", got.alone);
	say_better_place(l->name);
	l->state = LINK_ATTACHED;
}

static void audit_one(struct warden *w, const char *name, const struct kern_link *have, int n)
{
	struct warden_link *l = link_of(w, name);
	unsigned ifindex = if_nametoindex(name);

	if (!l)
		return;
	if (!ifindex) {
		if (l->state != LINK_MISSING)
			log_warnx("interface-missing interface=%s: attached when it comes", name);
		l->state = LINK_MISSING;
		return;
	}
	if (l->state == LINK_NEW || !attached(have, n, name, ifindex))
		attach(w, l);
	else
		l->state = LINK_ATTACHED;
}

/* From the pins, once the audit has mended what it could. */
static void count_links(struct warden *w, const struct conf *c)
{
	struct kern_link have[CONF_INTERFACES_MAX];
	int n = kern_links(c->pin_dir, have, sizeof(have) / sizeof(*have));
	__u64 native = 0, generic = 0;

	for (size_t i = 0; i < c->ninterfaces; i++) {
		unsigned ifindex = if_nametoindex(c->interface[i]);
		const struct kern_link *l = ifindex ? attached(have, n, c->interface[i], ifindex) : NULL; /* a dead link says 0 */

		native += l && l->native;
		generic += l && !l->native;
	}
	w->stats->counter[PST_CNT_LINKS_NATIVE] = native;
	w->stats->counter[PST_CNT_LINKS_GENERIC] = generic;
	w->stats->counter[PST_CNT_LINKS_NONE] = c->ninterfaces - native - generic;
	w->stats->counter[PST_CNT_DEGRADED_GATE] = native + generic < c->ninterfaces;
}

void gate_audit(struct warden *w)
{
	const struct conf *c = w->now.conf;
	struct kern_link have[CONF_INTERFACES_MAX];
	int n = kern_links(c->pin_dir, have, sizeof(have) / sizeof(*have));

	for (size_t i = 0; i < c->ninterfaces; i++)
		audit_one(w, c->interface[i], have, n);
	count_links(w, c);
}

static bool wants(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->ninterfaces; i++)
		if (!strcmp(c->interface[i], name))
			return true;
	return false;
}

void gate_detach_gone(struct warden *w, const struct conf *old)
{
	for (size_t i = 0; i < old->ninterfaces; i++) {
		const char *name = old->interface[i];
		int rc;

		if (wants(w->now.conf, name))
			continue;
		rc = kern_detach(old->pin_dir, name);
		if (rc && rc != -ENOENT)
			log_warnx("gate-not-detached interface=%s: %s", name, strerror(-rc));
		else
			log_info("gate-detached interface=%s", name);
	}
}

/* --- start -------------------------------------------------------------------------- */

static void say_error(void *ctx, const char *message)
{
	(void)ctx;
	log_warnx("config-error: %s", message);
}

int gate_allow(const struct kern_maps *m, const struct conf *c)
{
	size_t n = c->nallow + c->nbalancers;
	struct pst_prefix *all = calloc(n + 1, sizeof(*all));
	int rc;

	if (!all)
		return -ENOMEM;
	if (c->nallow)
		memcpy(all, c->allow, c->nallow * sizeof(*all));
	if (c->nbalancers)
		memcpy(all + c->nallow, c->balancer, c->nbalancers * sizeof(*all));
	rc = allow_replace(m, all, n);
	free(all);
	return rc;
}

static int fill_tables(struct warden *w)
{
	struct listset lists;
	int rc;

	lists_read(w, w->now.conf, &lists, say_error, NULL);
	rc = lists_put(w, &lists);
	if (!rc)
		rc = gate_allow(&w->maps, w->now.conf);
	if (!rc)
		rc = judge_put_conf(&w->maps, w->now.conf);
	if (rc)
		log_warnx("tables-not-filled: the kernel's tables could not be filled: %s", strerror(-rc));
	return rc;
}

bool gate_is_other(const struct warden *w)
{
	return kern_is_pinned(w->pin_dir, &w->maps) == 0;
}

bool gate_is_unloaded(const struct warden *w)
{
	return kern_is_pinned(w->pin_dir, &w->maps) == -ENOENT;
}

bool gate_follow(struct warden *w)
{
	struct kern_maps maps;
	struct pst_stats *stats;
	int rc = kern_open(w->pin_dir, false, &maps, NULL);

	if (rc) {
		log_warnx("pins-failed dir=\"%s\": the pinned maps cannot be opened: %s", w->pin_dir, strerror(-rc));
		return false;
	}
	stats = stats_map_slot(&maps, WARDEN_SLOT);
	if (!stats) {
		log_warn("counters-failed: the counters cannot be mapped");
		kern_close(&maps);
		return false;
	}
	munmap(w->stats, PST_SLOT_BYTES);
	kern_close(&w->maps);
	w->maps = maps;
	w->stats = stats;
	log_counts(stats);
	log_info("gate-reloaded: the gate was loaded anew; its tables are filled again");
	fill_tables(w);
	return true;
}

/* The tables are filled before links that are there already get this program: what the old one refused is refused at every moment. */
int gate_start(struct warden *w)
{
	const char *dir = w->now.conf->pin_dir;
	char err[1024] = "";
	unsigned have = 0;
	int rc = kern_load(dir, err, sizeof(err));

	if (rc) {
		log_warnx("gate-not-loaded: the kernel half cannot be loaded: %s", *err ? err : strerror(-rc));
		return rc;
	}
	rc = kern_open(dir, false, &w->maps, &have);
	if (rc) {
		log_warnx("pins-failed dir=\"%s\": the pinned maps cannot be opened: %s", dir, strerror(-rc));
		return rc;
	}
	w->stats = stats_map_slot(&w->maps, WARDEN_SLOT);
	if (!w->stats) {
		log_warn("counters-failed: the counters cannot be mapped");
		return -EIO;
	}
	log_counts(w->stats);
	rc = fill_tables(w);
	if (rc)
		return rc;
	rc = kern_take_over(dir, err, sizeof(err));
	if (rc) {
		log_warnx("gate-not-replaced: the program on the interfaces cannot be replaced: %s", *err ? err : strerror(-rc));
		return rc;
	}
	if (!w->now.conf->ninterfaces)
		log_warnx("no-interface: none is set; nothing is refused at a network card");
	gate_audit(w);
	return 0;
}
