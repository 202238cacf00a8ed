/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/stats_named.h"

#include <bpf/bpf.h>
#include <string.h>

#include "user/core/names.h"
#include "user/stats.h"

int stats_named_read(const struct kern_maps *m, struct pst_named *out)
{
	for (__u32 i = 0; i < PST_NAMED_MAX; i++) {
		int err = bpf_map_lookup_elem(m->named, &i, &out[i]);

		if (err)
			return err;
		out[i].name[PST_NAME_MAX - 1] = 0;
	}
	return 0;
}

/* The next row of a family from i on that there is; row->last when there is none. */
static unsigned next_of(const struct figure_row *row, const struct pst_named *rows, unsigned i)
{
	while (i < row->last && !rows[i].name[0])
		i++;
	return i;
}

#define FOR_EACH(row, rows, i) for (unsigned i = next_of(row, rows, (row)->first); i < (row)->last; i = next_of(row, rows, i + 1))

void stats_named_text(FILE *f, const struct pst_named *rows)
{
	for (const struct figure_row *row = figure_rows; row < figure_rows + FIGURES_MAX; row++) {
		if (next_of(row, rows, row->first) < row->last)
			fprintf(f, "\n%s: %s\n", row->family, row->help);
		FOR_EACH(row, rows, i)
			fprintf(f, "  %-28s%20llu\n", rows[i].name, rows[i].figure[row->place]);
	}
}

void stats_named_json(json_t *list, const struct pst_named *rows)
{
	for (const struct figure_row *row = figure_rows; row < figure_rows + FIGURES_MAX; row++)
		FOR_EACH(row, rows, i)
			json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:I}", "name", row->family, "labels", row->label, rows[i].name, "value",
							      (json_int_t)rows[i].figure[row->place]));
}

/* Both formats escape alike in a label's value. */
static void put_value(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
}

void stats_named_prom(FILE *f, const struct pst_named *rows, bool open)
{
	for (const struct figure_row *row = figure_rows; row < figure_rows + FIGURES_MAX; row++) {
		stats_prom_head(f, row->family, row->help, open);
		FOR_EACH(row, rows, i) {
			fprintf(f, "postern_%s{%s=\"", row->family, row->label);
			put_value(f, rows[i].name);
			fprintf(f, "\"} %llu\n", rows[i].figure[row->place]);
		}
	}
}
