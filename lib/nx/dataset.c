#include "nx/dataset.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- reading --------------------------------------------------------------------- */

/* Room for n tokens and one record more; `labels` as well where there are any. */
static int room(struct dataset *d, size_t n, bool labels, struct err *e)
{
	size_t have = d->start ? d->start[d->n] : 0;
	if (!d->start || d->n + 2 > d->cap_start) {
		size_t cap = d->cap_start + d->cap_start / 2 + 64;
		size_t *start = realloc(d->start, cap * sizeof *start);
		if (!start)
			return err_mem(e);
		if (!d->start)
			start[0] = 0;
		d->start = start;
		d->cap_start = cap;
	}
	if (have + n > d->cap_ids || !d->ids || (labels && !d->labels)) {
		size_t cap = have + n > d->cap_ids ? have + n + d->cap_ids / 2 + 1024 : d->cap_ids;
		int32_t *ids = realloc(d->ids, cap * sizeof *ids);
		if (ids)
			d->ids = ids;
		bool fresh = labels && !d->labels;
		int32_t *lab = fresh || d->labels ? realloc(d->labels, cap * sizeof *lab) : NULL;
		if (lab)
			d->labels = lab;
		if (!ids || (!lab && (fresh || d->labels)))
			return err_mem(e);
		if (fresh && have)
			memcpy(lab, ids, have * sizeof *ids);
		d->cap_ids = cap;
	}
	return 0;
}

static int check(const struct record *r, int vocab, struct err *e)
{
	if (!r->has_ids)
		return err_data(e, "field \"input_ids\" is missing");
	for (size_t i = 0; i < r->n; i++) {
		if (r->ids[i] < 0 || r->ids[i] >= vocab)
			return err_data(e, "token %zu has the id %d, the model's vocabulary has %d", i + 1, r->ids[i], vocab);
		if (r->labels[i] != RECORD_IGNORE && (r->labels[i] < 0 || r->labels[i] >= vocab))
			return err_data(e, "token %zu has the label %d, which is neither -100 nor in the model's vocabulary of %d",
			                i + 1, r->labels[i], vocab);
	}
	return 0;
}

/* The tokens from <= i < to that are no padding. */
static int trim(const struct record *r, size_t *from, size_t *to, struct err *e)
{
	size_t a = 0, b = r->n;
	while (a < b && !r->attn[a])
		a++;
	while (b > a && !r->attn[b - 1])
		b--;
	for (size_t i = a; i < b; i++)
		if (!r->attn[i])
			return err_data(e, "\"attention_mask\" takes out token %zu between others: only padding at the ends can be", i + 1);
	*from = a;
	*to = b;
	return 0;
}

/* Takes down where the pieces of record d->n begin, of those of r within [from, to). */
static int add_pieces(struct dataset *d, const struct record *r, size_t from, size_t to, struct err *e)
{
	if (d->npieces + r->nstarts > d->cap_piece) {
		size_t cap = (d->npieces + r->nstarts) * 3 / 2 + 64, *piece = realloc(d->piece, cap * sizeof *piece);
		if (!piece)
			return err_mem(e);
		d->piece = piece;
		d->cap_piece = cap;
	}
	for (size_t i = 0; i < r->nstarts; i++)
		if (r->starts[i] > from && r->starts[i] < to)
			d->piece[d->npieces++] = d->start[d->n] + r->starts[i] - from;
	return 0;
}

