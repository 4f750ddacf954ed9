/* dataset.h - token records in memory: what a model trains on.
 *
 *	struct dataset d;
 *	if (dataset_read(&d, in, m.cfg.vocab, &e)) ...     to the end of the input
 *	for (i = 0; i < d.n; i++) use(d.ids + d.start[i], dataset_len(&d, i));
 *	dataset_release(&d);
 *
 * Ragged, without padding: 4 bytes a token and 8 a record; 4 more a token once a
 * label differs from its id. Tokens at either end of a record that its attention
 * mask takes out (padding) are dropped; a model with rotary positions computes
 * the same without them. A record may be empty: it keeps its place.
 *
 * A packed record (io/record.h) stays one record to count and to order, but its
 * pieces go through the model as sequences of their own. */
#ifndef NX_DATASET_H
#define NX_DATASET_H

#include "base/err.h"
#include "io/record.h"
#include "nx/model.h"

#include <stddef.h>
#include <stdint.h>

struct dataset {
	int32_t *ids;    /* start[n] of them, record behind record */
	int32_t *labels; /* the same number; NULL: the labels are the ids */
	size_t *start;   /* n + 1 entries, start[0] = 0 */
	size_t n;
	size_t *piece;   /* npieces of them: places in ids where a piece behind a record's first begins */
	size_t npieces;
	size_t cap_ids, cap_start, cap_piece;
	/* counts */
	size_t scored;  /* tokens in the loss: labels[1:] of each piece that are not -100 */
	size_t silent;  /* records without such a token */
	size_t longest; /* tokens of the longest record */
	size_t longest_piece; /* the same where no record is packed */
	size_t padding; /* tokens dropped, and those of them that had a label */
	size_t padding_labels;
};

/* All of `in`. An id or label that is not below vocab, a field that is missing, a
 * mask with a hole: ERR_DATA with the record's place. No record at all is no error. */
int dataset_read(struct dataset *d, struct record_in *in, int vocab, struct err *e);
/* Adds one record; messages lack its place. */
int dataset_add(struct dataset *d, const struct record *r, int vocab, struct err *e);
void dataset_release(struct dataset *d);

static inline size_t dataset_len(const struct dataset *d, size_t i)
{
	return d->start[i + 1] - d->start[i];
}
/* Record i's labels, as struct batch has them. */
static inline const int32_t *dataset_labels(const struct dataset *d, size_t i)
{
	return (d->labels ? d->labels : d->ids) + d->start[i];
}
/* Tokens of record i that are in the loss. */
size_t dataset_scored(const struct dataset *d, size_t i);

/* Records put together for one pass through the model: copies, grown as needed. */
struct dataset_pack {
	struct batch b;
	int *start;
	int32_t *ids, *labels;
	int cap_seq;
	size_t cap_ids;
};

void dataset_pack_reset(struct dataset_pack *p);
/* Adds record i of d behind those there, each piece as a sequence. All of a pack together: below 2^31 tokens. */
int dataset_pack_add(struct dataset_pack *p, const struct dataset *d, size_t i, struct err *e);
void dataset_pack_release(struct dataset_pack *p);

#endif
