/* cut.h - the tokens a draw may choose from, cut down to the likely ones.
 *
 *	struct cut c;
 *	if (cut_open(&c, vocab, &e)) ...
 *	cut_fill(&c, logits);
 *	cut_top_k(&c, 50); cut_top_p(&c, 0.9);
 *	cut_softmax(&c);           c.n candidates: ids c.id ascending, logits c.x, probabilities c.p
 *	cut_close(&c);
 *
 * The cuts are HF's logits warpers, each over the softmax of what the one before
 * it left; a candidate never is removed for being equal to the last one kept,
 * except by cut_top_p, where of equal ones those with higher ids stay (in HF that
 * is up to the sort of the machine). None of
 * them sorts: time is proportional to the number of candidates (top-k: k log k
 * more). Memory: 24 bytes an id of the vocabulary. */
#ifndef NX_CUT_H
#define NX_CUT_H

#include "base/err.h"
#include "nx/kernel.h"

#include <stdint.h>

struct cut_item;

struct cut {
	int n; /* candidates left */
	int32_t *id;
	float *x, *p;
	struct cut_item *item; /* scratch */
	const struct kernel *k;
};

int cut_open(struct cut *c, int vocab, struct err *e);
void cut_close(struct cut *c);

/* All of n logits but those of -inf, which can never be drawn. -1: there is a NaN or +inf. */
int cut_fill(struct cut *c, const float *logits, int n);
void cut_temperature(struct cut *c, double t);   /* x /= t */
/* Those not below the k-th largest: more than k where several are equal to it. k >= 1. */
void cut_top_k(struct cut *c, int64_t k);
/* In ascending order those at which the sum of probabilities passes 1 - p; at least one. */
void cut_top_p(struct cut *c, double p);
void cut_min_p(struct cut *c, double p);         /* those at least p times as probable as the most probable */
/* Locally typical ones (Meister et al. 2023): the nearest to the entropy in -log p, until their mass is `mass`. */
void cut_typical(struct cut *c, double mass);
/* Fills p: p[i] = exp(x[i]) / sum exp(x), over the candidates; they sum up to 1 as far as floats do. */
void cut_softmax(struct cut *c);
/* log sum exp(x) of all candidates. */
double cut_lse(struct cut *c);

#endif
