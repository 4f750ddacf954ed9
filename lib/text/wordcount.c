#include "text/wordcount.h"
#include "base/le.h"

#include <stdlib.h>
#include <string.h>

static uint32_t home(const uint64_t key[2], uint32_t slots)
{
	uint64_t h = (key[0] ^ key[1] * UINT64_C(0xD6E8FEB86659FD93)) * UINT64_C(0x9E3779B97F4A7C15);
	return (uint32_t)((h ^ h >> 29) >> 24) & (slots - 1);
}

static struct wordcount_short *place(struct wordcount_short *slot, uint32_t slots, const uint64_t key[2])
{
	uint32_t h = home(key, slots);
	while (slot[h].key[1] && (slot[h].key[0] != key[0] || slot[h].key[1] != key[1]))
		h = (h + 1) & (slots - 1);
	return &slot[h];
}

static int rehash(struct wordcount *w)
{
	uint32_t slots = w->slots ? w->slots * 2 : 4096;
	struct wordcount_short *slot = slots > STRSET_MAX ? NULL : calloc(slots, sizeof *slot);
	if (!slot)
		return -1;
	for (uint32_t i = 0; i < w->slots; i++)
		if (w->slot[i].key[1])
			*place(slot, slots, w->slot[i].key) = w->slot[i];
	free(w->slot);
	w->slot = slot;
	w->slots = slots;
	return 0;
}

static int add_short(struct wordcount *w, const uint64_t key[2], uint64_t times)
{
	if (w->nshort >= w->slots / 2 && rehash(w))
		return -1;
	struct wordcount_short *s = place(w->slot, w->slots, key);
	if (!s->key[1]) {
		s->key[0] = key[0];
		s->key[1] = key[1];
		w->nshort++;
	}
	s->count += times;
	return 0;
}

static int add_long(struct wordcount *w, const char *p, size_t n, uint64_t times)
{
	uint32_t known = w->longer.n, i = strset_put(&w->longer, p, n);
	if (i == STRSET_NONE)
		return -1;
	if (i >= w->count_cap) {
		uint32_t cap = w->longer.cap;
		uint64_t *count = realloc(w->count, cap * sizeof *count);
		if (!count)
			return -1;
		w->count = count;
		w->count_cap = cap;
	}
	w->count[i] = (i == known ? 0 : w->count[i]) + times;
	return 0;
}

/* The low n bytes, n < 8. */
static uint64_t low(uint64_t x, size_t n)
{
	return x & ((UINT64_C(1) << 8 * n) - 1);
}

int wordcount_add(struct wordcount *w, const char *p, size_t n, uint64_t times)
{
	uint64_t key[2];
	if (n > WORDCOUNT_SHORT)
		return add_long(w, p, n, times);
	memcpy(key, p, sizeof key);
	key[0] = n < 8 ? low(le_64(key[0]), n) : le_64(key[0]);
	key[1] = (n < 8 ? 0 : low(le_64(key[1]), n - 8)) | (uint64_t)n << 56;
	return add_short(w, key, times);
}

int wordcount_merge(struct wordcount *into, const struct wordcount *from)
{
	for (uint32_t i = 0; i < from->slots; i++)
		if (from->slot[i].key[1] && add_short(into, from->slot[i].key, from->slot[i].count))
			return -1;
	for (uint32_t i = 0; i < from->longer.n; i++)
		if (add_long(into, strset_text(&from->longer, i), from->longer.v[i].n, from->count[i]))
			return -1;
	return 0;
}

bool wordcount_next(const struct wordcount *w, struct wordcount_at *at)
{
	for (; at->next < w->slots; at->next++) {
		const struct wordcount_short *s = &w->slot[at->next];
		if (!s->key[1])
			continue;
		uint64_t key[2] = {le_64(s->key[0]), le_64(s->key[1])};
		memcpy(at->text, key, sizeof key);
		at->p = at->text;
		at->n = s->key[1] >> 56;
		at->count = s->count;
		at->next++;
		return true;
	}
	uint32_t i = at->next - w->slots;
	if (i >= w->longer.n)
		return false;
	at->p = strset_text(&w->longer, i);
	at->n = w->longer.v[i].n;
	at->count = w->count[i];
	at->next++;
	return true;
}

uint32_t wordcount_distinct(const struct wordcount *w)
{
	return w->nshort + w->longer.n;
}

void wordcount_release(struct wordcount *w)
{
	free(w->slot);
	free(w->count);
	strset_release(&w->longer);
	*w = (struct wordcount){0};
}
