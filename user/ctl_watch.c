/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/ctl_watch.h"

#include "user/core/names.h"
#include "user/ctl_int.h"

static const struct {
	const char *name, *kind;
} rows[EVENT_MAX] = {
#define CTL_X(sym, name, kind) [EVENT_##sym] = { name, kind },
	CTL_EVENTS(CTL_X)
#undef CTL_X
};

const char *ctl_event_name(enum ctl_event event)
{
	return rows[event].name;
}

/* Of the events, those whose name or kind is word. */
static unsigned events_of(const char *word, bool kind)
{
	unsigned events = 0;

	for (unsigned i = 0; i < EVENT_MAX; i++)
		if (!strcmp(word, kind ? rows[i].kind : rows[i].name))
			events |= 1u << i;
	return events;
}

static json_t *narrow(json_t *request, const char *key, bool kind, unsigned *events)
{
	const char *word = json_string_value(json_object_get(request, key));

	if (!word)
		return NULL;
	*events &= events_of(word, kind);
	return events_of(word, kind) ? NULL : ctl_error(true, "%s \"%s\" is not known", key, word);
}

json_t *ctl_watch_read(json_t *request, struct ctl_watch *out)
{
	const char *reason = json_string_value(json_object_get(request, "reason"));
	const char *source = json_string_value(json_object_get(request, "source"));
	json_t *error;

	*out = (struct ctl_watch){ .events = (1u << EVENT_MAX) - 1, .reason = -1 };
	if ((error = narrow(request, "verdict", false, &out->events)) || (error = narrow(request, "kind", true, &out->events)))
		return error;
	if (reason && (out->reason = reason_by_name(str_of(reason))) < 0)
		return ctl_error(true, "reason \"%s\" is not known", reason);
	if (source && prefix_parse(str_of(source), &out->source) != PREFIX_OK)
		return ctl_error(true, "source \"%s\" is no address or network", source);
	return NULL;
}

bool ctl_watch_wants(const struct ctl_watch *w, const struct ctl_about *about)
{
	if (!(w->events >> about->event & 1) || (w->reason >= 0 && about->reason != w->reason))
		return false;
	return !w->source.len ||
	       (about->source && (prefix_within(&w->source, about->source) || prefix_within(about->source, &w->source)));
}
