/* SPDX-License-Identifier: BSD-2-Clause */
/* textvalue.h: JSON of another program's making as text for people. Only out.c calls it. */
#ifndef TEXTVALUE_H
#define TEXTVALUE_H

#include <jansson.h>

void textvalue(const char *label, json_t *v);
/* An array of objects as a table without a heading line of its own. */
void textvalue_rows(json_t *rows);
/* The members of an object, but for "schema", as fields of what is open. */
void textvalue_members(json_t *object);

/* A span for people: whole minutes from ten minutes on, whole hours from two days on. */
unsigned long long textvalue_round(unsigned long long seconds);

#endif
