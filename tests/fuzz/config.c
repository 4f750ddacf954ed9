/* Any bytes as config.json: refused, or a shape whose counts can be had and which is
 * the same when it was written and read again. */
#include "fuzz.h"

#include "nx/config.h"
#include "nx/count.h"
#include "nx/params.h"

static int same(const struct config *a, const struct config *b)
{
	return a->vocab == b->vocab && a->hidden == b->hidden && a->layers == b->layers && a->heads == b->heads && a->ffn == b->ffn &&
	       a->max_pos == b->max_pos && a->rotary_dims == b->rotary_dims && a->rope_theta == b->rope_theta && a->ln_eps == b->ln_eps &&
	       a->init_range == b->init_range && a->parallel == b->parallel && a->tied == b->tied && a->attn_bias == b->attn_bias &&
	       a->act == b->act && a->bos == b->bos && a->neos == b->neos &&
	       !memcmp(a->eos, b->eos, (size_t)a->neos * sizeof *a->eos);
}

static void costs(const struct config *c)
{
	struct params lay;
	struct count count;
	struct err e;
	if (count_of(&count, c, &e))
		return;
	fuzz_must(count_flops(&count, 1000) >= 0 && count_activations(c, 4, 1000, 1) >= 0);
	if (c->layers > 1000 || params_layout(&lay, c, &e))
		return;
	fuzz_must(lay.count == count.params && lay.total >= lay.count);
	params_release(&lay);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config c, again;
	struct err e;
	char path[32];
	int fd = fuzz_open(p, n, path);
	if (config_load(&c, path, &e) == 0) {
		costs(&c);
		fuzz_must(config_save(&c, fuzz_dir(), "float32", &e) == 0 && config_load(&again, fuzz_dir(), &e) == 0);
		fuzz_must(same(&c, &again));
	}
	close(fd);
	return 0;
}
