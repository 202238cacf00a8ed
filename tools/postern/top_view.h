/* SPDX-License-Identifier: BSD-2-Clause */
/* top_view.h: `postern top` as a page of any size, and as JSON. */
#ifndef TOP_VIEW_H
#define TOP_VIEW_H

#include "tools/postern/screen.h"
#include "tools/postern/top_figures.h"

/* head: the right end of the first row; foot: the last row, NULL = none. */
void top_view(struct screen *s, const struct top_sample *now, const struct top_figures *f, const char *head, const char *foot);
/* One object; the caller's. */
json_t *top_json(const struct top_sample *now, const struct top_figures *f);

#endif
