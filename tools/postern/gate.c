/* SPDX-License-Identifier: BSD-2-Clause */
/* gate.c: the kernel half: loaded? attached where and how? enforcing? */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

#include "tools/postern/call.h"
#include "tools/postern/cli.h"
#include "tools/postern/fields.h"
#include "tools/postern/keyword.h"
#include "tools/postern/out.h"
#include "tools/postern/place.h"
#include "tools/postern/unmanned.h"
#include "user/ban.h"
#include "user/core/names.h"
#include "user/device.h"
#include "user/kern_shared.h"
#include "user/migrate.h"
#include "user/refuse.h"

#include <bpf/bpf.h>

#define LINKS_MAX 64

static void show_ports(const struct pst_conf *c)
{
	json_t *ports = json_array();
	char text[256] = "";
	size_t n = 0;

	for (unsigned port = 0; port < 65536; port++) {
		if (!(c->port_bits[port >> 6] >> (port & 63) & 1))
			continue;
		json_array_append_new(ports, json_integer(port));
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", n ? " " : "", port);
	}
	out_value("ports", NULL, ports);
	out_str(NULL, "ports", n ? text : "none: nothing is guarded");
	json_decref(ports);
}

static void show_guarded(const struct pst_conf *c)
{
	json_t *addresses = json_array();
	char text[PST_GUARD_ADDRS_MAX * ADDR_TEXT_MAX + 1] = "", one[ADDR_TEXT_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < c->naddrs && i < PST_GUARD_ADDRS_MAX; i++) {
		json_array_append_new(addresses, json_string(addr_text(&c->addr[i], one)));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", one);
	}
	out_value("addresses", NULL, addresses);
	out_str(NULL, "addresses", n ? text : "all");
	json_decref(addresses);
}

/* What there is to say of an interface besides the link: programs of others, and a better place if there is one. */
struct remarks {
	char others[128], advice[192];
};

static struct remarks remarks_on(const char *interface, unsigned ours, bool shared)
{
	struct remarks r = { "", "" };
	struct device d;

	if (!device_read(interface, &d)) {
		if (!shared)
			device_others(&d, ours, r.others, sizeof(r.others));
		else
			kern_shared_others(d.ifindex, ours, r.others, sizeof(r.others));
		device_elsewhere(&d, r.advice, sizeof(r.advice));
	}
	return r;
}

/* In JSON they are members of the row; for people, lines below the table, because most interfaces have none. */
static void remarks_row(const struct remarks *r)
{
	out_str("other_programs", NULL, *r->others ? r->others : NULL);
	out_str("advice", NULL, *r->advice ? r->advice : NULL);
}

static void remarks_lines(const char *interface, const struct remarks *r)
{
	if (*r->others)
		out_line("%s: another XDP program is there: %s", interface, r->others);
	if (*r->advice)
		out_line("%s: %s", interface, r->advice);
}

static void show_link(const struct kern_link *l, const struct remarks *remarks)
{
	out_row();
	out_str("interface", "interface", l->interface);
	out_num("ifindex", "ifindex", l->ifindex);
	out_str("mode", "mode", l->native ? "native" : "generic");
	out_bool("shared", "shared", l->shared);
	out_num("program", "program", l->prog_id);
	out_wall("since", "since", l->since_s);
	out_str("why_not_native", "why not native", *l->why ? l->why : NULL);
	remarks_row(remarks);
}

static bool is_attached(const struct kern_link *link, int n, const char *interface)
{
	for (int i = 0; i < n; i++)
		if (link[i].ifindex && !strcmp(link[i].interface, interface))
			return true;
	return false;
}

static void show_attached_links(const struct kern_link *link, int n)
{
	struct remarks r[LINKS_MAX];

	out_line(n ? "\nAttached to:" : "\nAttached to no interface; `postern gate attach IF`.");
	out_table("links");
	for (int i = 0; i < n; i++) {
		r[i] = remarks_on(link[i].interface, link[i].prog_id, link[i].shared);
		show_link(&link[i], &r[i]);
	}
	out_table_end();
	for (int i = 0; i < n; i++)
		remarks_lines(link[i].interface, &r[i]);
}

