/* SPDX-License-Identifier: BSD-2-Clause */
/* from_postfix.c: `postern config from-postfix`: what main.cf says, section by section, and what has no counterpart. */
#include "tools/postern/from_postfix.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "user/core/dnsl.h"

static const char *get(struct conversion *c, const char *name)
{
	c->setting = name;
	return postfix_get(c->from, name);
}

static bool is_set(const struct conversion *c, const char *name)
{
	return postfix_line(c->from, name) != 0;
}

void conversion_note(struct conversion *c, const char *fmt, ...)
{
	unsigned line = postfix_line(c->from, c->setting);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	if (line)
		fprintf(c->notes, "# main.cf:%u: %s: %s\n", line, c->setting, text);
	else
		fprintf(c->notes, "# %s: %s\n", c->setting, text);
	c->nnotes++;
}

/* A text between quotes. What would end them, or begin a reference to the environment, is left out. */
static void quoted(FILE *f, struct str s)
{
	fputc('"', f);
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= ' ' && !strchr("\"\\${}", s.p[i]))
			fputc(s.p[i], f);
	fputc('"', f);
}

/* --- DNS lists ------------------------------------------------------------------------- */

#define ZONES_MAX 64

struct shown {
	char *asked, *shown;
};

struct zones {
	struct conversion *c;
	struct shown map[ZONES_MAX];
	size_t n;
	long heaviest, lightest; /* sums of the weights above and below 0 */
};

static void reply_row(void *ctx, struct str key, struct str value, const char *file, unsigned line)
{
	struct zones *z = ctx;

	if (z->n == ZONES_MAX || !value.n) {
		conversion_note(z->c, "%s:%u: not taken", file, line);
		return;
	}
	z->map[z->n].asked = strndup(key.p, key.n);
	z->map[z->n++].shown = strndup(value.p, value.n);
}

static void read_reply_map(struct zones *z)
{
	struct str map = str_of(get(z->c, "postscreen_dnsbl_reply_map"));

	if (map.n && !postfix_table(map, reply_row, z))
		conversion_note(z->c, STR_FMT ": a table that cannot be read as text; write zone \"SHOWN\" { domain = \"ASKED\" } for each name that holds a key", STR_ARG(map));
}

static const struct shown *shown_of(const struct zones *z, struct str zone)
{
	for (size_t i = 0; i < z->n; i++)
		if (str_ieq(str_of(z->map[i].asked), zone))
			return &z->map[i];
	return NULL;
}

/* One site: "ZONE=FILTER*WEIGHT" is written the same way here. */
static void print_site(struct zones *z, FILE *out, struct str site, bool first)
{
	const struct shown *s;
	struct str zone = site;
	char text[512], *weight;
	long n;

	for (zone.n = 0; zone.n < site.n && site.p[zone.n] != '=' && site.p[zone.n] != '*';)
		zone.n++;
	s = shown_of(z, zone);
	snprintf(text, sizeof(text), "%.*s%.*s", s ? (int)strlen(s->shown) : (int)zone.n, s ? s->shown : zone.p, (int)(site.n - zone.n), site.p + zone.n);
	fputs(first ? "\n\t\t" : ",\n\t\t", out);
	quoted(out, str_of(text));
	weight = strrchr(text, '*');
	n = weight ? strtol(weight + 1, NULL, 10) : 1;
	n = n > DNSL_WEIGHT_MAX ? DNSL_WEIGHT_MAX : n < -DNSL_WEIGHT_MAX ? -DNSL_WEIGHT_MAX : n;
	*(n < 0 ? &z->lightest : &z->heaviest) += n;
}

/* reach: what all sites together could weigh, in the threshold's direction. One beyond it is an error here, and says nothing there. */
static void print_threshold(struct conversion *c, const char *setting, const char *name, long reach)
{
	long value = strtol(get(c, setting), NULL, 10);

	if (reach < 0 ? value < 0 && value >= reach : value > 0 && value <= reach)
		fprintf(c->conf, "\t%s = %ld\n", name, value);
	else if (value)
		conversion_note(c, "%ld: these sites together weigh %ld, so nobody reaches it; no %s is written", value, reach, name);
}

