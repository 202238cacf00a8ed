/* SPDX-License-Identifier: BSD-2-Clause */
/* place.c: finding the pinned maps, the socket and the configuration. */
#include "tools/postern/place.h"

#include <errno.h>
#include <unistd.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "user/ctl.h"

const char *place_config(void)
{
	return cli.config ? cli.config : CONFIG_PATH;
}

static void ignore(void *ctx, const char *message)
{
	(void)ctx;
	(void)message;
}

const struct conf *place_conf(void)
{
	static struct conf *conf;
	static bool tried;

	if (!tried && !access(place_config(), R_OK) && config_read(place_config(), &conf, ignore, NULL))
		conf = NULL;
	tried = true;
	return conf;
}

const char *place_pins(void)
{
	if (cli.pins && *cli.pins)
		return cli.pins;
	return place_conf() && place_conf()->pin_dir ? place_conf()->pin_dir : KERN_PIN_DIR;
}

const char *place_socket(void)
{
	if (cli.socket && *cli.socket)
		return cli.socket;
	return place_conf() && place_conf()->control_socket ? place_conf()->control_socket : CTL_SOCKET;
}

static int cannot_open(int rc, unsigned have)
{
	if (rc == -ENOENT && have)
		return out_error("the gate that is loaded beside %s is of an older version (schema %u, this program has %u): start posternd, or `postern gate load`, and it is taken over",
				 place_pins(), have, PST_SCHEMA);
	if (rc == -ENOENT)
		return out_error("no gate is loaded (no pinned maps under %s); start posternd, or load one with `postern gate load`",
				 place_pins());
	if (rc == -EPROTO)
		return out_error("the maps under %s have schema %u, this program has %u; use the postern that came with that posternd, or `postern gate unload` and load again (bans are lost)",
				 place_pins(), have, PST_SCHEMA);
	if (rc == -EPERM || rc == -EACCES)
		return out_error("%s: no permission; run as root", place_pins());
	return out_error("%s: %s", place_pins(), strerror(-rc));
}

int place_open(struct kern_maps *m, bool readonly)
{
	unsigned have = 0;
	int rc = kern_open(place_pins(), readonly, m, &have);

	return rc ? cannot_open(rc, have) : CLI_OK;
}

int place_look(struct kern_maps *m, bool *closed)
{
	unsigned have = 0;
	int rc = kern_open(place_pins(), true, m, &have);

	*closed = rc == -EPERM || rc == -EACCES;
	return rc && !*closed ? cannot_open(rc, have) : CLI_OK;
}
