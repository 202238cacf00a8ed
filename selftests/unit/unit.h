/* SPDX-License-Identifier: BSD-2-Clause */
/* unit.h: what cmocka needs before it, and the length of a table. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NROWS(table) (sizeof(table) / sizeof((table)[0]))

#endif
