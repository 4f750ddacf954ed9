/* frozen.h - a model's weights for reading alone, in the form in which products read them.
 *
 *	struct frozen f;
 *	if (frozen_load(&f, dir, FROZEN_Q8, threads, &e)) ...
 *	const struct gemm_matrix *w = frozen_matrix(&f, f.lay.layer[l].qkv_w);
 *	const float *b = frozen_vector(&f, f.lay.layer[l].qkv_b);    NULL where there is none
 *	frozen_release(&f);
 *
 * What the files hold in the form wanted is used where it lies, mapped, so that
 * nothing is read before it is needed but to see that it is finite. FROZEN_F32
 * takes weights as they are: float32 and bfloat16 in place, float16 widened.
 * FROZEN_BF16 and FROZEN_Q8 narrow the matrices of the layers and the head
 * (nx/gemm.h); vectors and the table of embeddings stay as they are. */
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
	struct gemm_matrix *t;   /* of lay.t each, a vector as one row; behind them the head */
	struct tensor_set files; /* mapped */
	struct model m;          /* an adapter's directory: the weights with it */
	void *own;               /* what was converted */
	bool view;               /* of a model that belongs to someone else */
};

/* A model's directory, or an adapter's, as model_load takes them, with the same errors. */
int frozen_load(struct frozen *f, const char *dir, enum frozen_dtype as, int threads, struct err *e);
/* A model in memory, which must outlive it. */
int frozen_view(struct frozen *f, const struct model *m, struct err *e);
void frozen_release(struct frozen *f);

/* By the offset in lay. */
const struct gemm_matrix *frozen_matrix(const struct frozen *f, size_t off);
const float *frozen_vector(const struct frozen *f, size_t off); /* NULL for SIZE_MAX */
const struct gemm_matrix *frozen_head(const struct frozen *f);  /* of a tied model too */

#endif
