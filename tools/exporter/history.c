/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/exporter/history.h"

#include <string.h>

#include "user/core/names.h"

const struct history_row history_rows[HISTORY_SERIES_MAX] = {
#define HISTORY_X(sym, title, unit, family, label) { title, unit, family, label },
	HISTORY_SERIES(HISTORY_X)
#undef HISTORY_X
};

static unsigned long long sum_of(const struct history_row *row, const struct pst_stats *s)
{
	unsigned long long sum = 0;

	for (int i = 0; i < PST_CNT_MAX; i++)
		if (!strcmp(counter_rows[i].family, row->family) && strstr(counter_rows[i].labels, row->label))
			sum += s->counter[i];
	return sum;
}

static double value_of(const struct history *h, int i, unsigned long long sum, double seconds)
{
	if (!strstr(history_rows[i].family, "_total"))
		return (double)sum;
	return (double)(sum >= h->last[i] ? sum - h->last[i] : sum) / seconds;
}

void history_add(struct history *h, const struct pst_stats *s, unsigned long long now_ns)
{
	if (h->primed && now_ns <= h->last_ns)
		return;
	for (int i = 0; i < HISTORY_SERIES_MAX; i++) {
		unsigned long long sum = sum_of(&history_rows[i], s);

		if (h->primed)
			h->value[i][h->next] = value_of(h, i, sum, (double)(now_ns - h->last_ns) / 1e9);
		h->last[i] = sum;
	}
	if (h->primed) {
		h->next = (h->next + 1) % HISTORY_MAX;
		h->n += h->n < HISTORY_MAX;
	}
	h->primed = 1;
	h->last_ns = now_ns;
}

double history_at(const struct history *h, enum history_series series, unsigned i)
{
	return h->value[series][(h->next + HISTORY_MAX - h->n + i) % HISTORY_MAX];
}
