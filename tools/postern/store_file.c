/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/store_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_TEXT PST_TEXT(SAVED_SCHEMA)

/* --- out -------------------------------------------------------------------------------- */

/* JSON's numbers are signed here. */
static json_t *value_of(const struct saved_field *f, const char *text)
{
	unsigned long long n;

	return saved_is_number(f) && str_u64(str_of(text), &n) && n >> 63 == 0 ? json_integer((json_int_t)n) : json_string(text);
}

static void write_json(FILE *f, const struct saved *part)
{
	json_t *line = json_pack("{si ss}", "schema", SAVED_SCHEMA, "kind", saved_word(part->kind));
	const struct saved_field *field;
	char text[SAVED_TEXT_MAX];
	size_t n;

	field = saved_fields(part->kind, &n);
	for (size_t i = 0; i < n; i++) {
		saved_field_text(&field[i], part, text);
		json_object_set_new(line, field[i].name, value_of(&field[i], text));
	}
	json_dumpf(line, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(line);
}

void store_file_write(FILE *f, const struct saved *r, bool json)
{
	char line[SAVED_LINE_MAX];
	struct saved part;

	for (unsigned n = 0; saved_part(r, n, &part); n++) {
		if (json) {
			write_json(f, &part);
			continue;
		}
		saved_line(&part, line);
		fprintf(f, "%s\n", line);
	}
}

/* --- in --------------------------------------------------------------------------------- */

static const char *take_value(const struct saved_field *f, json_t *v, struct saved *r)
{
	char number[24];

	if (json_is_integer(v) && saved_is_number(f) && json_integer_value(v) >= 0) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		return saved_field_parse(f, str_of(number), r) ? NULL : saved_wrong(f);
	}
	if (!json_is_string(v))
		return saved_is_number(f) ? "not a number" : "not a string";
	return saved_field_parse(f, (struct str){ json_string_value(v), json_string_length(v) }, r) ? NULL : saved_wrong(f);
}

static int kind_of(const char *word)
{
	for (int i = 0; word && i < SAVED_HEAD; i++)
		if (!strcmp(saved_word((enum saved_kind)i), word))
			return i;
	return -1;
}

static const char *take_member(struct saved *r, const char *name, json_t *v, __u32 *seen)
{
	size_t n;
	const struct saved_field *f = saved_fields(r->kind, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(f[i].name, name))
			continue;
		*seen |= 1u << i;
		return take_value(&f[i], v, r);
	}
	return "no field of such a record";
}

static const char *take_object(json_t *object, struct saved *r, char *flaw, size_t size)
{
	const char *name, *why = NULL;
	int kind = kind_of(json_string_value(json_object_get(object, "kind")));
	__u32 seen = 0;
	json_t *v;

	if (json_object_get(object, "schema") && json_integer_value(json_object_get(object, "schema")) != SAVED_SCHEMA)
		return "this version knows schema " SCHEMA_TEXT " alone";
	if (kind < 0)
		return "kind is none of ban, source, pass, finding and grey";
	*r = (struct saved){ .kind = (enum saved_kind)kind };
	json_object_foreach(object, name, v) {
		if (!strcmp(name, "kind") || !strcmp(name, "schema"))
			continue;
		why = take_member(r, name, v, &seen);
		if (!why)
			continue;
		snprintf(flaw, size, "%s: %s", name, why);
		return flaw;
	}
	return saved_complete(r, seen);
}

static const char *read_json(const char *line, size_t n, char out[SAVED_LINE_MAX], char *flaw, size_t size)
{
	json_error_t error;
	json_t *object = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
	const char *why;
	struct saved r;

	if (!json_is_object(object)) {
		snprintf(flaw, size, "not a JSON object%s%s", object ? "" : ": ", object ? "" : error.text);
		json_decref(object);
		return flaw;
	}
	why = take_object(object, &r, flaw, size);
	json_decref(object);
	if (!why)
		saved_line(&r, out);
	return why;
}

const char *store_file_read(const char *line, size_t n, char out[SAVED_LINE_MAX], char *flaw, size_t size)
{
	struct str at;
	struct saved r;
	const char *why;

	if (n && line[0] == '{')
		return read_json(line, n, out, flaw, size);
	why = saved_parse((struct str){ line, n }, &r, &at);
	if (why)
		snprintf(flaw, size, "%.*s%s%s", (int)(at.n < 60 ? at.n : 60), at.p, at.n ? ": " : "", why);
	else
		saved_line(&r, out);
	return why ? flaw : NULL;
}
