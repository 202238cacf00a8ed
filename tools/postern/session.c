/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c: live sessions; only the daemon knows them. */
#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/monitor.h"
#include "tools/postern/out.h"

#define SHOW_MAX 10000

static int do_show(struct args *a)
{
	json_t *request = json_pack("{ss}", "command", "session show"), *reply = NULL;
	unsigned long long limit;
	struct pst_prefix p;
	char text[PREFIX_TEXT_MAX];
	int rc = CLI_OK;

	while (!rc && a->n) {
		if (arg_is(a, "limit")) {
			rc = arg_number(a, "limit", SHOW_MAX, &limit);
			if (!rc)
				json_object_set_new(request, "limit", json_integer((json_int_t)limit));
		} else if (!(rc = arg_prefix(a, &p))) {
			json_object_set_new(request, "prefix", json_string(prefix_text(&p, text)));
		}
	}
	if (rc) {
		json_decref(request);
		return rc;
	}
	rc = call_daemon(request, &reply);
	if (rc)
		return rc;
	json_t *sessions = json_object_get(reply, "sessions");
	unsigned long long live = (unsigned long long)json_integer_value(json_object_get(reply, "live"));
	unsigned long long left_out = (unsigned long long)json_integer_value(json_object_get(reply, "left_out"));

	out_rows("sessions", sessions);
	out_num("live", NULL, live);
	out_num("left_out", NULL, left_out);
	out_line("%zu of %llu live sessions", json_array_size(sessions), live);
	if (left_out)
		out_note("%llu sessions since the daemon's start found no room in this table", left_out);
	json_decref(reply);
	return CLI_OK;
}

static int do_count(struct args *a)
{
	json_t *request = json_pack("{ss}", "command", "session count"), *reply = NULL, *n;
	char text[PREFIX_TEXT_MAX];
	const char *phase;
	struct pst_prefix p;
	int rc = CLI_OK;

	if (a->n && !(rc = arg_prefix(a, &p)))
		json_object_set_new(request, "prefix", json_string(prefix_text(&p, text)));
	if (!rc)
		rc = arg_end(a);
	if (rc) {
		json_decref(request);
		return rc;
	}
	rc = call_daemon(request, &reply);
	if (rc)
		return rc;
	out_value("live", "live", json_object_get(reply, "live"));
	out_value("room", "room", json_object_get(reply, "room"));
	out_value("phases", NULL, json_object_get(reply, "phases"));
	json_object_foreach(json_object_get(reply, "phases"), phase, n)
		out_value(NULL, phase, n);
	json_decref(reply);
	return CLI_OK;
}

static bool is_id(const char *word)
{
	return strlen(word) == 16 && !word[strspn(word, "0123456789abcdef")];
}

/* 16 hexadecimal digits are an id: no address is written so. */
static int do_kill(struct args *a)
{
	json_t *request, *reply = NULL;
	struct pst_prefix p;
	char text[PREFIX_TEXT_MAX];
	int rc = CLI_OK;

	if (a->n && is_id(*a->v)) {
		request = json_pack("{ss ss}", "command", "session kill", "session", arg_next(a));
	} else {
		rc = arg_prefix(a, &p);
		request = rc ? NULL : json_pack("{ss ss}", "command", "session kill", "prefix", prefix_text(&p, text));
	}
	if (!rc)
		rc = arg_end(a);
	if (rc) {
		json_decref(request);
		return rc;
	}
	rc = call_daemon(request, &reply);
	if (rc)
		return rc;
	json_int_t n = json_integer_value(json_object_get(reply, "ended"));

	out_num("ended", NULL, (unsigned long long)n);
	out_line("%lld session%s told 421", (long long)n, n == 1 ? " is" : "s are");
	json_decref(reply);
	return CLI_OK;
}

static int do_trace(struct args *a)
{
	unsigned long long count = 0;
	struct pst_prefix p;
	char text[PREFIX_TEXT_MAX];
	int rc = arg_prefix(a, &p);

	if (!rc && arg_is(a, "count"))
		rc = arg_number(a, "count", ~0ull >> 1, &count);
	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	return monitor(json_pack("{ss ss}", "command", "monitor", "source", prefix_text(&p, text)), count);
}

static const struct cmd cmds[] = {
	{ "show", "[PREFIX] [limit N]", "Shows the live sessions, the oldest first: how far they are, what they have sent and who serves them.", do_show },
	{ "count", "[PREFIX]", "Counts the live sessions by how far they are.", do_count },
	{ "kill", "ID|PREFIX", "Ends one session, or all of a source, with 421; nobody is banned by it.", do_kill },
	{ "trace", "PREFIX [count N]", "Follows what the sessions of one source do, until interrupted or until count events were printed.", do_trace },
	{ 0 },
};

const struct object object_session = { "session", "live SMTP sessions", cmds };
