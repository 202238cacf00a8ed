/* SPDX-License-Identifier: BSD-2-Clause */
/* feature.c: what this machine offers the gate, and what to do about what it does not. */
#include <errno.h>

#include "tools/postern/cli.h"
#include "tools/postern/out.h"
#include "user/probe.h"

/* Returns how many are missing. */
static size_t say(const char *table, const struct probe *p, size_t n)
{
	size_t missing = 0;

	out_table(table);
	for (size_t i = 0; i < n; i++) {
		out_row();
		out_str("name", "feature", p[i].name);
		out_str("state", "state", probe_state_name(p[i].state));
		out_str("found", "found", p[i].found);
		out_str("how", "learnt by", p[i].how);
		out_str("advice", "what to do", *p[i].advice ? p[i].advice : NULL);
		missing += p[i].state == PROBE_MISSING;
	}
	out_table_end();
	return missing;
}

static int probe_dev(const char *name)
{
	struct probe p[PROBES_MAX];
	struct device d;
	int rc = device_read(name, &d);

	if (rc)
		return out_error("%s: %s", name, rc == -ENODEV ? "there is no such interface here; `ip link` lists them" : strerror(-rc));
	out_line("\n%s:", d.name);
	out_str("interface", NULL, d.name);
	say("device", p, probe_device(&d, p));
	return CLI_OK;
}

static int do_probe(struct args *a)
{
	struct probe p[PROBES_MAX];
	const char *dev = NULL;
	size_t missing;
	int rc = CLI_OK;

	if (arg_is(a, "dev"))
		rc = arg_need(a, "IF", &dev);
	if (!rc)
		rc = arg_end(a);
	if (rc)
		return rc;
	missing = say("system", p, probe_system(p));
	if (dev)
		rc = probe_dev(dev);
	if (!rc && missing)
		rc = out_error("the gate cannot work here: %zu feature%s missing", missing, missing == 1 ? " is" : "s are");
	return rc;
}

static const struct cmd cmds[] = {
	{ "probe", "[dev IF]", "Tries what the gate needs of the kernel, and of an interface, and says what to do where something could be better; nothing changes.", do_probe },
	{ 0 },
};

const struct object object_feature = { "feature", "what kernel and interfaces offer", cmds };
