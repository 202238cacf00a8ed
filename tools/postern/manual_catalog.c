/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/manual_catalog.h"

#include <ctype.h>
#include <stdio.h>

#include "tools/postern/out.h"
#include "user/log_journal.h"
#include "user/log_rows.h"

#define WIDTH 76

/* In lines. */
static void put_text(const char *text)
{
	size_t column = 0, n;

	for (; *text; text += n + (text[n] == ' ')) {
		n = strcspn(text, " ");
		if (column && column + 1 + n > WIDTH)
			column = 0, putchar('\n');
		printf("%s%.*s", column ? " " : "", (int)n, text);
		column += n + (column > 0);
	}
	putchar('\n');
}

/* journalctl puts the entry's own value in the place of a field's name between at signs. */
static void put_keys(const char *keys)
{
	for (size_t n; *keys; keys += n + (keys[n] == ' ')) {
		n = strcspn(keys, " ");
		printf("\n  %.*s: @POSTERN_", (int)n, keys);
		for (size_t i = 0; i < n; i++)
			putchar(toupper((unsigned char)keys[i]));
		putchar('@');
	}
	putchar('\n');
}

static void put_entry(const char *event, const char *keys, const char *meaning, const char *advice)
{
	char id[LOG_JOURNAL_ID_SIZE];

	log_journal_id(str_of(event), id);
	printf("\n-- %s\nSubject: %s\nDefined-By: Postern\nDocumentation: man:posternd(8)\n\n", id, meaning);
	put_text(advice);
	if (*keys)
		put_keys(keys);
}

int manual_catalog(struct args *a)
{
	int rc = arg_end(a);

	if (rc)
		return rc;
	printf("# Catalog of the journal for Postern, made by `postern manual catalog`; do not edit\n");
#define LOG_X(event, keys, meaning, advice) put_entry(event, keys, meaning, advice);
	LOG_EVENTS(LOG_X)
#undef LOG_X
	out_done();
	return CLI_OK;
}
