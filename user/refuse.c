/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/refuse.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "user/core/names.h"

#define S_NS	   1000000000ull
#define TEXT_MAX   (PST_TEXT_MAX - 4)
#define HOST_MAX   100
#define SOURCE_REPLIES 100 /* as the settings have them by themselves */
#define ALL_REPLIES    200000
#define KEEP_SLOTS 52 /* of 69 seconds: an hour */
#define LEAD_SLOTS 2  /* a new generation is in force from the slot after the next: written long before it is read */

/* --- the secret ---------------------------------------------------------------------- */

static int secret_get(const struct kern_maps *m, struct pst_secret *s)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(m->secret, &only, s) ? -errno : 0;
}

static int secret_put(const struct kern_maps *m, const struct pst_secret *s)
{
	__u32 only = 0;

	return bpf_map_update_elem(m->secret, &only, s, BPF_ANY) ? -errno : 0;
}

static int fill_key(__u64 key[2])
{
	do { /* a key of zeros is none */
		if (getrandom(key, 16, 0) != 16)
			return -EIO;
	} while (!(key[0] | key[1]));
	return 0;
}

static int secret_start(const struct kern_maps *m)
{
	struct pst_secret s;
	int rc = secret_get(m, &s);

	if (rc || s.gen[0].key[0] | s.gen[0].key[1])
		return rc;
	memset(&s, 0, sizeof(s));
	rc = fill_key(s.gen[0].key);
	return rc ? rc : secret_put(m, &s);
}

static unsigned younger(const struct pst_secret *s)
{
	return s->gen[1].from_slot > s->gen[0].from_slot;
}

static int rotate(const struct kern_maps *m, __u64 now_ns, __u64 keep_slots)
{
	__u64 slot = now_ns >> PST_SLOT_SHIFT;
	struct pst_secret s;
	unsigned elder;
	int rc = secret_get(m, &s);

	if (rc)
		return rc;
	elder = !younger(&s);
	if (s.gen[!elder].from_slot && s.gen[!elder].from_slot + keep_slots > slot)
		return -EAGAIN;
	rc = fill_key(s.gen[elder].key);
	if (rc)
		return rc;
	s.gen[elder].from_slot = slot + LEAD_SLOTS;
	return secret_put(m, &s);
}

int refuse_rotate(const struct kern_maps *m, __u64 now_ns)
{
	return rotate(m, now_ns, PST_SLOTS_LIVE);
}

bool refuse_started(const struct kern_maps *m)
{
	static const struct pst_secret none;
	struct pst_secret s;

	return !secret_get(m, &s) && memcmp(&s, &none, sizeof(s));
}

int refuse_tick(const struct kern_maps *m, __u64 now_ns)
{
	int rc = refuse_started(m) ? rotate(m, now_ns, KEEP_SLOTS) : -EAGAIN;

	return rc == -EAGAIN ? 0 : rc ? rc : 1;
}

/* --- texts --------------------------------------------------------------------------- */

static __attribute__((format(printf, 3, 4))) int text_put(const struct kern_maps *m, __u32 row, const char *fmt, ...)
{
	struct pst_text t = { 0 };
	char line[TEXT_MAX + 1];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || n > TEXT_MAX)
		return -EMSGSIZE;
	t.n = (__u32)n;
	memcpy(t.text, line, t.n);
	return bpf_map_update_elem(m->text, &row, &t, BPF_ANY) ? -errno : 0;
}

int refuse_put_list(const struct kern_maps *m, unsigned row, const char *name)
{
	return text_put(m, PST_TEXT_LIST(row), " is banned: list %s", name);
}

static int reason_put(const struct kern_maps *m, unsigned reason)
{
	return text_put(m, PST_TEXT_REASON(reason), " is banned: %s", reason_name(reason));
}

/* Of reasons that the program before did not know. */
static int missing_put(const struct kern_maps *m)
{
	struct pst_text t;
	int rc = 0;

	for (__u32 r = 0; !rc && r < PST_RSN_MAX; r++) {
		if (bpf_map_lookup_elem(m->text, &r, &t))
			return -errno;
		rc = t.n ? 0 : reason_put(m, r);
	}
	return rc;
}

static int texts_put(const struct kern_maps *m, const struct conf_refuse *c)
{
	int rc = text_put(m, PST_TEXT_GREETING, "220 %.*s ESMTP\r\n", HOST_MAX, c->hostname);

	if (!rc)
		rc = text_put(m, PST_TEXT_HELLO, "250 %.*s\r\n", HOST_MAX, c->hostname);
	if (!rc)
		rc = text_put(m, PST_TEXT_MORE, "%s%s\r\n", *c->url ? "; see " : "", c->url);
	for (unsigned r = 0; !rc && r < PST_RSN_MAX; r++)
		rc = reason_put(m, r);
	return rc;
}

/* --- budgets ------------------------------------------------------------------------- */

/* So many replies a second, and as many at once as in burst_s seconds. */
static int budget_put(const struct kern_maps *m, __u32 row, unsigned per_s, unsigned burst_s)
{
	struct pst_reply_budget b = { .cost_ns = per_s ? S_NS / per_s : 0, .burst_ns = burst_s * S_NS };

	return bpf_map_update_elem(m->reply_budget, &row, &b, BPF_ANY) ? -errno : 0;
}

static int budgets_put(const struct kern_maps *m, const struct conf_refuse *c)
{
	int rc = budget_put(m, PST_REPLY_SOURCE, c->source_replies, 10);

	return rc ? rc : budget_put(m, PST_REPLY_ALL, c->all_replies, 1);
}

/* --- all of it ----------------------------------------------------------------------- */

int refuse_put(const struct kern_maps *m, const struct conf_refuse *c)
{
	int rc = texts_put(m, c);

	return rc ? rc : budgets_put(m, c);
}

int refuse_start(const struct kern_maps *m)
{
	struct conf_refuse c = { .url = "", .source_replies = SOURCE_REPLIES, .all_replies = ALL_REPLIES };
	char hostname[256] = "";
	struct pst_text greeting;
	__u32 row = PST_TEXT_GREETING;
	int rc = secret_start(m);

	if (rc)
		return rc;
	if (bpf_map_lookup_elem(m->text, &row, &greeting))
		return -errno;
	if (greeting.n) /* a gate that was there keeps what it says */
		return missing_put(m);
	c.hostname = gethostname(hostname, sizeof(hostname) - 1) || !*hostname ? "localhost" : hostname;
	return refuse_put(m, &c);
}
