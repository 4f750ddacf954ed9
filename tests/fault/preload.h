/* preload.h - what the files of the library that makes calls fail share (fault.c). */
#ifndef FAULT_PRELOAD_H
#define FAULT_PRELOAD_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Counts a call of that name from `caller`; whether it is the one that fails. */
__attribute__((visibility("hidden"))) bool fails(const char *what, const void *caller);
/* The C library's own function of that name. */
__attribute__((visibility("hidden"))) void *own(const char *name);

#define FAILS(what, code, result) \
	do { \
		if (fails(what, __builtin_return_address(0))) { \
			errno = code; \
			return result; \
		} \
	} while (0)

/* `real` becomes the C library's own. */
#define REAL(result, name, ...) \
	static result (*real)(__VA_ARGS__); \
	if (!real) { \
		void *found = own(name); \
		memcpy(&real, &found, sizeof real); \
	}

#endif
