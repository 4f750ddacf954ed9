/* nx/generate and nx/sample: HF's greedy answers of tests/golden/generate.txt, and when an answer ends. */
#include "test.h"
#include "tiny.h"

#include "nx/genconfig.h"
#include "nx/generate.h"
#include "nx/sample.h"

enum { MOST = 1000 };

struct taken {
	int32_t v[MOST];
	int n, stop_at;
};

static int take(void *arg, const struct generate *g, struct err *e)
{
	struct taken *t = arg;
	if (t->stop_at && t->n == t->stop_at)
		return err_data(e, "enough");
	t->v[t->n++] = generate_last(g);
	return 0;
}

/* An answer of d from its beginning. */
static int run(struct decode *d, const struct generate_rules *r, const int32_t *prompt, int n, struct taken *t,
               enum generate_end *end, struct err *e)
{
	struct generate g = {0};
	struct sample *s = sample_open(decode_vocab(d), e);
	int rc = !s || generate_begin(&g, r, prompt, (size_t)n, 0, 0, e) || generate_run(&g, s, d, take, t, e) ? -1 : 0;
	if (end)
		*end = g.end;
	generate_release(&g);
	sample_close(s);
	return rc;
}

/* Numbers up to the next '|'; moves *s behind it. */
static int numbers(char **s, int32_t *v)
{
	int n = 0;
	for (;;) {
		char *end;
		while (**s == ' ')
			++*s;
		long x = strtol(*s, &end, 10);
		if (end == *s)
			break;
		v[n++] = (int32_t)x;
		*s = end;
	}
	*s += **s == '|';
	return n;
}

static void golden(void)
{
	static int32_t prompt[MOST], want[MOST];
	FILE *f = fopen("tests/golden/generate.txt", "r");
	char *line = NULL, has = 0;
	size_t cap = 0;
	struct model m;
	struct decode *d = NULL;
	struct err e;
	int lines = 0;
	TEST(f != NULL, "tests/golden/generate.txt is there");
	while (f && getline(&line, &cap, f) > 0) {
		char which, *s = strchr(line, '|') + 1;
		int eos, most;
		if (sscanf(line, "%c %d %d", &which, &eos, &most) != 3)
			break;
		int np = numbers(&s, prompt), nw = numbers(&s, want);
		if (which != has) {
			decode_close(d);
			if (has)
				model_release(&m);
			tiny_model(&m, has = which);
			d = decode_open(&m, 2, &e);
		}
		struct generate_rules r = {.max_new = most, .neos = eos >= 0, .eos = {eos}, .sample = SAMPLE_GREEDY};
		struct taken got = {.n = 0};
		enum generate_end end;
		int ok = run(d, &r, prompt, np, &got, &end, &e) == 0;
		int same = ok && got.n == nw && memcmp(got.v, want, (size_t)nw * sizeof *want) == 0;
		TEST(same, "%c: prompt of %d, eos %d: the %d ids of HF", which, np, eos, nw);
		TEST(end == (eos >= 0 ? GENERATE_EOS : GENERATE_LENGTH), "%c: what ended it", which);
		lines++;
	}
	TEST(lines == 30, "30 answers compared");
	decode_close(d);
	model_release(&m);
	free(line);
	if (f)
		fclose(f);
}

static void limits(void)
{
	struct generate_rules r = {.max_length = 10};
	TEST(generate_room(&r, 4) == 6 && generate_room(&r, 9) == 1, "max_length counts the prompt");
	TEST(generate_room(&r, 10) == 0 && generate_room(&r, 11) == 0, "a prompt that fills it leaves nothing");
	r.max_new = 3;
	TEST(generate_room(&r, 100) == 3, "max_new takes precedence, as in HF");
}

static char unheard[GENCONFIG_UNHEARD];

