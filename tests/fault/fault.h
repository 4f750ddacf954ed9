/* fault.h - what fault.c tells each.c. */
#ifndef FAULT_H
#define FAULT_H

#include <stdatomic.h>

enum { FAULT_CALLS = 1 << 16 };

struct fault_state {
	atomic_ulong calls;
	unsigned char kind[FAULT_CALLS]; /* of the first calls: the same number for the same function */
	char what[32]; /* the call that failed; empty if none did */
};

#endif
