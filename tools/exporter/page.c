/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/exporter/page.h"

#include <stdbool.h>
#include <string.h>

#include "user/core/names.h"
#include "user/core/parts.h"
#include "user/core/span.h"

#define PLOT_WIDTH  360
#define PLOT_HEIGHT 60

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Postern</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"10\">\n"
	"<style>\n"
	":root{color-scheme:light dark}a{color:inherit}\n"
	"body{font:14px/1.4 system-ui,sans-serif;margin:1em auto;max-width:78em;padding:0 1em;color:#1b1f24;background:#fff}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(20em,1fr));gap:1em}\n"
	"figure{margin:0;padding:.6em;border:1px solid #ccd;border-radius:4px}figcaption,small{display:flex;justify-content:space-between}\n"
	"small,th{font-weight:normal;opacity:.7}svg{width:100%;height:60px;display:block;margin:.3em 0 .1em;border-bottom:1px solid #99a}\n"
	"path{fill:#cfe3f7;stroke:#1f6fb5;stroke-width:1;vector-effect:non-scaling-stroke}\n"
	".tables{columns:24em;column-gap:2em;margin-top:1em}section{break-inside:avoid;margin-bottom:1.2em}h2{font-size:1em;margin:0 0 .2em}\n"
	"table{border-collapse:collapse;width:100%}td,th{padding:.1em .8em .1em 0;text-align:left;overflow-wrap:anywhere}\n"
	"tr+tr td{border-top:1px solid #8883}.n{text-align:right;font-variant-numeric:tabular-nums;padding-right:0}.zero{opacity:.55}\n"
	".bad{color:#a40000;font-weight:bold}\n"
	"@media(prefers-color-scheme:dark){body{color:#dde;background:#14171b}path{fill:#1d3a55;stroke:#6db3f2}figure{border-color:#445}.bad{color:#ff8080}}\n"
	"</style></head><body>\n";

/* Nothing here comes from strangers, but quotes in labels must not end an attribute either. */
static void put_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '&': fputs("&amp;", f); break;
		case '"': fputs("&quot;", f); break;
		default: fputc(*text, f);
		}
	}
}

static double most_of(const struct history *h, enum history_series series)
{
	double most = 0;

	for (unsigned i = 0; i < h->n; i++)
		if (history_at(h, series, i) > most)
			most = history_at(h, series, i);
	return most;
}

/* The newest value stands at the right edge; the area under the line is filled. */
static void put_path(FILE *f, const struct history *h, enum history_series series, double most)
{
	double step = (double)PLOT_WIDTH / (HISTORY_MAX - 1);
	double x = PLOT_WIDTH - (h->n ? h->n - 1 : 0) * step;

	fprintf(f, "<path d=\"M%.1f %d", x, PLOT_HEIGHT);
	for (unsigned i = 0; i < h->n; i++)
		fprintf(f, "L%.1f %.1f", x + i * step, PLOT_HEIGHT - (most > 0 ? history_at(h, series, i) / most : 0) * (PLOT_HEIGHT - 4));
	fprintf(f, "L%d %dZ\"/>", PLOT_WIDTH, PLOT_HEIGHT);
}

static void put_plot(FILE *f, const struct history *h, enum history_series series)
{
	const struct history_row *row = &history_rows[series];
	double most = most_of(h, series), now = h->n ? history_at(h, series, h->n - 1) : 0;
	bool rate = strchr(row->unit, '/');

	fprintf(f, "<figure><figcaption><span>%s</span><strong>%.*f %s</strong></figcaption>", row->title, rate && now < 10 ? 1 : 0, now, row->unit);
	fprintf(f, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s, the last hour, at most %.1f %s\">", PLOT_WIDTH,
		PLOT_HEIGHT, row->title, most, row->unit);
	put_path(f, h, series, most);
	fprintf(f, "</svg><small><span>an hour ago</span><span>at most %.*f</span><span>now</span></small></figure>\n", rate && most < 10 ? 1 : 0, most);
}

/* Labels are a="x",b="y": a cell for each name, or for each value. */
static void put_labels(FILE *f, const char *labels, bool names)
{
	char name[64], value[64];
	int n;

	if (!*labels)
		fputs(names ? "<th></th>" : "<td>all</td>", f);
	for (; *labels; labels += n + (labels[n] == ',')) {
		n = 0;
		if (sscanf(labels, "%63[^=]=\"%63[^\"]\"%n", name, value, &n) != 2 || !n)
			return;
		fputs(names ? "<th>" : "<td>", f);
		put_escaped(f, names ? name : value);
		fputs(names ? "</th>" : "</td>", f);
	}
}

