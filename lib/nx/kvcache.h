/* kvcache.h - the keys and values of a sequence, and new queries' attention to them.
 *
 *	struct kvcache s = {.c = &cfg};
 *	kvcache_grow(&s, s.len + n, &s, &e);
 *	kvcache_put(&s, gm, layer, head, k, v, ld, n);       behind its len tokens; so for each layer and head
 *	kvcache_attend(&s, gm, kr, &q, out, ldo, scratch);
 *	s.len += n;
 *	kvcache_release(&s);
 *
 * Keys and values lie as matrices of nx/gemm.h do, so that scores and their sums
 * over values are products like others: a query's result depends on the query and
 * the tokens it sees alone, not, to the bit, on what other queries are in the call. */
#ifndef NX_KVCACHE_H
#define NX_KVCACHE_H

#include "base/err.h"
#include "nx/config.h"
#include "nx/gemm.h"
#include "nx/kernel.h"

#include <stddef.h>

struct kvcache {
	const struct config *c;
	float *kv; /* [layer][k, v][head]: k in panels of 32 tokens, v in panels of 32 of a head's dimensions */
	int len, cap;
};

/* Room for n tokens, of which those of `old` are there. */
int kvcache_grow(struct kvcache *s, int n, const struct kvcache *old, struct err *e);
/* Makes `to` what `from` is. On failure `to` is as it was. */
int kvcache_copy(struct kvcache *to, const struct kvcache *from, struct err *e);
void kvcache_release(struct kvcache *s);

/* Keys and values of the n tokens behind s->len, for which there is room; rows ld apart. */
void kvcache_put(struct kvcache *s, const struct gemm *gm, int layer, int head, const float *k, const float *v, int ld,
                 int n);

enum { KVCACHE_STRIP = 64 }; /* queries of a call at most */

/* n queries, rows ld apart, the last of which sees nk tokens, the one before nk - 1, ... */
struct kvcache_queries {
	int layer, head;
	const float *q;
	int ld, n, nk;
};
size_t kvcache_scratch(const struct config *c, int nk); /* floats that a call needs */
/* Their results into rows of out, ldo apart. */
void kvcache_attend(const struct kvcache *s, const struct gemm *gm, const struct kernel *kr,
                    const struct kvcache_queries *q, float *out, int ldo, float *scratch);

#endif
