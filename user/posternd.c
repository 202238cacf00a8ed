/* SPDX-License-Identifier: BSD-2-Clause */
/* posternd.c: the daemon's command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/log.h"
#include "user/warden.h"

static const char usage[] =
	"Usage: posternd [-d] [-c FILE]\n"
	"       posternd --check | --rehearse [-c FILE]\n"
	"       posternd -h | -V\n"
	"\n"
	"The Postern daemon: refuses at the network card, judges in the session.\n"
	"\n"
	"  -c, --config FILE  read FILE instead of " CONFIG_PATH "\n"
	"      --check        say every error of the configuration, its lists and TLS files; bind nothing, change nothing\n"
	"      --rehearse     could it start? as --check, and tries addresses and rights; starts nothing, changes nothing\n"
	"      --foreground   stay in the foreground (it always does)\n"
	"  -d, --debug        log more\n"
	"  -V, --version      print the version\n"
	"  -h, --help         print this\n"
	"\n"
	"SIGHUP reads the configuration again, SIGUSR2 has the program's file, as it is now, take over without a lost connection,\n"
	"SIGTERM ends the daemon; bans stay enforced either way.\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static void say_error(void *ctx, const char *message)
{
	(void)ctx;
	fprintf(stderr, "%s\n", message);
}

static int bad_usage(const char *fmt, const char *arg)
{
	fprintf(stderr, "posternd: ");
	fprintf(stderr, fmt, arg);
	fprintf(stderr, "\n%s", usage);
	return 2;
}

enum deed { DEED_RUN, DEED_CHECK, DEED_REHEARSE };

struct wanted {
	const char *path;
	enum deed deed;
	bool debug;
};

/* -1: go on. Else the exit status. */
static int read_options(int argc, char **argv, struct wanted *w)
{
	enum { OPT_CHECK = 256, OPT_FOREGROUND, OPT_REHEARSE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "check", no_argument, NULL, OPT_CHECK }, { "rehearse", no_argument, NULL, OPT_REHEARSE },
		{ "foreground", no_argument, NULL, OPT_FOREGROUND }, { "debug", no_argument, NULL, 'd' }, { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "c:dVh", options, NULL)) != -1) {
		switch (opt) {
		case 'c': w->path = optarg; break;
		case OPT_CHECK: w->deed = DEED_CHECK; break;
		case OPT_REHEARSE: w->deed = DEED_REHEARSE; break;
		case OPT_FOREGROUND: break;
		case 'd': w->debug = true; break;
		case 'V': printf("posternd %s\n", POSTERN_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: return bad_usage("option %s is not known or lacks its argument", argv[optind - 1]);
		}
	}
	return optind < argc ? bad_usage("unexpected argument \"%s\"", argv[optind]) : -1;
}

static int check(const char *path)
{
	if (config_verify(path, say_error, say_error, NULL))
		return 1;
	printf("%s: no errors\n", path);
	return 0;
}

static int run(const struct wanted *w, struct handover *handed)
{
	struct conf *conf;

	if (config_read(w->path, &conf, say_error, NULL))
		return 1;
	log_init("warden", conf->log_to, conf->log_format == LOG_IS_JSON, w->debug);
	return w->deed == DEED_REHEARSE ? warden_rehearse(conf, handed) : warden_run(w->path, conf, w->debug, handed);
}

int main(int argc, char **argv)
{
	struct wanted w = { .path = CONFIG_PATH };
	static struct handover left;
	char err[256] = "";
	int rc = read_options(argc, argv, &w), have;

	if (rc >= 0)
		return rc;
	if (w.deed == DEED_CHECK)
		return check(w.path);
	have = handover_take(&left, err, sizeof(err));
	if (have < 0) {
		fprintf(stderr, "posternd: %s\n", *err ? err : strerror(-have));
		return 1;
	}
	rc = run(&w, have ? &left : NULL);
	if (rc && have && w.deed == DEED_RUN && !left.failed) {
		left.failed = true;
		handover_exec(&left, argv, true);
	}
	return rc;
}
