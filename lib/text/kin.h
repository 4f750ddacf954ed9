/* kin.h - whether a shard's ids mean to a model what they meant to whoever made them.
 *
 *	if ((rc = kin_admit(record_head(in), dir, any_tokenizer, name, &e)) < 0)
 *		die_err(&e);
 *	if (rc > 0)
 *		die_warn("%s", e.msg);
 */
#ifndef TEXT_KIN_H
#define TEXT_KIN_H

#include "base/err.h"
#include "io/shard.h"
#include "text/bpe.h"

#include <stdbool.h>

/* Of the shard `name`; head is NULL for JSON lines, which name no tokenizer. 0: its ids are of dir's
 * tokenizer.json, or `any` will do; 1: the shard or dir names no tokenizer, e says which; -1: they are
 * another tokenizer's, or that file cannot be read. */
int kin_admit(const struct shard_head *head, const char *dir, bool any, const char *name, struct err *e);

/* The same for a tokenizer that is loaded; t is NULL where there is none. `whose` names it: "the model's". */
int kin_same(const struct shard_head *head, const struct bpe *t, const char *whose, bool any, const char *name,
             struct err *e);

#endif
