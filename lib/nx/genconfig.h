/* genconfig.h - generation_config.json: how a model wishes to be asked.
 *
 *	genconfig_defaults(&m.cfg, &rules, &beams);                HF's defaults
 *	char unheard[GENCONFIG_UNHEARD];
 *	if (genconfig_read(dir, &rules, &beams, unheard, &e)) ...  what the file says instead
 *	if (*unheard) ...its other wishes are not done...
 *
 * Heard are eos_token_id (a number, a list, or null for none), max_length,
 * max_new_tokens, min_new_tokens, do_sample, temperature, top_k, top_p, min_p, typical_p,
 * repetition_penalty, no_repeat_ngram_size, num_beams, length_penalty and
 * early_stopping. null is no wish. Other wishes that make HF answer otherwise are listed. */
#ifndef NX_GENCONFIG_H
#define NX_GENCONFIG_H

#include "base/err.h"
#include "nx/beam.h"
#include "nx/config.h"
#include "nx/generate.h"

enum { GENCONFIG_UNHEARD = 600 }; /* bytes: the names of all */

/* Limits of tokens are left alone; the end of text is the config's. */
void genconfig_defaults(const struct config *c, struct generate_rules *r, struct beam_rules *b);
/* Where there is no such file nothing is changed; one without eos_token_id has none. unheard: "min_length,
 * stop_strings"; "": all were heard. ERR_DATA names the file and the wish that cannot be. */
int genconfig_read(const char *dir, struct generate_rules *r, struct beam_rules *b, char unheard[GENCONFIG_UNHEARD],
                   struct err *e);

#endif