static void dns_lists(struct conversion *c)
{
	struct zones z = { .c = c };
	struct str list, site;
	bool first = true;

	list = str_of(get(c, "postscreen_dnsbl_sites"));
	if (!list.n)
		return;
	read_reply_map(&z);
	fputs("\ndnsl {\n\tsites = {", c->conf);
	for (; (site = postfix_item(&list)).n; first = false)
		print_site(&z, c->conf, site, first);
	fputs("\n\t}\n", c->conf);
	print_threshold(c, "postscreen_dnsbl_threshold", "enforce", z.heaviest);
	print_threshold(c, "postscreen_dnsbl_allowlist_threshold", "skip", z.lightest);
	if (is_set(c, "postscreen_dnsbl_timeout"))
		fprintf(c->conf, "\ttimeout = %s\n", get(c, "postscreen_dnsbl_timeout"));
	fputs("}\n", c->conf);
	for (size_t i = 0; i < z.n; i++) {
		fputs("zone ", c->conf);
		quoted(c->conf, str_of(z.map[i].shown));
		fputs(" { domain = ", c->conf);
		quoted(c->conf, str_of(z.map[i].asked));
		fputs(" }\n", c->conf);
		free(z.map[i].asked);
		free(z.map[i].shown);
	}
}

/* --- tests -------------------------------------------------------------------------------- */

/* enable NULL: always on */
static const struct test_row {
	const char *test, *enable, *action, *ttl;
} tests[] = {
	{ "pregreet", NULL, "postscreen_greet_action", "postscreen_greet_ttl" },
	{ "dnsl", NULL, "postscreen_dnsbl_action", NULL },
	{ "pipelining", "postscreen_pipelining_enable", "postscreen_pipelining_action", "postscreen_pipelining_ttl" },
	{ "non_smtp", "postscreen_non_smtp_command_enable", "postscreen_non_smtp_command_action", "postscreen_non_smtp_command_ttl" },
	{ "bare_newline", "postscreen_bare_newline_enable", "postscreen_bare_newline_action", "postscreen_bare_newline_ttl" },
};

#define NTESTS (sizeof(tests) / sizeof(*tests))

static const char *mode_of(struct conversion *c, const struct test_row *t)
{
	const char *action;

	if (t->enable && strcmp(get(c, t->enable), "yes"))
		return "off";
	action = get(c, t->action);
	if (!strcmp(action, "enforce") || !strcmp(action, "drop"))
		return action;
	if (strcmp(action, "ignore"))
		conversion_note(c, "\"%s\": none of ignore, enforce, drop", action);
	return "observe";
}

static void session_tests(struct conversion *c)
{
	bool any = false;

	fputs("\ntests {\n", c->conf);
	for (size_t i = 0; i < NTESTS; i++)
		fprintf(c->conf, "\t%s = %s\n", tests[i].test, mode_of(c, &tests[i]));
	fputs("}\n", c->conf);
	for (size_t i = 0; i < NTESTS; i++)
		any |= tests[i].ttl && is_set(c, tests[i].ttl);
	if (!any)
		return;
	fputs("passes {\n", c->conf);
	for (size_t i = 0; i < NTESTS; i++)
		if (tests[i].ttl && is_set(c, tests[i].ttl))
			fprintf(c->conf, "\t%s = %s\n", tests[i].test, get(c, tests[i].ttl));
	fputs("}\n", c->conf);
}

/* --- listener, backend, limits -------------------------------------------------------------- */

static void listener_tls(struct conversion *c)
{
	struct str chain = str_of(get(c, "smtpd_tls_chain_files")), key, cert;
	const char *level = get(c, "smtpd_tls_security_level");
	bool must = !strcmp(level, "encrypt");

	if (!must && strcmp(level, "may") && strcmp(get(c, "smtpd_use_tls"), "yes"))
		return;
	cert = key = postfix_item(&chain);
	if (!cert.n) {
		cert = str_of(get(c, "smtpd_tls_cert_file"));
		key = str_of(get(c, "smtpd_tls_key_file"));
	}
	if (!cert.n || !strcmp(cert.p, "none")) {
		c->setting = "smtpd_tls_security_level";
		conversion_note(c, "TLS without a certificate: not turned on here");
		return;
	}
	fprintf(c->conf, "\ttls = %s\n\ttls_certificate = ", must ? "require" : "offer");
	quoted(c->conf, cert);
	fputs("\n\ttls_key = ", c->conf);
	quoted(c->conf, key.n ? key : cert);
	fputc('\n', c->conf);
	if (postfix_item(&chain).n)
		conversion_note(c, "more than one file: the first is taken; others belong into sections \"certificate\"");
}