/* Interfaces of the configuration that the gate should be on, and is not. */
static void show_not_attached(const struct kern_link *link, int n)
{
	const struct conf *c = place_conf();

	out_table("not_attached");
	for (size_t i = 0; c && i < c->ninterfaces; i++) {
		const char *name = c->interface[i];
		struct remarks r = remarks_on(name, 0, false);
		bool exists = if_nametoindex(name);

		if (is_attached(link, n, name))
			continue;
		out_row();
		out_str("interface", NULL, name);
		out_bool("exists", NULL, exists);
		remarks_row(&r);
		out_line("\nConfigured, but not attached to: %s%s", name, exists ? "" : ", which does not exist");
		remarks_lines(name, &r);
	}
	out_table_end();
}

static int show_links(void)
{
	struct kern_link link[LINKS_MAX];
	int n = kern_links(place_pins(), link, LINKS_MAX);

	if (n < 0)
		return out_error("%s: the pinned links cannot be read: %s", place_pins(), strerror(-n));
	show_attached_links(link, n);
	show_not_attached(link, n);
	return CLI_OK;
}

static int show_daemon(void)
{
	json_t *reply = NULL;

	switch (call(json_pack("{ss}", "command", "daemon show"), &reply)) {
	case CALL_OK:
		json_object_del(reply, "schema");
		out_line("%s", "");
		out_value("daemon", "daemon", reply);
		json_decref(reply);
		return CLI_OK;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		out_null("daemon");
		out_line("\nposternd is not running; bans and lists are enforced all the same.");
	}
	return CLI_OK;
}

static int count_live(void *ctx, const struct pst_prefix *p, const struct pst_ban *b)
{
	(void)p;
	*(size_t *)ctx += b->until_ns > kern_now_ns();
	return 0;
}

static void show_bans(size_t live, size_t room)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu, room for %zu", live, room);
	out_num("bans", NULL, live);
	out_num("bans_room", NULL, room);
	out_str(NULL, "bans", text);
	fields_ban_room(live, room);
}

/* Until when the policy is vouched for. */
static void show_dead_man(__u64 until_ns)
{
	__u64 now = kern_now_ns();
	char text[80], left[32];

	if (!until_ns) {
		out_null("dead_man");
		return;
	}
	out_num("dead_man", NULL, until_ns > now ? (until_ns - now) / 1000000000 : 0);
	if (until_ns > now)
		snprintf(text, sizeof(text), "passes everything in %s, unless a daemon lives", out_left(until_ns, left));
	else
		snprintf(text, sizeof(text), "passes everything, for no daemon lives");
	out_str(NULL, "dead man", text);
}

static int do_show(struct args *a)
{
	size_t live = 0, room;
	struct kern_maps m;
	struct pst_meta meta = { 0 };
	struct pst_conf conf;
	__u32 zero = 0;
	bool answers;
	int rc = arg_end(a);

	if (rc || (rc = place_open(&m, true)))
		return rc;
	rc = gate_conf_get(&m, &conf);
	answers = refuse_started(&m);
	room = ban_capacity(&m);
	if (!rc)
		rc = ban_each(&m, count_live, &live);
	if (!rc && bpf_map_lookup_elem(m.meta, &zero, &meta))
		rc = -errno;
	kern_close(&m);
	if (rc)
		return out_error("%s: the gate's settings cannot be read: %s", place_pins(), strerror(-rc));
	out_str("pins", "pins", place_pins());
	out_str("version", "version", meta.version);
	out_num("map_schema", NULL, meta.schema);
	out_moment("loaded", "loaded", meta.loaded_ns);
	out_str("mode", "mode", mode_name(conf.mode));
	show_dead_man(conf.dead_man_ns);
	if (!answers)
		out_str("refuse", "refuse", "reset instead: this kernel does not take the program that answers");
	show_ports(&conf);
	show_guarded(&conf);
	show_bans(live, room);
	rc = show_links();
	return rc ? rc : show_daemon();
}

