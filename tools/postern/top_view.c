/* SPDX-License-Identifier: BSD-2-Clause */
/* top_view.c: the page. What is most urgent stands highest, so that a small terminal still shows it. */
#include "tools/postern/top_view.h"

#include <stdio.h>
#include <string.h>

#include "tools/postern/out.h"
#include "user/core/addr.h"
#include "user/core/names.h"
#include "tools/postern/place.h"

#define LABEL	  11 /* columns of the words at the left */
#define TWO_UP	  72 /* columns from which two tables stand side by side */
#define FULL_BANS 80 /* per cent of the table */
#define BUSY	  90 /* per cent of the sessions that there is room for */

struct page {
	struct screen *s;
	unsigned row, end; /* the next one; the one behind the last that may be used */
	const struct top_sample *now;
	const struct top_figures *f;
};

/* --- numbers in few columns ------------------------------------------------------------- */

/* "1234", "56.7k", "8.9M": six columns at most. */
static const char *count_text(double n, char out[16])
{
	static const char units[] = "kMGTPE";
	int u = -1;

	if (n < 0)
		return "-";
	while (n >= 99999.5 && u < 5) {
		n /= 1000;
		u++;
	}
	if (u < 0)
		snprintf(out, 16, n > 0 && n < 9.95 ? "%.1f" : "%.0f", n);
	else
		snprintf(out, 16, "%.0f%c", n, units[u]);
	return out;
}

static const char *whole_text(__u64 n, char out[16])
{
	if (n < 100000)
		snprintf(out, 16, "%llu", (unsigned long long)n);
	else
		count_text((double)n, out);
	return out;
}

static unsigned long long number(json_t *object, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(object, key));
}

static const char *string(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "-";
}

/* --- the rows at the top ------------------------------------------------------------------ */

static unsigned label(struct page *p, const char *word)
{
	screen_put(p->s, p->row, 0, SCREEN_HEADING, "%s", word);
	return LABEL;
}

static void attached_row(struct page *p)
{
	unsigned at = label(p, "attached");

	if (*p->now->no_gate) {
		screen_put(p->s, p->row++, at, SCREEN_ALARM, "%s", p->now->no_gate);
		return;
	}
	if (p->now->nlinks <= 0)
		at = screen_put(p->s, p->row, at, SCREEN_ALARM, "%s", p->now->nlinks ? "the links cannot be read" : "to no interface: everything passes");
	if (p->now->silent)
		at = screen_put(p->s, p->row, at, SCREEN_ALARM, "EVERYTHING PASSES: posternd was silent for too long; ");
	for (int i = 0; i < p->now->nlinks && i < TOP_LINKS_MAX; i++) {
		const struct kern_link *l = &p->now->link[i];

		at = screen_put(p->s, p->row, at, SCREEN_PLAIN, "%s%s %s%s", i ? ", " : "", l->interface, l->native ? "native" : "generic",
				l->shared ? " shared" : "");
	}
	p->row++;
}

static void daemon_row(struct page *p)
{
	unsigned at = label(p, "daemon");
	json_t *d = p->now->daemon;
	size_t workers = json_array_size(json_object_get(d, "workers"));
	char up[32];

	if (!d) {
		screen_put(p->s, p->row++, at, SCREEN_ALARM, "%s%s", p->now->no_daemon,
			   *p->now->no_gate ? "" : "; bans and lists are enforced all the same");
		return;
	}
	screen_put(p->s, p->row++, at, SCREEN_PLAIN, "up %s, %zu worker%s, %llu sources known, room for %llu", duration_text(number(d, "uptime_seconds"), up),
		   workers, workers == 1 ? "" : "s", number(d, "sources_known"), number(d, "sources_max"));
}

