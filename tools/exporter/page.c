/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/exporter/page.h"

#include <string.h>

#include "user/core/names.h"

#define PLOT_WIDTH  360
#define PLOT_HEIGHT 60

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Postern</title>\n"
	"<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"10\">\n"
	"<style>\n"
	"body{font:14px/1.4 system-ui,sans-serif;margin:1em auto;max-width:78em;padding:0 1em;color:#1b1f24;background:#fff}\n"
	".plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(20em,1fr));gap:1em}\n"
	"figure{margin:0;padding:.6em;border:1px solid #ccd;border-radius:4px}figcaption{display:flex;justify-content:space-between}\n"
	"svg{width:100%;height:60px;display:block}path{fill:#cfe3f7;stroke:#1f6fb5;stroke-width:1}\n"
	"table{border-collapse:collapse;margin:.3em 0 1em}td,th{padding:.1em .8em .1em 0;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}\n"
	".bad{color:#a40000;font-weight:bold}h2{font-size:1.1em;margin:1.2em 0 .2em}\n"
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

	fprintf(f, "<figure><figcaption><span>%s</span><strong>%.*f %s</strong></figcaption>", row->title, now < 10 ? 1 : 0, now, row->unit);
	fprintf(f, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s, the last hour, at most %.1f %s\">", PLOT_WIDTH,
		PLOT_HEIGHT, row->title, most, row->unit);
	put_path(f, h, series, most);
	fputs("</svg></figure>\n", f);
}

static void put_counters(FILE *f, const struct pst_stats *s)
{
	const char *family = "";

	for (unsigned n = 0; n < PST_CNT_MAX; n++) {
		unsigned i = counter_nth(n);
		const struct counter_row *row = &counter_rows[i];

		if (strcmp(row->family, family)) {
			fprintf(f, "%s<h2>%s</h2>\n<table>\n", n ? "</table>\n" : "", row->help);
			family = row->family;
		}
		fputs("<tr><td>", f);
		put_escaped(f, row->labels[0] ? row->labels : "total");
		fprintf(f, "</td><td class=\"n\">%llu</td></tr>\n", (unsigned long long)s->counter[i]);
	}
	fputs("</table>\n", f);
}

static void put_findings(FILE *f, const struct pst_stats *s)
{
	fputs("<h2>Offences found</h2>\n<table>\n", f);
	for (unsigned i = 0; i < PST_RSN_MAX; i++)
		fprintf(f, "<tr><td>%s</td><td class=\"n\">%llu</td></tr>\n", reason_rows[i].name, (unsigned long long)s->found[i]);
	fputs("</table>\n", f);
}

void page_print(FILE *f, const struct page_facts *facts, const struct pst_stats *s, const struct history *h)
{
	fputs(head, f);
	fputs("<h1>Postern</h1>\n<p>Gate: <strong", f);
	fprintf(f, "%s>%s</strong>, version %s.", strcmp(facts->mode, "enforce") ? " class=\"bad\"" : "", facts->mode, facts->version);
	if (!facts->readable)
		fputs(" <span class=\"bad\">The counters cannot be read; these are the last ones.</span>", f);
	fputs(" <a href=\"metrics\">Metrics</a></p>\n<div class=\"plots\">\n", f);
	for (int i = 0; i < HISTORY_SERIES_MAX; i++)
		put_plot(f, h, (enum history_series)i);
	fputs("</div>\n", f);
	put_counters(f, s);
	put_findings(f, s);
	fputs("</body></html>\n", f);
}