static void listener(struct conversion *c)
{
	const char *proxy = get(c, "postscreen_upstream_proxy_protocol");

	fputs("\nlistener \"mx\" {\n\taddress = \"::\"\n\tport = 25\n", c->conf);
	listener_tls(c);
	c->setting = "postscreen_upstream_proxy_protocol";
	if (*proxy) {
		fputs("\tproxy = yes\n", c->conf);
		conversion_note(c, "%s: name the balancers' addresses in balancers = { ... }: only they are believed, and with none nobody is", proxy);
	}
	fputs("}\n\n"
	      "# Postfix, which moves there: in master.cf\n"
	      "#   127.0.0.1:10025 inet n - y - - smtpd -o smtpd_authorized_xclient_hosts=127.0.0.1\n"
	      "# in place of the lines \"smtp inet ... postscreen\" and \"smtpd pass ... smtpd\".\n"
	      "backend \"main\" {\n\taddress = \"127.0.0.1\"\n\tport = 10025\n\tidentity = xclient\n}\n", c->conf);
}

static void limits(struct conversion *c)
{
	unsigned long long size = strtoull(get(c, "message_size_limit"), NULL, 10), rcpts = strtoull(get(c, "smtpd_recipient_limit"), NULL, 10);

	fprintf(c->conf, "\nlimits {\n\tmessage_size = %llu\n", size);
	if (rcpts >= 100 && rcpts <= 100000)
		fprintf(c->conf, "\trcpts = %llu\n", rcpts);
	else
		conversion_note(c, "%llu: RFC 5321 wants 100 at least, and so does the gate; Postfix goes on refusing what is over its own", rcpts);
	if (is_set(c, "postscreen_client_connection_count_limit") || is_set(c, "smtpd_client_connection_count_limit")) {
		unsigned long long n = strtoull(get(c, "postscreen_client_connection_count_limit"), NULL, 10);

		if (n)
			fprintf(c->conf, "\tsessions_per_source = %llu\n", n);
	}
	fputs("}\n", c->conf);
}

/* --- what has no counterpart ---------------------------------------------------------------- */

static const struct {
	const char *name, *why;
} others[] = {
	{ "postscreen_cache_map", "needs none: the judge remembers who has passed" },
	{ "postscreen_cache_cleanup_interval", "needs none: what is over is over by its own time" },
	{ "postscreen_cache_retention_time", "needs none: what is over is over by its own time" },
	{ "postscreen_allowlist_interfaces", "where an address is a backup MX's, give its listener backup = yes" },
	{ "postscreen_whitelist_interfaces", "where an address is a backup MX's, give its listener backup = yes" },
	{ "postscreen_greet_banner", "the greeting is the host's name, the setting banner, and ESMTP; a teaser goes before it in any case" },
	{ "postscreen_command_filter", "the gate re-emits what it has parsed; see section hide for what is offered" },
	{ "postscreen_forbidden_commands", "what is not SMTP is the test non_smtp" },
	{ "postscreen_helo_required", "MAIL before EHLO or HELO is refused in any case" },
	{ "postscreen_disable_vrfy_command", "VRFY is answered 252 in any case" },
	{ "postscreen_discard_ehlo_keywords", "see section hide" },
	{ "postscreen_dnsbl_ttl", "an answer counts as long as it says itself" },
	{ "postscreen_dnsbl_min_ttl", "an answer counts as long as it says itself, a minute at least" },
	{ "postscreen_dnsbl_max_ttl", "an answer counts as long as it says itself, an hour at most" },
	{ "postscreen_tls_security_level", "smtpd_tls_security_level was taken" },
	{ "postscreen_reject_footer", "see refuse { url }" },
	{ "postscreen_expansion_filter", "nothing of a client is echoed" },
	{ "postscreen_pre_queue_limit", "see limits { sessions }" },
	{ "postscreen_post_queue_limit", "see limits { sessions }" },
	{ "postscreen_command_count_limit", "see limits" },
	{ "postscreen_command_time_limit", "see limits { command_timeout }" },
	{ "postscreen_watchdog_timeout", "the service's WatchdogSec" },
	{ "smtpd_client_restrictions", "stays in Postfix, which sees the true client (XCLIENT)" },
	{ "smtpd_helo_restrictions", "stays in Postfix; tests helo_own, helo_name and helo_literal are here" },
	{ "smtpd_sender_restrictions", "stays in Postfix; sections \"sender\" and own_sender are here" },
	{ "smtpd_recipient_restrictions", "stays in Postfix, which sees the true client (XCLIENT)" },
	{ "smtpd_relay_restrictions", "stays in Postfix; the gate decides by domains and relay before it" },
	{ "relay_recipient_maps", "stays in Postfix; to refuse unknown recipients in the gate, see recipients" },
	{ "local_recipient_maps", "stays in Postfix; to refuse unknown recipients in the gate, see recipients" },
	{ "smtpd_milters", "stays in Postfix, which sees the true client (XCLIENT)" },
	{ "smtpd_sasl_auth_enable", "keep Postfix's own submission ports, or see listener { auth = require }" },
	{ "smtpd_tls_ask_ccert", "client certificates are not asked for" },
	{ "smtpd_tls_mandatory_protocols", "TLS 1.2 and later, as OpenSSL's configuration says" },
	{ "smtpd_tls_protocols", "TLS 1.2 and later, as OpenSSL's configuration says" },
};

