#include "nx/genconfig.h"
#include "base/arena.h"
#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/there.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void genconfig_defaults(const struct config *c, struct generate_rules *r, struct beam_rules *b)
{
	_Static_assert((int)CONFIG_EOS_MAX <= (int)GENERATE_EOS_MAX, "all of a config's find room");
	r->neos = c->neos;
	for (int i = 0; i < c->neos; i++)
		r->eos[i] = c->eos[i];
	r->sample = (struct sample_rules)SAMPLE_GREEDY;
	r->sample.top_k = 50;
	*b = (struct beam_rules){.beams = 1, .length_penalty = 1};
}

static int add_eos(struct generate_rules *r, const struct json *v, struct err *e)
{
	int64_t id;
	if (json_i64(v, &id) || id < 0 || id > INT32_MAX)
		return err_data(e, "\"eos_token_id\" is no token id or list of them");
	if (r->neos == GENERATE_EOS_MAX)
		return err_data(e, "more than %d ids of \"eos_token_id\"", GENERATE_EOS_MAX);
	r->eos[r->neos++] = (int32_t)id;
	return 0;
}

static int read_eos(struct generate_rules *r, const struct json *v, struct err *e)
{
	r->neos = 0;
	if (!v || v->type == JSON_NULL)
		return 0;
	if (!json_is(v, JSON_ARRAY))
		return add_eos(r, v, e);
	for (const struct json *c = v->child; c; c = c->next)
		if (add_eos(r, c, e))
			return -1;
	return 0;
}

/* The wish `name`, NULL if there is none. */
static const struct json *wish(const struct json *v, const char *name)
{
	const struct json *w = json_get(v, name);
	return w && w->type != JSON_NULL ? w : NULL;
}

static int read_numbers(const struct json *v, struct generate_rules *r, struct beam_rules *b, struct err *e)
{
	struct sample_rules *s = &r->sample;
	const struct {
		const char *name;
		double *to, lo, hi;
	} all[] = {{"temperature", &s->temperature, SAMPLE_COLDEST, 1e9}, {"top_p", &s->top_p, 0, 1},
	           {"min_p", &s->min_p, 0, 1}, {"typical_p", &s->typical_p, 1e-9, 1},
	           {"repetition_penalty", &s->penalty.repetition, 1e-9, 1e9},
	           {"length_penalty", &b->length_penalty, -1e9, 1e9}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const struct json *w = wish(v, all[i].name);
		double x;
		if (w && (json_f64(w, &x) || !(x >= all[i].lo && x <= all[i].hi)))
			return err_data(e, "\"%s\" is no number from %g to %g", all[i].name, all[i].lo, all[i].hi);
		if (w)
			*all[i].to = x;
	}
	return 0;
}

static int read_counts(const struct json *v, struct generate_rules *r, struct beam_rules *b, struct err *e)
{
	int64_t beams = b->beams;
	const struct {
		const char *name;
		int64_t *to, lo, hi;
	} all[] = {{"max_length", &r->max_length, 1, 1000000000}, {"max_new_tokens", &r->max_new, 1, 1000000000},
	           {"min_new_tokens", &r->min_new, 0, 1000000000}, {"top_k", &r->sample.top_k, 0, INT32_MAX},
	           {"no_repeat_ngram_size", &r->sample.penalty.ngram, 0, 1000000000}, {"num_beams", &beams, 1, BEAM_MAX}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const struct json *w = wish(v, all[i].name);
		int64_t x;
		if (w && (json_i64(w, &x) || x < all[i].lo || x > all[i].hi))
			return err_data(e, "\"%s\" is no whole number from %lld to %lld", all[i].name, (long long)all[i].lo,
			                (long long)all[i].hi);
		if (w)
			*all[i].to = x;
	}
	b->beams = (int)beams;
	return 0;
}

static int read_words(const struct json *v, struct generate_rules *r, struct beam_rules *b, struct err *e)
{
	const struct json *sample = wish(v, "do_sample"), *early = wish(v, "early_stopping");
	if (sample && sample->type != JSON_TRUE && sample->type != JSON_FALSE)
		return err_data(e, "\"do_sample\" is neither true nor false");
	if (sample)
		r->sample.random = sample->type == JSON_TRUE;
	if (early && early->type != JSON_TRUE && early->type != JSON_FALSE && !json_streq(early, "never"))
		return err_data(e, "\"early_stopping\" is neither true, false nor \"never\"");
	if (early)
		b->early = early->type == JSON_TRUE ? BEAM_FULL : early->type == JSON_FALSE ? BEAM_HEURISTIC : BEAM_NEVER;
	return 0;
}

/* Appends the wishes that would make HF answer otherwise and are not done here. */
static void list_unheard(const struct json *v, char unheard[GENCONFIG_UNHEARD])
{
	static const struct {
		const char *name;
		double idle; /* the number that wishes nothing; NAN: none does */
	} all[] = {{"min_length", 0}, {"num_return_sequences", 1}, {"stop_strings", NAN}, {"suppress_tokens", NAN},
	           {"begin_suppress_tokens", NAN}, {"bad_words_ids", NAN}, {"force_words_ids", NAN}, {"sequence_bias", NAN},
	           {"forced_bos_token_id", NAN}, {"forced_eos_token_id", NAN}, {"exponential_decay_length_penalty", NAN},
	           {"encoder_repetition_penalty", 1}, {"encoder_no_repeat_ngram_size", 0}, {"num_beam_groups", 1},
	           {"diversity_penalty", 0}, {"epsilon_cutoff", 0}, {"eta_cutoff", 0}, {"top_h", NAN}, {"penalty_alpha", 0},
	           {"guidance_scale", 1}, {"renormalize_logits", NAN}, {"watermarking_config", NAN}, {"token_healing", NAN},
	           {"dola_layers", NAN}, {"max_time", NAN}};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const struct json *w = wish(v, all[i].name);
		double x;
		if (!w || w->type == JSON_FALSE || (w->type == JSON_ARRAY && !w->child) || (json_f64(w, &x) == 0 && x == all[i].idle))
			continue;
		size_t n = strlen(unheard);
		snprintf(unheard + n, GENCONFIG_UNHEARD - n, "%s%s", n ? ", " : "", all[i].name);
	}
}

static int read_file(const char *path, struct generate_rules *r, struct beam_rules *b, char *unheard, struct err *e)
{
	struct buf text = {0};
	struct arena a = {0};
	struct json *v;
	int rc = in_slurp(path, &text, e);
	if (rc == 0 && (json_parse(&a, text.p, text.n, &v, e) || (!json_is(v, JSON_OBJECT) && err_data(e, "no JSON object")) ||
	                read_eos(r, json_get(v, "eos_token_id"), e) || read_numbers(v, r, b, e) || read_counts(v, r, b, e) ||
	                read_words(v, r, b, e)))
		rc = err_prefix(e, "%s: ", path);
	if (rc == 0)
		list_unheard(v, unheard);
	buf_release(&text);
	arena_release(&a);
	return rc;
}

int genconfig_read(const char *dir, struct generate_rules *r, struct beam_rules *b, char unheard[GENCONFIG_UNHEARD],
                   struct err *e)
{
	char *path;
	unheard[0] = '\0';
	if (asprintf(&path, "%s/generation_config.json", dir) < 0)
		return err_mem(e);
	int rc = there_is_file(path, e);
	if (rc > 0)
		rc = read_file(path, r, b, unheard, e);
	free(path);
	return rc;
}
