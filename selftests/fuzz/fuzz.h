/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz.h: the libFuzzer entry, and a check that does not depend on NDEBUG. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
