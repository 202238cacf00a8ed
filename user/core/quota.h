/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quota.h: how much each account has sent, for limits by the hour. Pure: a table of fixed size that is zeroed when it begins. A full
 * allowance may be used at once; it comes back evenly, all of it in an hour. Where the table is full of accounts that
 * wait for something, the one that waits least is forgotten.
 */
#ifndef QUOTA_H
#define QUOTA_H

#include "bpf/abi.h"
#include "user/core/str.h"

#define QUOTA_ENTRIES 8192
#define QUOTA_WAYS    8 /* entries that one key may have */
#define QUOTA_HOUR_NS (3600 * 1000000000ull)

enum quota_of { QUOTA_MESSAGES, QUOTA_RCPTS, QUOTAS };

struct quota_entry {
	__u64 key[2];
	__u64 whole_ns[QUOTAS]; /* then the allowance is whole again; an entry whose times are past is free */
};

struct quotas {
	struct quota_entry entry[QUOTA_ENTRIES];
};

/* The key of an account's name. Never both zero. */
void quota_key(struct str account, __u64 key[2]);
/*
 * Takes n[] if all of it is left of hourly[] (0 = no limit), otherwise nothing; false then, and *wait_s says after how many seconds it
 * would be. One n above its limit is never left. now_ns: CLOCK_MONOTONIC, not going back.
 */
bool quota_take(struct quotas *q, const __u64 key[2], const unsigned n[QUOTAS], const unsigned hourly[QUOTAS], __u64 now_ns, unsigned *wait_s);

#endif
