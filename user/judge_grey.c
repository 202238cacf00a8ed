/* SPDX-License-Identifier: BSD-2-Clause */
/* judge_grey.c: the judge's part of the greylist. The table is the warden's shared memory, so that a killed judge forgets nothing. */
#include "user/judge_int.h"

#include "user/log.h"

static const char *const said[] = { [GREY_PASS] = "pass", [GREY_KNOWN] = "known", [GREY_DEFER] = "defer" };

static const struct grey_rules *rules_of(const struct judge *j)
{
	return &j->setup->conf->grey;
}

static void source_of(const struct judge *j, const struct ipc_record *r, char out[GREY_SOURCE_MAX])
{
	grey_source(rules_of(j), &r->addr, str_of(r->name), out);
}

void judge_grey_asked(struct judge *j, struct judge_channel *c, const struct ipc_record *r, bool known)
{
	struct ipc_record answer = { .tag = IPC_GREYED, .session = r->session, .addr = r->addr, .key = { r->key[0], r->key[1] } };
	struct grey_answer a = { .what = known ? GREY_KNOWN : GREY_PASS };
	char source[GREY_SOURCE_MAX];

	source_of(j, r, source);
	if (!known && j->setup->grey)
		a = grey_try(j->setup->grey, rules_of(j), source, r->key, kern_now_ns());
	answer.grey = a.what;
	answer.seconds = a.seconds;
	ipc_send(j->setup->worker_fd[c - j->channel], &answer); /* unanswered = pass */
	log_info("greylist session=%016llx source=%s key=%016llx said=%s seconds=%u tries=%u", (unsigned long long)r->session, source,
		 (unsigned long long)r->key[0], said[a.what], a.seconds, a.tries);
}

void judge_grey_took(struct judge *j, const struct ipc_record *r)
{
	char source[GREY_SOURCE_MAX];

	if (!j->setup->grey || !r->messages)
		return;
	source_of(j, r, source);
	grey_took(j->setup->grey, rules_of(j), source, kern_now_ns());
}
