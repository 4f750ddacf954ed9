#include "nx/checkpoint.h"

#include "base/arena.h"
#include "base/hash.h"
#include "io/in.h"
#include "io/json.h"
#include "io/out.h"
#include "io/there.h"
#include "nx/rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

#define COUNT_MAX ((int64_t)1 << 53)

static const char state_name[] = "trainer_state.json", run_name[] = "nx-train.json", optim_name[] = "optimizer.bin";

#define LL(x) (long long)(x)

/* --- what a run is ----------------------------------------------------------------------- */

static uint64_t hash_data(const struct dataset *d)
{
	size_t n = d->start[d->n];
	uint64_t h = hash_words(HASH_SEED, d->ids, n * sizeof *d->ids);
	for (size_t i = 0; i < d->n; i++)
		h = hash_word(h, (uint32_t)dataset_len(d, i));
	h = hash_words(h, d->piece, d->npieces * sizeof *d->piece);
	return d->labels ? hash_words(h, d->labels, n * sizeof *d->labels) : h;
}

/* Whole numbers that a run must share with the one it goes on from. */
struct setting {
	const char *key, *what;
	int64_t v;
};
enum { SETTINGS = 8 };

static void settings(const struct checkpoint *c, struct setting s[SETTINGS])
{
	const struct trainer_rule *r = c->rule;
	const struct setting all[SETTINGS] = {
		{"records", "records", (int64_t)c->data->n},
		{"batch", "--batch-size", r->batch},
		{"accumulation", "--grad-accum", r->accum},
		{"sampler", "--sampler", (int64_t)r->sampler},
		{"seed", "--seed", (int64_t)r->seed},
		{"reduction", "--loss-reduction", (int64_t)r->reduction},
		{"optimizer", "--optim", (int64_t)r->optim.kind},
		{"bf16", "--dtype", r->bf16},
	};
	memcpy(s, all, sizeof all);
}

/* --- writing ------------------------------------------------------------------------------- */

/* bad: memory ran out while b was made. */
static int write_file(const char *dir, const char *name, const struct buf *b, int bad, struct err *e)
{
	struct buf path = {0};
	struct out *out;
	int rc = -1;
	if (bad || buf_printf(&path, "%s/%s", dir, name) || !buf_str(&path))
		rc = err_mem(e);
	else if (out_open(&out, path.p, OUT_PLAIN, e) == 0) {
		rc = out_write(out, b->p, b->n, e);
		if (rc == 0)
			rc = out_commit(out, e);
		else
			out_abort(out);
	}
	buf_release(&path);
	return rc;
}

static int write_run(const struct checkpoint *c, const char *dir, struct err *e)
{
	const struct trainlog *l = c->log;
	const struct flow *f = c->flow;
	struct trainer_mark m = trainer_mark_of(c->t);
	struct setting s[SETTINGS];
	struct buf b = {0};
	settings(c, s);
	int bad = buf_printf(&b, "{\n  \"version\": %d,\n  \"data\": \"%016llx\"", VERSION, (unsigned long long)hash_data(c->data));
	for (int i = 0; i < SETTINGS; i++)
		bad |= buf_printf(&b, ",\n  \"%s\": %lld", s[i].key, LL(s[i].v));
	bad |= buf_printf(&b, ",\n  \"step\": %lld,\n  \"skipped\": %lld,\n  \"epoch\": %lld,\n  \"at\": %lld", LL(m.step),
	                  LL(m.skipped), LL(m.epoch), LL(m.at));
	bad |= buf_printf(&b, ",\n  \"loss\": %.17g,\n  \"loss_part\": %.17g,\n  \"learned\": %lld,\n  \"learned_part\": %lld", l->loss,
	                  l->loss_part, LL(l->learned), LL(l->learned_part));
	bad |= buf_printf(&b, ",\n  \"skipped_part\": %lld,\n  \"tokens\": %lld,\n  \"tokens_part\": %lld,\n  \"records_seen\": %lld",
	                  LL(l->skipped_part), LL(l->tokens), LL(l->tokens_part), LL(l->records));
	bad |= buf_printf(&b, ",\n  \"seconds\": %.6f,\n  \"lengths\": [%.*s]", trainlog_took(l), (int)l->lengths.n,
	                  l->lengths.n ? l->lengths.p : "");
	bad |= buf_printf(&b, ",\n  \"best_step\": %lld,\n  \"best\": %.17g,\n  \"best_saved\": %lld,\n  \"waited\": %lld\n}\n",
	                  LL(f->best_step), f->best, LL(f->best_saved), LL(f->waited));
	int rc = write_file(dir, run_name, &b, bad, e);
	buf_release(&b);
	return rc;
}

/* Lines of JSON objects as the elements of an array. */
static int add_history(struct buf *b, const struct buf *history)
{
	int bad = 0;
	for (size_t at = 0; at < history->n;) {
		const char *line = history->p + at, *end = memchr(line, '\n', history->n - at);
		size_t n = end ? (size_t)(end - line) : history->n - at;
		bad |= buf_printf(b, "%s\n    ", at ? "," : "") | buf_add(b, line, n);
		at += n + 1;
	}
	return bad;
}

