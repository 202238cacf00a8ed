/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c: blacklists: what is loaded, who is on them, is a file fit to be loaded. */
#include <errno.h>
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/fields.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/progress.h"
#include "user/core/names.h"
#include "user/listfile.h"

static int show(const struct kern_maps *m)
{
	struct fields_list l;
	unsigned n = 0;

	out_table("lists");
	for (unsigned i = 0; i < PST_LISTS_MAX; i++) {
		int rc = fields_list_get(m, i, &l);

		if (rc == -ENOENT)
			continue;
		if (rc)
			return out_error("the lists cannot be read: %s", strerror(-rc));
		out_row();
		fields_list(&l);
		n++;
	}
	out_table_end();
	out_num("count", NULL, n);
	out_line("%u list%s", n, n == 1 ? "" : "s");
	return CLI_OK;
}

static int do_show(struct args *a)
{
	struct kern_maps m;
	int rc = arg_end(a);

	if (rc || (rc = place_open(&m, true)))
		return rc;
	rc = show(&m);
	kern_close(&m);
	return rc;
}

static void say_found(const struct kern_maps *m, const struct pst_class *class, const char *addr)
{
	json_t *on = fields_class(m, class);
	struct fields_list l = { 0 };
	char names[FIELDS_NAMES_MAX];

	out_bool("listed", NULL, true);
	out_str("action", NULL, action_name(class->action));
	if (json_array_size(on) > 1)
		out_line("%s is on lists %s: %s", addr, fields_names(on, names, sizeof(names)), action_name(class->action));
	else
		out_line("%s is on list %s: %s", addr, fields_names(on, names, sizeof(names)), action_name(class->action));
	out_value("lists", NULL, on);
	json_decref(on);
	if (fields_list_get(m, class->list, &l))
		return;
	out_section("list", NULL);
	fields_list(&l);
	out_section_end();
}

static int do_find(struct args *a)
{
	struct pst_addr addr;
	struct pst_class class;
	struct kern_maps m;
	char text[ADDR_TEXT_MAX];
	int rc = arg_addr(a, &addr);

	if (!rc)
		rc = arg_end(a);
	if (rc || (rc = place_open(&m, true)))
		return rc;
	rc = list_find(&m, &addr, &class);
	out_str("address", NULL, addr_text(&addr, text));
	if (!rc) {
		say_found(&m, &class, text);
	} else if (rc == -ENOENT) {
		out_bool("listed", NULL, false);
		out_line("%s is on no list", text);
		rc = 0;
	}
	kern_close(&m);
	return rc ? out_error("the lists cannot be read: %s", strerror(-rc)) : CLI_OK;
}

static int read_telling(const char *file, struct listfile *l, char *err, size_t errsize)
{
	struct progress progress;
	const struct listfile_options options = { .tell = progress_tell, .ctx = &progress, .everything = true };
	int rc;

	progress_begin(&progress);
	rc = listfile_read(file, &options, l, err, errsize);
	progress_end(&progress);
	return rc;
}

/* The file does not know what the configuration permits. */
static void say_everything(const struct listfile *l)
{
	bool all = false;

	for (size_t i = 0; i < l->n && !all; i++)
		all = listfile_is_everything(&l->prefix[i]);
	out_bool("everything", NULL, all);
	if (all)
		out_line("it lists everybody (0.0.0.0/0 or ::/0): posternd takes it only with everything = yes in its list section");
}

static int do_check(struct args *a)
{
	const char *file;
	struct listfile l = { 0 };
	char err[512] = "", files[32] = "";
	__u64 began_ns = kern_now_ns(), took_ms;
	int rc = arg_need(a, "FILE", &file);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	rc = read_telling(file, &l, err, sizeof(err));
	took_ms = (kern_now_ns() - began_ns) / 1000000;
	out_str("file", NULL, file);
	out_bool("ok", NULL, !rc);
	if (rc)
		return out_error("%s", err);
	out_num("prefixes", NULL, l.n);
	out_num("files", NULL, l.files);
	out_num("read_ms", NULL, took_ms);
	if (l.files != 1)
		snprintf(files, sizeof(files), " in %u files", l.files);
	out_line("%s: %zu prefix%s%s, no errors, read in %llu.%llu s", file, l.n, l.n == 1 ? "" : "es", files, (unsigned long long)took_ms / 1000,
		 (unsigned long long)took_ms / 100 % 10);
	say_everything(&l);
	listfile_free(&l);
	return CLI_OK;
}

static int do_reload(struct args *a)
{
	int rc = arg_end(a);

	return rc ? rc : call_reload("configuration and lists reloaded");
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Lists the loaded lists with size, action, packets met and how fresh they are.", do_show },
	{ "find", "ADDRESS", "Says whether an address is on a list, and what happens to it.", do_find },
	{ "check", "FILE", "Reads a list file or folder (- is standard input) as posternd would and says the first line that is wrong; nothing changes.", do_check },
	{ "reload", NULL, "Reads configuration and list files again; a list with an error stays as it was.", do_reload },
	{ 0 },
};

const struct object object_list = { "list", "blacklists in the kernel", cmds };
