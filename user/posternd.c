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
	"       posternd --check [-c FILE]\n"
	"       posternd -h | -V\n"
	"\n"
	"The Postern daemon: refuses at the network card, judges in the session.\n"
	"\n"
	"  -c, --config FILE  read FILE instead of " CONFIG_PATH "\n"
	"      --check        say every error of the configuration, its lists and TLS files; bind nothing, change nothing\n"
	"      --foreground   stay in the foreground (it always does)\n"
	"  -d, --debug        log more\n"
	"  -V, --version      print the version\n"
	"  -h, --help         print this\n"
	"\n"
	"SIGHUP reads the configuration again, SIGTERM ends the daemon; bans stay enforced either way.\n"
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

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_FOREGROUND };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },   { "check", no_argument, NULL, OPT_CHECK },
		{ "foreground", no_argument, NULL, OPT_FOREGROUND }, { "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },	      { "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = CONFIG_PATH;
	bool check = false, debug = false;
	struct conf *conf;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, "c:dVh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_FOREGROUND:
			break;
		case 'd':
			debug = true;
			break;
		case 'V':
			printf("posternd %s\n", POSTERN_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return bad_usage("option %s is not known or lacks its argument", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return bad_usage("unexpected argument \"%s\"", argv[optind]);
	if (check) {
		if (config_verify(path, say_error, NULL))
			return 1;
		printf("%s: no errors\n", path);
		return 0;
	}
	if (config_read(path, &conf, say_error, NULL))
		return 1;
	log_init("warden", conf->log_to == LOG_TO_SYSLOG, conf->log_format == LOG_IS_JSON, debug);
	return warden_run(path, conf, debug);
}