/* How near the gate is to what it can hold: of sessions, of bans, of SYNs. */
static void stress_row(struct page *p)
{
	unsigned long long live = p->now->sessions ? number(p->now->sessions, "live") : 0, room = p->now->sessions ? number(p->now->sessions, "room") : 0;
	bool busy = room && live * 100 >= room * BUSY, full = p->now->bans_room && p->now->bans * 100 >= p->now->bans_room * FULL_BANS;
	bool flooded = p->f->sum[TOP_OVER_BUDGET].per_second > 0, broken = p->now->stats.counter[PST_CNT_BREAKER_OPEN];
	bool stress = busy || full || flooded || broken || json_is_true(json_object_get(p->now->daemon, "stress"));
	unsigned at = label(p, "stress");
	char text[16];

	at = screen_put(p->s, p->row, at, stress ? SCREEN_ALARM : SCREEN_PLAIN, "%s", stress ? "YES" : "none");
	if (broken)
		at = screen_put(p->s, p->row, at, SCREEN_ALARM, "; no automatic bans: they would hit good mail");
	if (p->now->sessions)
		at = screen_put(p->s, p->row, at, busy ? SCREEN_ALARM : SCREEN_PLAIN, "; sessions %llu of %llu", live, room);
	at = screen_put(p->s, p->row, at, full ? SCREEN_ALARM : SCREEN_PLAIN, "; bans %zu of %zu", p->now->bans, p->now->bans_room);
	screen_put(p->s, p->row++, at, flooded ? SCREEN_ALARM : SCREEN_PLAIN, "; SYNs over budget %s/s", count_text(p->f->sum[TOP_OVER_BUDGET].per_second, text));
}

static void sums_row(struct page *p, const char *word, enum top_sum from, enum top_sum to)
{
	unsigned at = label(p, word);
	char text[16];

	for (unsigned i = from; i <= to; i++)
		at = screen_put(p->s, p->row, at, SCREEN_PLAIN, "%s%s %s", i == from ? "" : "  ", p->f->sum[i].name, count_text(p->f->sum[i].per_second, text));
	p->row++;
}

