/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/postern/match.h"

#include <stdio.h>
#include <string.h>

struct match match_new(void)
{
	return (struct match){ .exact = -1, .found = -1 };
}

void match_name(struct match *m, const char *word, struct str name, int index)
{
	size_t nword = strlen(word), n = strlen(m->candidates);

	if (!nword || nword > name.n || memcmp(word, name.p, nword))
		return;
	if (nword == name.n)
		m->exact = index;
	m->found = index;
	snprintf(m->candidates + n, sizeof(m->candidates) - n, "%s" STR_FMT, m->count++ ? ", " : "", STR_ARG(name));
}

int match_index(const struct match *m)
{
	if (m->exact >= 0)
		return m->exact;
	return m->count == 1 ? m->found : -1;
}
