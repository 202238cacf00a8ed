/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_client.c: all that is known of a source besides its record, so that one question tells it: tests passed, ceilings, greylist, live sessions. */
#include "user/ctl_int.h"

#define S_NS	     1000000000ull
#define SESSIONS_MAX 20
#define GREY_MAX     20

static json_int_t left_s(__u64 until_ns, __u64 now_ns)
{
	return until_ns > now_ns ? (json_int_t)((until_ns - now_ns + S_NS - 1) / S_NS) : 0;
}

/* Tests that are not made again for a while. */
static json_t *passes_of(const struct ledger_entry *e, __u64 now_ns)
{
	json_t *all = json_array();

	for (unsigned i = 0; e && i < TEST_MAX; i++)
		if (e->pass_until_ns[i] > now_ns)
			json_array_append_new(all, json_pack("{s:s s:I}", "test", triage_name(i), "seconds_left", left_s(e->pass_until_ns[i], now_ns)));
	return all;
}

/* What there was of it in the window, of the source and of its prefix; seconds_left: how long it has been known to stay over. */
static void add_limits(struct judge *j, const struct pst_addr *a, enum crowd_scope scope, __u64 now_ns, json_t *all)
{
	const struct crowd_rules *rules = &j->setup->conf->rates;
	struct crowd_entry *e = crowd_find(&j->setup->keep->crowd, a, scope);
	char who[PREFIX_TEXT_MAX];

	for (unsigned k = 0; e && k < CROWD_MAX; k++) {
		__u64 n = crowd_now(e, rules, k, now_ns);
		unsigned ceiling = rules->max[scope][k];

		if (n)
			json_array_append_new(all, json_pack("{s:s s:s s:I s:o s:b s:I}", "of", prefix_text(&e->who, who), "what", crowd_name(k), "count",
							     (json_int_t)n, "ceiling", ceiling ? json_integer(ceiling) : json_null(), "over",
							     e->over_ns[k] > now_ns, "seconds_left", left_s(e->over_ns[k], now_ns)));
	}
}

void ctl_client_more(struct judge *j, const struct pst_addr *a, const struct ledger_entry *e, __u64 now_ns, json_t *reply)
{
	struct pst_prefix source = prefix_source(a);
	json_t *limits = json_array();
	size_t live = 0;

	add_limits(j, a, CROWD_SOURCE, now_ns, limits);
	add_limits(j, a, CROWD_PREFIX, now_ns, limits);
	json_object_set_new(reply, "passes", passes_of(e, now_ns));
	json_object_set_new(reply, "limits", limits);
	json_object_set_new(reply, "greylist", ctl_grey_of(j, a, GREY_MAX));
	json_object_set_new(reply, "live", ctl_sessions_of(j, &source, SESSIONS_MAX, &live));
	json_object_set_new(reply, "live_sessions", json_integer((json_int_t)live));
}