static bool is_known(const char *name)
{
	static const char *const taken[] = {
		"postscreen_access_list", "postscreen_denylist_action", "postscreen_blacklist_action", "postscreen_dnsbl_sites", "postscreen_dnsbl_reply_map",
		"postscreen_dnsbl_threshold", "postscreen_dnsbl_allowlist_threshold", "postscreen_dnsbl_whitelist_threshold", "postscreen_dnsbl_timeout",
		"postscreen_greet_wait", "postscreen_upstream_proxy_protocol", "postscreen_client_connection_count_limit",
	};

	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		if (!strcmp(taken[i], name))
			return true;
	for (size_t i = 0; i < NTESTS; i++)
		if (!strcmp(tests[i].action, name) || (tests[i].enable && !strcmp(tests[i].enable, name)) || (tests[i].ttl && !strcmp(tests[i].ttl, name)))
			return true;
	return false;
}

static void no_counterpart(struct conversion *c)
{
	const char *name;

	for (size_t i = 0; (name = postfix_name(c->from, i)); i++) {
		const char *why = strncmp(name, "postscreen_", 11) || is_known(name) ? NULL : "not known to this converter";

		for (size_t k = 0; k < sizeof(others) / sizeof(*others); k++)
			if (!strcmp(others[k].name, name))
				why = others[k].why;
		c->setting = name;
		if (why)
			conversion_note(c, "%s", why);
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static void top(struct conversion *c)
{
	fputs("# interface = { \"eth0\" }   # the network card that faces the world: to be named by you\n", c->conf);
	if (*get(c, "myhostname")) {
		fputs("hostname = ", c->conf);
		quoted(c->conf, str_of(get(c, "myhostname")));
		fputc('\n', c->conf);
	}
	fputs("mode = observe   # judges and counts, refuses nobody at the card; enforce when `postern stats` looks right\n", c->conf);
	fprintf(c->conf, "greet_pause = %s\n\n", get(c, "postscreen_greet_wait"));
}

void from_postfix(struct conversion *c)
{
	lists_networks(c);
	top(c);
	lists_domains(c);
	lists_print(c->conf, "", "allow", &c->allow);
	listener(c);
	if (c->relay.n) {
		fputs("\nrelay {\n", c->conf);
		lists_print(c->conf, "\t", "entries", &c->relay);
		fputs("}\n", c->conf);
	}
	if (c->keep_out.n && c->keep_out_acts) {
		fputs("\nconnect {\n\tmode = except\n", c->conf);
		lists_print(c->conf, "\t", "entries", &c->keep_out);
		fputs("}\n", c->conf);
	}
	dns_lists(c);
	session_tests(c);
	limits(c);
	no_counterpart(c);
}
