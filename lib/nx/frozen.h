/* frozen.h - a model's weights for reading alone, in the form in which products read them.
 *
 *	struct frozen f;
 *	if (frozen_load(&f, dir, FROZEN_Q8, threads, &e)) ...
 *	const struct gemm_matrix *w = frozen_matrix(&f, f.lay.layer[l].qkv_w);
 *	const float *b = frozen_vector(&f, f.lay.layer[l].qkv_b);    NULL where there is none
 *	frozen_release(&f);
 *
 * Matrices of the layers and the head are packed as products read them (nx/gemm.h):
 * FROZEN_F32 as floats, or, where the file has bfloat16, as that, which are the same
 * numbers; FROZEN_BF16 and FROZEN_Q8 narrow them. They lie in one piece of memory,
 * in large pages where the system has them. The table of embeddings, of which a
 * token needs a row, is used where it lies, mapped, and so are vectors of floats. */
#ifndef NX_FROZEN_H
#define NX_FROZEN_H

#include "base/err.h"
#include "io/tensor.h"
#include "nx/config.h"
#include "nx/gemm.h"
#include "nx/model.h"
#include "nx/params.h"

enum frozen_dtype { FROZEN_F32, FROZEN_BF16, FROZEN_Q8 };
#define FROZEN_WORDS "f32|bf16|q8" /* in the order of the enum */

struct frozen {
	struct config cfg;
	struct params lay;
	struct gemm_matrix *t;   /* of lay.t each, packed; vectors as floats; behind them the head */
	struct tensor table;     /* of embeddings */
	struct tensor_set files; /* mapped */
	struct model m;          /* an adapter's directory: the weights with it */
	void *own;               /* what was packed or converted */
};

/* A model's directory, or an adapter's, as model_load takes them, with the same errors. */
int frozen_load(struct frozen *f, const char *dir, enum frozen_dtype as, int threads, struct err *e);
/* A model in memory, which must outlive it. */
int frozen_view(struct frozen *f, const struct model *m, int threads, struct err *e);
void frozen_release(struct frozen *f);

/* By the offset in lay. */
const struct gemm_matrix *frozen_matrix(const struct frozen *f, size_t off);
const float *frozen_vector(const struct frozen *f, size_t off); /* NULL for SIZE_MAX */
const struct gemm_matrix *frozen_head(const struct frozen *f);  /* of a tied model too */
void frozen_embed(const struct frozen *f, int32_t id, float *to); /* a token's row of the table */

#endif