static int eos_of(struct generate_rules *r, const char *text, struct err *e)
{
	struct config c = {.eos = {7, 9}, .neos = 2};
	char dir[] = "build/nxgenXXXXXX", path[100];
	int rc = -1;
	if (!mkdtemp(dir))
		return err_io(e, "mkdtemp");
	snprintf(path, sizeof path, "%s/generation_config.json", dir);
	FILE *f = text ? fopen(path, "w") : NULL;
	if (f) {
		fputs(text, f);
		fclose(f);
	}
	struct beam_rules b;
	genconfig_defaults(&c, r, &b);
	rc = genconfig_read(dir, r, &b, unheard, e);
	remove(path);
	remove(dir);
	return rc;
}

static void ends_of_text(void)
{
	struct generate_rules r = {.max_length = 10};
	struct err e;
	TEST(eos_of(&r, NULL, &e) == 0 && r.neos == 2 && r.eos[0] == 7 && r.eos[1] == 9, "no generation_config.json: the config's");
	TEST(eos_of(&r, "{\"eos_token_id\": 3}", &e) == 0 && r.neos == 1 && r.eos[0] == 3, "a number");
	TEST(eos_of(&r, "{\"eos_token_id\": [3, 5]}", &e) == 0 && r.neos == 2 && r.eos[1] == 5, "a list");
	TEST(eos_of(&r, "{\"eos_token_id\": null}", &e) == 0 && r.neos == 0, "null: none");
	TEST(eos_of(&r, "{}", &e) == 0 && r.neos == 0, "a file without it: none");
	TEST(eos_of(&r, "{\"eos_token_id\": \"x\"}", &e) == -1 && e.kind == ERR_DATA && strstr(e.msg, "generation_config.json"), "text is refused by file name");
	TEST(eos_of(&r, "{\"eos_token_id\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", &e) == -1, "so are more than 16");
	TEST(eos_of(&r, "{", &e) == -1 && strstr(e.msg, "generation_config.json: column"), "and what is no JSON");
	TEST(eos_of(&r, "[]", &e) == -1 && strstr(e.msg, "generation_config.json: no JSON object"), "nor an object");
}

static void other_wishes(void)
{
	struct generate_rules r = {.max_length = 10};
	struct err e;
	TEST(eos_of(&r, "{\"min_length\": 0, \"num_return_sequences\": 1, \"top_h\": null, \"stop_strings\": [], \"use_cache\": true, "
	                "\"renormalize_logits\": false, \"guidance_scale\": 1.0, \"top_k\": 3}", &e) == 0 && !*unheard, "what wishes nothing is not listed");
	TEST(eos_of(&r, "{\"suppress_tokens\": [1], \"min_length\": 3, \"guidance_scale\": 2}", &e) == 0 &&
	         strcmp(unheard, "min_length, suppress_tokens, guidance_scale") == 0, "what is not done is: %s", unheard);
	TEST(eos_of(&r, NULL, &e) == 0 && !*unheard, "no file, no wishes");
}

static void failures(void)
{
	struct model m;
	struct err e;
	int32_t prompt[] = {1, 2};
	tiny_model(&m, 'A');
	struct decode *d = decode_open(&m, 1, &e);
	struct generate_rules r = {.max_new = 5, .sample = SAMPLE_GREEDY};
	struct taken t = {.stop_at = 2};
	TEST(run(d, &r, prompt, 2, &t, NULL, &e) == -1 && !strcmp(e.msg, "enough") && t.n == 2, "a taker that fails ends the run");
	m.w[m.lay.lnf_b] = NAN;
	t = (struct taken){.n = 0};
	TEST(run(d, &r, prompt, 2, &t, NULL, &e) == -1 && strstr(e.msg, "NaN") && t.n == 0, "NaN logits are an error, not a token");
	decode_close(d);
	model_release(&m);
}

static void greedy(void)
{
	TEST(sample_greedy((float[]){1, 3, 3, 2}, 4) == 1, "of equal logits the first");
	TEST(sample_greedy((float[]){-INFINITY, -INFINITY, -5}, 3) == 2, "minus infinity is a number");
	TEST(sample_greedy((float[]){1, NAN}, 2) == -1 && sample_greedy((float[]){NAN, 1}, 2) == -1, "NaN anywhere is none");
}

int main(void)
{
	golden();
	limits();
	ends_of_text();
	other_wishes();
	failures();
	greedy();
	return test_done();
}
