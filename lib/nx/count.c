#include "nx/count.h"

#include "nx/model.h"
#include "nx/optim.h"
#include "nx/params.h"

/* A byte a place of the causal mask (P x P) and a float of its fill value each
 * layer, and for each layer and once more the float32 frequencies of the rotary pairs. */
static double count_buffers(const struct config *c)
{
	double layers = c->layers, p = c->max_pos, pairs = c->rotary_dims / 2;
	return layers * p * p + layers * 4 + (layers + 1) * pairs * 4;
}

int count_of(struct count *n, const struct config *c, struct err *e)
{
	struct params lay;
	if (params_layout(&lay, c, e))
		return -1;
	*n = (struct count){.params = lay.count, .embedding = (uint64_t)c->vocab * (uint64_t)c->hidden,
	                    .buffers = count_buffers(c), .adamw = optim_bytes(&lay, OPTIM_ADAMW),
	                    .adafactor = optim_bytes(&lay, OPTIM_ADAFACTOR)};
	params_release(&lay);
	return 0;
}

double count_flops(const struct count *n, double tokens)
{
	return 6 * tokens * (double)(n->params - n->embedding);
}

double count_activations(const struct config *c, int nseq, int tokens, int threads)
{
	enum { SOME = 1024 };
	size_t rows = (size_t)nseq * (size_t)tokens;
	double rest = (double)model_work_bytes(c, 0, tokens, threads, false);
	double all = rest + (double)rows / SOME * ((double)model_work_bytes(c, SOME, tokens, threads, false) - rest);
	if (all > 0x1p62) /* a config can claim more than whole numbers hold */
		return all;
	return (double)model_work_bytes(c, rows, tokens, threads, false);
}
