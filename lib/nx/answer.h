/* answer.h - an answer as fields of a JSON record.
 *
 *	struct answer w = {.rules = &r, .ids = ids, .n = n, .end = g.end, .key = "generated", .text = &g.text, ...};
 *	answer_set(&arena, obj, &w, &e);
 *
 * Fields: "output_ids" where wanted, the text under `key`, "finish_reason", "prompt_tokens",
 * "completion_tokens", and where they are: "sequence", "score", "logprobs" in the form of
 * OpenAI's API ({"content": [{"token", "logprob", "top_logprobs": [...]}]}) with "id" besides. */
#ifndef NX_ANSWER_H
#define NX_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "nx/generate.h"

struct answer {
	const struct generate_rules *rules;
	const int32_t *ids; /* n new tokens */
	size_t n, prompt;
	enum generate_end end;
	bool put_ids;
	const char *key;
	const struct buf *text; /* NULL: none */
	int64_t sequence;       /* of several; -1: there is but one */
	const float *score;     /* NULL: none */
	const struct sample_logprob *logprobs; /* as in struct generate; NULL: none */
};

/* Whether answer_set writes a field of this name besides the text. */
bool answer_has(const char *name);
int answer_set(struct arena *a, struct json *obj, const struct answer *w, struct err *e);

#endif
