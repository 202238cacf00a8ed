/* SPDX-License-Identifier: BSD-2-Clause */
/* unmanned.c: the maps' writer when there is no judge. */
#include "tools/postern/unmanned.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/progress.h"
#include "user/ban.h"
#include "user/judge.h"
#include "user/listset.h"
#include "user/stats.h"

#define ROWS_AT_ONCE 65536

static int written(struct kern_maps *m, int rc, const char *what)
{
	kern_close(m);
	if (rc)
		return out_error("%s could not be written to the maps under %s: %s", what, place_pins(), strerror(-rc));
	out_note("daemon not running: written to the pinned maps");
	return CLI_OK;
}

/* The judge's counters have no other writer while it is away. */
static void count(const struct kern_maps *m, enum pst_counter counter, size_t n)
{
	struct pst_stats *s = n ? stats_map_slot(m, JUDGE_SLOT) : NULL;

	if (s)
		s->counter[counter] += n;
}

static void guard_port(struct pst_conf *c, unsigned port)
{
	c->port_bits[port >> 6] |= 1ull << (port & 63);
}

static bool guards_nothing(const struct pst_conf *c)
{
	for (size_t i = 0; i < sizeof(c->port_bits) / sizeof(*c->port_bits); i++) {
		if (c->port_bits[i])
			return false;
	}
	return true;
}

int unmanned_settings(void)
{
	struct pst_conf k;
	struct kern_maps m;
	int rc = place_open(&m, false);

	if (rc)
		return rc;
	if (place_conf())
		rc = judge_put_conf(&m, place_conf());
	if (!rc)
		rc = gate_conf_get(&m, &k);
	if (!rc && guards_nothing(&k))
		guard_port(&k, 25);
	k.dead_man_ns = 0; /* nobody is there to vouch again */
	if (!rc)
		rc = gate_conf_put(&m, &k);
	kern_close(&m);
	return rc ? out_error("%s: the gate's settings: %s", place_pins(), strerror(-rc)) : CLI_OK;
}

static int read_lists(const struct conf *c, struct listset *set)
{
	struct progress progress;
	char err[512] = "";
	int rc = 0;

	progress_begin(&progress);
	for (size_t i = 0; i < c->nlists && !rc; i++)
		rc = listset_read(&set->one[set->n++], &c->list[i], NULL, progress_tell, &progress, err, sizeof(err));
	progress_end(&progress);
	return rc ? out_error("list %s: %s", c->list[set->n - 1].name, err) : CLI_OK;
}

int unmanned_lists(void)
{
	static struct listset set; /* large */
	char err[256] = "";
	struct kern_maps m;
	int rc = place_open(&m, false);

	if (rc || !place_conf()) {
		if (!rc)
			kern_close(&m);
		return rc;
	}
	rc = read_lists(place_conf(), &set);
	if (!rc && listset_put(&set, &m, err, sizeof(err)))
		rc = out_error("the lists: %s", err);
	listset_drop(&set);
	kern_close(&m);
	return rc;
}

int unmanned_mode(unsigned mode)
{
	struct pst_conf k;
	struct kern_maps m;
	int rc = place_open(&m, false);

	if (rc)
		return rc;
	rc = gate_conf_get(&m, &k);
	k.mode = mode;
	k.dead_man_ns = 0; /* the operator vouches for it now */
	if (!rc)
		rc = gate_conf_put(&m, &k);
	return written(&m, rc, "the mode");
}

int unmanned_ban(const struct pst_prefix *p, unsigned long long seconds, const struct pst_ban *order, const char *reason)
{
	__u64 now = kern_now_ns();
	struct pst_ban b = *order;
	struct kern_maps m;
	bool evicted = false;
	int rc = place_open(&m, false);

	if (rc)
		return rc;
	b.until_ns = seconds == ~0ull ? ~0ull : now + seconds * 1000000000ull;
	b.made_ns = now;
	b.reason = PST_RSN_OPERATOR;
	b.origin = PST_ORIGIN_OPERATOR;
	rc = ban_put(&m, p, &b, reason, true, &evicted);
	if (rc == -ENOSPC) {
		kern_close(&m);
		return out_error("bans already use %d different prefix lengths of this address family, the most that the gate looks up; use a length that `postern ban show` shows",
				 PST_BAN_LENS_MAX);
	}
	count(&m, PST_CNT_BAN_OPERATOR, !rc);
	count(&m, PST_CNT_BAN_EVICTED, evicted);
	return written(&m, rc, "the ban");
}

int unmanned_bans(size_t n, void (*get)(void *ctx, size_t i, struct ban_row *out), void *ctx, struct ban_many *done)
{
	struct ban_row *row = calloc(ROWS_AT_ONCE, sizeof(*row));
	struct ban_many part;
	struct kern_maps m;
	int rc = row ? place_open(&m, false) : out_error("out of memory");

	*done = (struct ban_many){ 0 };
	if (rc) {
		free(row);
		return rc;
	}
	for (size_t at = 0; at < n && !rc; at += ROWS_AT_ONCE) {
		size_t take = n - at < ROWS_AT_ONCE ? n - at : ROWS_AT_ONCE;

		for (size_t i = 0; i < take; i++)
			get(ctx, at + i, &row[i]);
		rc = ban_put_many(&m, row, take, &part);
		done->written += part.written;
		done->evicted += part.evicted;
		done->noteless += part.noteless;
	}
	free(row);
	count(&m, PST_CNT_BAN_OPERATOR, done->written);
	count(&m, PST_CNT_BAN_EVICTED, done->evicted);
	if (rc)
		out_note("%zu of %zu bans are written", done->written, n);
	return written(&m, rc, "the bans");
}

int unmanned_unban(const struct pst_prefix *p)
{
	struct kern_maps m;
	int rc = place_open(&m, false);

	if (rc)
		return rc;
	rc = ban_del(&m, p);
	if (!rc)
		count(&m, PST_CNT_BAN_DELETED, 1);
	return written(&m, rc, "the end of the ban");
}

int unmanned_allow(const struct pst_prefix *p, bool add)
{
	struct kern_maps m;
	int rc = place_open(&m, false);

	return rc ? rc : written(&m, add ? allow_put(&m, p) : allow_del(&m, p), "the allow entry");
}
