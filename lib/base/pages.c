#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { LINE = 64, LARGE = 2 << 20 };

void *pages_alloc(size_t bytes)
{
	size_t align = bytes < LARGE ? LINE : LARGE;
	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = bytes ? (bytes + align - 1) / align * align : align;
	void *p = aligned_alloc(align, bytes);
	if (p && align == LARGE)
		madvise(p, bytes, MADV_HUGEPAGE); /* where it cannot be followed nothing is lost */
	return p;
}
