/* SPDX-License-Identifier: BSD-2-Clause */
/* textvalue.c: keys become labels, arrays become tables; what nests deeper than people read is left out. */
#include "tools/postern/textvalue.h"

#include <stdio.h>
#include <string.h>

#include "tools/postern/textout.h"
#include "user/core/names.h"

#define NEST_MAX 6

unsigned long long textvalue_round(unsigned long long seconds)
{
	unsigned long long unit = seconds >= 2 * 86400 ? 3600 : seconds >= 600 ? 60 : 1;

	return (seconds + unit / 2) / unit * unit;
}

/* "first_seen_seconds_ago": 90 reads "first seen  1m30s ago". True when the key is of that kind. */
static bool text_span(const char *key, json_t *v)
{
	static const char ago[] = "_seconds_ago", left[] = "seconds_left";
	size_t n = strlen(key), nago = sizeof(ago) - 1;
	char label[64], span[32], text[40];

	if (!json_is_integer(v))
		return false;
	duration_text(textvalue_round((unsigned long long)json_integer_value(v)), span);
	if (!strcmp(key, left)) {
		textout_field("left", span, false);
	} else if (!strcmp(key, ago + 1)) {
		snprintf(text, sizeof(text), "%s ago", span);
		textout_field("when", text, false);
	} else if (n > nago && !strcmp(key + n - nago, ago)) {
		snprintf(label, sizeof(label), "%.*s", (int)(n - nago), key);
		snprintf(text, sizeof(text), "%s ago", span);
		textout_field(label, text, false);
	} else {
		return false;
	}
	return true;
}

static void text_scalar(const char *key, json_t *v)
{
	char text[64];

	if (text_span(key, v)) {
		return;
	} else if (json_is_string(v)) {
		textout_field(key, json_string_value(v), false);
	} else if (json_is_boolean(v)) {
		textout_field(key, json_is_true(v) ? "yes" : "no", false);
	} else if (json_is_null(v)) {
		textout_field(key, "-", false);
	} else if (json_is_integer(v)) {
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		textout_field(key, text, true);
	} else {
		snprintf(text, sizeof(text), "%g", json_number_value(v));
		textout_field(key, text, true);
	}
}

static void text_members(json_t *object, int depth);

static void text_rows(json_t *rows)
{
	size_t i;
	json_t *e;

	textout_table();
	json_array_foreach(rows, i, e) {
		textout_row();
		if (json_is_object(e))
			text_members(e, NEST_MAX);
		else
			text_scalar("value", e);
	}
	textout_table_end();
}

static void text_value(const char *label, json_t *v, int depth)
{
	if (depth >= NEST_MAX)
		return;
	if (json_is_object(v)) {
		textout_section(label);
		text_members(v, depth + 1);
		textout_section_end();
	} else if (json_is_array(v) && json_array_size(v)) {
		textout_section(label);
		text_rows(v);
		textout_section_end();
	} else if (json_is_array(v)) {
		textout_field(label, "none", false);
	} else {
		text_scalar(label, v);
	}
}

static void text_members(json_t *object, int depth)
{
	const char *key;
	json_t *v;

	json_object_foreach(object, key, v) {
		if (!strcmp(key, "schema"))
			continue;
		if (depth < NEST_MAX || !(json_is_object(v) || json_is_array(v)))
			text_value(key, v, depth < NEST_MAX ? depth : NEST_MAX - 1);
	}
}

void textvalue(const char *label, json_t *v)
{
	text_value(label, v, 0);
}

void textvalue_rows(json_t *rows)
{
	text_rows(rows);
}

void textvalue_members(json_t *object)
{
	text_members(object, 0);
}
