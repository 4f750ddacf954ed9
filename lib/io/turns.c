#include "io/turns.h"

#include <stdlib.h>

int turns_give(struct turns *w, uint64_t *turn, struct err *e)
{
	if (w->n - w->next == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		struct buf *line = calloc(cap, sizeof *line);
		bool *done = calloc(cap, sizeof *done);
		if (!line || !done) {
			free(line);
			free(done);
			return err_mem(e);
		}
		for (size_t i = 0; i < w->cap; i++) {
			uint64_t t = w->next + i;
			line[t % cap] = w->line[t % w->cap];
			done[t % cap] = w->done[t % w->cap];
		}
		free(w->line);
		free(w->done);
		w->line = line;
		w->done = done;
		w->cap = cap;
	}
	*turn = w->n++;
	return 0;
}

int turns_write(struct turns *w, struct out *out, struct err *e)
{
	bool any = false;
	for (; w->next < w->n && w->done[w->next % w->cap]; w->next++, any = true) {
		struct buf *line = &w->line[w->next % w->cap];
		w->done[w->next % w->cap] = false;
		if (out_write(out, line->p, line->n, e))
			return -1;
	}
	return any ? out_flush(out, e) : 0;
}

struct buf *turns_line(struct turns *w, uint64_t turn)
{
	return &w->line[turn % w->cap];
}

void turns_done(struct turns *w, uint64_t turn)
{
	w->done[turn % w->cap] = true;
}

void turns_release(struct turns *w)
{
	for (size_t i = 0; i < w->cap; i++)
		buf_release(&w->line[i]);
	free(w->line);
	free(w->done);
	*w = (struct turns){0};
}
