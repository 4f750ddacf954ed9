/* generate.h - an answer, token by token: when to stop, and the loop around
 * decode.h and sample.h.
 *
 *	struct generate_rules r = {.max_length = 100};
 *	generate_eos(&r, dir, &m.cfg, &e);
 *	generate_run(d, &r, prompt, n, take, arg, &why, &e);   take(arg, id, &e) for each new token
 *
 * Greedy: equal to HF's generate(do_sample=False), token by token, in float32
 * up to ties within rounding. */
#ifndef NX_GENERATE_H
#define NX_GENERATE_H

#include "base/err.h"
#include "nx/config.h"
#include "nx/decode.h"

#include <stdbool.h>
#include <stdint.h>

enum { GENERATE_EOS_MAX = 16 };

struct generate_rules {
	int64_t max_new;    /* new tokens at most; 0: max_length says */
	int64_t max_length; /* prompt and new tokens together at most */
	int32_t eos[GENERATE_EOS_MAX]; /* each of them ends the answer, and is its last token */
	int neos;
};

enum generate_end { GENERATE_LENGTH, GENERATE_EOS };

/* Ends of text as HF finds them: "eos_token_id" (a number, a list or nothing) of
 * dir/generation_config.json; that of the config where there is no such file. */
int generate_eos(struct generate_rules *r, const char *dir, const struct config *c, struct err *e);

bool generate_is_eos(const struct generate_rules *r, int32_t id);

/* How many new tokens the rules allow behind a prompt of n. */
int64_t generate_room(const struct generate_rules *r, int64_t n);

/* Takes each new token as it is chosen; -1 with e filled ends the run. */
typedef int generate_take(void *arg, int32_t id, struct err *e);

/* Begins with an empty cache. n >= 1. `end` tells what ended the answer; may be NULL. */
int generate_run(struct decode *d, const struct generate_rules *r, const int32_t *prompt, int n, generate_take *take,
                 void *arg, enum generate_end *end, struct err *e);

#endif
