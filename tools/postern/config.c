/* SPDX-License-Identifier: BSD-2-Clause */
/* config.c: the configuration file: is it right, what does it say, read it again. */
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/config_postfix.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "user/config_rows.h"

struct findings { /* gathered as arrays, so that they come out after the head */
	json_t *errors, *warnings;
};

static void gather_error(void *ctx, const char *message)
{
	json_array_append_new(((struct findings *)ctx)->errors, json_string(message));
}

static void gather_warning(void *ctx, const char *message)
{
	json_array_append_new(((struct findings *)ctx)->warnings, json_string(message));
}

static int report(const char *file, json_t *errors, json_t *warnings)
{
	size_t i;
	json_t *e;

	out_str("file", NULL, file);
	out_bool("ok", NULL, !json_array_size(errors));
	out_value("errors", NULL, errors);
	out_value("warnings", NULL, warnings);
	json_array_foreach(warnings, i, e)
		out_line("%s", json_string_value(e));
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
	struct findings f = { json_array(), json_array() };
	int rc = arg_end(a);

	if (!rc) {
		config_verify(file, gather_error, gather_warning, &f);
		rc = report(file, f.errors, f.warnings);
	}
	json_decref(f.errors);
	json_decref(f.warnings);
	return rc;
}

static int do_reload(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : call_reload("configuration reloaded");
}

/* Which settings are shown. */
enum shown { SHOW_ALL, SHOW_CHANGED, SHOW_DEFAULTS };

struct showing {
	enum shown shown;
	json_t *errors;
};

static void show_setting(void *ctx, const struct config_shown *s)
{
	const char *title = s->title ? s->title : "";
	enum shown shown = ((const struct showing *)ctx)->shown;
	char name[128], place[512];

	if ((shown == SHOW_CHANGED && !s->set) || (shown == SHOW_DEFAULTS && s->set))
		return;
	snprintf(name, sizeof(name), "%s%s%s%s%s", s->row->section, *title ? " " : "", title, *s->row->section ? "." : "", s->row->name);
	snprintf(place, sizeof(place), "%s:%u", s->set ? s->file : "", s->line);
	out_row();
	out_str("setting", "setting", name);
	out_str("value", "value", s->value);
	out_str("default", shown == SHOW_CHANGED ? "default" : NULL, s->row->def);
	out_bool("set", NULL, s->set);
	out_str(NULL, "from", s->set ? place : "default");
	if (s->set)
		out_num("line", NULL, s->line);
	if (s->set)
		out_str("file", NULL, s->file);
}

static void show_error(void *ctx, const char *message)
{
	json_array_append_new(((struct showing *)ctx)->errors, json_string(message));
}

static int show(enum shown shown)
{
	struct showing showing = { shown, json_array() };
	int rc = CLI_OK;

	out_str("file", NULL, place_config());
	out_line("%s", place_config());
	out_table("settings");
	config_show(place_config(), show_setting, show_error, &showing);
	out_table_end();
	if (json_array_size(showing.errors))
		rc = out_error("%s", json_string_value(json_array_get(showing.errors, 0)));
	json_decref(showing.errors);
	return rc;
}

static int do_show(struct args *a)
{
	enum shown shown = arg_is(a, "changed") ? SHOW_CHANGED : arg_is(a, "defaults") ? SHOW_DEFAULTS : SHOW_ALL;
	int rc = arg_end(a);

	return rc ? rc : show(shown);
}

static const struct cmd cmds[] = {
	{ "show", "[changed|defaults]",
	  "Prints every setting with its value and the file and line that set it; changed: only those that a line sets, with their defaults; defaults: only the others.", do_show },
	{ "check", "[FILE]", "Reads the configuration as posternd would and says every error with its line, or what is more often a mistake than meant; nothing changes.", do_check },
	{ "reload", NULL, "Makes posternd read its configuration again; with an error it keeps the old one and says so.", do_reload },
	{ "from-postfix", "[FOLDER]", "Prints a configuration made of Postfix's main.cf and postscreen's tables in FOLDER (/etc/postfix); nothing is written.", config_from_postfix },
	{ 0 },
};

const struct object object_config = { "config", "the configuration file", cmds };
