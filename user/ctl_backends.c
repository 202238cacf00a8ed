/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl_backends.c: the backends for an operator, each once, summed over the workers that have it. */
#include "user/ctl_int.h"

#include <stdlib.h>
#include <string.h>

#include "user/core/addr.h"

#define S_NS 1000000000ull

struct summed {
	const struct ipc_backend *first; /* whose name and address */
	const struct ipc_backend *error; /* the latest one; NULL = none */
	unsigned workers, up, down;
	__u64 since_ns, permille, live, idle, waiting, sessions, checks, failures;
};

/* Workers may serve configurations of different age: a backend is its name and where it is. */
static bool is_same(const struct ipc_backend *a, const struct ipc_backend *b)
{
	return a->port == b->port && !memcmp(&a->addr, &b->addr, sizeof(a->addr)) && !strcmp(a->name, b->name);
}

static void add(struct summed *s, const struct ipc_backend *b)
{
	s->workers++;
	s->up += b->health == IPC_UP;
	s->down += b->health == IPC_DOWN;
	s->since_ns = b->since_ns > s->since_ns ? b->since_ns : s->since_ns;
	s->permille += b->weight_permille;
	s->live += b->live;
	s->idle += b->idle;
	s->waiting += b->waiting;
	s->sessions += b->sessions;
	s->checks += b->checks;
	s->failures += b->failures;
	if (b->error[0] && (!s->error || b->error_ns > s->error->error_ns))
		s->error = b;
}

static size_t sum_channel(const struct judge_channel *c, struct summed *all, size_t n, size_t room)
{
	for (size_t i = 0; c->pid && c->backend && i < IPC_BACKENDS_MAX; i++) {
		const struct ipc_backend *b = &c->backend[i];
		size_t k = 0;

		if (!b->name[0])
			continue;
		while (k < n && !is_same(all[k].first, b))
			k++;
		if (k == room)
			continue;
		n += k == n;
		all[k].first = all[k].first ? all[k].first : b;
		add(&all[k], b);
	}
	return n;
}

static const char *state_of(const struct summed *s)
{
	return s->up == s->workers ? "up" : s->down == s->workers ? "down" : s->up || s->down ? "mixed" : "unknown";
}

/* Clocks of a worker are not to be believed: what lies ahead is now. */
static json_t *ago(__u64 moment_ns, __u64 now_ns)
{
	return moment_ns ? json_integer(now_ns > moment_ns ? (json_int_t)((now_ns - moment_ns) / S_NS) : 0) : json_null();
}

static json_t *text(const char *raw)
{
	char safe[4 * IPC_ERROR_MAX + 1];

	str_escape(str_of(raw), safe, sizeof(safe));
	return json_string(safe);
}

static json_t *summed_json(const struct summed *s, __u64 now_ns)
{
	char addr[ADDR_TEXT_MAX];

	return json_pack("{s:o s:s s:i s:s s:o s:i s:i s:i s:i s:I s:I s:I s:I s:I s:I s:o s:o}", "backend", text(s->first->name), "address",
			 addr_text(&s->first->addr, addr), "port", (int)s->first->port, "state", state_of(s), "seconds", ago(s->since_ns, now_ns),
			 "workers", (int)s->workers, "workers_up", (int)s->up, "weight", (int)s->first->weight, "weight_permille",
			 (int)(s->permille / s->workers), "live", (json_int_t)s->live, "idle", (json_int_t)s->idle, "waiting", (json_int_t)s->waiting, "sessions",
			 (json_int_t)s->sessions, "checks", (json_int_t)s->checks, "failures", (json_int_t)s->failures, "error",
			 s->error ? text(s->error->error) : json_null(), "error_seconds", s->error ? ago(s->error->error_ns, now_ns) : json_null());
}

/* All of them, for free(); NULL when there is no memory. */
static struct summed *sum_all(const struct judge *j, size_t *n)
{
	size_t room = 2 * IPC_BACKENDS_MAX; /* while workers drain, two configurations are served */
	struct summed *all = calloc(room, sizeof(*all));

	*n = 0;
	for (size_t i = 0; all && i < WORKER_SLOTS; i++)
		*n = sum_channel(&j->channel[i], all, *n, room);
	return all;
}

void ctl_backends_count(const struct judge *j)
{
	__u64 *counter = j->setup->stats->counter;
	size_t n, up = 0, down = 0;
	struct summed *all = sum_all(j, &n);

	for (size_t i = 0; i < n; i++) {
		up += all[i].up == all[i].workers;
		down += all[i].down == all[i].workers;
	}
	free(all);
	counter[PST_CNT_BACKENDS_UP] = up;
	counter[PST_CNT_BACKENDS_DOWN] = down;
	counter[PST_CNT_DEGRADED_BACKEND] = down > 0;
	counter[PST_CNT_BACKENDS_UNSURE] = n - up - down;
}

json_t *ctl_backend_show(struct judge *j, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	json_t *rows = json_array(), *reply = ctl_ok();
	__u64 now_ns = kern_now_ns();
	size_t n;
	struct summed *all = sum_all(j, &n);

	for (size_t i = 0; i < n; i++)
		if (!name || !strncmp(name, all[i].first->name, IPC_BACKEND_MAX - 1))
			json_array_append_new(rows, summed_json(&all[i], now_ns));
	free(all);
	json_object_set_new(reply, "backends", rows);
	return reply;
}
