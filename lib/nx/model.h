/* model.h - a GPT-NeoX model: weights, forward, backward.
 *
 *	struct model m;
 *	if (model_load(&m, dir, &e)) ...
 *	struct work *ws = model_work(&m, threads, &e);
 *	model_loss(&m, ws, &batch, 1.0 / ntokens, grad, &sum, &e)
 *
 * MODEL (x: rows x C; one row a token)
 *	x = embed[id]
 *	each layer, parallel residual:    x = x + attn(ln1(x)) + mlp(ln2(x))
 *	            sequential:           y = x + attn(ln1(x));  x = y + mlp(ln2(y))
 *	logits = lnf(x) head^T
 * attn: qkv = h Wqkv^T + b, rotary on the first rotary_dims of q and k,
 *	softmax(q k^T / sqrt(head_dim), causal) v, then dense. mlp: act(h Wup^T + b) Wdown^T + b.
 * Source: Black et al. 2022 (GPT-NeoX-20B); matches transformers' modeling_gpt_neox in float32. */
#ifndef NX_MODEL_H
#define NX_MODEL_H

#include "base/err.h"
#include "io/tensor.h"
#include "nx/config.h"
#include "nx/params.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct model {
	struct config cfg;
	struct params lay;
	float *w; /* lay.total floats */
	/* NULL, or an adapter (nx/lora.h) that belongs to the model: it takes part in model_loss
	 * and model_logits, and is what is trained while w rests. Set before model_work. */
	struct lora *lora;
};

/* What is trained: its table, by which gradients and optimizer state are laid out, and its numbers. */
const struct params *model_trained_lay(const struct model *m);
float *model_trained(const struct model *m);

/* A model's directory, or an adapter's (nx/lorafile.h) that names one: folded into it. */
int model_load(struct model *m, const char *dir, struct err *e);
/* Adds the adapter in dir to the weights; ERR_DATA if they are not all finite then. */
int model_fold(struct model *m, const char *dir, struct err *e);
/* What is trained once more from dir, where model_save has written it. ERR_DATA if that is another adapter. */
int model_reload(struct model *m, const char *dir, struct err *e);
/* Random weights as HF initialises: matrices normal(0, init_range), biases 0, LayerNorm 1 and 0. */
int model_init(struct model *m, const struct config *c, uint64_t seed, struct err *e);
/* dir/model.safetensors in float32, config.json, generation_config.json; dir must exist. Of a model
 * with an adapter only that is written, in the files of nx/lorafile.h. */
int model_save(const struct model *m, const char *dir, struct err *e);
/* The same with weights rounded to bfloat16 or float16. ERR_DATA if one is too large for that. */
int model_save_as(const struct model *m, const char *dir, enum tensor_dtype as, struct err *e);
void model_release(struct model *m);

/* Sequences without padding, one behind the other: sequence s has the rows start[s] .. start[s+1]-1. */
struct batch {
	int nseq;
	const int *start;      /* nseq + 1 entries, start[0] = 0 */
	const int32_t *ids;    /* start[nseq] ids, each below cfg.vocab */
	const int32_t *labels; /* the same number; -100: not in the loss. Row i is scored against labels[i+1] of its own sequence. */
};

struct work; /* activations and threads; grows to the largest batch seen */
struct work *model_work(const struct model *m, int threads, struct err *e);
/* From now on only each layer's input is kept for the way back, which computes the rest again, to
 * the same bits (gradient checkpointing, Chen et al. 2016). */
void model_work_checkpoint(struct work *ws);
/* From now on both operands of each product of a linear layer and of the head, on the way there and back, are
 * rounded to bfloat16 (mixed precision, Micikevicius et al. 2018, as torch's autocast on these layers); weights,
 * attention, sums and all else stay float32. */
int model_work_bf16(struct work *ws, struct err *e);
void model_work_close(struct work *ws);
/* Bytes that model_loss with gradients holds for so many rows (activations, a chunk of logits and, of so many
 * threads, scratch). */
size_t model_work_bytes(const struct config *c, size_t rows, int longest, int threads, bool checkpoint);

/* Number of rows of b that are scored: labels[1:] of every sequence that are not -100. */
int64_t model_scored(const struct batch *b);
/* Sum over all scored rows of the negative log-likelihood into *nll (double sums).
 * With grad != NULL adds scale * d(sum)/dw to grad, laid out by model_trained_lay. */
int model_loss(const struct model *m, struct work *ws, const struct batch *b, double scale, float *grad, double *nll,
               struct err *e);
/* Takes gradients as soon as the way back has finished them: that of the tensors from <= i < to of the
 * table stands at g, as in the table from tensor `from` on. Leaves g all 0. May change these weights:
 * nothing reads them any more. -1 with e filled ends the way back. */
struct model_taker {
	int (*take)(void *arg, int from, int to, float *g, struct err *e);
	void *arg;
};
/* model_loss whose gradient is never held whole, only that of the vocabulary's matrix or of a layer.
 * Nothing is taken where the loss is no finite number. Not for a model with an adapter. */
int model_loss_taken(const struct model *m, struct work *ws, const struct batch *b, double scale,
                     const struct model_taker *t, double *nll, struct err *e);
/* Bytes of gradients that it holds. */
size_t model_taken_bytes(const struct params *lay);
/* The same for each sequence by itself, with the rows whose label is the likeliest token: score has b->nseq entries. */
struct model_score {
	double nll;
	size_t scored, hits;
};
int model_scores(const struct model *m, struct work *ws, const struct batch *b, struct model_score *score, struct err *e);
/* Logits of every row, rows x vocab: for tests and small inputs. */
int model_logits(const struct model *m, struct work *ws, const struct batch *b, float *logits, struct err *e);

#endif
