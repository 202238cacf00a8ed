/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c: what the judge remembers of sources; only the daemon knows. */
#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/explain.h"
#include "tools/postern/out.h"

#define LIST_LIMIT     50
#define LIST_LIMIT_MAX 10000

/* One question whose answer is shown as it comes. */
static int ask(json_t *request)
{
	json_t *reply;
	int rc = call_daemon(request, &reply);

	if (rc)
		return rc;
	out_members(reply);
	json_decref(reply);
	return CLI_OK;
}

static int ask_about(struct args *a, const char *command)
{
	struct pst_addr addr;
	char text[ADDR_TEXT_MAX];
	int rc = arg_addr(a, &addr);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	return ask(json_pack("{ss ss}", "command", command, "address", addr_text(&addr, text)));
}

static int do_show(struct args *a)
{
	return ask_about(a, "client show");
}

static int do_list(struct args *a)
{
	unsigned long long limit = LIST_LIMIT;
	json_t *reply;
	int rc = CLI_OK;

	if (arg_is(a, "limit"))
		rc = arg_number(a, "N", LIST_LIMIT_MAX, &limit);
	if (!rc)
		rc = arg_end(a);
	if (!rc)
		rc = call_daemon(json_pack("{ss sI}", "command", "client list", "limit", (json_int_t)limit), &reply);
	if (rc)
		return rc;
	json_t *clients = json_object_get(reply, "clients");
	unsigned long long known = (unsigned long long)json_integer_value(json_object_get(reply, "known"));

	out_rows("clients", clients);
	out_num("known", NULL, known);
	out_line("%zu of %llu sources that are known", json_array_size(clients), known);
	json_decref(reply);
	return CLI_OK;
}

static int do_forget(struct args *a)
{
	int rc = ask_about(a, "client forget");

	if (!rc)
		out_line("forgotten; a live ban stays until `postern ban del`");
	return rc;
}

static int do_explain(struct args *a)
{
	struct pst_addr addr;
	int rc = arg_addr(a, &addr);

	if (!rc)
		rc = arg_end(a);
	return rc ? rc : explain(&addr);
}

static const struct cmd cmds[] = {
	{ "list", "[limit N]", "Lists the worst sources that the judge remembers, 50 unless said otherwise.", do_list },
	{ "show", "ADDRESS", "Shows score, sessions and last findings of one source.", do_show },
	{ "forget", "ADDRESS", "Sets the score and the relapses of a source to nothing; a ban stays.", do_forget },
	{ "explain", "ADDRESS", "Says what happens to an address now, why, and what would change it.", do_explain },
	{ 0 },
};

const struct object object_client = { "client", "what the judge remembers of sources", cmds };

static const struct cmd direct[] = {
	{ "explain", "ADDRESS", "Says what happens to an address now, why, and what would change it.", do_explain },
	{ 0 },
};

const struct object object_explain = { "explain", "why an address is refused or served, and what would change it", direct, .direct = true };
