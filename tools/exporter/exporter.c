/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exporter.c: postern-exporter: the counters over HTTP, for Prometheus and for a person's browser. Opens the pinned maps
 * for reading, binds, and then gives up everything: another user, no capability, no file, no socket of its own making.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/exporter/serve.h"
#include "user/cage.h"
#include "user/log.h"

#define WHERE_DEFAULT "127.0.0.1:9725"
#define USER_DEFAULT  "_postern-export"

static const char usage[] =
	"Usage: postern-exporter [-l WHERE] [-p DIR] [-u USER]\n"
	"       postern-exporter -h | -V\n"
	"\n"
	"Serves the counters of the gate over HTTP: /metrics, /healthz, /readyz, and / for people.\n"
	"\n"
	"  -l, --listen WHERE  ADDRESS:PORT, [ADDRESS]:PORT or unix:/PATH instead of " WHERE_DEFAULT "\n"
	"  -p, --pins DIR      folder of the gate's pins instead of " KERN_PIN_DIR "\n"
	"  -u, --user USER     who it becomes when root starts it, instead of " USER_DEFAULT "\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n"
	"\n"
	"Exit status: 0 ended by a signal, 1 failed, 2 wrong usage.\n";

struct wanted {
	const char *where, *pins, *user;
};

static int bad_usage(const char *what)
{
	fprintf(stderr, "postern-exporter: option %s is not known or lacks its argument\n%s", what, usage);
	return 2;
}

/* -1: go on. Else the exit status. */
static int read_options(int argc, char **argv, struct wanted *w)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' }, { "pins", required_argument, NULL, 'p' }, { "user", required_argument, NULL, 'u' },
		{ "version", no_argument, NULL, 'V' },	    { "help", no_argument, NULL, 'h' },	       { 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "l:p:u:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'l': w->where = optarg; break;
		case 'p': w->pins = optarg; break;
		case 'u': w->user = optarg; break;
		case 'V': printf("postern-exporter %s\n", POSTERN_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: return bad_usage(argv[optind - 1]);
		}
	}
	return optind < argc ? bad_usage(argv[optind]) : -1;
}

/* The maps of figures and settings; of who is banned the exporter knows nothing. */
static int open_maps(const char *pins, struct kern_maps *m)
{
	struct kern_maps all;
	unsigned have = 0;
	int rc = kern_open(pins, true, &all, &have);

	if (rc)
		return rc;
	kern_none(m);
	m->stats = all.stats;
	m->slots = all.slots;
	m->named = all.named;
	m->conf = all.conf;
	all.stats = all.slots = all.named = all.conf = -1;
	kern_close(&all);
	return 0;
}

static int lock_up(const char *user)
{
	struct rlimit files = { SERVE_CLIENTS_MAX + 32, SERVE_CLIENTS_MAX + 32 };
	uid_t uid = 0;
	gid_t gid = 0;
	int rc = geteuid() ? 0 : config_user(user, &uid, &gid);

	if (rc)
		return rc;
	setrlimit(RLIMIT_NOFILE, &files);
	return cage_exporter(uid, gid);
}

static void stop(evutil_socket_t number, short what, void *base)
{
	(void)number, (void)what;
	event_base_loopbreak(base);
}

static int failed(const char *what, const char *which, int rc)
{
	fprintf(stderr, "postern-exporter: %s %s: %s\n", what, which, strerror(-rc));
	return 1;
}

int main(int argc, char **argv)
{
	struct wanted w = { WHERE_DEFAULT, KERN_PIN_DIR, USER_DEFAULT };
	static struct serve s; /* with the history too large for a stack */
	static const int signals[] = { SIGTERM, SIGINT };
	int rc = read_options(argc, argv, &w), fd;

	if (rc >= 0)
		return rc;
	process_begin(&s.process);
	rc = open_maps(w.pins, &s.maps);
	if (rc)
		return failed("no counters under", w.pins, rc);
	fd = serve_listen(w.where);
	if (fd < 0)
		return failed("cannot listen on", w.where, fd);
	signal(SIGPIPE, SIG_IGN);
	s.base = event_base_new();
	rc = s.base ? serve_begin(&s, fd) : -ENOMEM;
	if (rc)
		return failed("cannot serve", w.where, rc);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		event_add(evsignal_new(s.base, signals[i], stop, s.base), NULL);
	rc = lock_up(w.user);
	if (rc)
		return failed("cannot become", w.user, rc);
	fprintf(stderr, "postern-exporter: serves on %s\n", w.where);
	event_base_dispatch(s.base);
	return 0;
}
