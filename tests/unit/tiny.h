/* tiny.h - tiny models whose weights come from a formula, so that C and
 * PyTorch (tests/reference/tinyweights.py, the same formulas) build the same ones.
 *
 *	struct model m;
 *	tiny_model(&m, 'A');               'A' parallel residual, untied, rotary 0.25
 *	struct batch b = tiny_batch(&m.cfg);  'B' sequential, rotary 1.0, theta 500
 *	model_release(&m);                 'C' tied head, rotary 0.5, gelu_new, no attention biases
 *	tiny_dir("dir", 'A');              writes the model as a directory
 *
 * and two that are C's alone: 'D' is 'A' with heads as large as a panel of weights, 'E' is 'A' with 3000 words.
 *
 * Element j of the tensor called name is base + amp * u(fnv1a32(name), j), rounded
 * to float; u is an integer hash scaled to [-1, 1). LayerNorm weights: 1 + 0.25 u;
 * embeddings: u (tied:
 * 0.25 u); the head: 0.5 u; everything else: 0.25 u. */
#ifndef TINY_H
#define TINY_H

#include "nx/config.h"
#include "nx/model.h"
#include "nx/params.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TINY_NSEQ = 5, TINY_ROWS = 9 + 1 + 17 + 4 + 12 };

static inline double tiny_u(uint32_t h, uint32_t j)
{
	uint32_t x = h + j * UINT32_C(0x9E3779B9);
	x = (x ^ x >> 16) * UINT32_C(0x85EBCA6B);
	x = (x ^ x >> 13) * UINT32_C(0xC2B2AE35);
	x ^= x >> 16;
	return (double)(x >> 8) / 8388608 - 1;
}

static inline uint32_t tiny_name(const char *s)
{
	uint32_t h = UINT32_C(2166136261);
	while (*s)
		h = (h ^ (unsigned char)*s++) * UINT32_C(16777619);
	return h;
}

static inline struct config tiny_config(char which)
{
	struct config c = {.vocab = 97, .hidden = 32, .layers = 2, .heads = 2, .head_dim = 16, .ffn = 48, .max_pos = 64,
	                   .rotary_dims = 4, .rotary_pct = 0.25, .rope_theta = 10000, .ln_eps = 1e-5, .init_range = 0.02,
	                   .parallel = true, .attn_bias = true, .act = CONFIG_GELU, .bos = 0, .eos = {0}, .neos = 1};
	if (which == 'B') {
		c.hidden = 36, c.heads = 3, c.head_dim = 12, c.ffn = 80;
		c.rotary_dims = 12, c.rotary_pct = 1, c.rope_theta = 500;
		c.parallel = false;
	} else if (which == 'C') {
		c.hidden = 40, c.heads = 5, c.head_dim = 8, c.ffn = 64;
		c.rotary_dims = 4, c.rotary_pct = 0.5;
		c.tied = true, c.attn_bias = false, c.act = CONFIG_GELU_NEW;
	} else if (which == 'D') {
		c.hidden = 64, c.head_dim = 32;
	} else if (which == 'E') {
		c.vocab = 3000;
	}
	return c;
}

static inline void tiny_fill(struct model *m)
{
	for (int i = 0; i < m->lay.n; i++) {
		const struct param *t = &m->lay.t[i];
		uint32_t h = tiny_name(t->name);
		double base = t->init == PARAMS_ONE, amp = 0.25;
		if (!strcmp(t->name, "gpt_neox.embed_in.weight"))
			amp = m->cfg.tied ? 0.25 : 1;
		else if (!strcmp(t->name, "embed_out.weight"))
			amp = 0.5;
		for (size_t j = 0; j < t->n; j++)
			m->w[t->off + j] = (float)(base + amp * tiny_u(h, (uint32_t)j));
	}
}

/* Ends the test program when memory runs out. */
static inline void tiny_model(struct model *m, char which)
{
	struct config c = tiny_config(which);
	struct err e;
	if (model_init(m, &c, 1, &e)) {
		printf("Bail out! %s\n", e.msg);
		exit(1);
	}
	tiny_fill(m);
}

/* 0, or -1 with the reason printed. dir is made if it is not there. */
static inline int tiny_dir(const char *dir, char which)
{
	struct model m;
	struct err e;
	mkdir(dir, 0777);
	tiny_model(&m, which);
	int rc = model_save(&m, dir, &e);
	if (rc)
		printf("# %s\n", e.msg);
	model_release(&m);
	return rc;
}

/* Five sequences of 9, 1, 17, 4 and 12 tokens. Labels are the ids, except that every
 * position i of a sequence s with (i + s) % 4 == 3 is not in the loss, and sequence 3 is not at all. */
static inline struct batch tiny_batch(const struct config *c)
{
	static const int start[TINY_NSEQ + 1] = {0, 9, 10, 27, 31, 43};
	static int32_t ids[TINY_ROWS], labels[TINY_ROWS];
	for (int s = 0; s < TINY_NSEQ; s++)
		for (int i = start[s]; i < start[s + 1]; i++) {
			int at = i - start[s];
			ids[i] = (int32_t)((tiny_u(tiny_name("ids"), (uint32_t)i) + 1) / 2 * c->vocab);
			labels[i] = s == 3 || (at + s) % 4 == 3 ? -100 : ids[i];
		}
	return (struct batch){.nseq = TINY_NSEQ, .start = start, .ids = ids, .labels = labels};
}

#endif
