/* SPDX-License-Identifier: BSD-2-Clause */
/* listjson.h: one line of a list in JSON lines, as Spamhaus publishes DROP: {"cidr":"192.0.2.0/24","sblid":"SBL1"}. */
#ifndef LISTJSON_H
#define LISTJSON_H

#include "user/core/addr.h"

struct listjson {
	char cidr[PREFIX_TEXT_MAX]; /* empty: the line is metadata */
	unsigned long long records; /* of metadata: how many entries the whole list has; 0 = not said */
};

/* NULL when out is filled, else what is wrong with the line. Members that are not named here are read over. */
const char *listjson_read(struct str line, struct listjson *out);

#endif
