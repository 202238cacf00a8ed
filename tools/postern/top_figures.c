/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/top_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/names.h"

static const struct {
	const char *name, *family, *labels;
} sums[TOP_SUM_MAX] = {
#define TOP_X(sym, name, family, labels) [TOP_##sym] = { name, family, labels },
	TOP_SUMS(TOP_X)
#undef TOP_X
};

/* Counters of a gate that was loaded anew begin at 0. */
static double rate(__u64 now, __u64 before, double seconds)
{
	return !seconds ? -1 : now >= before ? (double)(now - before) / seconds : (double)now / seconds;
}

static struct top_figure sum_of(enum top_sum which, const struct top_sample *now, const struct top_past *before, double seconds)
{
	struct top_figure f = { 0 };
	__u64 then = 0;

	snprintf(f.name, sizeof(f.name), "%s", sums[which].name);
	for (unsigned i = 0; i < PST_CNT_MAX; i++) {
		if (strcmp(counter_rows[i].family, sums[which].family) || strncmp(counter_rows[i].labels, sums[which].labels, strlen(sums[which].labels)))
			continue;
		f.total += now->stats.counter[i];
		then += before->stats.counter[i];
	}
	f.per_second = rate(f.total, then, seconds);
	return f;
}

/* "verdict="dropped",reason="banned"" is "dropped banned". */
static void name_of(const char *labels, char *out, size_t size)
{
	size_t n = 0;

	for (bool inside = false; *labels && n + 1 < size; labels++) {
		if (*labels == '"') {
			inside = !inside;
			if (inside && n)
				out[n++] = ' ';
		} else if (inside) {
			out[n++] = *labels;
		}
	}
	out[n] = 0;
}

static int busier(const void *a, const void *b)
{
	const struct top_figure *x = a, *y = b;

	if (x->per_second != y->per_second)
		return x->per_second < y->per_second ? 1 : -1;
	return x->total != y->total ? (x->total < y->total ? 1 : -1) : strcmp(x->name, y->name);
}

static void drops(const struct top_sample *now, const struct top_past *before, struct top_figures *out)
{
	for (unsigned i = 0; i < PST_CNT_MAX; i++) {
		const struct counter_row *r = &counter_rows[i];
		struct top_figure *f = &out->drop[out->ndrops];

		if (strcmp(r->family, "xdp_packets_total") || !strncmp(r->labels, "verdict=\"passed\"", 16))
			continue;
		name_of(r->labels, f->name, sizeof(f->name));
		f->total = now->stats.counter[i];
		f->per_second = rate(f->total, before->stats.counter[i], out->seconds);
		out->ndrops++;
	}
	qsort(out->drop, out->ndrops, sizeof(out->drop[0]), busier);
}

static __u64 hits_of(const struct top_past *before, const char *name)
{
	for (unsigned i = 0; i < before->nlists; i++)
		if (!strcmp(before->list[i].name, name))
			return before->list[i].hits;
	return 0;
}

static void lists(const struct top_sample *now, const struct top_past *before, struct top_figures *out)
{
	for (unsigned i = 0; i < now->nlists; i++) {
		struct top_figure *f = &out->list[out->nlists++];

		snprintf(f->name, sizeof(f->name), "%s", now->list[i].name);
		f->total = now->list[i].hits;
		f->per_second = rate(f->total, hits_of(before, f->name), out->seconds);
	}
	qsort(out->list, out->nlists, sizeof(out->list[0]), busier);
}

static void findings(const struct top_sample *now, const struct top_past *before, struct top_figures *out)
{
	for (unsigned i = 0; i < PST_RSN_MAX; i++) {
		struct top_figure *f = &out->finding[out->nfindings++];

		snprintf(f->name, sizeof(f->name), "%s", reason_name(i));
		f->total = now->stats.found[i];
		f->per_second = rate(f->total, before->stats.found[i], out->seconds);
	}
	qsort(out->finding, out->nfindings, sizeof(out->finding[0]), busier);
}

void top_figures(const struct top_sample *now, const struct top_past *before, struct top_figures *out)
{
	memset(out, 0, sizeof(*out));
	out->seconds = before->at_ns && now->at_ns > before->at_ns ? (double)(now->at_ns - before->at_ns) / 1e9 : 0;
	for (unsigned i = 0; i < TOP_SUM_MAX; i++)
		out->sum[i] = sum_of(i, now, before, out->seconds);
	drops(now, before, out);
	lists(now, before, out);
	findings(now, before, out);
}

void top_past_keep(const struct top_sample *now, struct top_past *out)
{
	if (*now->no_gate) { /* what could not be read is nothing to compare with */
		out->at_ns = 0;
		return;
	}
	out->at_ns = now->at_ns;
	out->stats = now->stats;
	memcpy(out->list, now->list, sizeof(out->list));
	out->nlists = now->nlists;
}