static void show_attached(const struct kern_link *l)
{
	out_str("interface", NULL, l->interface);
	out_str("mode", NULL, l->native ? "native" : "generic");
	out_bool("shared", NULL, l->shared);
	out_str("why_not_native", NULL, *l->why ? l->why : NULL);
	out_str("why_not_shared", NULL, *l->alone ? l->alone : NULL);
	out_line("%s: attached in %s mode%s%s%s", l->interface, l->native ? "native" : "generic", l->shared ? ", shared" : "", *l->why ? ": " : "",
		 l->why);
	if (*l->alone)
		out_line("%s: attached alone, no other program can be beside it: %s", l->interface, l->alone);
}

static int attach(const char *interface, enum xdp_mode mode, bool shared, struct kern_link *link)
{
	char err[512] = "";
	int rc = (shared ? kern_attach_shared : kern_attach)(place_pins(), interface, mode, link, err, sizeof(err));

	if (rc && !*err)
		return out_error("%s: %s", interface, strerror(-rc));
	return rc ? out_error("%s", err) : CLI_OK;
}

/* Interfaces that were named; or those of the configuration, if none was. */
static int attach_all(struct args *named)
{
	const struct conf *c = place_conf();
	size_t n = named->n ? (size_t)named->n / 2 : c ? c->ninterfaces : 0;
	struct kern_link link;
	int rc = CLI_OK;

	out_table("links");
	for (size_t i = 0; !rc && i < n; i++) {
		rc = attach(named->n ? named->v[2 * i + 1] : c->interface[i], c ? c->xdp_mode : XDP_AUTO, c && c->shared, &link);
		if (rc)
			break;
		out_row();
		show_attached(&link);
	}
	out_table_end();
	return rc;
}

static int check_load_words(struct args *a)
{
	for (int i = 0; i < a->n; i++) {
		if (i % 2 == 0 && !keyword_is(a->cmd->usage, a->v[i], "interface"))
			return arg_unexpected(a, a->v[i]);
	}
	return a->n % 2 ? usage_error(a, "IF is missing") : CLI_OK;
}

/* Its lists are in no table of ours, and must be before it goes. */
static bool older_gate(void)
{
	char dir[KERN_PATH_MAX], ignored[8];
	unsigned schema;

	return migrate_find(place_pins(), dir, &schema, ignored, sizeof(ignored)) > 0;
}

/* A daemon that runs may hold the tables of a gate that was unloaded: it takes the new ones. */
static int tell_daemon(void)
{
	json_t *reply;

	switch (call(json_pack("{ss}", "command", "config reload"), &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		break;
	}
	return CLI_OK;
}

static int do_load(struct args *a)
{
	bool older = older_gate();
	char err[1024] = "";
	int rc = check_load_words(a);

	if (rc)
		return rc;
	rc = kern_load(place_pins(), err, sizeof(err));
	if (rc)
		return out_error("%s", *err ? err : strerror(-rc));
	out_str("pins", NULL, place_pins());
	out_line("gate loaded, pinned under %s", place_pins());
	rc = unmanned_settings();
	if (!rc && older)
		rc = unmanned_lists();
	if (rc)
		return rc;
	rc = kern_take_over(place_pins(), err, sizeof(err));
	if (rc)
		return out_error("%s", *err ? err : strerror(-rc));
	rc = attach_all(a);
	return rc ? rc : tell_daemon();
}

static int do_unload(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	rc = kern_unload(place_pins());
	if (rc == -ENOENT)
		return out_error("no gate is loaded (no pinned maps under %s)", place_pins());
	if (rc == -EACCES || rc == -EPERM)
		return out_error("%s: no permission; run as root", place_pins());
	if (rc)
		return out_error("%s: %s", place_pins(), strerror(-rc));
	out_line("gate unloaded: everything passes, bans and counters are gone from the kernel");
	return CLI_OK;
}

static int arg_xdp_mode(struct args *a, enum xdp_mode *out)
{
	static const char *const names[] = { [XDP_AUTO] = "auto", [XDP_NATIVE] = "native", [XDP_GENERIC] = "generic" };
	const char *word;
	int rc = arg_choice(a, "mode", "the mode (auto, native or generic)", &word);

	for (unsigned i = 0; !rc && i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(word, names[i])) {
			*out = (enum xdp_mode)i;
			return CLI_OK;
		}
	}
	return rc ? rc : usage_error(a, "\"%s\" is not a mode: auto, native or generic", word);
}