static int add_best(struct buf *b, const struct checkpoint *c)
{
	const struct flow *f = c->flow;
	int bad = 0;
	if (!f->best_step)
		return buf_adds(b, "  \"best_global_step\": null,\n  \"best_metric\": null,\n  \"best_model_checkpoint\": null,\n");
	bad |= buf_printf(b, "  \"best_global_step\": %lld,\n  \"best_metric\": %.17g,\n  \"best_model_checkpoint\": ", LL(f->best_step),
	                  f->best);
	if (f->best_saved) {
		char *path = rundir_checkpoint(c->out, f->best_saved);
		bad |= !path || json_quote(b, path, strlen(path));
		free(path);
	} else {
		bad |= buf_adds(b, "null");
	}
	return bad | buf_adds(b, ",\n");
}

/* With the keys of TrainerState and no others: its load_from_json takes no more. */
static int write_state(const struct checkpoint *c, const char *dir, struct err *e)
{
	const struct trainer_plan *p = trainer_plan_of(c->t);
	struct trainer_mark m = trainer_mark_of(c->t);
	struct buf b = {0};
	int bad = buf_adds(&b, "{\n") | add_best(&b, c);
	bad |= buf_printf(&b, "  \"epoch\": %.17g,\n  \"eval_steps\": %lld,\n  \"global_step\": %lld,\n",
	                  (double)m.epoch + (double)m.at / (double)p->batches, LL(c->when->eval_steps), LL(m.step));
	bad |= buf_adds(&b, "  \"is_hyper_param_search\": false,\n  \"is_local_process_zero\": true,\n"
	                    "  \"is_world_process_zero\": true,\n  \"log_history\": [");
	bad |= add_history(&b, &c->log->history);
	bad |= buf_printf(&b, "\n  ],\n  \"logging_steps\": %lld,\n  \"max_steps\": %lld,\n  \"num_input_tokens_seen\": %lld,\n",
	                  LL(c->when->log_steps), LL(p->steps), LL(c->log->tokens));
	bad |= buf_printf(&b, "  \"num_train_epochs\": %lld,\n  \"save_steps\": %lld,\n  \"stateful_callbacks\": {},\n", LL(p->epochs),
	                  LL(c->when->save_steps));
	bad |= buf_printf(&b, "  \"total_flos\": %.17g,\n  \"train_batch_size\": %lld,\n  \"trial_name\": null,\n"
	                      "  \"trial_params\": null\n}\n", trainlog_flos(c->log), LL(c->rule->batch));
	int rc = write_file(dir, state_name, &b, bad, e);
	buf_release(&b);
	return rc;
}

static char *join(const char *dir, const char *name)
{
	char *s;
	return asprintf(&s, "%s/%s", dir, name) < 0 ? NULL : s;
}

static int write_rest(const struct checkpoint *c, const char *dir, struct err *e)
{
	char *path = join(dir, optim_name);
	int rc = path ? optim_save(trainer_optim(c->t), path, e) : err_mem(e);
	free(path);
	if (rc == 0)
		rc = write_state(c, dir, e);
	return rc == 0 ? write_run(c, dir, e) : rc;
}

static int write_all(const struct checkpoint *c, const struct model *m, const char *from, const char *path, struct err *e)
{
	struct outdir *d;
	/* one of the same step is of a run that went on from before it, as this one does */
	if (outdir_remove(path, e) || outdir_open(&d, path, false, e))
		return -1;
	if (model_save(m, outdir_path(d), e) || rundir_copy(d, from, c->template, e) || write_rest(c, outdir_path(d), e)) {
		outdir_abort(d);
		return -1;
	}
	return outdir_commit(d, e);
}

int checkpoint_save(const struct checkpoint *c, const struct model *m, const char *from, struct err *e)
{
	int64_t step = trainer_mark_of(c->t).step, best = c->flow->best_step;
	if (!trainer_is_sound(c->t))
		return err_data(e, "step %lld: the weights are no finite numbers any more", LL(step));
	/* the best model's checkpoint is there, or will be this one */
	int has = !best ? 0 : best == step ? 1 : rundir_has(c->out, best, e);
	if (has < 0)
		return -1;
	if (has)
		c->flow->best_saved = best;
	char *path = rundir_checkpoint(c->out, step);
	int rc = path ? write_all(c, m, from, path, e) : err_mem(e);
	free(path);
	return rc;
}

/* --- reading ------------------------------------------------------------------------------- */

struct reading {
	struct arena a;
	struct buf text;
	const struct json *v;
	char *path;
};

static int read_json(struct reading *r, const char *dir, const char *name, struct err *e)
{
	struct json *v;
	if (!(r->path = join(dir, name)))
		return err_mem(e);
	if (there_is_file(r->path, e) < 0 || in_slurp(r->path, &r->text, e))
		return -1;
	if (json_parse(&r->a, r->text.p, r->text.n, &v, e))
		return err_prefix(e, "%s: ", r->path);
	r->v = v;
	return 0;
}

