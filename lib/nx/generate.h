/* generate.h - an answer, token by token: what it may be, when it ends, and its
 * text, for one sequence or as many as run at once.
 *
 *	struct generate_rules r = {.max_length = 100, .sample = SAMPLE_GREEDY};
 *	struct sample *s = sample_open(vocab, &e);               one a thread
 *	struct generate g = {0};                                 one a running sequence
 *	generate_begin(&g, &r, prompt, n, record, 0, &e);
 *	...feed the prompt to the model...
 *	while (g.end == GENERATE_ON) {
 *		generate_next(&g, s, logits, &e);                    logits behind the last token fed
 *		...show g.text.p[shown .. g.ready)...
 *		if (g.end == GENERATE_ON) ...feed generate_last(&g)...
 *	}
 *	use g.ids + g.prompt, g.n - g.prompt; g.text; g.end
 *	generate_release(&g);                                    or generate_begin again: memory is kept
 *
 * What a sequence draws depends on the rules, the logits and the numbers of record
 * and sequence alone: stream record + sequence * 2^40 of the seed (base/xoshiro.h).
 * Greedy equals HF's generate(do_sample=False), token by token, in float32 up to
 * ties within rounding. */
#ifndef NX_GENERATE_H
#define NX_GENERATE_H

#include "base/buf.h"
#include "base/err.h"
#include "nx/config.h"
#include "nx/decode.h"
#include "nx/sample.h"

#include <stdbool.h>
#include <stdint.h>

enum { GENERATE_EOS_MAX = 16, GENERATE_TOP_MAX = 100 };

/* Appends the text of n ids to out, broken characters at its end as U+FFFD; bytes that another
 * id may complete are not known to it. */
typedef int generate_text(void *arg, const int32_t *ids, size_t n, struct buf *out, struct err *e);

struct generate_rules {
	int64_t max_new;    /* new tokens at most; 0: max_length says */
	int64_t max_length; /* prompt and new tokens together at most */
	int64_t min_new;    /* no end of text among so many first tokens */
	int32_t eos[GENERATE_EOS_MAX]; /* each of them ends the answer, and is its last token */
	int neos;
	struct sample_rules sample;
	uint64_t seed;
	bool logprobs; /* keep the log-probability of each token chosen, */
	int top;       /* and of so many likeliest ones, at most GENERATE_TOP_MAX */
	const char *const *stop; /* texts that end the answer and are no part of it; they need `text` */
	int nstop;
	generate_text *text; /* NULL: no text is made */
	void *text_arg;
};

enum generate_end { GENERATE_ON, GENERATE_EOS, GENERATE_LENGTH, GENERATE_STOP };
const char *generate_end_name(enum generate_end end); /* NULL, "stop", "length", "stop_string" */

struct generate {
	const struct generate_rules *r; /* the caller's */
	int32_t *ids;                   /* prompt and new tokens */
	size_t n, prompt, cap;
	int64_t room; /* new tokens at most */
	enum generate_end end;
	struct xoshiro rng;
	struct buf text; /* of the new tokens, where the rules say how: what a stop string cut off is gone */
	size_t ready;    /* bytes of it that later tokens will not change: all when the answer has ended */
	size_t pending;  /* ids[pending..n) are not in text yet: they end within a character */
	struct sample_logprob *logprobs; /* (n - prompt, 1 + top): see sample_logprobs */
	size_t logprobs_cap;
};

bool generate_is_eos(const struct generate_rules *r, int32_t id);

/* How many new tokens the rules allow behind a prompt of n. */
int64_t generate_room(const struct generate_rules *r, int64_t n);

/* n >= 1 ids are copied. Where they leave no room the answer has ended (GENERATE_LENGTH). record:
 * its number among all that were read, from 0; sequence: of several answers to it, from 0. */
int generate_begin(struct generate *g, const struct generate_rules *r, const int32_t *prompt, size_t n, uint64_t record,
                   uint32_t sequence, struct err *e);
/* Whether the next token is that of the largest logit, whatever the others are. */
bool generate_wants_largest(const struct generate *g);
/* Chooses the next token and sees what follows from it. */
int generate_next(struct generate *g, struct sample *s, const float *logits, struct err *e);
/* The same from part i of an engine's last call, before which it was asked for the largest logits alone only if
 * every sequence in it wants no more. */
int generate_from(struct generate *g, struct sample *s, struct decode *d, int i, struct err *e);
/* The same from an engine for one sequence, which is fed the ids that it has not had. */
int generate_step(struct generate *g, struct sample *s, struct decode *d, struct err *e);
/* The same for a token that somebody else chose. */
int generate_take_id(struct generate *g, int32_t id, struct err *e);
int32_t generate_last(const struct generate *g); /* the token chosen last */
void generate_release(struct generate *g);

/* Takes what the last call of generate_next did; -1 with e filled ends the run. */
typedef int generate_take(void *arg, const struct generate *g, struct err *e);

/* From generate_begin to the end on an engine for one sequence, which begins with an empty cache. */
int generate_run(struct generate *g, struct sample *s, struct decode *d, generate_take *take, void *arg, struct err *e);

#endif
