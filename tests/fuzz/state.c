/* The files of a checkpoint, nx-train.json, trainer_state.json and optimizer.bin with a
 * NUL between them: refused, or a state from which a run makes its next update. */
#include "unit/tiny.h"
#include "fuzz.h"

#include "nx/checkpoint.h"
#include "nx/trainer.h"

enum { RECORDS = 6, TOKENS = 5 };

static void records(struct dataset *d, const struct config *c)
{
	struct err e;
	for (int i = 0; i < RECORDS; i++) {
		int32_t ids[TOKENS];
		uint8_t attn[TOKENS];
		for (int k = 0; k < TOKENS; k++)
			ids[k] = (i * 7 + k * 3) % c->vocab;
		memset(attn, 1, sizeof attn);
		struct record r = {.n = TOKENS, .ids = ids, .attn = attn, .labels = ids, .has_ids = true};
		fuzz_must(dataset_add(d, &r, c->vocab, &e) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct model m;
	static struct dataset data;
	static struct trainer_rule rule;
	static float *weights;
	struct trainlog log = {0};
	struct flow flow = {0};
	struct flow_rule when = {.log_steps = 1, .eval_steps = 1, .save_steps = 1};
	struct trainer *t;
	struct trainer_step s;
	struct count cost;
	struct err e;
	size_t len;
	if (!weights) {
		tiny_model(&m, 'A');
		records(&data, &m.cfg);
		rule = trainer_defaults();
		rule.max_steps = 4;
		rule.batch = 2;
		rule.optim.kind = OPTIM_ADAFACTOR; /* little state */
		weights = params_alloc(&m.lay);
		fuzz_must(weights != NULL);
		memcpy(weights, m.w, m.lay.total * sizeof *weights);
	}
	const char *names[] = {"nx-train.json", "trainer_state.json"};
	for (int i = 0; i < 2; i++) {
		const uint8_t *s1 = fuzz_part(&p, &n, &len);
		fuzz_file(names[i], s1, len);
	}
	fuzz_file("optimizer.bin", p, n);
	fuzz_must(count_of(&cost, &m.cfg, &e) == 0 && trainer_open(&t, &m, &data, &rule, 1, &e) == 0);
	log.cost = &cost;
	log.data = &data;
	log.steps = 4;
	trainlog_start(&log);
	struct checkpoint c = {.t = t, .log = &log, .flow = &flow, .rule = &rule, .when = &when, .data = &data, .out = fuzz_dir()};
	if (getenv("FUZZ_SEED")) /* makes the files of a run for the seeds */
		fuzz_must(trainer_step(t, &s, &e) == 1 && trainlog_count(&log, &s) == 0 && checkpoint_save(&c, &m, "none", &e) == 0);
	else if (checkpoint_read(&c, fuzz_dir(), &e) == 0 && trainer_step(t, &s, &e) == 1) {
		(void)trainlog_count(&log, &s);
		(void)trainlog_update(&log, &s);
		(void)trainlog_end(&log, s.epoch, s.step);
	}
	trainlog_release(&log);
	trainer_close(t);
	memcpy(m.w, weights, m.lay.total * sizeof *weights);
	return 0;
}