static void end_reading(struct reading *r)
{
	arena_release(&r->a);
	buf_release(&r->text);
	free(r->path);
}

static int get_i64(const struct reading *r, const char *key, int64_t *v, struct err *e)
{
	return json_i64(json_get(r->v, key), v) ? err_data(e, "%s: \"%s\" is missing or no whole number", r->path, key) : 0;
}

/* What is counted on from: it must not overflow. */
static int get_count(const struct reading *r, const char *key, int64_t *v, struct err *e)
{
	if (get_i64(r, key, v, e))
		return -1;
	return *v < 0 || *v > COUNT_MAX ? err_data(e, "%s: \"%s\" is no number from 0 to 2^53", r->path, key) : 0;
}

static int get_f64(const struct reading *r, const char *key, double *v, struct err *e)
{
	return json_f64(json_get(r->v, key), v) ? err_data(e, "%s: \"%s\" is missing or no number", r->path, key) : 0;
}

static int check_settings(const struct checkpoint *c, const struct reading *r, struct err *e)
{
	struct setting s[SETTINGS];
	char hash[20];
	int64_t v;
	if (get_i64(r, "version", &v, e))
		return -1;
	if (v != VERSION)
		return err_data(e, "%s: version %lld is not known", r->path, LL(v));
	settings(c, s);
	for (int i = 0; i < SETTINGS; i++) {
		/* a run from before there was that choice made the usual one */
		if (!json_get(r->v, s[i].key) && !strcmp(s[i].key, "bf16"))
			v = 0;
		else if (get_i64(r, s[i].key, &v, e))
			return -1;
		if (v != s[i].v)
			return err_data(e, "%s: the run it goes on from had other %s", r->path, s[i].what);
	}
	snprintf(hash, sizeof hash, "%016llx", (unsigned long long)hash_data(c->data));
	if (!json_streq(json_get(r->v, "data"), hash))
		return err_data(e, "%s: the run it goes on from had other records", r->path);
	return 0;
}

static int read_log(struct trainlog *l, const struct reading *r, struct err *e)
{
	const struct json *lengths = json_get(r->v, "lengths");
	if (get_f64(r, "loss", &l->loss, e) || get_f64(r, "loss_part", &l->loss_part, e) ||
	    get_count(r, "learned", &l->learned, e) || get_count(r, "learned_part", &l->learned_part, e) ||
	    get_count(r, "skipped_part", &l->skipped_part, e) || get_count(r, "tokens", &l->tokens, e) ||
	    get_count(r, "tokens_part", &l->tokens_part, e) || get_count(r, "records_seen", &l->records, e) ||
	    get_f64(r, "seconds", &l->before, e))
		return -1;
	buf_reset(&l->lengths);
	for (const struct json *v = json_is(lengths, JSON_ARRAY) ? lengths->child : NULL; v; v = v->next)
		if ((l->lengths.n && buf_adds(&l->lengths, ", ")) || json_write(&l->lengths, v))
			return err_mem(e);
	return 0;
}

static int read_run(struct checkpoint *c, const struct reading *r, struct err *e)
{
	struct trainer_mark m;
	struct flow *f = c->flow;
	if (check_settings(c, r, e) || read_log(c->log, r, e))
		return -1;
	if (get_count(r, "best_step", &f->best_step, e) || get_f64(r, "best", &f->best, e) ||
	    get_count(r, "best_saved", &f->best_saved, e) || get_count(r, "waited", &f->waited, e))
		return -1;
	if (get_i64(r, "step", &m.step, e) || get_i64(r, "skipped", &m.skipped, e) || get_i64(r, "epoch", &m.epoch, e) ||
	    get_i64(r, "at", &m.at, e))
		return -1;
	return trainer_seek(c->t, &m, e) ? err_prefix(e, "%s: ", r->path) : 0;
}

static int read_history(struct trainlog *l, const struct reading *r, struct err *e)
{
	const struct json *h = json_get(r->v, "log_history");
	if (!json_is(h, JSON_ARRAY))
		return err_data(e, "%s: \"log_history\" is missing or no array", r->path);
	buf_reset(&l->history);
	for (const struct json *v = h->child; v; v = v->next)
		if (json_write(&l->history, v) || buf_addc(&l->history, '\n'))
			return err_mem(e);
	return 0;
}

int checkpoint_read(struct checkpoint *c, const char *dir, struct err *e)
{
	struct reading run = {0}, state = {0};
	char *path = join(dir, optim_name);
	int rc = path ? read_json(&run, dir, run_name, e) : err_mem(e);
	if (rc == 0)
		rc = read_run(c, &run, e);
	if (rc == 0)
		rc = read_json(&state, dir, state_name, e) || read_history(c->log, &state, e) ? -1 : 0;
	if (rc == 0)
		rc = there_is_file(path, e) < 0 ? -1 : optim_load(trainer_optim(c->t), path, e);
	end_reading(&run);
	end_reading(&state);
	free(path);
	return rc;
}
