/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/core/triage.h"

static const struct {
	const char *name;
	unsigned reason;
} rows[TEST_MAX] = {
#define TRIAGE_X(sym, name, reason, mode, life, help) { #name, PST_RSN_##reason },
	TRIAGE_TESTS(TRIAGE_X)
#undef TRIAGE_X
};

enum triage_test triage_test_of(unsigned reason)
{
	unsigned i = 0;

	while (i < TEST_MAX && rows[i].reason != reason)
		i++;
	return (enum triage_test)i;
}

const char *triage_name(unsigned test)
{
	return test < TEST_MAX ? rows[test].name : "?";
}