static void put_head(FILE *f, const struct counter_row *row)
{
	fputs("<section><h2>", f);
	put_escaped(f, row->help);
	fputs("</h2>\n<table>\n<tr>", f);
	put_labels(f, row->labels, true);
	fputs("<th class=\"n\"></th></tr>\n", f);
}

static void put_count(FILE *f, unsigned long long n)
{
	fprintf(f, "<td class=\"n\">%llu</td></tr>\n", n);
}

static void put_counters(FILE *f, const struct pst_stats *s)
{
	const char *family = "";

	for (unsigned n = 0; n < PST_CNT_MAX; n++) {
		unsigned i = counter_nth(n);
		const struct counter_row *row = &counter_rows[i];

		if (strcmp(row->family, family)) {
			fputs(n ? "</table></section>\n" : "", f);
			put_head(f, row);
			family = row->family;
		}
		fputs(s->counter[i] ? "<tr>" : "<tr class=\"zero\">", f);
		put_labels(f, row->labels, false);
		put_count(f, s->counter[i]);
	}
	fputs("</table></section>\n", f);
}

static void put_findings(FILE *f, const struct pst_stats *s)
{
	fputs("<section><h2>Offences found</h2>\n<table>\n", f);
	for (unsigned i = 0; i < PST_RSN_MAX; i++) {
		fprintf(f, "<tr%s><td>%s</td>", s->found[i] ? "" : " class=\"zero\"", reason_rows[i].name);
		put_count(f, s->found[i]);
	}
	fputs("</table></section>\n", f);
}

static void put_within(FILE *f, const struct pst_span *span, unsigned percent)
{
	unsigned i = span_quantile(span, percent);

	fprintf(f, "<td class=\"n\">%s%s</td>", i < PST_BOUNDS_MAX ? "" : "over ", bound_rows[i < PST_BOUNDS_MAX ? i : PST_BOUNDS_MAX - 1].le);
}

static void put_spans(FILE *f, const struct pst_stats *s)
{
	for (unsigned i = 0; i < PST_SPAN_MAX; i++) {
		const struct pst_span *span = &s->span[i];
		__u64 n = span_total(span);

		fputs("<section><h2>", f);
		put_escaped(f, span_rows[i].help);
		fputs("</h2>\n<table>\n<tr><th class=\"n\">seconds: half within</th><th class=\"n\">90&nbsp;%</th><th class=\"n\">99&nbsp;%</th><th class=\"n\">of</th></tr>\n", f);
		if (n) {
			fputs("<tr>", f);
			put_within(f, span, 50);
			put_within(f, span, 90);
			put_within(f, span, 99);
		} else {
			fputs("<tr class=\"zero\"><td></td><td></td><td></td>", f);
		}
		put_count(f, n);
		fputs("</table></section>\n", f);
	}
}

/* What a postmaster has to see first. */
static void put_degraded(FILE *f, const struct pst_stats *s)
{
	static const struct {
		const char *name, *meaning, *advice;
		enum pst_counter row;
	} parts[] = {
#define PARTS_X(sym, nam, mean, adv) { nam, mean, adv, PST_CNT_DEGRADED_##sym },
		PARTS(PARTS_X)
#undef PARTS_X
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!s->counter[parts[i].row])
			continue;
		fprintf(f, "<p><span class=\"bad\">Degraded: %s.</span> ", parts[i].name);
		put_escaped(f, parts[i].meaning);
		fputs(" ", f);
		put_escaped(f, parts[i].advice);
		fputs("</p>\n", f);
	}
}

void page_print(FILE *f, const struct page_facts *facts, const struct pst_stats *s, const struct history *h)
{
	fputs(head, f);
	fputs("<h1>Postern</h1>\n<p>Gate: <strong", f);
	fprintf(f, "%s>%s</strong>, version %s.", strcmp(facts->mode, "enforce") ? " class=\"bad\"" : "", facts->mode, facts->version);
	if (!facts->readable)
		fputs(" <span class=\"bad\">The counters cannot be read; these are the last ones.</span>", f);
	fputs(" <a href=\"metrics\">Metrics</a></p>\n", f);
	put_degraded(f, s);
	fputs("<div class=\"plots\">\n", f);
	for (int i = 0; i < HISTORY_SERIES_MAX; i++)
		put_plot(f, h, (enum history_series)i);
	fputs("</div>\n<div class=\"tables\">\n", f);
	put_spans(f, s);
	put_counters(f, s);
	put_findings(f, s);
	fputs("</div></body></html>\n", f);
}
