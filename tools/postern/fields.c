/* SPDX-License-Identifier: BSD-2-Clause */
/* fields.c: the one place where the fields of a ban and of a list are named. */
#include "tools/postern/fields.h"

#include <errno.h>
#include <stdio.h>

#include "tools/postern/out.h"
#include "user/core/names.h"

/* A note is an array that need not end in NUL when another program wrote it. */
static const char *note_of(const struct kern_maps *m, const struct pst_prefix *p, char text[PST_NOTE_MAX + 1])
{
	struct pst_note note = { 0 };
	struct pst_ban ban;

	if (ban_get(m, p, &ban, &note) || !note.text[0])
		return NULL;
	memcpy(text, note.text, PST_NOTE_MAX);
	text[PST_NOTE_MAX] = 0;
	return text;
}

void fields_ban(const struct kern_maps *m, const struct fields_ban *f)
{
	const struct pst_ban *b = &f->ban;
	char text[PREFIX_TEXT_MAX], note[PST_NOTE_MAX + 1], scope[16];

	out_str("prefix", "prefix", prefix_text(&f->prefix, text));
	out_str("action", "action", action_name(b->action));
	if (b->scope == PST_SCOPE_PORT)
		snprintf(scope, sizeof(scope), "%s %u", scope_name(b->scope), b->port);
	out_str("scope", "scope", b->scope == PST_SCOPE_PORT ? scope : scope_name(b->scope));
	out_until(b->until_ns);
	out_moment("since", "since", b->made_ns);
	out_num("hits", "hits", b->hits);
	out_moment("first_hit", NULL, b->first_ns);
	out_moment("last_hit", "last hit", b->last_ns);
	if (b->first_ns)
		out_num("reaction_ns", NULL, b->first_ns > b->made_ns ? b->first_ns - b->made_ns : 0);
	else
		out_null("reaction_ns");
	out_str("origin", "origin", origin_name(b->origin));
	out_str("reason", "reason", reason_name(b->reason));
	out_num("score", NULL, PST_BAN_SCORE(b->score));
	out_num("relapse", "relapse", b->relapse);
	out_num("grace", "grace", b->grace);
	out_num("contacts", NULL, b->contacts);
	out_num("retries", NULL, PST_BAN_RETRIES(b->score));
	out_str("note", "note", note_of(m, &f->prefix, note));
}

void fields_ban_room(size_t live, size_t room)
{
	if (live * 100 >= room * BAN_HIGH_PERCENT)
		out_note("the ban table is %zu %% full: when it is full, the automatic ban that ends soonest makes room", live * 100 / room);
}

int fields_list_get(const struct kern_maps *m, unsigned i, struct fields_list *out)
{
	int e = list_info(m, i, &out->info);

	out->index = i;
	return e ? e : list_hits(m, i, &out->hits);
}

json_t *fields_class(const struct kern_maps *m, const struct pst_class *c)
{
	json_t *names = json_array();
	struct fields_list l;

	for (unsigned i = 0; i < PST_LISTS_MAX; i++)
		if (c->lists >> i & 1 && !fields_list_get(m, i, &l))
			json_array_append_new(names, json_string(l.info.name));
	return names;
}

const char *fields_names(json_t *names, char *text, size_t size)
{
	size_t at = 0, i;
	json_t *name;

	text[0] = 0;
	json_array_foreach(names, i, name)
		if (at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", json_string_value(name));
	return text;
}

void fields_list(const struct fields_list *l)
{
	out_str("name", "name", l->info.name);
	out_str("action", "action", action_name(l->info.action));
	out_num("prefixes", "prefixes", l->info.prefixes);
	out_num("hits", "hits", l->hits);
	out_str("state", "state", !l->info.stale ? "ok" : l->info.loaded_ns ? "stale" : "unread");
	out_moment("loaded", NULL, l->info.loaded_ns);
	out_ago("loaded_seconds_ago", "loaded", l->info.loaded_ns);
	out_wall("modified", "changed", l->info.modified_s);
	out_bool("follow", "follow", l->info.follow);
	out_str("file", "file", l->info.source);
}
