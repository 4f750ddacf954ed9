/* beam.h - beam search: of all ways to go on, the few that are most probable as a whole.
 *
 *	struct beam_rules br = {.beams = 4, .length_penalty = 1};
 *	struct beam b = {0};
 *	if (beam_run(&b, &br, &rules, s, d, prompt, n, &e)) ...   rules: generate.h
 *	use b.best[0].ids, .n, .score, .end; ... b.best[br.beams - 1]
 *	beam_release(&b);                                          or beam_run again: memory is kept
 *
 * Equal to HF's generate(num_beams=..., do_sample=False), token by token, in float32 up to
 * ties within rounding. A step adds log softmax(logits), changed by penalties and min_new of
 * the rules, to each beam's score, and takes the K = beams max(2, 1 + ends of text) best of
 * beams * vocab. Of the first `beams` of these the ones that end are finished, with
 * score / (new tokens) ^ length_penalty; the best of those that do not end go on.
 * The rules of drawing, stop strings, text and logprobs are not looked at. */
#ifndef NX_BEAM_H
#define NX_BEAM_H

#include "base/err.h"
#include "nx/decode.h"
#include "nx/generate.h"
#include "nx/sample.h"

#include <stdbool.h>
#include <stdint.h>

enum { BEAM_MAX = 64 };

/* When the search ends before the limit of tokens: where none that runs would be better than the worst
 * finished one if it ended now; as soon as there are `beams` finished ones; where none can become better. */
enum beam_early { BEAM_HEURISTIC, BEAM_FULL, BEAM_NEVER };

struct beam_rules {
	int beams; /* 1 to BEAM_MAX */
	double length_penalty;
	enum beam_early early;
};

struct beam_way {
	int32_t *ids; /* new tokens */
	int n, cap;
	float score;
	bool done; /* one that has ended; false: a place that is still empty */
	enum generate_end end;
};

struct beam {
	const struct beam_rules *br;
	const struct generate_rules *r;
	struct beam_way running[BEAM_MAX], best[BEAM_MAX], next[BEAM_MAX];
	struct decode_seq *seq[BEAM_MAX];
	struct beam_pick *pick; /* scratch */
	int32_t *history;       /* prompt, and behind it room for new tokens */
	size_t prompt, history_cap, pick_cap;
	int n; /* new tokens of each running one */
	int64_t room;
	bool hopeful; /* better ones may still come */
	bool ended;
};

/* n >= 1. s and d are of one vocabulary. Where the rules leave no room, all of best are empty
 * (GENERATE_LENGTH), with the score 0. */
int beam_run(struct beam *b, const struct beam_rules *br, const struct generate_rules *r, struct sample *s,
             struct decode *d, const int32_t *prompt, int n, struct err *e);
/* One of the best ways as g's answer, as if it had been generated; g has begun with the prompt. */
int beam_give(const struct beam *b, int64_t number, struct generate *g, struct err *e);
void beam_release(struct beam *b); /* before the engine is closed */

#endif
