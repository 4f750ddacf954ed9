/* chat.h - what is said to and by services that speak as OpenAI's does: requests and answers
 * of /chat/completions and /completions, as JSON.
 *
 *	struct chat_wish w = {.model = "gpt-4o-mini", .temperature = -1, .top_p = -1};
 *	if (chat_request(&buf, &arena, &w, prompt, n, &e)) ...
 *	if (chat_answer(&arena, body, nbody, w.completion, &a, &e)) ...      a.text, a.n
 */
#ifndef IO_CHAT_H
#define IO_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chat_wish {
	bool completion; /* else a chat */
	const char *model, *system;  /* system may be NULL */
	double temperature, top_p;   /* below 0: the service's default, likewise: */
	int64_t max_tokens;          /* 0 */
	int64_t seed;                /* below 0 */
	const char *const *stop;     /* nstop strings */
	int nstop;
	const char *const *extra; /* nextra texts NAME=JSON, set last */
	int nextra;
};

/* The request's body, appended to b. ERR_USAGE: an extra that is none. */
int chat_request(struct buf *b, struct arena *a, const struct chat_wish *w, const char *prompt, size_t n, struct err *e);

struct chat_reply {
	const char *text; /* in the arena; "" where the service gave null */
	size_t n;
	const char *finish; /* "stop", "length", ..., nfinish bytes; NULL: not told */
	size_t nfinish;
	int64_t prompt_tokens, completion_tokens; /* -1: not told */
};
enum { CHAT_NO_JSON = 1 };
/* 0; CHAT_NO_JSON: the body is no JSON, perhaps cut off; -1: JSON, but no answer. */
int chat_answer(struct arena *a, const char *body, size_t n, bool completion, struct chat_reply *r, struct err *e);

/* What the service says of an error, shortened, on one line, without control characters and
 * without the key, into b: its "error", "message" or "detail"; of no JSON the first characters.
 * Returns whether it says that the money is used up ("insufficient_quota"). */
bool chat_complaint(struct buf *b, struct arena *a, const char *body, size_t n, const char *key);

/* Appends what others said to b, at most about 300 bytes of it, on one line, without control
 * characters and with the key (or NULL) blotted out. */
void chat_clean(struct buf *b, const char *s, size_t n, const char *key);

#endif
