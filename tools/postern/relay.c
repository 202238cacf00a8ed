/* SPDX-License-Identifier: BSD-2-Clause */
/* relay.c: relay control, asked about from inside and tried from outside. */
#include "tools/postern/relay.h"

static const struct cmd cmds[] = {
	{ "explain", "from ADDRESS [name HOST|none] [tls] [auth USER] mail SENDER rcpt RECIPIENT",
	  "Says by the configuration file whether the client may send to the recipient, with every question asked, the rule that decided, the route and its backends. "
	  "Without name, a client whose name would decide is undecided. Exit status 0 = accepted, 1 = refused or undecided.",
	  relay_do_explain },
	{ "check", "HOST[:PORT] [domain LOCAL] [to ADDRESS] [from ADDRESS] [helo NAME] [starttls] [timeout SECONDS] [pause SECONDS] [deliver]",
	  "Asks a mail server, as a stranger would, to relay to an address in every spelling that has opened other servers, and delivers nothing: "
	  "each recipient is taken back by RSET. Exit status 0 = closed, 1 = open or undecided.",
	  relay_do_check },
	{ "resolve", "HOST",
	  "Looks up a name's addresses once, to be written into a list as they are now; and says of each whether the name itself could stand there, which is looked up for every client.",
	  relay_do_resolve },
	{ 0 },
};

const struct object object_relay = { "relay", "who may send to whom through the gate", cmds };
