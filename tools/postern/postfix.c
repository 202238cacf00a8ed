/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/postfix.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTINGS_MAX 4096
#define VALUE_MAX    (1 << 20)
#define DEPTH_MAX    16 /* of references in references */

struct setting {
	char *name, *raw, *value; /* value: references filled in, NULL = not yet asked for */
	unsigned line;		  /* of main.cf, 0 = a default */
};

struct postfix {
	char *folder;
	struct setting setting[SETTINGS_MAX];
	size_t n;
};

/* What Postfix says where main.cf says nothing: of the settings that are asked for, those that have a default. */
static const char *const defaults[][2] = {
	{ "mydestination", "$myhostname, localhost.$mydomain, localhost" },
	{ "virtual_mailbox_domains", "$virtual_mailbox_maps" },
	{ "virtual_alias_domains", "$virtual_alias_maps" },
	{ "virtual_alias_maps", "$virtual_maps" },
	{ "parent_domain_matches_subdomains", "debug_peer_list,fast_flush_domains,mynetworks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps" },
	{ "postscreen_access_list", "permit_mynetworks" },
	{ "postscreen_denylist_action", "$postscreen_blacklist_action" },
	{ "postscreen_blacklist_action", "ignore" },
	{ "postscreen_dnsbl_action", "ignore" },
	{ "postscreen_dnsbl_threshold", "1" },
	{ "postscreen_dnsbl_allowlist_threshold", "$postscreen_dnsbl_whitelist_threshold" },
	{ "postscreen_dnsbl_whitelist_threshold", "0" },
	{ "postscreen_greet_action", "ignore" },
	{ "postscreen_greet_wait", "${stress?{2}:{6}}s" },
	{ "postscreen_pipelining_enable", "no" },
	{ "postscreen_pipelining_action", "enforce" },
	{ "postscreen_non_smtp_command_enable", "no" },
	{ "postscreen_non_smtp_command_action", "drop" },
	{ "postscreen_bare_newline_enable", "no" },
	{ "postscreen_bare_newline_action", "ignore" },
	{ "message_size_limit", "10240000" },
	{ "smtpd_recipient_limit", "1000" },
	{ "smtpd_tls_key_file", "$smtpd_tls_cert_file" },
	{ "smtpd_client_connection_count_limit", "50" },
	{ "postscreen_client_connection_count_limit", "$smtpd_client_connection_count_limit" },
};

static struct setting *find(const struct postfix *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->setting[i].name, name))
			return (struct setting *)&p->setting[i];
	return NULL;
}

/* --- main.cf --------------------------------------------------------------------- */

static struct setting *setting_add(struct postfix *p, const char *name, size_t nname, unsigned line)
{
	char *copy = strndup(name, nname);
	struct setting *s = copy ? find(p, copy) : NULL;

	if (s) { /* the last one counts */
		free(copy);
		free(s->raw);
		s->raw = NULL;
		s->line = line;
		return s;
	}
	if (!copy || p->n == SETTINGS_MAX) {
		free(copy);
		return NULL;
	}
	s = &p->setting[p->n++];
	*s = (struct setting){ .name = copy, .line = line };
	return s;
}

/* A line that begins with white space goes on with the setting before; comments and empty lines do not end it. */
static void setting_more(struct setting *s, const char *text)
{
	size_t have = s->raw ? strlen(s->raw) : 0, more = strlen(text);
	char *grown = have + more + 2 > VALUE_MAX ? NULL : realloc(s->raw, have + more + 2);

	if (!grown)
		return;
	if (have)
		grown[have++] = ' ';
	memcpy(grown + have, text, more + 1);
	s->raw = grown;
}

static char *trimmed(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		text[--n] = 0;
	return text;
}

