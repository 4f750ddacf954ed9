/* squad.h - how well a text answers: exact match and token F1 as SQuAD measures them.
 *
 *	struct squad q = {0};
 *	struct squad_score s;
 *	if (squad_score(&q, text, n, reference, m, false, &s, &e)) ...
 *	squad_release(&q);
 *
 * Both texts are first made plain: lower case (Python's str.lower), ASCII punctuation
 * taken out, the words "a", "an" and "the" taken out, white space collapsed. Then
 *	exact = 1 if the two are equal, else 0
 *	same  = sum over the distinct words of the smaller of their two counts
 *	p = same / words of the text, r = same / words of the reference
 *	f1    = 2 p r / (p + r), 0 where same is 0; where one side has no word, exact
 * Raw: exact compares the bytes, words are what white space separates.
 * Source: Rajpurkar et al. 2018 (SQuAD 2.0), the evaluation of the data set. */
#ifndef TEXT_SQUAD_H
#define TEXT_SQUAD_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct squad_word {
	const char *p;
	size_t n;
};

/* Scratch of a run: zero at first. */
struct squad {
	struct buf lower, text[2];
	struct squad_word *word[2];
	size_t cap[2];
};

struct squad_score {
	bool exact;
	double f1;
};

/* Both texts valid UTF-8. */
int squad_score(struct squad *q, const char *text, size_t n, const char *reference, size_t m, bool raw,
                struct squad_score *s, struct err *e);
/* Appends the plain form of s[0..n) to b. */
int squad_plain(struct squad *q, const char *s, size_t n, struct buf *b, struct err *e);
void squad_release(struct squad *q);

#endif
