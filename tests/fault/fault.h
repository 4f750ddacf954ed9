/* fault.h - what fault.c tells each.c. */
#ifndef FAULT_H
#define FAULT_H

#include <stdatomic.h>

struct fault_state {
	atomic_ulong calls;
	char what[32]; /* the call that failed; empty if none did */
};

#endif