static void sessions_row(struct page *p)
{
	unsigned at = label(p, "sessions");
	const char *phase;
	json_t *n;

	if (!p->now->sessions) {
		screen_put(p->s, p->row++, at, SCREEN_PLAIN, "only the daemon knows");
		return;
	}
	at = screen_put(p->s, p->row, at, SCREEN_PLAIN, "live %llu", number(p->now->sessions, "live"));
	json_object_foreach(json_object_get(p->now->sessions, "phases"), phase, n)
		if (json_integer_value(n))
			at = screen_put(p->s, p->row, at, SCREEN_PLAIN, "  %s %lld", phase, (long long)json_integer_value(n));
	p->row++;
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Three columns of figures from column at on; name as wide as there is room. */
static void figures(struct page *p, unsigned row, unsigned at, unsigned width, const char *title, const struct top_figure *f, unsigned n, unsigned rows)
{
	unsigned name = width > 18 ? width - 18 : 4;
	char total[16], rate[16];

	screen_put(p->s, row, at, SCREEN_HEADING, "%-*.*s %8s %8s", (int)name, (int)name, title, "/S", "TOTAL");
	for (unsigned i = 0; i < n && i < rows; i++)
		screen_put(p->s, row + 1 + i, at, SCREEN_PLAIN, "%-*.*s %8s %8s", (int)name, (int)name, f[i].name, count_text(f[i].per_second, rate),
			   whole_text(f[i].total, total));
}

/* Figures that never were anything but 0 take no room. */
static unsigned busy(const struct top_figure *f, unsigned n)
{
	unsigned k = 0;

	while (k < n && (f[k].total || f[k].per_second > 0))
		k++;
	return k;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static void drop_tables(struct page *p, unsigned rows)
{
	const struct top_figures *f = p->f;
	unsigned drops = busy(f->drop, f->ndrops), width = p->s->columns, used;

	if (rows < 2)
		return;
	if (width >= TWO_UP) {
		used = drops > f->nlists ? drops : f->nlists;
		used = least(used ? used : 1, rows - 1);
		figures(p, p->row, 0, width / 2 - 1, "REFUSED AT THE CARD", f->drop, drops, used);
		figures(p, p->row, width / 2 + 1, width - width / 2 - 1, "LIST", f->list, f->nlists, used);
	} else {
		used = least(drops ? drops : 1, rows - 1);
		figures(p, p->row, 0, width, "REFUSED AT THE CARD", f->drop, drops, used);
	}
	p->row += 1 + used;
}

static void backend_table(struct page *p, unsigned rows)
{
	json_t *all = json_object_get(p->now->backends, "backends"), *b;
	size_t i;

	if (rows < 2 || !json_array_size(all))
		return;
	screen_put(p->s, p->row++, 0, SCREEN_HEADING, "%-20s %-8s %6s %6s %9s %6s  %s", "BACKEND", "STATE", "LIVE", "IDLE", "SESSIONS", "FAILED", "LAST ERROR");
	json_array_foreach(all, i, b) {
		char sessions[16], failed[16];
		const char *state = string(b, "state");

		if (i + 1 >= rows)
			break;
		screen_put(p->s, p->row++, 0, strcmp(state, "down") && strcmp(state, "mixed") ? SCREEN_PLAIN : SCREEN_ALARM,
			   "%-20.20s %-8s %6llu %6llu %9s %6s  %s", string(b, "backend"), state, number(b, "live"), number(b, "idle"),
			   whole_text(number(b, "sessions"), sessions), whole_text(number(b, "failures"), failed), string(b, "error"));
	}
}

/* --- who offends ------------------------------------------------------------------------------- */

static json_t *client_of(const struct page *p, const char *source)
{
	json_t *c;
	size_t i;

	json_array_foreach(json_object_get(p->now->clients, "clients"), i, c)
		if (!strcmp(string(c, "source"), source))
			return c;
	return NULL;
}

static void offender(struct page *p, const char *source, json_t *client, const struct pst_ban *ban, double per_second)
{
	char score[24] = "-", offences[24] = "-", hits[16], rate[16], left[32], end[64] = "";

	if (client) {
		snprintf(score, sizeof(score), "%llu", number(client, "score"));
		snprintf(offences, sizeof(offences), "%llu", number(client, "offences"));
	}
	if (ban)
		snprintf(end, sizeof(end), "%s, %s", reason_name(ban->reason), ban->until_ns == ~0ull ? "forever" : out_left(ban->until_ns, left));
	screen_put(p->s, p->row++, 0, SCREEN_PLAIN, "%-24s %6s %8s %8s %8s  %s", source, score, offences, ban ? count_text(per_second, rate) : "-",
		   ban ? whole_text(ban->hits, hits) : "-", end);
}

static bool is_knocking(const struct page *p, const char *source)
{
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; i < p->now->nknocks; i++)
		if (!strcmp(prefix_text(&p->now->knock[i].prefix, text), source))
			return true;
	return false;
}

/* Those whose bans refuse the most now, and behind them those with the highest scores. */
static void offender_table(struct page *p)
{
	char text[PREFIX_TEXT_MAX];
	json_t *c;
	size_t i;

	if (p->row + 1 >= p->end)
		return;
	screen_put(p->s, p->row++, 0, SCREEN_HEADING, "%-24s %6s %8s %8s %8s  %s", "OFFENDER", "SCORE", "OFFENCES", "REFUSED/S", "REFUSED", "BANNED FOR, LEFT");
	for (unsigned k = 0; k < p->now->nknocks && p->row < p->end; k++) {
		prefix_text(&p->now->knock[k].prefix, text);
		offender(p, text, client_of(p, text), &p->now->knock[k].ban, p->now->knock[k].per_second);
	}
	json_array_foreach(json_object_get(p->now->clients, "clients"), i, c) {
		if (p->row >= p->end)
			return;
		if (number(c, "offences") && !is_knocking(p, string(c, "source")))
			offender(p, string(c, "source"), c, i < TOP_CLIENTS_MAX && p->now->held[i].until_ns ? &p->now->held[i] : NULL, 0);
	}
}

static void title(struct page *p, const char *head)
{
	unsigned n = (unsigned)strlen(head), at;

	screen_style_row(p->s, p->row, SCREEN_BAR);
	at = screen_put(p->s, p->row, 0, SCREEN_BAR, "postern top  gate %s", *p->now->no_gate ? "NOT LOADED" : mode_name(p->now->mode));
	if (at + 2 + n <= p->s->columns)
		screen_put(p->s, p->row, p->s->columns - n, SCREEN_BAR, "%s", head);
	p->row++;
}

void top_view(struct screen *s, const struct top_sample *now, const struct top_figures *f, const char *head, const char *foot)
{
	struct page p = { .s = s, .now = now, .f = f, .end = s->rows };

	p.end -= foot && s->rows > 1;
	title(&p, head);
	attached_row(&p);
	daemon_row(&p);
	if (!*now->no_gate) {
		stress_row(&p);
		sums_row(&p, "packets/s", TOP_PASSED, TOP_REFUSED);
		sums_row(&p, "mail/s", TOP_CONNECTIONS, TOP_BANS);
	}
	sessions_row(&p);
	if (p.row + 3 < p.end) {
		unsigned left = p.end - p.row - 1, backends = now->backends ? (unsigned)json_array_size(json_object_get(now->backends, "backends")) + 1 : 0;

		p.row++;
		if (!*now->no_gate)
			drop_tables(&p, left / 2);
		backend_table(&p, least(backends, (p.end - p.row) / 2));
		offender_table(&p);
	}
	if (p.end < s->rows) /* what ran over it gives way */
		screen_put(s, p.end, 0, SCREEN_PLAIN, "%-*s", (int)s->columns, foot);
}
