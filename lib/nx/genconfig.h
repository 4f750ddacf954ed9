/* genconfig.h - generation_config.json: how a model wishes to be asked.
 *
 *	genconfig_defaults(&m.cfg, &rules, &beams);       HF's defaults
 *	if (genconfig_read(dir, &rules, &beams, &e)) ...  what the file says instead
 *
 * Heard are eos_token_id (a number, a list, or null for none), max_length,
 * max_new_tokens, min_new_tokens, do_sample, temperature, top_k, top_p, min_p, typical_p,
 * repetition_penalty, no_repeat_ngram_size, num_beams, length_penalty and
 * early_stopping. null is no wish. */
#ifndef NX_GENCONFIG_H
#define NX_GENCONFIG_H

#include "base/err.h"
#include "nx/beam.h"
#include "nx/config.h"
#include "nx/generate.h"

/* Limits of tokens are left alone; the end of text is the config's. */
void genconfig_defaults(const struct config *c, struct generate_rules *r, struct beam_rules *b);
/* Where there is no such file nothing is changed; one without eos_token_id has none. ERR_DATA
 * names the file and the wish that cannot be. */
int genconfig_read(const char *dir, struct generate_rules *r, struct beam_rules *b, struct err *e);

#endif
