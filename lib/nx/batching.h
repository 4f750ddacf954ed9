/* batching.h - many answers at once: as one ends another takes its place.
 *
 *	struct batching b;
 *	if (batching_open(&b, d, s, 16, &e)) ...
 *	while (...) {
 *		while ((seat = batching_free(&b)) && ...there is a prompt...) {
 *			generate_begin(&seat->g, ...);
 *			batching_join(&b, seat, &e);
 *		}
 *		while ((seat = batching_ended(&b)))          first those that had no room at all
 *			use(seat->g);
 *		batching_step(&b, &prompts, &e);
 *	}
 *	batching_close(&b);
 *
 * Those that run keep the order in which they joined. An answer does not depend on its company. */
#ifndef NX_BATCHING_H
#define NX_BATCHING_H

#include "base/err.h"
#include "nx/decode.h"
#include "nx/generate.h"
#include "nx/sample.h"

#include <stdbool.h>

struct batching_seat {
	struct generate g;
	struct decode_seq *seq;
	int id; /* below the number of seats, always the same: for what the caller has to say of it */
};

struct batching {
	struct decode *d; /* the caller's, like s */
	struct sample *s;
	struct batching_seat *seats, **order; /* order: those that run, the first n, then those that are free */
	struct decode_part *part;
	int n, cap;
};

int batching_open(struct batching *b, struct decode *d, struct sample *s, int cap, struct err *e);
struct batching_seat *batching_free(struct batching *b); /* NULL: all are taken */
int batching_join(struct batching *b, struct batching_seat *seat, struct err *e); /* the one that batching_free gave last */
/* One more token for each that runs; *prompts: of some it was the first. n > 0. */
int batching_step(struct batching *b, bool *prompts, struct err *e);
/* The first whose answer has ended, or NULL. Its seat is free from now on: use it before batching_free. */
struct batching_seat *batching_ended(struct batching *b);
void batching_close(struct batching *b); /* before the engine */

#endif
