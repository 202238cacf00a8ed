/* SPDX-License-Identifier: BSD-2-Clause */
/* config_reader.c: of one read in progress, the memory that its result will own, and what it says of the files and where. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/config_int.h"

#define ERRORS_SAID 100 /* a wrong file named as a list would fill the log */

struct config_chunk {
	struct config_chunk *next;
	_Alignas(max_align_t) char bytes[];
};

void *config_alloc(struct config_reader *r, size_t n)
{
	struct config_chunk *c = calloc(1, sizeof(*c) + n);

	if (!c) {
		r->no_memory = true;
		return NULL;
	}
	c->next = r->chunks;
	r->chunks = c;
	return c->bytes;
}

const char *config_keep(struct config_reader *r, const char *text)
{
	size_t n = strlen(text) + 1;
	char *kept = config_alloc(r, n);

	return kept ? memcpy(kept, text, n) : NULL;
}

void config_free_chunks(struct config_chunk *c)
{
	while (c) {
		struct config_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void config_say(struct config_reader *r, const char *message)
{
	r->errors++;
	if (r->errors <= ERRORS_SAID)
		r->err(r->ctx, message);
	else if (r->errors == ERRORS_SAID + 1)
		r->err(r->ctx, "more errors are not shown; mend these first");
}

#define MESSAGE_MAX 768

/* "FILE:LINE: what", with before in front of what. */
static void compose(const struct config_reader *r, const char *file, unsigned line, const char *before, const char *fmt, va_list ap,
		    char message[MESSAGE_MAX])
{
	bool numbered = file == r->path && line / CONF_FILE_LINES < r->nfiles;
	int n = snprintf(message, MESSAGE_MAX, "%s:%u: %s", numbered ? r->file[line / CONF_FILE_LINES] : file,
			 conf_line(line) ? conf_line(line) : 1, before);

	if (n > 0 && n < MESSAGE_MAX)
		vsnprintf(message + n, MESSAGE_MAX - n, fmt, ap);
}

const char *config_place(const struct config_reader *r, unsigned line, char out[CONFIG_PLACE_MAX])
{
	if (line < CONF_FILE_LINES)
		snprintf(out, CONFIG_PLACE_MAX, "line %u", line);
	else
		snprintf(out, CONFIG_PLACE_MAX, "%s:%u", r->file[line / CONF_FILE_LINES], conf_line(line));
	return out;
}

void config_err(struct config_reader *r, const char *file, unsigned line, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	compose(r, file, line, "", fmt, ap, message);
	va_end(ap);
	config_say(r, message);
}

void config_warn(struct config_reader *r, unsigned line, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	compose(r, r->path, line, "warning: ", fmt, ap, message);
	va_end(ap);
	r->warn(r->ctx, message);
}
