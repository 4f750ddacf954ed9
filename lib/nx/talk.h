/* talk.h - a conversation: turns of prompt and answer behind one another, within the model's window.
 *
 *	struct talk t;
 *	talk_open(&t, d, s, &rules, window, turns);
 *	if (talk_ask(&t, prompt, n, &e)) ...                    t.forgotten: turns that had to make room
 *	while (t.g.end == GENERATE_ON && !interrupted)
 *		if (talk_next(&t, &e)) ...                          show t.g.text.p[shown .. t.g.ready)
 *	talk_reset(&t);                                         everything is forgotten
 *	talk_release(&t);
 *
 * A turn ends with the first end of text of the rules, if they have one, however its answer ended, as
 * texts do that are packed for training. The engine's own cache stays from turn to turn: only what is
 * new goes through the model. Where a turn would not fit, the oldest are forgotten until half of the
 * window is free, so that what is left does not have to go through again at every turn. */
#ifndef NX_TALK_H
#define NX_TALK_H

#include "base/err.h"
#include "nx/decode.h"
#include "nx/generate.h"
#include "nx/sample.h"

#include <stddef.h>
#include <stdint.h>

struct talk {
	struct decode *d; /* the caller's, like s */
	struct sample *s;
	struct generate_rules rules; /* with the present turn's limit */
	int64_t window, most_new;    /* tokens in all, and of an answer */
	int64_t most_turns;          /* kept behind the present one; below 0: all */
	struct generate g;           /* the present turn's, its prompt being all before the answer */
	int32_t *ids;
	size_t cap;
	size_t *turn, nturns, turns_cap; /* where each turn begins in g.ids */
	size_t forgotten;                /* turns, for the present one */
	uint64_t asked;                  /* turns so far: each draws random numbers of its own */
};

/* The rules are copied; their max_new > 0 is an answer's limit, max_length is not looked at. */
void talk_open(struct talk *t, struct decode *d, struct sample *s, const struct generate_rules *r, int64_t window,
               int64_t turns);
/* A turn's prompt may have so many tokens: there is room behind it for an answer, or half the window. */
int64_t talk_most(const struct talk *t);
/* 0 < n <= talk_most(). Ends the turn before, whether its answer has ended or not. */
int talk_ask(struct talk *t, const int32_t *prompt, size_t n, struct err *e);
/* One more token. */
int talk_next(struct talk *t, struct err *e);
void talk_reset(struct talk *t);
void talk_release(struct talk *t);

#endif
