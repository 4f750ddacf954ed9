/* pad.h - token records cut and padded, as HF's tokenizer call does it.
 *
 *	struct pad_rule rule = {.max_length = 512, .truncate = true, .padding = PAD_LONGEST, .pad_id = 0};
 *	if (pad_check(&rule, &e)) ...
 *	each record:     pad_cut(&rule, &rec, &cut, arena, &e);  longest = max(longest, rec.n)
 *	n = pad_length(&rule, longest);
 *	each record:     pad_fill(&rule, &rec, n, arena, &e)
 *
 * In HF's words: truncate and max_length are truncation and max_length; PAD_NONE,
 * PAD_LONGEST, PAD_MAX are padding=False, True (or "longest") and "max_length";
 * multiple is pad_to_multiple_of. max_length without truncate counts only for
 * PAD_MAX, which never cuts. Padding is the pad id with attention 0 and label
 * RECORD_IGNORE, by position: a token of the text that has the pad id keeps both. */
#ifndef TEXT_PAD_H
#define TEXT_PAD_H

#include "base/arena.h"
#include "base/err.h"
#include "io/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pad_mode { PAD_LONGEST, PAD_MAX, PAD_NONE };

struct pad_rule {
	int64_t max_length; /* -1: none given */
	bool truncate;
	bool cut_left, pad_left; /* tokens go, or padding stands, at the start */
	enum pad_mode padding;
	int64_t stride;  /* tokens that windows share; looked at by pad_window only */
	int64_t multiple; /* lengths are padded up to a multiple of it; 0: no */
	int32_t pad_id;
};

/* ERR_USAGE where the rule contradicts itself. */
int pad_check(const struct pad_rule *rule, struct err *e);
/* Cuts r to max_length by moving its pointers and count, tells the number of tokens cut.
 * Only its list of pieces needs memory of `a`. */
int pad_cut(const struct pad_rule *rule, struct record *r, size_t *cut, struct arena *a, struct err *e);
/* Window k, from 0, of a record of n tokens cut into windows of max_length tokens of which
 * neighbours share `stride`, as HF's stride and return_overflowing_tokens: from the end
 * that is kept to the other, the last window being what is left. false: there are k. */
bool pad_window(const struct pad_rule *rule, size_t n, size_t k, size_t *from, size_t *to);
/* Leaves of r the tokens from <= i < to, likewise. */
int pad_slice(struct record *r, size_t from, size_t to, struct arena *a, struct err *e);
/* The length records are padded to, the longest (cut) one having `longest` tokens; 0: no padding. */
size_t pad_length(const struct pad_rule *rule, size_t longest);
/* Pads r to n tokens, its arrays then being in `a`; a longer one stays. */
int pad_fill(const struct pad_rule *rule, struct record *r, size_t n, struct arena *a, struct err *e);

#endif
