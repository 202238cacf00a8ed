/* SPDX-License-Identifier: BSD-2-Clause */
/* relay.c: relay control, asked about from inside. */
#include "tools/postern/relay.h"

static const struct cmd cmds[] = {
	{ "explain", "from ADDRESS [name HOST|none] [auth USER] mail SENDER rcpt RECIPIENT",
	  "Says by the configuration file whether the client may send to the recipient, with every question asked, the rule that decided, the route and its backends. "
	  "Without name, a client whose name would decide is undecided. Exit status 0 = accepted, 1 = refused or undecided.",
	  relay_do_explain },
	{ 0 },
};

const struct object object_relay = { "relay", "who may send to whom through the gate", cmds };
