/* SPDX-License-Identifier: BSD-2-Clause */
/* store_file.h: the store as a file of lines: of text, "KIND name=value ...", or of JSON, an object each. The same fields in both. */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include <stdio.h>

#include "tools/postern/cli.h"
#include "user/core/saved.h"

/* Every part of a record, a line each. */
void store_file_write(FILE *f, const struct saved *r, bool json);
/* A line of either form; a record of text stays what it was, one of JSON becomes text in out. NULL, or what is wrong with it. */
const char *store_file_read(const char *line, size_t n, char out[SAVED_LINE_MAX], char *flaw, size_t size);
/* FILE|-, force */
int store_import(struct args *a);

#endif
