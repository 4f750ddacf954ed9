#include "nx/wishes.h"
#include "nx/genconfig.h"

static int check(const struct wishes *w, struct err *e)
{
	const struct generate_rules *r = &w->rules;
	if (w->greedy && w->drawn)
		return err_usage(e, "--greedy and options of sampling exclude each other");
	if (w->beams > 1 && r->sample.random)
		return err_usage(e, "--beams and sampling exclude each other (--greedy turns off what the model wishes)");
	if (w->beams > 1 && (w->stops.n || w->top >= 0))
		return err_usage(e, "--beams goes with neither --stop nor --logprobs%s",
		                 w->beams_given ? "" : " (--beams 1 turns off what the model wishes)");
	if (w->beams == 1 && w->beam_given)
		return err_usage(e, "--length-penalty and --early-stopping are for --beams");
	if (w->sequences > 1 && !r->sample.random && w->sequences > w->beams)
		return err_usage(e, "--num-return-sequences needs sampling, or as many --beams");
	if (r->max_new && r->min_new > r->max_new)
		return err_usage(e, "--min-new-tokens is above --max-new-tokens");
	for (int i = 0; i < w->stops.n; i++)
		if (!*w->stops.v[i])
			return err_usage(e, "--stop wants a text that is not empty");
	return 0;
}

/* Options say what the model's wishes would contradict. */
static void outweigh(struct wishes *w)
{
	struct generate_rules *r = &w->rules;
	if (w->length_given && !w->new_given)
		r->max_new = 0;
	if (!w->least_given && r->max_new && r->min_new > r->max_new)
		r->min_new = r->max_new; /* as HF: the limit ends the answer all the same */
	if (!w->beams_given && (w->greedy || w->drawn || w->talk))
		w->beams = 1;
}

int wishes_read(struct wishes *w, const struct config *c, const char *dir, const struct opt_prog *prog, int argc,
                char **argv, struct err *e)
{
	struct generate_rules *r = &w->rules;
	genconfig_defaults(c, r, &w->beam);
	if (!w->bare && genconfig_read(dir, r, &w->beam, w->unheard, e))
		return -1;
	w->beams = w->beam.beams;
	w->early = (int)w->beam.early;
	w->stops.n = 0;
	if (opt_parse(prog, &argc, &argv, e) != OPT_OK)
		return -1;
	outweigh(w);
	w->beam.beams = (int)w->beams;
	w->beam.early = (enum beam_early)w->early;
	r->sample.random = !w->greedy && (r->sample.random || w->drawn) && r->sample.temperature >= SAMPLE_COLDEST;
	if (w->ignore_eos)
		r->neos = 0;
	r->logprobs = w->top >= 0;
	r->top = w->top < 0 ? 0 : w->top < c->vocab ? (int)w->top : c->vocab;
	return check(w, e);
}