static void take_line(struct postfix *p, struct setting **last, char *line, unsigned number)
{
	bool goes_on = isspace((unsigned char)*line);
	char *text = trimmed(line), *eq;
	size_t n;

	if (!*text || *text == '#')
		return;
	if (goes_on) {
		if (*last)
			setting_more(*last, text);
		return;
	}
	eq = strchr(text, '=');
	*last = NULL;
	if (!eq)
		return; /* Postfix itself only warns */
	for (n = (size_t)(eq - text); n && isspace((unsigned char)text[n - 1]);)
		n--;
	*last = setting_add(p, text, n, number);
	if (*last)
		setting_more(*last, trimmed(eq + 1));
}

static int read_main(struct postfix *p, char *err, size_t errsize)
{
	struct setting *last = NULL;
	char path[4096], *line = NULL;
	unsigned number = 0;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/main.cf", p->folder);
	f = fopen(path, "re");
	if (!f) {
		snprintf(err, errsize, "%s: %s; name the folder of Postfix's configuration", path, strerror(errno));
		return -errno;
	}
	while (getline(&line, &room, f) >= 0)
		take_line(p, &last, line, ++number);
	free(line);
	fclose(f);
	return 0;
}

/* --- references --------------------------------------------------------------------- */

static void expand(struct postfix *p, FILE *out, struct str text, int depth);

static const char *raw_of(const struct postfix *p, struct str name)
{
	char key[256];
	struct setting *s;

	snprintf(key, sizeof(key), "%.*s", (int)name.n, name.p);
	s = find(p, key);
	if (s && s->raw)
		return s->raw;
	if (!strcmp(key, "relay_domains")) /* as it was before Postfix 3.0, until main.cf says that it knows */
		return (s = find(p, "compatibility_level")) && s->raw && strtod(s->raw, NULL) >= 2 ? "" : "$mydestination";
	if (!strcmp(key, "mydomain") && (s = find(p, "myhostname")) && s->raw && strchr(s->raw, '.'))
		return strchr(s->raw, '.') + 1;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (!strcmp(defaults[i][0], key))
			return defaults[i][1];
	return "";
}

/* The length of what is between the bracket at text and its partner; 0 = none. */
static size_t inside(struct str text)
{
	char open = text.n ? text.p[0] : 0, close = open == '{' ? '}' : ')';
	int level = 0;

	for (size_t i = 0; i < text.n; i++) {
		level += text.p[i] == open;
		level -= text.p[i] == close;
		if (!level)
			return i - 1;
	}
	return 0;
}

static struct str from(struct str s, size_t at)
{
	return (struct str){ s.p + at, s.n - at };
}

/* What stands behind "?" or ":": in braces, or to the end. *rest is what follows it. */
static struct str alternative(struct str text, struct str *rest)
{
	size_t n = text.n && text.p[0] == '{' ? inside(text) : 0;

	if (!n) {
		*rest = (struct str){ text.p + text.n, 0 };
		return text;
	}
	*rest = from(text, n + 2);
	return (struct str){ text.p + 1, n };
}

/* NAME, NAME?TEXT, NAME:TEXT, NAME?{A}:{B}. */
static void expand_braced(struct postfix *p, FILE *out, struct str body, int depth)
{
	struct str name = body, rest, yes, no = { "", 0 };
	const char *value;

	for (name.n = 0; name.n < body.n && (isalnum((unsigned char)body.p[name.n]) || body.p[name.n] == '_');)
		name.n++;
	value = raw_of(p, name);
	rest = from(body, name.n);
	if (!rest.n) {
		expand(p, out, (struct str){ value, strlen(value) }, depth + 1);
		return;
	}
	if (rest.p[0] == ':') {
		if (!*value)
			expand(p, out, alternative(from(rest, 1), &rest), depth + 1);
		return;
	}
	if (rest.p[0] != '?')
		return; /* comparisons: rare, and postconf knows them */
	yes = alternative(from(rest, 1), &rest);
	if (rest.n && rest.p[0] == ':')
		no = alternative(from(rest, 1), &rest);
	expand(p, out, *value ? yes : no, depth + 1);
}

