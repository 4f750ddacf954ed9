/* arena.h - memory that is given back all at once: one arena a record.
 *
 *	struct arena a = {0};
 *	char *p = arena_alloc(&a, 100);   NULL when memory runs out
 *	arena_reset(&a);                  everything handed out is gone; memory kept
 *	arena_release(&a);
 *
 * What arena_alloc returns is aligned to 16 bytes and not cleared.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *block; /* the one being filled; older ones hang behind it */
	size_t used;               /* bytes of `block` handed out */
};

void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);                  /* cleared */
char *arena_dup(struct arena *a, const char *p, size_t n);      /* NUL-terminated copy */
/* Keeps the largest block up to 1 MiB: one giant record does not hold its memory for good. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
