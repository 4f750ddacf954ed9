/* nx/model: saving and loading; and, with two arguments, a tool for other tests:
 * tinydir A DIR writes the tiny model A (tiny.h) as a directory. */
#include "test.h"
#include "tiny.h"

#include <sys/stat.h>

static struct err e;

static bool same_config(const struct config *a, const struct config *b)
{
	return a->vocab == b->vocab && a->hidden == b->hidden && a->layers == b->layers && a->heads == b->heads &&
	       a->head_dim == b->head_dim && a->ffn == b->ffn && a->max_pos == b->max_pos &&
	       a->rotary_dims == b->rotary_dims && a->rotary_pct == b->rotary_pct && a->rope_theta == b->rope_theta &&
	       a->ln_eps == b->ln_eps && a->init_range == b->init_range && a->parallel == b->parallel &&
	       a->tied == b->tied && a->attn_bias == b->attn_bias && a->act == b->act && a->bos == b->bos &&
	       a->neos == b->neos && !memcmp(a->eos, b->eos, (size_t)a->neos * sizeof *a->eos);
}

static void round_trip(char which)
{
	struct model m, n;
	char dir[] = "tiny", path[64];
	TEST(mkdir(dir, 0777) == 0 && tiny_dir(dir, which) == 0, "%c is written", which);
	tiny_model(&m, which);
	TEST(model_load(&n, dir, &e) == 0, "%c is read", which);
	TEST(same_config(&m.cfg, &n.cfg), "%c: the config comes back", which);
	TEST(m.lay.total == n.lay.total && !memcmp(m.w, n.w, m.lay.total * sizeof *m.w), "%c: so do the weights", which);
	model_release(&m);
	model_release(&n);
	const char *const files[] = {"model.safetensors", "config.json", "generation_config.json"};
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		TEST(remove(path) == 0, "%s was there", files[i]);
	}
	TEST(remove(dir) == 0, "and nothing else");
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return tiny_dir(argv[2], *argv[1]) != 0;
	const char *dir = test_dir();
	round_trip('A');
	round_trip('B');
	round_trip('C');
	test_dir_done(dir);
	return test_done();
}
