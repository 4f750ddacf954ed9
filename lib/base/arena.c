#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 16 * 1024, KEEP = 1024 * 1024 };

struct arena_block {
	struct arena_block *older;
	size_t cap;
	_Alignas(16) char mem[];
};

static int grow(struct arena *a, size_t n)
{
	size_t cap = a->block ? a->block->cap * 2 : FIRST;
	if (cap > (size_t)64 * KEEP)
		cap = (size_t)64 * KEEP;
	if (cap < n)
		cap = n;
	struct arena_block *b = malloc(sizeof *b + cap);
	if (!b)
		return -1;
	b->older = a->block;
	b->cap = cap;
	a->block = b;
	a->used = 0;
	return 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 4)
		return NULL;
	n = (n + 15) & ~(size_t)15;
	if (!a->block || n > a->block->cap - a->used)
		if (grow(a, n))
			return NULL;
	void *p = a->block->mem + a->used;
	a->used += n;
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);
	return p ? memset(p, 0, n) : NULL;
}

char *arena_dup(struct arena *a, const char *p, size_t n)
{
	char *q = arena_alloc(a, n + 1);
	if (!q)
		return NULL;
	if (n)
		memcpy(q, p, n);
	q[n] = 0;
	return q;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL, *next;
	for (struct arena_block *b = a->block; b; b = next) {
		next = b->older;
		if (b->cap <= KEEP && (!keep || b->cap > keep->cap)) {
			free(keep);
			keep = b;
		} else {
			free(b);
		}
	}
	if (keep)
		keep->older = NULL;
	a->block = keep;
	a->used = 0;
}

void arena_release(struct arena *a)
{
	struct arena_block *next;
	for (struct arena_block *b = a->block; b; b = next) {
		next = b->older;
		free(b);
	}
	*a = (struct arena){0};
}
