/* SPDX-License-Identifier: BSD-2-Clause */
/* page.h: the status page: one self-contained HTML document with plots, no script, nothing loaded from elsewhere. */
#ifndef PAGE_H
#define PAGE_H

#include <stdio.h>

#include "tools/exporter/history.h"

struct page_facts {
	const char *mode; /* of the gate */
	const char *version;
	int readable;	  /* 0 = the counters cannot be read now; s is what was read last */
};

void page_print(FILE *f, const struct page_facts *facts, const struct pst_stats *s, const struct history *h);

#endif
