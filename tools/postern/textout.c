/* SPDX-License-Identifier: BSD-2-Clause */
/* textout.c: columns are as wide as the widest of the first rows; later rows keep those widths. */
#include "tools/postern/textout.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLS_MAX  16
#define HELD_ROWS 1024 /* rows looked at before the widths are fixed */
#define LABEL_WIDTH 16
#define CELL_MAX  512

static struct {
	bool colour;
	int indent;
	bool table, fixed; /* in a table; its widths are known and its heading is printed */
	bool number[COLS_MAX];
	int width[COLS_MAX];
	char heading[COLS_MAX][24];
	int cols, col; /* of the table; of the row being filled */
	unsigned rows;
	char *cell[HELD_ROWS][COLS_MAX];
} text;

void textout_init(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	text.colour = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

const char *textout_error_head(void)
{
	return text.colour ? "\033[31mError:\033[0m " : "Error: ";
}

/* No terminal is reached by bytes of others: control bytes come out as \xHH. UTF-8 passes. */
static void harmless(const char *in, char *out, size_t size)
{
	size_t n = 0;

	for (; *in && n + 5 < size; in++) {
		unsigned char c = (unsigned char)*in;

		if (c < ' ' || c == 0x7f)
			n += (size_t)sprintf(out + n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = 0;
}

/* Columns that a UTF-8 text takes, near enough for a table: its code points. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void pad(int n)
{
	while (n-- > 0)
		putchar(' ');
}

static void print_cell(int col, const char *s)
{
	int gap = text.width[col] - columns(s);
	bool last = col == text.cols - 1;

	if (text.number[col])
		pad(gap);
	fputs(s, stdout);
	if (!last)
		pad((text.number[col] ? 0 : gap) + 2);
}

static void print_row(char **cell)
{
	pad(text.indent);
	for (int i = 0; i < text.cols; i++)
		print_cell(i, cell[i] ? cell[i] : "-");
	putchar('\n');
	for (int i = 0; i < text.cols; i++) {
		free(cell[i]);
		cell[i] = NULL;
	}
}

static void print_heading(void)
{
	pad(text.indent);
	for (int i = 0; i < text.cols; i++)
		print_cell(i, text.heading[i]);
	putchar('\n');
}

static void fix_widths(void)
{
	for (int c = 0; c < text.cols; c++) {
		text.width[c] = columns(text.heading[c]);
		for (unsigned r = 0; r < text.rows; r++) {
			int w = text.cell[r][c] ? columns(text.cell[r][c]) : 1;

			if (w > text.width[c])
				text.width[c] = w;
		}
	}
	text.fixed = true;
}

void textout_flush(void)
{
	if (!text.rows || !text.cols)
		return;
	if (!text.fixed) {
		fix_widths();
		print_heading();
	}
	for (unsigned r = 0; r < text.rows; r++)
		print_row(text.cell[r]);
	text.rows = 0;
}

/* "last_hit" is shown as "last hit". */
static void words_of(const char *key, char *out, size_t size, bool upper)
{
	size_t n = 0;

	for (; *key && n + 1 < size; key++) {
		bool letter = upper && *key >= 'a' && *key <= 'z';

		out[n++] = letter ? (char)(*key - 32) : *key == '_' ? ' ' : *key;
	}
	out[n] = 0;
}

static void add_cell(const char *label, const char *value, bool number)
{
	if (text.col >= COLS_MAX || !text.rows)
		return;
	if (text.col == text.cols && !text.fixed) {
		words_of(label, text.heading[text.cols++], sizeof(text.heading[0]), true);
		text.number[text.col] = number;
	}
	text.cell[text.rows - 1][text.col++] = strdup(value);
}

void textout_field(const char *label, const char *value, bool number)
{
	char safe[CELL_MAX];

	harmless(*value ? value : "-", safe, sizeof(safe));
	if (text.table) {
		add_cell(label, safe, number);
		return;
	}
	char words[64];

	words_of(label, words, sizeof(words), false);
	pad(text.indent);
	printf("%-*s %s\n", LABEL_WIDTH, words, safe);
}

void textout_line(FILE *f, const char *value)
{
	char safe[4096];

	harmless(value, safe, sizeof(safe));
	fprintf(f, "%s\n", safe);
}

void textout_section(const char *title)
{
	textout_flush();
	if (title) {
		pad(text.indent);
		puts(title);
	}
	text.indent += 2;
}

void textout_section_end(void)
{
	textout_flush();
	text.indent -= 2;
}

void textout_table(void)
{
	text.table = true;
	text.fixed = false;
	text.cols = text.col = 0;
	text.rows = 0;
}

void textout_row(void)
{
	if (text.rows == HELD_ROWS)
		textout_flush();
	if (text.rows == HELD_ROWS) /* rows without cells */
		text.rows = 0;
	text.rows++;
	text.col = 0;
}

void textout_table_end(void)
{
	textout_flush();
	text.rows = 0;
	text.table = false;
}
