/* kin.h - whether a shard's ids mean to a model what they meant to whoever made them.
 *
 *	switch (kin_check(record_head(in), "model", &e)) {
 *	case KIN_OTHER: die_now("%s: %s; --any-tokenizer takes it all the same", name, e.msg);
 *	case KIN_UNKNOWN: die_warn("%s: %s", name, e.msg);
 *	...
 */
#ifndef TEXT_KIN_H
#define TEXT_KIN_H

#include "base/err.h"
#include "io/shard.h"

enum kin {
	KIN_SAME,    /* or head is NULL: JSON lines name no tokenizer */
	KIN_UNKNOWN, /* the shard or dir names none; e says which */
	KIN_OTHER,   /* another tokenizer than dir/tokenizer.json; e says so */
	KIN_ERROR    /* that file cannot be read */
};

enum kin kin_check(const struct shard_head *head, const char *dir, struct err *e);

#endif
