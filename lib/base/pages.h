/* pages.h - memory for large arrays, in large pages where the system has them.
 *
 *	float *v = pages_alloc(n * sizeof *v);       free(v) ends it */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

void *pages_alloc(size_t bytes); /* on a cache line, not cleared; NULL: no memory */

#endif
