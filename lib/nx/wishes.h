/* wishes.h - how a model is asked to answer: what options say, what its generation_config.json says
 * where they do not, and what of it excludes each other.
 *
 *	static struct wishes w = WISHES_DEFAULTS;
 *	static const struct opt opts[] = {..., WISHES_OPTIONS(w), ...};
 *	...the options are read a first time...
 *	if (wishes_read(&w, &m.cfg, dir, &prog, argc, argv, &e)) ...      a second time, over the file's
 *	w.rules, w.beam
 *
 * The arguments are those that main() got: opt_parse moves operands to the front, so a copy. */
#ifndef NX_WISHES_H
#define NX_WISHES_H

#include "base/err.h"
#include "base/opt.h"
#include "nx/beam.h"
#include "nx/config.h"
#include "nx/genconfig.h"
#include "nx/generate.h"

#include <stdbool.h>
#include <stdint.h>

struct wishes {
	struct generate_rules rules; /* text and stop strings are the caller's to put in */
	struct beam_rules beam;
	struct opt_list stops;
	int64_t beams, sequences;
	int64_t top; /* log-probabilities beside the token's own; -1: none at all */
	int64_t max_input;
	int side; /* 0: a longer prompt loses its beginning, 1: its end */
	int early;
	bool talk; /* an answer appears as it is made: no search, unless an option asks for it */
	bool do_sample, greedy, drawn, bare, ignore_eos, new_given, least_given, length_given, beams_given, beam_given;
	char unheard[GENCONFIG_UNHEARD]; /* what of generation_config.json is not done */
};

#define WISHES_DEFAULTS \
	{.rules = {.max_length = 100}, .beams = 1, .sequences = 1, .top = -1, .max_input = 1000}

#define WISHES_OPTIONS(w) \
	{0, "max-new-tokens", OPT_I64, &(w).rules.max_new, "N", "answer with at most N tokens", 1, 1e9, &(w).new_given}, \
	{0, "max-length", OPT_I64, &(w).rules.max_length, "N", "prompt and answer have at most N tokens together (default 100)", 1, 1e9, &(w).length_given}, \
	{0, "max-input-tokens", OPT_I64, &(w).max_input, "N", "keep N tokens of a longer prompt (default 1000)", 1, 1e9, NULL}, \
	{0, "truncation-side", OPT_WORD, &(w).side, "left|right", "where a longer prompt is cut (default left)", 0, 0, NULL}, \
	{0, "min-new-tokens", OPT_I64, &(w).rules.min_new, "N", "no end of text among the first N tokens", 0, 1e9, &(w).least_given}, \
	{0, "stop", OPT_LIST, &(w).stops, "TEXT", "end the answer before TEXT; may be given again", 0, 0, NULL}, \
	{0, "ignore-eos", OPT_FLAG, &(w).ignore_eos, NULL, "go on past the end of text", 0, 0, NULL}, \
	{0, "no-generation-config", OPT_FLAG, &(w).bare, NULL, "do not read generation_config.json", 0, 0, NULL}, \
	{0, "do-sample", OPT_FLAG, &(w).do_sample, NULL, "draw each token at random; so do the next six", 0, 0, &(w).drawn}, \
	{0, "temperature", OPT_F64, &(w).rules.sample.temperature, "X", "divide logits by X (default 1; 0: greedy)", 0, 1e9, &(w).drawn}, \
	{0, "top-k", OPT_I64, &(w).rules.sample.top_k, "N", "of the N likeliest tokens (default 50; 0: all)", 0, INT32_MAX, &(w).drawn}, \
	{0, "top-p", OPT_F64, &(w).rules.sample.top_p, "P", "of the likeliest that have the probability P together", 0, 1, &(w).drawn}, \
	{0, "min-p", OPT_F64, &(w).rules.sample.min_p, "P", "of those at least P times as likely as the likeliest", 0, 1, &(w).drawn}, \
	{0, "typical-p", OPT_F64, &(w).rules.sample.typical_p, "P", "of the most typical that have the probability P", 1e-9, 1, &(w).drawn}, \
	{0, "seed", OPT_U64, &(w).rules.seed, "N", "of the random numbers (default 0)", 0, 0, &(w).drawn}, \
	{0, "greedy", OPT_FLAG, &(w).greedy, NULL, "always the likeliest token, whatever the model's wish", 0, 0, NULL}, \
	{0, "repetition-penalty", OPT_F64, &(w).rules.sample.penalty.repetition, "X", "make tokens that occurred less likely by X (default 1)", 1e-9, 1e9, NULL}, \
	{0, "presence-penalty", OPT_F64, &(w).rules.sample.penalty.presence, "X", "take X off the logits of tokens answered already", -1e9, 1e9, NULL}, \
	{0, "frequency-penalty", OPT_F64, &(w).rules.sample.penalty.frequency, "X", "the same, each time they were answered", -1e9, 1e9, NULL}, \
	{0, "no-repeat-ngram-size", OPT_I64, &(w).rules.sample.penalty.ngram, "N", "let no N tokens in a row come twice", 0, 1e9, NULL}, \
	{'n', "num-return-sequences", OPT_I64, &(w).sequences, "N", "answer N times; drawn, or of --beams", 1, 1e6, NULL}, \
	{0, "beams", OPT_I64, &(w).beams, "N", "search with N beams", 1, BEAM_MAX, &(w).beams_given}, \
	{0, "length-penalty", OPT_F64, &(w).beam.length_penalty, "X", "of beams: prefer longer answers (default 1)", -1e9, 1e9, &(w).beam_given}, \
	{0, "early-stopping", OPT_WORD, &(w).early, "false|true|never", "when a search ends, as HF has it (default false)", 0, 0, &(w).beam_given}, \
	{0, "logprobs", OPT_I64, &(w).top, "N", "put each token's log-probability, and the N best, into records", 0, GENERATE_TOP_MAX, NULL}

/* ERR_USAGE: options contradict each other; ERR_DATA: the file is wrong. */
int wishes_read(struct wishes *w, const struct config *c, const char *dir, const struct opt_prog *prog, int argc,
                char **argv, struct err *e);

#endif
