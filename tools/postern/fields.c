/* SPDX-License-Identifier: BSD-2-Clause */
/* fields.c: the one place where the fields of a ban and of a list are named. */
#include "tools/postern/fields.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

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
	char text[PREFIX_TEXT_MAX], note[PST_NOTE_MAX + 1];

	out_str("prefix", "prefix", prefix_text(&f->prefix, text));
	out_str("action", "action", action_name(b->action));
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
	out_num("score", NULL, b->score);
	out_num("relapse", "relapse", b->relapse);
	out_str("note", "note", note_of(m, &f->prefix, note));
}

static __u64 list_hits(const struct kern_maps *m, __u32 i)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *each = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*each)), sum = 0;

	if (each && cpus > 0 && !bpf_map_lookup_elem(m->list_hits, &i, each)) {
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += each[cpu];
	}
	free(each);
	return sum;
}

int fields_list_get(const struct kern_maps *m, unsigned i, struct fields_list *out)
{
	__u32 key = i;

	if (bpf_map_lookup_elem(m->list_info, &key, &out->info))
		return -errno;
	if (!out->info.name[0])
		return -ENOENT;
	out->info.name[sizeof(out->info.name) - 1] = 0;
	out->info.source[sizeof(out->info.source) - 1] = 0;
	out->index = i;
	out->hits = list_hits(m, key);
	return 0;
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