static size_t expand_one(struct postfix *p, FILE *out, struct str text, int depth)
{
	struct str name = from(text, 1);
	size_t n;

	if (name.n && (name.p[0] == '{' || name.p[0] == '(') && (n = inside(name))) {
		expand_braced(p, out, (struct str){ name.p + 1, n }, depth);
		return n + 3;
	}
	if (name.n && name.p[0] == '$') {
		fputc('$', out);
		return 2;
	}
	for (n = 0; n < name.n && (isalnum((unsigned char)name.p[n]) || name.p[n] == '_');)
		n++;
	expand_braced(p, out, (struct str){ name.p, n }, depth);
	return n + 1;
}

static void expand(struct postfix *p, FILE *out, struct str text, int depth)
{
	if (depth > DEPTH_MAX)
		return;
	for (size_t i = 0; i < text.n;) {
		if (text.p[i] == '$') {
			i += expand_one(p, out, from(text, i), depth);
			continue;
		}
		fputc(text.p[i++], out);
	}
}

/* --- postconf ------------------------------------------------------------------------ */

static void run_postconf(const char *folder, const char *name, int out)
{
	dup2(out, STDOUT_FILENO);
	if (!freopen("/dev/null", "w", stderr))
		_exit(127);
	execlp("postconf", "postconf", "-c", folder, "-x", "-h", name, (char *)NULL);
	execl("/usr/sbin/postconf", "postconf", "-c", folder, "-x", "-h", name, (char *)NULL);
	_exit(127);
}

/* What postconf says of one setting; NULL: there is no postconf, or it does not know it. */
static char *ask_postconf(const char *folder, const char *name)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = -1;
	int pipe_[2], status = 1;
	pid_t pid;
	FILE *f;

	if (pipe2(pipe_, 0))
		return NULL;
	pid = fork();
	if (!pid)
		run_postconf(folder, name, pipe_[1]);
	close(pipe_[1]);
	f = pid < 0 ? NULL : fdopen(pipe_[0], "r");
	if (f) {
		n = getdelim(&line, &room, 0, f);
		fclose(f);
	} else {
		close(pipe_[0]);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (n > 0 && !status)
		return line;
	free(line);
	return NULL;
}

static char *expanded(struct postfix *p, const char *raw)
{
	char *value = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&value, &n);

	if (!f)
		return NULL;
	expand(p, f, (struct str){ raw, strlen(raw) }, 0);
	fclose(f);
	return value;
}

const char *postfix_get(struct postfix *p, const char *name)
{
	struct setting *s = find(p, name);

	if (!s)
		s = setting_add(p, name, strlen(name), 0);
	if (!s)
		return "";
	if (!s->value)
		s->value = ask_postconf(p->folder, name);
	if (!s->value)
		s->value = expanded(p, raw_of(p, (struct str){ name, strlen(name) }));
	return s->value ? trimmed(s->value) : "";
}

unsigned postfix_line(const struct postfix *p, const char *name)
{
	const struct setting *s = find(p, name);

	return s ? s->line : 0;
}

const char *postfix_name(const struct postfix *p, size_t i)
{
	for (size_t k = 0; k < p->n; k++)
		if (p->setting[k].line && !i--)
			return p->setting[k].name;
	return NULL;
}

struct postfix *postfix_read(const char *folder, char *err, size_t errsize)
{
	struct postfix *p = calloc(1, sizeof(*p));

	if (p)
		p->folder = strdup(folder);
	if (!p || !p->folder || read_main(p, err, errsize)) {
		postfix_free(p);
		return NULL;
	}
	return p;
}

void postfix_free(struct postfix *p)
{
	for (size_t i = 0; p && i < p->n; i++) {
		free(p->setting[i].name);
		free(p->setting[i].raw);
		free(p->setting[i].value);
	}
	if (p)
		free(p->folder);
	free(p);
}
