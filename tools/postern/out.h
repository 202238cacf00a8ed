/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * out.h: the one printing layer. A field is said once, with its JSON key and its label, and
 * comes out as a JSON member, a "label value" line or a table's cell. JSON is one document
 * with "schema":1, also when the command fails; rows of an outermost table are written as they come, so
 * a million bans need no memory.
 */
#ifndef OUT_H
#define OUT_H

#include <jansson.h>
#include <stdbool.h>

#define OUT_SCHEMA 1

void out_init(bool json, bool pretty);
/* JSON Lines from now on: the rows of an outermost table, or of one in a section ("running.bans"), are documents of their own, each with "row_of"; the last document has the rest. */
void out_lines(void);
/* Ends the document. Returns rc, or 1 when standard output could not be written. After it out_init() may begin another. */
int out_finish(int rc);

/* key NULL: text only. label NULL: JSON only. */
void out_str(const char *key, const char *label, const char *value); /* value NULL: JSON null, text "-" */
void out_num(const char *key, const char *label, unsigned long long value);
void out_int(const char *key, const char *label, long long value);
void out_bool(const char *key, const char *label, bool value);
/* To a thousandth in JSON, to a tenth in text. Not negative. */
void out_real(const char *key, const char *label, double value);
/* A moment of CLOCK_MONOTONIC as RFC 3339; 0 = never. */
void out_moment(const char *key, const char *label, unsigned long long mono_ns);
/* Seconds since 1970 as RFC 3339; 0 = not known. */
void out_wall(const char *key, const char *label, unsigned long long seconds);
/* How long ago a moment of CLOCK_MONOTONIC was: whole seconds in JSON, round units in text; 0 = never. */
void out_ago(const char *key, const char *label, unsigned long long mono_ns);
/* "until" and "seconds_left"; ~0 = no end. Text has the time left in round units. */
void out_until(unsigned long long until_ns);
/* The same as text: "59s", "12m", "7d". Returns text. */
const char *out_left(unsigned long long until_ns, char text[32]);
/* A value of another program's making (a reply of the daemon), with everything it holds. */
void out_value(const char *key, const char *label, json_t *value);
/* An array of objects with the same members, as a table. */
void out_rows(const char *key, json_t *rows);
/* Takes the members of a reply into the document. */
void out_members(json_t *object);

void out_section(const char *key, const char *title);
void out_section_end(void);
void out_null(const char *key); /* JSON only: the section that is not there */

/* Every row calls the same fields in the same order: the first row's labels are the headings. */
void out_table(const char *key);
void out_row(void);
void out_table_end(void);

/* A whole sentence for people; nothing in JSON. */
void out_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A whole line that holds bytes of others: control bytes are escaped. */
void out_plain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A remark on standard error that is not a failure; in "notes" in JSON. */
void out_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "Error: ..." on standard error, or "error" in JSON. Returns 1. */
int out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* From now on errors go into text (of size bytes) and nowhere else, and notes nowhere; NULL ends that. For views that show them themselves. */
void out_quiet(char *text, size_t size);
/* Errors and notes begin with it, as in "FILE:LINE: "; NULL ends that. It must live until then. */
void out_where(const char *where);
/* Another writer prints, or has printed, the whole output. */
void out_done(void);
bool out_pretty(void);

#endif
