/* SPDX-License-Identifier: BSD-2-Clause */
/* textout.h: text for people: aligned "label value" lines and tables. Only out.c calls it. */
#ifndef TEXTOUT_H
#define TEXTOUT_H

#include <stdbool.h>
#include <stdio.h>

/* Decides about colour: a terminal, and neither NO_COLOR nor TERM=dumb. */
void textout_init(void);
/* "Error: ", red on a terminal. */
const char *textout_error_head(void);

/* A cell in a row, otherwise a line. Control bytes of the value are escaped. */
void textout_field(const char *label, const char *value, bool number);
/* A line by itself on f, control bytes escaped. */
void textout_line(FILE *f, const char *value);
void textout_section(const char *title); /* NULL: no heading line */
void textout_section_end(void);
void textout_table(void);
void textout_row(void);
void textout_table_end(void);
/* Prints the rows held back for alignment. */
void textout_flush(void);

#endif
