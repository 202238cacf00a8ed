/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/listjson.h"

#include <jansson.h>

static const char *take_cidr(const json_t *cidr, struct listjson *out)
{
	size_t n = json_string_length(cidr);

	if (!json_is_string(cidr) || !n || n >= sizeof(out->cidr) || memchr(json_string_value(cidr), 0, n))
		return "\"cidr\" must be a network as text, like \"192.0.2.0/24\"";
	memcpy(out->cidr, json_string_value(cidr), n);
	return NULL;
}

static const char *take_metadata(const json_t *object, struct listjson *out)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	json_int_t records = json_integer_value(json_object_get(object, "records"));

	if (!type || strcmp(type, "metadata"))
		return "an object needs \"cidr\", like {\"cidr\":\"192.0.2.0/24\"}";
	if (records < 0)
		return "\"records\" is less than zero";
	out->records = (unsigned long long)records;
	return NULL;
}

const char *listjson_read(struct str line, struct listjson *out)
{
	json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL), *cidr;
	const char *why;

	memset(out, 0, sizeof(*out));
	if (!json_is_object(object)) {
		json_decref(object);
		return "not one whole JSON object";
	}
	cidr = json_object_get(object, "cidr");
	why = cidr ? take_cidr(cidr, out) : take_metadata(object, out);
	json_decref(object);
	return why;
}
