/* SPDX-License-Identifier: BSD-2-Clause */
/* record.h: lines that tell of findings: JSON of `postern -j monitor` or of the log, and the log's text behind the stamp of whoever kept it. */
#ifndef RECORD_H
#define RECORD_H

#include "user/core/addr.h"
#include "user/core/finding.h"

enum record_kind { RECORD_OTHER, RECORD_FINDING, RECORD_UNBAN, RECORD_BAD };

struct record_event {
	enum record_kind kind;
	struct finding finding;	 /* when_ns is since 1970 */
	struct pst_prefix unban; /* a ban that an operator ended */
	char flaw[160];		 /* of RECORD_BAD */
};

/* line without its end; it is not changed. now_s: for stamps of syslog, which name no year; seconds since 1970. */
void record_read(const char *line, long long now_s, struct record_event *out);

#endif
