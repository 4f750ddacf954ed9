#include "nx/batching.h"

#include <stdlib.h>
#include <string.h>

int batching_open(struct batching *b, struct decode *d, struct sample *s, int cap, struct err *e)
{
	size_t n = (size_t)cap;
	*b = (struct batching){.d = d, .s = s, .cap = cap};
	b->seats = calloc(n, sizeof *b->seats);
	b->order = calloc(n, sizeof *b->order);
	b->part = calloc(n, sizeof *b->part);
	if (!b->seats || !b->order || !b->part) {
		b->cap = 0;
		batching_close(b);
		return err_mem(e);
	}
	for (int i = 0; i < cap; i++) {
		b->seats[i].id = i;
		b->order[i] = &b->seats[i];
	}
	return 0;
}

struct batching_seat *batching_free(struct batching *b)
{
	return b->n < b->cap ? b->order[b->n] : NULL;
}

int batching_join(struct batching *b, struct batching_seat *seat, struct err *e)
{
	if (!seat->seq && !(seat->seq = decode_seq_open(b->d, e)))
		return -1;
	decode_seq_reset(seat->seq);
	b->n++;
	return 0;
}

int batching_step(struct batching *b, bool *prompts, struct err *e)
{
	bool largest = true;
	*prompts = false;
	for (int i = 0; i < b->n; i++) {
		struct batching_seat *s = b->order[i];
		size_t fed = (size_t)decode_seq_length(s->seq);
		b->part[i] = (struct decode_part){s->seq, s->g.ids + fed, (int)(s->g.n - fed)};
		*prompts |= fed == 0;
		largest = largest && generate_wants_largest(&s->g);
	}
	decode_only_largest(b->d, largest);
	if (decode_parts(b->d, b->part, b->n, e))
		return -1;
	for (int i = 0; i < b->n; i++)
		if (generate_from(&b->order[i]->g, b->s, b->d, i, e))
			return -1;
	return 0;
}

struct batching_seat *batching_ended(struct batching *b)
{
	for (int i = 0; i < b->n; i++) {
		struct batching_seat *s = b->order[i];
		if (s->g.end == GENERATE_ON)
			continue;
		b->n--;
		memmove(b->order + i, b->order + i + 1, (size_t)(b->n - i) * sizeof *b->order);
		b->order[b->n] = s;
		return s;
	}
	return NULL;
}

void batching_close(struct batching *b)
{
	for (int i = 0; i < b->cap; i++) {
		generate_release(&b->seats[i].g);
		decode_seq_close(b->seats[i].seq);
	}
	free(b->seats);
	free(b->order);
	free(b->part);
	*b = (struct batching){0};
}
