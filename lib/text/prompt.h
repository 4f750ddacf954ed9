/* prompt.h - what a model is asked, in the form of the texts that it was trained on.
 *
 *	struct prompt p = {0};
 *	if (prompt_open(&p, "qa", &e)) ...                      a preset, or a template's text
 *	if ((rc = prompt_load(&p, "model", &e)) < 0) ...        instead: the one kept beside the model; 0: none
 *	if (prompt_fill(&p, rec, &text, &e)) ...                a record's fields in it
 *	if (prompt_say(&p, line, n, &text, &e)) ...             or one text
 *	if (prompt_encode(&p, tok, &text, &ids, &e)) ...
 *	prompt_release(&p);
 *
 * A template of whole texts, "Q: {question} A: {answer}", is cut before the answer, and its ids are those
 * that the whole text begins with: a blank before the answer belongs to the answer's first token, and two
 * newlines are not the token that they would be at a text's end. (Where the prompt's last character and the
 * answer's first go together into one token there are no such ids: those of the prompt alone are taken.) */
#ifndef TEXT_PROMPT_H
#define TEXT_PROMPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "text/bpe.h"
#include "text/template.h"

#include <stdbool.h>

/* In a model's directory: the template it was trained with. */
#define PROMPT_FILE "prompt_template.txt"

struct prompt {
	struct template *t; /* NULL: there is none, a text stands for itself */
	bool cut;           /* it was one of whole texts */
	struct buf end;     /* what ends an answer: the text behind it, without white space around; may be empty */
	struct arena arena;
};

/* The template is wrong: ERR_USAGE for a name that is no preset or where it has no field to ask, else ERR_DATA. */
int prompt_open(struct prompt *p, const char *given, struct err *e);
/* 1: there is one; 0; -1: it is wrong, the message names the file. */
int prompt_load(struct prompt *p, const char *dir, struct err *e);
/* Both append to text. ERR_DATA: the record lacks a field. */
int prompt_fill(const struct prompt *p, const struct json *rec, struct buf *text, struct err *e);
int prompt_say(struct prompt *p, const char *s, size_t n, struct buf *text, struct err *e);
/* Appends the ids of the prompt that text is; a blank that is the answer's is taken off its end. */
int prompt_encode(const struct prompt *p, struct bpe *tok, struct buf *text, struct bpe_ids *ids, struct err *e);
void prompt_release(struct prompt *p);

#endif
