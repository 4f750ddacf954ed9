#include "text/strset.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static int rehash(struct strset *s)
{
	uint32_t slots = s->slots ? s->slots * 2 : 1024;
	uint32_t *slot = calloc(slots, sizeof *slot);
	if (!slot)
		return -1;
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t h = s->v[i].hash & (slots - 1);
		while (slot[h])
			h = (h + 1) & (slots - 1);
		slot[h] = i + 1;
	}
	free(s->slot);
	s->slot = slot;
	s->slots = slots;
	return 0;
}

static int room(struct strset *s)
{
	if (s->n < s->cap)
		return 0;
	uint32_t cap = s->cap < 64 ? 64 : s->cap + s->cap / 2;
	struct strset_one *v = cap > STRSET_MAX ? NULL : realloc(s->v, cap * sizeof *v);
	if (!v)
		return -1;
	s->v = v;
	s->cap = cap;
	return 0;
}

/* The slot of p[0..n), or the free one where it belongs; there are slots. */
static uint32_t place(const struct strset *s, const char *p, size_t n, uint32_t hash)
{
	uint32_t h = hash & (s->slots - 1);
	for (; s->slot[h]; h = (h + 1) & (s->slots - 1)) {
		const struct strset_one *t = &s->v[s->slot[h] - 1];
		if (t->hash == hash && t->n == n && memcmp(s->bytes.p + t->off, p, n) == 0)
			break;
	}
	return h;
}

uint32_t strset_put(struct strset *s, const char *p, size_t n)
{
	if (n > STRSET_MAX || (s->n >= s->slots / 2 && rehash(s)))
		return STRSET_NONE;
	uint32_t hash = (uint32_t)hash_bytes(HASH_SEED, p, n), h = place(s, p, n, hash);
	if (s->slot[h])
		return s->slot[h] - 1;
	if (room(s) || buf_add(&s->bytes, p, n))
		return STRSET_NONE;
	s->v[s->n] = (struct strset_one){s->bytes.n - n, (uint32_t)n, hash};
	s->slot[h] = ++s->n;
	return s->n - 1;
}

uint32_t strset_find(const struct strset *s, const char *p, size_t n)
{
	if (!s->slots)
		return STRSET_NONE;
	uint32_t h = place(s, p, n, (uint32_t)hash_bytes(HASH_SEED, p, n));
	return s->slot[h] ? s->slot[h] - 1 : STRSET_NONE;
}

const char *strset_text(const struct strset *s, uint32_t i)
{
	return s->bytes.p + s->v[i].off;
}

void strset_release(struct strset *s)
{
	buf_release(&s->bytes);
	free(s->v);
	free(s->slot);
	*s = (struct strset){0};
}
