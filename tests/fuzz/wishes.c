/* generation_config.json and, behind a NUL, a prompt's ids, a byte each: refused, or wishes with which the
 * tiny model answers, drawn, the likeliest or of beams. */
#include "unit/tiny.h"
#include "fuzz.h"

#include "nx/beam.h"
#include "nx/genconfig.h"

enum { NEW = 5, PROMPT = 12 };

static struct model m;
static struct decode *d;
static struct sample *s;

static int ignore(void *arg, const struct generate *g, struct err *e)
{
	(void)arg, (void)e;
	fuzz_must(generate_last(g) >= 0 && generate_last(g) < m.cfg.vocab);
	return 0;
}

static void answer(const struct generate_rules *r, const int32_t *prompt, int n)
{
	struct generate g = {0};
	struct err e;
	decode_reset(d);
	fuzz_must(generate_begin(&g, r, prompt, (size_t)n, 0, 0, &e) == 0);
	if (generate_run(&g, s, d, ignore, NULL, &e) == 0)
		fuzz_must(g.end != GENERATE_ON && g.n - g.prompt <= NEW);
	generate_release(&g);
}

static void search(const struct beam_rules *br, const struct generate_rules *r, const int32_t *prompt, int n)
{
	struct beam b = {0};
	struct err e;
	if (beam_run(&b, br, r, s, d, prompt, n, &e) == 0)
		for (int i = 0; i < br->beams; i++)
			fuzz_must(b.best[i].n <= NEW && b.best[i].end != GENERATE_ON);
	beam_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct generate_rules r = {.max_length = 100};
	struct beam_rules br;
	char unheard[GENCONFIG_UNHEARD];
	struct err e;
	int32_t prompt[PROMPT] = {1};
	int count = 0;
	size_t len;
	if (!d) {
		tiny_model(&m, 'A');
		fuzz_must((d = decode_open(&m, 1, &e)) && (s = sample_open(m.cfg.vocab, &e)));
	}
	const uint8_t *config = fuzz_part(&p, &n, &len);
	fuzz_file("generation_config.json", config, len);
	while (count < PROMPT && (size_t)count < n) {
		prompt[count] = p[count] % m.cfg.vocab;
		count++;
	}
	genconfig_defaults(&m.cfg, &r, &br);
	if (genconfig_read(fuzz_dir(), &r, &br, unheard, &e))
		return 0;
	r.max_new = NEW; /* how long it may be is not what this is about */
	if (br.beams > 1)
		search(&br, &r, prompt, count ? count : 1);
	else
		answer(&r, prompt, count ? count : 1);
	return 0;
}
