/* SPDX-License-Identifier: BSD-2-Clause */
/* config_postfix.c: the command around from_postfix.c. */
#include <stdlib.h>

#include "tools/postern/cli.h"
#include "tools/postern/config_postfix.h"
#include "tools/postern/from_postfix.h"
#include "tools/postern/out.h"

#define FOLDER "/etc/postfix"

static void say(const char *folder, const struct conversion *c, const char *conf, const char *notes)
{
	out_str("folder", NULL, folder);
	out_str("configuration", NULL, conf);
	out_str("notes", NULL, notes);
	out_num("open", NULL, c->nnotes);
	if (cli.json)
		return;
	printf("# Made of %s/main.cf by `postern config from-postfix`. Look through it, then: posternd --check -c FILE\n%s", folder, conf);
	if (c->nnotes)
		printf("\n# What has no counterpart, or has to be looked at:\n%s", notes);
}

static void conversion_free(struct conversion *c)
{
	postfix_free(c->from);
	free(c->allow.p);
	free(c->keep_out.p);
	free(c->spared.p);
	free(c->relay.p);
}

int config_from_postfix(struct args *a)
{
	const char *folder = a->n ? arg_next(a) : FOLDER;
	struct conversion c = { .setting = "" };
	char err[4400], *conf = NULL, *notes = NULL;
	size_t nconf, nnotes;
	int rc = arg_end(a);

	if (rc)
		return rc;
	c.from = postfix_read(folder, err, sizeof(err));
	if (!c.from)
		return out_error("%s", err);
	c.conf = open_memstream(&conf, &nconf);
	c.notes = open_memstream(&notes, &nnotes);
	if (c.conf && c.notes)
		from_postfix(&c);
	if (c.conf)
		fclose(c.conf);
	if (c.notes)
		fclose(c.notes);
	if (conf && notes)
		say(folder, &c, conf, notes);
	else
		rc = out_error("out of memory");
	free(conf);
	free(notes);
	conversion_free(&c);
	return rc;
}
