/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c: blacklists: what is loaded, who is on them, is a file fit to be loaded. */
#include <errno.h>
#include <stdlib.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/fields.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
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

static void say_found(const struct kern_maps *m, const struct pst_listed *entry, const char *addr)
{
	struct fields_list l = { 0 };

	out_bool("listed", NULL, true);
	out_str("action", NULL, action_name(entry->action));
	if (fields_list_get(m, entry->list, &l)) {
		out_line("%s is on list number %u: %s", addr, entry->list, action_name(entry->action));
		return;
	}
	out_line("%s is on list %s: %s", addr, l.info.name, action_name(entry->action));
	out_section("list", NULL);
	fields_list(&l);
	out_section_end();
}

static int do_find(struct args *a)
{
	struct pst_addr addr;
	struct pst_listed entry;
	struct kern_maps m;
	char text[ADDR_TEXT_MAX];
	int rc = arg_addr(a, &addr);

	if (!rc)
		rc = arg_end(a);
	if (rc || (rc = place_open(&m, true)))
		return rc;
	rc = list_find(&m, &addr, &entry);
	out_str("address", NULL, addr_text(&addr, text));
	if (!rc) {
		say_found(&m, &entry, text);
	} else if (rc == -ENOENT) {
		out_bool("listed", NULL, false);
		out_line("%s is on no list", text);
		rc = 0;
	}
	kern_close(&m);
	return rc ? out_error("the lists cannot be read: %s", strerror(-rc)) : CLI_OK;
}

static int do_check(struct args *a)
{
	const char *file;
	struct pst_prefix *p = NULL;
	char err[512] = "";
	size_t n = 0;
	int rc = arg_need(a, "FILE", &file);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	rc = listfile_read(file, &p, &n, err, sizeof(err));
	free(p);
	out_str("file", NULL, file);
	out_bool("ok", NULL, !rc);
	if (rc)
		return out_error("%s", err);
	out_num("prefixes", NULL, n);
	out_line("%s: %zu prefix%s, no errors", file, n, n == 1 ? "" : "es");
	return CLI_OK;
}

static int do_reload(struct args *a)
{
	json_t *reply;
	int rc = arg_end(a);

	if (rc || (rc = call_daemon(json_pack("{ss}", "command", "config reload"), &reply)))
		return rc;
	if (cli.json)
		out_members(reply);
	json_decref(reply);
	out_line("configuration and lists reloaded");
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Lists the loaded lists with size, action and packets met.", do_show },
	{ "find", "ADDRESS", "Says whether an address is on a list, and what happens to it.", do_find },
	{ "check", "FILE", "Reads a list file (- is standard input) as posternd would, gzip or text, and says the first line that is wrong; nothing changes.", do_check },
	{ "reload", NULL, "Reads configuration and list files again; with an error everything stays as it was.", do_reload },
	{ 0 },
};

const struct object object_list = { "list", "blacklists in the kernel", cmds };