/* The first of d's pieces that begins behind token `at`. */
static size_t piece_behind(const struct dataset *d, size_t at)
{
	size_t lo = 0, hi = d->npieces;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (d->piece[mid] > at)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Where the piece that begins at token `at` of record i ends, k being the piece behind it. */
static size_t piece_end(const struct dataset *d, size_t i, size_t k)
{
	return k < d->npieces && d->piece[k] < d->start[i + 1] ? d->piece[k] : d->start[i + 1];
}

static void count(struct dataset *d, const struct record *r, size_t from, size_t to)
{
	for (size_t i = 0; i < r->n; i++)
		d->padding_labels += (i < from || i >= to) && r->labels[i] != RECORD_IGNORE;
	d->padding += r->n - (to - from);
	size_t scored = dataset_scored(d, d->n - 1);
	d->scored += scored;
	d->silent += scored == 0;
	if (to - from > d->longest)
		d->longest = to - from;
	size_t end = d->start[d->n - 1];
	for (size_t k = piece_behind(d, end); end < d->start[d->n]; k++) {
		size_t begin = end;
		end = piece_end(d, d->n - 1, k);
		if (end - begin > d->longest_piece)
			d->longest_piece = end - begin;
	}
}

int dataset_add(struct dataset *d, const struct record *r, int vocab, struct err *e)
{
	size_t from = 0, to = 0;
	if (check(r, vocab, e) || trim(r, &from, &to, e))
		return -1;
	size_t n = to - from, bytes = n * sizeof *d->ids;
	bool differ = n && memcmp(r->ids + from, r->labels + from, bytes) != 0;
	if (d->n >= UINT32_MAX - 1)
		return err_data(e, "more than 2^32 records");
	if (room(d, n, differ || d->labels, e) || add_pieces(d, r, from, to, e))
		return -1;
	if (n) {
		memcpy(d->ids + d->start[d->n], r->ids + from, bytes);
		if (d->labels)
			memcpy(d->labels + d->start[d->n], r->labels + from, bytes);
	}
	d->start[d->n + 1] = d->start[d->n] + n;
	d->n++;
	count(d, r, from, to);
	return 0;
}

/* Gives back what the arrays have grown beyond their need. */
static void shrink(struct dataset *d)
{
	size_t n = d->start ? d->start[d->n] : 0;
	if (!n)
		return;
	int32_t *ids = realloc(d->ids, n * sizeof *ids);
	if (ids)
		d->ids = ids;
	int32_t *labels = d->labels ? realloc(d->labels, n * sizeof *labels) : NULL;
	if (labels)
		d->labels = labels;
	d->cap_ids = n;
}

int dataset_read(struct dataset *d, struct record_in *in, int vocab, struct err *e)
{
	struct record r;
	int rc;
	*d = (struct dataset){0};
	while ((rc = record_next(in, &r, e)) == 1)
		if (dataset_add(d, &r, vocab, e)) {
			rc = record_at(in, e);
			break;
		}
	if (rc)
		dataset_release(d);
	else
		shrink(d);
	return rc;
}

void dataset_release(struct dataset *d)
{
	free(d->ids);
	free(d->labels);
	free(d->start);
	free(d->piece);
	*d = (struct dataset){0};
}

size_t dataset_scored(const struct dataset *d, size_t i)
{
	size_t n = 0, end = d->start[i];
	const int32_t *l = d->labels ? d->labels : d->ids;
	for (size_t k = piece_behind(d, end); end < d->start[i + 1]; k++) {
		size_t begin = end;
		end = piece_end(d, i, k);
		for (size_t at = begin + 1; at < end; at++)
			n += l[at] != RECORD_IGNORE;
	}
	return n;
}

/* --- packs ------------------------------------------------------------------------- */

void dataset_pack_reset(struct dataset_pack *p)
{
	p->b = (struct batch){.nseq = 0, .start = p->start, .ids = p->ids, .labels = p->labels};
}

static int pack_room(struct dataset_pack *p, size_t n, struct err *e)
{
	if (p->b.nseq + 2 > p->cap_seq) {
		int cap = p->cap_seq * 2 + 16;
		int *start = realloc(p->start, (size_t)cap * sizeof *start);
		if (!start)
			return err_mem(e);
		start[0] = 0;
		p->start = start;
		p->cap_seq = cap;
	}
	size_t have = (size_t)p->start[p->b.nseq];
	if (have + n > p->cap_ids || !p->ids) {
		size_t cap = have + n + p->cap_ids / 2 + 256;
		int32_t *ids = realloc(p->ids, cap * sizeof *ids);
		if (ids)
			p->ids = ids;
		int32_t *labels = realloc(p->labels, cap * sizeof *labels);
		if (labels)
			p->labels = labels;
		if (!ids || !labels)
			return err_mem(e);
		p->cap_ids = cap;
	}
	return 0;
}

/* Tokens from <= at < to of d as one sequence more. */
static int pack_piece(struct dataset_pack *p, const struct dataset *d, size_t from, size_t to, struct err *e)
{
	size_t n = to - from;
	if (pack_room(p, n, e))
		return -1;
	int at = p->start[p->b.nseq];
	if (n) {
		memcpy(p->ids + at, d->ids + from, n * sizeof *p->ids);
		memcpy(p->labels + at, (d->labels ? d->labels : d->ids) + from, n * sizeof *p->labels);
	}
	int nseq = p->b.nseq + 1;
	p->start[nseq] = at + (int)n;
	p->b = (struct batch){.nseq = nseq, .start = p->start, .ids = p->ids, .labels = p->labels};
	return 0;
}

int dataset_pack_add(struct dataset_pack *p, const struct dataset *d, size_t i, struct err *e)
{
	size_t end = d->start[i], k = piece_behind(d, end);
	if (dataset_len(d, i) > (size_t)(INT_MAX - (p->b.nseq ? p->start[p->b.nseq] : 0)))
		return err_data(e, "record %zu makes more than 2^31 tokens in one pass", i + 1);
	do { /* a record of no tokens is a sequence, too */
		size_t begin = end;
		end = piece_end(d, i, k++);
		if (pack_piece(p, d, begin, end, e))
			return -1;
	} while (end < d->start[i + 1]);
	return 0;
}

void dataset_pack_release(struct dataset_pack *p)
{
	free(p->start);
	free(p->ids);
	free(p->labels);
	*p = (struct dataset_pack){0};
}
