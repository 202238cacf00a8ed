/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/quota.h"

#define S_NS 1000000000ull

/* FNV-1a twice, from different beginnings: names are few and their owners' own, so nobody aims at the table. */
void quota_key(struct str account, __u64 key[2])
{
	key[0] = 0xcbf29ce484222325ull;
	key[1] = 0x84222325cbf29ce4ull;
	for (size_t i = 0; i < account.n; i++)
		for (int k = 0; k < 2; k++)
			key[k] = (key[k] ^ (unsigned char)account.p[i]) * 0x100000001b3ull;
	key[0] |= !key[0] && !key[1];
}

static __u64 latest(const struct quota_entry *e)
{
	return e->whole_ns[QUOTA_MESSAGES] > e->whole_ns[QUOTA_RCPTS] ? e->whole_ns[QUOTA_MESSAGES] : e->whole_ns[QUOTA_RCPTS];
}

/* The account's own entry, or the one that is nearest to being free, emptied. */
static struct quota_entry *entry_of(struct quotas *q, const __u64 key[2])
{
	struct quota_entry *set = &q->entry[(key[0] ^ key[0] >> 32) % (QUOTA_ENTRIES / QUOTA_WAYS) * QUOTA_WAYS], *best = set;

	for (struct quota_entry *e = set; e < set + QUOTA_WAYS; e++) {
		if (e->key[0] == key[0] && e->key[1] == key[1])
			return e;
		if (latest(e) < latest(best))
			best = e;
	}
	*best = (struct quota_entry){ .key = { key[0], key[1] } };
	return best;
}

/* When the allowance would be whole again if n were taken now. */
static __u64 after(__u64 whole_ns, unsigned n, unsigned hourly, __u64 now_ns)
{
	__u64 units = n > hourly ? hourly + 1ull : n;

	return (whole_ns > now_ns ? whole_ns : now_ns) + (hourly ? units * (QUOTA_HOUR_NS / hourly) : 0);
}

bool quota_take(struct quotas *q, const __u64 key[2], const unsigned n[QUOTAS], const unsigned hourly[QUOTAS], __u64 now_ns, unsigned *wait_s)
{
	struct quota_entry *e = entry_of(q, key);
	__u64 then[QUOTAS], wait_ns = 0;

	for (int i = 0; i < QUOTAS; i++) {
		then[i] = after(e->whole_ns[i], n[i], hourly[i], now_ns);
		if (n[i] && hourly[i] && then[i] > now_ns + QUOTA_HOUR_NS && then[i] - now_ns - QUOTA_HOUR_NS > wait_ns)
			wait_ns = then[i] - now_ns - QUOTA_HOUR_NS;
	}
	*wait_s = (unsigned)((wait_ns + S_NS - 1) / S_NS);
	if (wait_ns)
		return false;
	for (int i = 0; i < QUOTAS; i++)
		e->whole_ns[i] = n[i] && hourly[i] ? then[i] : e->whole_ns[i];
	return true;
}
