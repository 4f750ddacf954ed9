/* step: how long forward and backward take, and what of it products alone would take.
 *
 *	step MODEL TOKENS THREADS ROUNDS [checkpoint|bf16]
 *
 * One sequence of that many tokens, all but the first scored. Prints a line of
 * JSON: the best seconds of a step (without the optimizer), those of sgemm alone
 * on the step's own shapes with the same threads, GFLOP/s of both, and the
 * process's peak of resident memory in megabytes. "products" are the linear layers
 * and the output head: attention's are not in it. */
#include "base/pool.h"
#include "base/progress.h"
#include "nx/mat.h"
#include "nx/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct bench {
	struct model m;
	int n, threads, rounds;
	bool checkpoint, bf16;
};

static float *numbers(size_t n)
{
	float *v = params_floats(n);
	if (!v)
		abort();
	for (size_t i = 0; i < n; i++)
		v[i] = (float)((i * 2654435761u) % 1000) / 1000 - 0.5f;
	return v;
}

static double step(const struct bench *b)
{
	int start[2] = {0, b->n};
	int32_t *ids = malloc((size_t)b->n * sizeof *ids);
	float *grad = params_alloc(&b->m.lay);
	struct err e;
	struct work *ws = model_work(&b->m, b->threads, &e);
	double best = 1e30, nll;
	if (!ids || !grad || !ws)
		abort();
	if (b->checkpoint)
		model_work_checkpoint(ws);
	if (b->bf16 && model_work_bf16(ws, &e))
		abort();
	for (int i = 0; i < b->n; i++)
		ids[i] = (int32_t)((i * 7919 + 13) % b->m.cfg.vocab);
	struct batch batch = {1, start, ids, ids};
	for (int i = 0; i <= b->rounds; i++) { /* the first makes memory real */
		double from = progress_clock();
		if (model_loss(&b->m, ws, &batch, 1.0 / (b->n - 1), grad, &nll, &e)) {
			fprintf(stderr, "step: %s\n", e.msg);
			exit(1);
		}
		double took = progress_clock() - from;
		best = i > 0 && took < best ? took : best;
	}
	model_work_close(ws);
	free(grad);
	free(ids);
	return best;
}

/* Seconds of the three products of a linear layer over n rows. */
static double linear(const struct mat *p, int n, int out, int in, int rounds)
{
	float *x = numbers((size_t)n * (size_t)in), *y = numbers((size_t)n * (size_t)out);
	float *w = numbers((size_t)out * (size_t)in), *dw = numbers((size_t)out * (size_t)in);
	double best = 1e30;
	for (int i = 0; i <= rounds; i++) {
		double from = progress_clock();
		mat_forward(p, y, x, w, NULL, n, out, in, false);
		mat_back(p, x, y, w, n, out, in, false);
		mat_grad(p, dw, y, x, n, out, in);
		double took = progress_clock() - from;
		best = i > 0 && took < best ? took : best;
	}
	free(x);
	free(y);
	free(w);
	free(dw);
	return best;
}

/* The head's logits are computed in pieces of 320 rows, as losshead.c does it. */
static double products(const struct bench *b)
{
	const struct config *c = &b->m.cfg;
	struct pool *pool = pool_open(b->threads);
	struct err e;
	struct mat *p = mat_open(pool, MAT_BLAS, &e);
	int chunk = b->n < 320 ? b->n : 320;
	double layer = linear(p, b->n, 3 * c->hidden, c->hidden, b->rounds) + linear(p, b->n, c->hidden, c->hidden, b->rounds) +
	               linear(p, b->n, c->ffn, c->hidden, b->rounds) + linear(p, b->n, c->hidden, c->ffn, b->rounds);
	double head = linear(p, chunk, c->vocab, c->hidden, b->rounds) * b->n / chunk;
	mat_close(p);
	pool_close(pool);
	return layer * c->layers + head;
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	struct err e;
	struct rusage u;
	if (argc < 5) {
		fprintf(stderr, "usage: step MODEL TOKENS THREADS ROUNDS [checkpoint|bf16]\n");
		return 2;
	}
	b.n = atoi(argv[2]);
	b.threads = atoi(argv[3]);
	b.rounds = atoi(argv[4]);
	b.checkpoint = argc > 5 && !strcmp(argv[5], "checkpoint");
	b.bf16 = argc > 5 && !strcmp(argv[5], "bf16");
	if (model_load(&b.m, argv[1], &e)) {
		fprintf(stderr, "step: %s\n", e.msg);
		return 1;
	}
	double took = step(&b);
	getrusage(RUSAGE_SELF, &u);
	double alone = products(&b);
	const struct config *c = &b.m.cfg;
	double weights = (double)c->layers * c->hidden * (4.0 * c->hidden + 2.0 * c->ffn) + (double)c->vocab * c->hidden;
	double flop = 6 * weights * b.n;
	printf("{\"seconds\": %.4f, \"tokens_per_second\": %.1f, \"products\": %.4f, \"gflops\": %.1f, \"products_gflops\": %.1f, \"memory_mb\": %.0f}\n",
	       took, b.n / took, alone, 1e-9 * flop / took, 1e-9 * flop / alone, (double)u.ru_maxrss / 1000);
	model_release(&b.m);
	return 0;
}
