/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/screen.h"

#include <stdarg.h>
#include <string.h>

void screen_clear(struct screen *s, unsigned columns, unsigned rows)
{
	s->columns = columns < SCREEN_COLUMNS_MAX ? columns : SCREEN_COLUMNS_MAX;
	s->rows = rows < SCREEN_ROWS_MAX ? rows : SCREEN_ROWS_MAX;
	memset(s->text, ' ', sizeof(s->text));
	memset(s->style, SCREEN_PLAIN, sizeof(s->style));
}

unsigned screen_put(struct screen *s, unsigned row, unsigned column, enum screen_style style, const char *fmt, ...)
{
	char text[SCREEN_COLUMNS_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (row >= s->rows)
		return column;
	for (const char *p = text; *p && column < s->columns; p++, column++) {
		s->text[row][column] = *p >= ' ' && *p < 127 ? *p : '?';
		s->style[row][column] = style;
	}
	return column;
}

void screen_style_row(struct screen *s, unsigned row, enum screen_style style)
{
	if (row < s->rows)
		memset(s->style[row], style, s->columns);
}

static unsigned used(const struct screen *s, unsigned row)
{
	unsigned n = s->columns;

	while (n && s->text[row][n - 1] == ' ' && s->style[row][n - 1] != SCREEN_BAR)
		n--;
	return n;
}

static void draw_row(const struct screen *s, unsigned row, FILE *f, int colour)
{
	static const char *const codes[] = { [SCREEN_PLAIN] = "\033[0m", [SCREEN_HEADING] = "\033[0;1m", [SCREEN_BAR] = "\033[0;7m", [SCREEN_ALARM] = "\033[0;1m" };
	unsigned style = SCREEN_PLAIN, n = used(s, row);

	for (unsigned i = 0; i < n; i++) {
		if (s->style[row][i] != style) {
			style = s->style[row][i];
			fputs(style == SCREEN_ALARM && colour ? "\033[0;1;31m" : codes[style], f);
		}
		putc(s->text[row][i], f);
	}
	if (style != SCREEN_PLAIN)
		fputs("\033[0m", f);
	if (n < s->columns)
		fputs("\033[K", f); /* to the end of the row */
}

void screen_draw(const struct screen *s, FILE *f, int colour)
{
	for (unsigned row = 0; row < s->rows; row++) {
		fprintf(f, "\033[%u;1H", row + 1);
		draw_row(s, row, f, colour);
	}
	fputs("\033[J", f);
}

void screen_print(const struct screen *s, FILE *f)
{
	unsigned rows = s->rows;

	while (rows && !used(s, rows - 1))
		rows--;
	for (unsigned row = 0; row < rows; row++) {
		unsigned n = s->columns;

		while (n && s->text[row][n - 1] == ' ')
			n--;
		fprintf(f, "%.*s\n", (int)n, s->text[row]);
	}
}
