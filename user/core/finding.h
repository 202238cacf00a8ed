/* SPDX-License-Identifier: BSD-2-Clause */
/* finding.h: one offence, as it travels from a session to the ledger. Fixed size, no pointers. */
#ifndef FINDING_H
#define FINDING_H

#include "bpf/abi.h"

#define FINDING_EVIDENCE_MAX 64

struct finding {
	__u64 session; /* id as in the log, 0 = none */
	__u64 when_ns; /* CLOCK_MONOTONIC */
	struct pst_addr addr;
	__u16 reason; /* enum pst_reason */
	__u16 nevidence;
	__u32 life_s; /* a ban for it alone lasts no longer; 0 = as long as policy has it */
	char evidence[FINDING_EVIDENCE_MAX]; /* the stranger's bytes, unescaped */
};

#endif
