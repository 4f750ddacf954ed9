/* nx/flow and nx/rundir: when things are due, which model is the best, which checkpoints stay. */
#include "test.h"

#include "nx/flow.h"
#include "nx/rundir.h"

#include <sys/stat.h>

static struct err e;

/* What is due behind each of 10 updates, the 4th and 8th being an epoch's last: a letter each. */
static const char *due(const struct flow_rule *r, unsigned what)
{
	static char s[11];
	for (int64_t step = 1; step <= 10; step++)
		s[step - 1] = flow_after(r, step, step % 4 == 0, step == 10) & what ? 'x' : '.';
	return s;
}

static void when(void)
{
	struct flow_rule r = {.log_steps = 3, .eval_steps = 4, .save_steps = 5};
	TEST(strcmp(due(&r, FLOW_LOG), "..x..x..x.") == 0, "a line for every third update only: %s", due(&r, FLOW_LOG));
	TEST(strcmp(due(&r, FLOW_EVAL | FLOW_SAVE), "..........") == 0, "nothing else unless asked for");
	r.eval = r.save = FLOW_STEPS;
	TEST(strcmp(due(&r, FLOW_EVAL), "...x...x.x") == 0, "evaluated by steps, and at the end: %s", due(&r, FLOW_EVAL));
	TEST(strcmp(due(&r, FLOW_SAVE), "....x....x") == 0, "saved by steps: %s", due(&r, FLOW_SAVE));
	r.eval = r.save = FLOW_EPOCH;
	TEST(strcmp(due(&r, FLOW_EVAL), "...x...x.x") == 0 && strcmp(due(&r, FLOW_SAVE), "...x...x.x") == 0, "by epochs");
}

static void settled(void)
{
	struct flow_rule r = {.log_every = 2, .save_every = 500};
	TEST(flow_settle(&r, -1, -1, false, false, &e) == 0 && r.eval == FLOW_NEVER && r.save == FLOW_STEPS &&
	     flow_plan(&r, 9, false, &e) == 0 && r.log_steps == 2 && r.eval_steps == 2 && r.save_steps == 500, "the defaults");
	r.eval_every = 7;
	TEST(flow_settle(&r, -1, -1, false, true, &e) == 0 && r.eval == FLOW_STEPS, "a number of steps is a strategy");
	TEST(flow_settle(&r, -1, -1, false, false, &e) == -1 && e.kind == ERR_USAGE, "nothing to evaluate on: %s", e.msg);
	TEST(flow_settle(&r, FLOW_EPOCH, -1, true, true, &e) == -1 && strstr(e.msg, "the same"), "%s", e.msg);
	TEST(flow_settle(&r, FLOW_STEPS, FLOW_STEPS, true, true, &e) == -1 && e.kind == ERR_USAGE && strstr(e.msg, "multiple"), "%s", e.msg);
	r.save_every = 14;
	TEST(flow_settle(&r, FLOW_STEPS, FLOW_STEPS, true, true, &e) == 0 && flow_plan(&r, 9, true, &e) == 0, "a multiple");
	TEST(flow_settle(&r, FLOW_EPOCH, FLOW_EPOCH, true, true, &e) == 0, "epochs with epochs");
}

/* As TrainerState.compute_steps has it: ceil(updates * part). */
static void parts(void)
{
	struct flow_rule r = {.log_every = 0.1, .eval_every = 0.25, .save_every = 0.5};
	TEST(flow_settle(&r, -1, -1, true, true, &e) == 0 && flow_plan(&r, 40, true, &e) == 0 && r.log_steps == 4 &&
	     r.eval_steps == 10 && r.save_steps == 20, "parts of 40 updates");
	TEST(flow_plan(&r, 5, true, &e) == -1 && r.log_steps == 1 && r.eval_steps == 2 && r.save_steps == 3,
	     "of 5, rounded up, they are no multiples: %s", e.msg);
	TEST(flow_plan(&r, 5, false, &e) == 0, "which matters for the best alone");
	r.save_every = 20;
	TEST(flow_settle(&r, -1, -1, true, true, &e) == -1 && strstr(e.msg, "both"), "%s", e.msg);
	TEST(flow_settle(&r, -1, -1, false, true, &e) == 0, "so does this");
	r.log_every = 1.5;
	TEST(flow_settle(&r, -1, -1, false, true, &e) == -1 && strstr(e.msg, "--logging-steps"), "%s", e.msg);
	r.log_every = 1;
	TEST(flow_settle(&r, -1, -1, false, true, &e) == 0 && flow_plan(&r, 5, false, &e) == 0 && r.log_steps == 1, "1 is one update");
}

/* The evaluation that ends it, 0: none, and the best step. */
static int stops(struct flow_rule r, const double *v, int n, int64_t *best)
{
	struct flow f = {0};
	int at = 0;
	for (int i = 0; i < n && !at; i++)
		if (flow_metric(&r, &f, i + 1, v[i]))
			at = i + 1;
	*best = f.best_step;
	return at;
}

