/* SPDX-License-Identifier: BSD-2-Clause */
/* config.c: the configuration file: is it right, what does it say, read it again. */
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/config_rows.h"

/* Errors gathered as an array, so that they come out after the head. */
static void gather_error(void *ctx, const char *message)
{
	json_array_append_new(ctx, json_string(message));
}

static int report(const char *file, json_t *errors)
{
	size_t i;
	json_t *e;

	out_str("file", NULL, file);
	out_bool("ok", NULL, !json_array_size(errors));
	out_value("errors", NULL, errors);
	if (!json_array_size(errors)) {
		out_line("%s: no errors", file);
		return CLI_OK;
	}
	if (cli.json)
		return out_error("%s: %zu error%s", file, json_array_size(errors), json_array_size(errors) == 1 ? "" : "s");
	json_array_foreach(errors, i, e)
		out_error("%s", json_string_value(e));
	return CLI_FAILED;
}

static int do_check(struct args *a)
{
	const char *file = a->n ? arg_next(a) : place_config();
	json_t *errors = json_array();
	int rc = arg_end(a);

	if (!rc) {
		config_verify(file, gather_error, errors);
		rc = report(file, errors);
	}
	json_decref(errors);
	return rc;
}

static int do_reload(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : call_reload("configuration reloaded");
}

static void show_setting(void *ctx, const struct config_shown *s)
{
	char name[128], place[32];

	(void)ctx;
	snprintf(name, sizeof(name), "%s%s%s%s%s", s->row->section, s->title ? " " : "", s->title ? s->title : "", *s->row->section ? "." : "",
		 s->row->name);
	snprintf(place, sizeof(place), s->set ? "line %u" : "default", s->line);
	out_row();
	out_str("setting", "setting", name);
	out_str("value", "value", s->value);
	out_bool("set", NULL, s->set);
	out_str(NULL, "from", place);
	if (s->set)
		out_num("line", NULL, s->line);
}

static int do_show(struct args *a)
{
	json_t *errors = json_array();
	int rc = arg_end(a);

	if (!rc) {
		out_str("file", NULL, place_config());
		out_line("%s", place_config());
		out_table("settings");
		config_show(place_config(), show_setting, gather_error, errors);
		out_table_end();
		if (json_array_size(errors))
			rc = out_error("%s", json_string_value(json_array_get(errors, 0)));
	}
	json_decref(errors);
	return rc;
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Prints every setting with its value and the line that set it.", do_show },
	{ "check", "[FILE]", "Reads the configuration as posternd would and says every error with its line; nothing changes.", do_check },
	{ "reload", NULL, "Makes posternd read its configuration again; with an error it keeps the old one and says so.", do_reload },
	{ 0 },
};

const struct object object_config = { "config", "the configuration file", cmds };
