/* vocabfile.h - the form of a tokenizer.json: takes it apart and refuses by name
 * what vocab.c and bpe.c do not do. Used by vocab.c alone. */
#ifndef TEXT_VOCABFILE_H
#define TEXT_VOCABFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "io/json.h"
#include "text/vocab.h"

struct vocabfile {
	const struct json *vocab;  /* an object: token -> id; ids not looked at */
	const struct json *merges; /* an array; elements not looked at */
	const struct json *added;  /* an array of objects with "content" (a string, not empty), "id", "special",
	                            * "normalized", "single_word", "lstrip", "rstrip" */
	struct vocab_rules rules;  /* ids of a template not looked at but for being such */
};

/* f points into the tree made in `a`. ERR_DATA without the file's name. */
int vocabfile_read(struct vocabfile *f, struct arena *a, const char *text, size_t n, struct err *e);

#endif