static void metrics(void)
{
	static const double v[] = {5, 4, 4, 4.5, 3.95, 6, 7, 8, 1};
	int64_t best;
	TEST(stops((struct flow_rule){.track = true}, v, 9, &best) == 0 && best == 9, "the lowest, without patience");
	TEST(stops((struct flow_rule){.track = true, .patience = 2}, v, 9, &best) == 4 && best == 2, "as low is no better");
	TEST(stops((struct flow_rule){.track = true, .patience = 3}, v, 9, &best) == 8 && best == 5, "patience begins anew with a better one");
	TEST(stops((struct flow_rule){.track = true, .patience = 3, .threshold = 0.1}, v, 9, &best) == 5 && best == 5,
	     "better by less than the threshold is waited over, and the best all the same");
	TEST(stops((struct flow_rule){.track = true, .greater = true, .patience = 4}, v, 9, &best) == 5 && best == 1, "the greatest");
	TEST(stops((struct flow_rule){.track = true, .patience = 1}, v, 1, &best) == 0, "the first is never the end");
	static const double lost[] = {NAN, INFINITY, 5, NAN, NAN};
	TEST(stops((struct flow_rule){.track = true}, lost, 5, &best) == 0 && best == 3, "what is no number is never the best");
	TEST(stops((struct flow_rule){.track = true, .patience = 2}, lost, 5, &best) == 2 && best == 0, "and is waited over");
	TEST(stops((struct flow_rule){.track = true, .patience = 3, .greater = true}, lost, 5, &best) == 0 && best == 3, "nor the greatest");
}

static void make(const char *out, const int *steps)
{
	char path[200];
	for (; *steps; steps++) {
		snprintf(path, sizeof path, "%s/checkpoint-%d", out, *steps);
		mkdir(path, 0777);
		snprintf(path, sizeof path, "%s/checkpoint-%d/file", out, *steps);
		fclose(fopen(path, "w"));
	}
}

static const char *those(const char *out)
{
	static char s[100];
	s[0] = '\0';
	for (int i = 1; i < 200; i++)
		if (rundir_has(out, i, &e) > 0)
			snprintf(s + strlen(s), sizeof s - strlen(s), "%d ", i);
	return s;
}

/* Limits as transformers keeps them; those behind the present step are of a run to come. */
static void rotation(void)
{
	static const int some[] = {2, 4, 10, 100, 0};
	static const struct {
		int64_t step, keep, best;
		const char *left;
	} want[] = {
		{100, 9, 0, "2 4 10 100 "}, {100, 4, 2, "2 4 10 100 "}, {100, 3, 0, "4 10 100 "}, {100, 2, 2, "2 100 "},
		{100, 1, 4, "4 100 "},      {100, 1, 100, "100 "},      {100, 1, 0, "100 "},      {10, 1, 0, "10 100 "},
		{10, 1, 2, "2 10 100 "},    {100, 3, 2, "2 10 100 "},
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		mkdir("out", 0777);
		make("out", some);
		int rc = rundir_rotate("out", want[i].step, want[i].keep, want[i].best, &e);
		TEST(rc == 0 && strcmp(those("out"), want[i].left) == 0, "keep %d, best %d: %s", (int)want[i].keep, (int)want[i].best,
		     those("out"));
		TEST(rundir_last("out", &e) == 100, "the last one");
		TEST(rundir_clear("out", &e) == 0 && rmdir("out") == 0, "cleared");
	}
	TEST(rundir_last("out", &e) == 0 && rundir_clear("out", &e) == 0, "no directory, no checkpoint");
	mkdir("out", 0777);
	mkdir("out/checkpoint-", 0777);
	mkdir("out/checkpoint-x9", 0777);
	mkdir("out/.checkpoint-9.0123456789abcdef", 0777);
	mkdir("out/.checkpoint-9.0123456789abcdeg", 0777);
	TEST(rundir_last("out", &e) == 0 && rundir_clear("out", &e) == 0, "other names are none");
	TEST(access("out/.checkpoint-9.0123456789abcdef", F_OK) && access("out/.checkpoint-9.0123456789abcdeg", F_OK) == 0 &&
	         access("out/checkpoint-x9", F_OK) == 0,
	     "what a killed process left goes, and nothing else");
}

static void names(void)
{
	char *s = rundir_name("a{steps}-{timestamp}{step}{steps", 7, 99);
	TEST(s && strcmp(s, "a7-99{step}{steps") == 0, "%s", s);
	free(s);
	static const char *const want[][2] = {{"a/b", "a"}, {"a/b//", "a"}, {"b", "."}, {"/b", "/"}, {"/a/b/", "/a"}};
	for (size_t i = 0; i < 5; i++) {
		s = rundir_parent(want[i][0]);
		TEST(s && strcmp(s, want[i][1]) == 0, "%s stands in %s", want[i][0], s);
		free(s);
	}
	TEST(rundir_find(&s, "nowhere", true, &e) == 0 && !s, "nothing to go on from");
	TEST(rundir_find(&s, "nowhere", false, &e) == -1, "%s", e.msg);
}

int main(void)
{
	const char *dir = test_dir();
	when();
	settled();
	parts();
	metrics();
	rotation();
	names();
	test_dir_done(dir);
	return test_done();
}