static int do_attach(struct args *a)
{
	bool shared = place_conf() && place_conf()->shared;
	enum xdp_mode mode = XDP_AUTO;
	struct kern_maps m;
	struct kern_link link;
	const char *interface;
	int rc = arg_need(a, "IF", &interface);

	if (!rc && arg_is(a, "mode"))
		rc = arg_xdp_mode(a, &mode);
	if (!rc && arg_is(a, "shared"))
		shared = true;
	if (!rc)
		rc = arg_end(a);
	if (rc || (rc = place_open(&m, true)))
		return rc;
	kern_close(&m);
	rc = attach(interface, mode, shared, &link);
	if (!rc)
		show_attached(&link);
	return rc;
}

static int do_detach(struct args *a)
{
	const char *interface;
	int rc = arg_need(a, "IF", &interface);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	rc = kern_detach(place_pins(), interface);
	if (rc == -ENOENT || rc == -EINVAL) /* no name of an interface */
		return out_error("%s: the gate is not attached there; `postern gate show` lists where it is", interface);
	if (rc)
		return out_error("%s: %s", interface, strerror(-rc));
	out_str("interface", NULL, interface);
	out_line("%s: detached, everything passes there", interface);
	return CLI_OK;
}

static int do_mode(struct args *a)
{
	const char *word;
	int rc = arg_choice(a, NULL, "the mode (enforce, observe or off)", &word);

	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	if (mode_by_name(str_of(word)) < 0)
		return usage_error(a, "\"%s\" is not a mode: enforce, observe or off", word);
	json_t *reply, *request = json_pack("{ss ss}", "command", "gate mode", "mode", word);

	switch (call(request, &reply)) {
	case CALL_OK:
		json_decref(reply);
		break;
	case CALL_FAILED:
		return CLI_FAILED;
	case CALL_DOWN:
		rc = unmanned_mode((unsigned)mode_by_name(str_of(word)));
	}
	if (rc)
		return rc;
	out_str("mode", NULL, word);
	out_line("gate mode is now %s", word);
	return CLI_OK;
}

static const struct cmd cmds[] = {
	{ "show", NULL, "Says whether the gate is loaded, what it guards, where and how it is attached, and whether posternd runs.", do_show },
	{ "load", "[interface IF]...",
	  "Loads and pins program and maps and attaches to the named interfaces, or to those of the configuration; maps that are pinned already keep their bans.",
	  do_load },
	{ "unload", NULL, "Detaches everywhere and removes the pins: everything passes. Bans come back from the store with the next gate, if posternd keeps one.", do_unload },
	{ "attach", "IF [mode auto|native|generic] [shared]",
	  "Attaches to an interface, or updates what is attached; auto falls back to generic and says why, native never does. With shared, "
	  "or shared = yes in the configuration, other XDP programs can be beside it; attached alone, with the reason, where that cannot be.",
	  do_attach },
	{ "detach", "IF", "Detaches from an interface: everything passes there.", do_detach },
	{ "mode", "enforce|observe|off", "Sets what the gate does with banned and listed sources: refuse, only count, or nothing at all.", do_mode },
	{ 0 },
};

const struct object object_gate = { "gate", "the XDP program: load, attach, mode", cmds };
