/* config.h - the shape of a GPTNeoXForCausalLM, from HF's config.json.
 *
 *	struct config c;
 *	if (config_load(&c, dir, &e)) ...          DIR/config.json, or a config.json itself
 *	if (config_named(&c, "pythia-70m", &e)) ...
 *
 * Both styles of rotary keys are read (rotary_pct/rotary_emb_base, and
 * rope_parameters {partial_rotary_factor, rope_theta}); the old keys are
 * written. Absent keys have HF's defaults (facts: eos 2, fraction 0.25, theta 10000). */
#ifndef NX_CONFIG_H
#define NX_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_EOS_MAX = 16 };
enum config_act { CONFIG_GELU /* erf */, CONFIG_GELU_NEW /* tanh */, CONFIG_GELU_FAST /* tanh, other form */, CONFIG_RELU };

struct config {
	int vocab;      /* rows of the embeddings, V */
	int hidden;     /* C */
	int layers;     /* L */
	int heads;      /* H */
	int head_dim;   /* hidden / heads */
	int ffn;        /* intermediate_size, F */
	int max_pos;    /* max_position_embeddings */
	int rotary_dims; /* int(head_dim * rotary_pct), always even */
	double rotary_pct, rope_theta;
	double ln_eps, init_range;
	bool parallel;  /* use_parallel_residual */
	bool tied;      /* tie_word_embeddings */
	bool attn_bias; /* attention_bias: query_key_value and dense have biases */
	enum config_act act;
	int bos;        /* a token id; -1: none */
	int eos[CONFIG_EOS_MAX], neos; /* token ids, each of which ends a text; mostly there is one */
};

/* "-" is a config.json on stdin. */
int config_load(struct config *c, const char *path, struct err *e);
/* pythia-14m, 31m, 70m, 160m, 410m, 1b, 1.4b, 2.8b, 6.9b, 12b */
int config_named(struct config *c, const char *name, struct err *e);
const char *config_names(void); /* "pythia-14m|pythia-31m|..." for messages and help */
/* Sets head_dim and rotary_dims from the other fields; ERR_USAGE where these do not go together. */
int config_derive(struct config *c, struct err *e);
/* "gelu" and the like into c->act; ERR_USAGE. */
int config_set_act(struct config *c, const char *name, struct err *e);
const char *config_act_name(const struct config *c);
/* config.json and generation_config.json into dir (each atomically). dtype: "float32", "bfloat16", "float16". */
int config_save(const struct config *c, const char *dir, const char *dtype, struct err *e);

#endif
