/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/log_journal.h"

#include <ctype.h>
#include <stdio.h>

#include "user/core/logline.h"
#include "user/core/put.h"

#define FACILITY_MAIL "2"

/* The whole field, or nothing of it. A name of the journal is capital letters, digits and underscores. */
static void put_field(struct put *o, const char *prefix, struct str key, struct str value)
{
	size_t before = o->n;
	char upper[1];

	o->full = false;
	put_text(o, prefix);
	for (size_t i = 0; i < key.n; i++) {
		*upper = isalnum((unsigned char)key.p[i]) ? (char)toupper((unsigned char)key.p[i]) : '_';
		put_str(o, (struct str){ upper, 1 });
	}
	put_text(o, "=");
	put_str(o, value);
	put_text(o, "\n");
	if (o->full)
		o->n = before;
}

static unsigned long long sum(struct str s, unsigned long long from)
{
	for (size_t i = 0; i < s.n; i++)
		from = (from ^ (unsigned char)s.p[i]) * 1099511628211ull;
	return from;
}

/* 128 bits of the event's name. */
void log_journal_id(struct str event, char id[LOG_JOURNAL_ID_SIZE])
{
	snprintf(id, LOG_JOURNAL_ID_SIZE, "%016llx%016llx", sum(event, 14695981039346656037ull), sum(event, 7809847782465536322ull));
}

static void put_id(struct put *o, struct str event)
{
	char id[LOG_JOURNAL_ID_SIZE];

	log_journal_id(event, id);
	put_field(o, "MESSAGE_ID", STR(""), str_of(id));
}

size_t log_journal(const struct log_source *from, struct str line, char *out, size_t size)
{
	struct put o = { .p = out, .max = size - 1 };
	char priority[16], head[64];
	struct str key, value;
	struct logline l;

	snprintf(priority, sizeof(priority), "%d", from->priority);
	snprintf(head, sizeof(head), "MESSAGE=%s: ", from->role);
	put_text(&o, head);
	put_str(&o, line.n < o.max - o.n ? line : str_sub(line, 0, o.max - o.n - 1));
	put_text(&o, "\n");
	put_field(&o, "PRIORITY", STR(""), str_of(priority));
	put_field(&o, "SYSLOG_IDENTIFIER", STR(""), STR("postern"));
	put_field(&o, "SYSLOG_FACILITY", STR(""), STR(FACILITY_MAIL));
	put_field(&o, "POSTERN_ROLE", STR(""), str_of(from->role));
	if (logline_open(line, &l)) {
		put_field(&o, "POSTERN_EVENT", STR(""), l.event);
		put_id(&o, l.event);
		while (logline_next(&l, &key, &value))
			put_field(&o, "POSTERN_", key, value);
	}
	out[o.n] = 0;
	return o.n;
}
