/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h: a page of characters with a style each, filled in memory and then written: what does not fit is cut off, so
 * whoever fills it need not look at its size at every word.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stdio.h>

#define SCREEN_COLUMNS_MAX 400
#define SCREEN_ROWS_MAX	   200

enum screen_style { SCREEN_PLAIN, SCREEN_HEADING, SCREEN_BAR, SCREEN_ALARM };

struct screen {
	unsigned columns, rows; /* the maxima at most */
	char text[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
	unsigned char style[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
};

void screen_clear(struct screen *s, unsigned columns, unsigned rows);
/* From column to the end of the row at most; bytes that are not printable ASCII become '?'. Returns the column behind. */
unsigned screen_put(struct screen *s, unsigned row, unsigned column, enum screen_style style, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The whole row in that style, also where nothing is. */
void screen_style_row(struct screen *s, unsigned row, enum screen_style style);
/* As a terminal takes it, over what was there before; colour: red for alarms. */
void screen_draw(const struct screen *s, FILE *f, int colour);
/* As plain lines: no styles, no blanks at their ends, no empty rows at the end. */
void screen_print(const struct screen *s, FILE *f);

#endif
