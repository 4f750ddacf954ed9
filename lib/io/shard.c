#include "io/shard.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* The format is described in nx-shard(5); every number is little-endian.
 *
 * header, 64 bytes
 *	 0  8  magic
 *	 8  2  version: 2; 1 differs in the trailer's hash alone, and is read, too
 *	10  2  byte order mark 0xFEFF
 *	12  1  bytes an id: 2 or 4
 *	13  3  zero
 *	16  4  vocabulary size      20  4  eos id    24  4  padding id
 *	28  4  zero
 *	32  8  fingerprint
 *	40 16  zero
 *	56  8  hash of the 56 bytes before
 * record
 *	 4  number of tokens n (28 bits), HAS_ATTN, HAS_KEEP, HAS_STARTS
 *	 n ids, zero padded to 4 bytes
 *	 (HAS_ATTN) ceil(n/32) words, bit i%32 of word i/32 is token i
 *	 (HAS_KEEP) the same
 *	 (HAS_STARTS) 4 their number k, then k words: where the pieces behind the first begin
 * trailer
 *	 4  0xFFFFFFFF
 *	 8  records   8  tokens   8  hash of all bytes between header and trailer:
 *	    in four lanes; version 1: in one
 *	 4  "NXSE"
 */
enum { HEADER = 64, TRAILER = 28, VERSION = 2, ONE_LANE = 1, BOM = 0xFEFF };
static const uint32_t HAS_ATTN = UINT32_C(1) << 28, HAS_KEEP = UINT32_C(1) << 29, HAS_STARTS = UINT32_C(1) << 30;
static const uint32_t LENGTH = (UINT32_C(1) << 28) - 1;
static const uint32_t THE_END = UINT32_MAX;
static const char END_MAGIC[4] = {'N', 'X', 'S', 'E'};

struct shard_writer {
	struct out *out;
	struct shard_head head;
	uint64_t records, tokens;
	struct hash_lanes hash;
	struct buf b;
};

struct shard_reader {
	struct in *in;
	struct shard_head head; /* of the first shard */
	int width;              /* of the present one */
	uint64_t records, tokens; /* of the present one */
	bool one_lane;            /* it is of version 1: its hash is `one` */
	uint64_t one;
	struct hash_lanes hash;
	uint64_t count;         /* records of all */
	struct buf raw;
	int32_t *ids;
	uint8_t *attn, *keep;
	size_t cap;
	uint32_t *starts;
	size_t cap_starts;
};

static void put16(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static void put64(unsigned char *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get16(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static size_t words(size_t n)
{
	return (n + 31) / 32;
}

static size_t id_bytes(size_t n, int width)
{
	return (n * (size_t)width + 3) & ~(size_t)3;
}

/* --- writing ------------------------------------------------------------------ */

static int width_of(const struct shard_head *h)
{
	return h->vocab <= 65536 ? 2 : 4;
}

int shard_begin(struct out *out, const struct shard_head *h, struct shard_writer **wp, struct err *e)
{
	unsigned char b[HEADER] = {0};
	struct shard_writer *w = calloc(1, sizeof *w);
	if (!w)
		return err_mem(e);
	w->out = out;
	w->head = *h;
	hash_lanes_begin(&w->hash);
	memcpy(b, SHARD_MAGIC, SHARD_MAGIC_LEN);
	put16(b + 8, VERSION);
	put16(b + 10, BOM);
	b[12] = (unsigned char)width_of(h);
	put32(b + 16, h->vocab);
	put32(b + 20, h->eos);
	put32(b + 24, h->pad);
	put64(b + 32, h->fingerprint);
	put64(b + 56, hash_words(HASH_SEED, b, 56));
	if (out_write(out, b, sizeof b, e)) {
		shard_drop(w);
		return -1;
	}
	*wp = w;
	return 0;
}

static int all_set(const uint8_t *flag, size_t n)
{
	return !flag || !memchr(flag, 0, n);
}

static void pack_bits(unsigned char *p, const uint8_t *flag, size_t n)
{
	memset(p, 0, words(n) * 4);
	for (size_t i = 0; i < n; i++)
		if (flag[i])
			p[i / 8] |= (unsigned char)(1u << i % 8);
}

/* Each piece begins behind the one before, and within the n tokens. */
static bool in_order(const uint32_t *starts, size_t k, size_t n)
{
	for (size_t i = 0; i < k; i++)
		if (starts[i] >= n || starts[i] <= (i ? starts[i - 1] : 0))
			return false;
	return true;
}

static void pack_starts(unsigned char *p, const struct shard_rec *r)
{
	put32(p, (uint32_t)r->nstarts);
	for (size_t i = 0; i < r->nstarts; i++)
		put32(p + 4 + 4 * i, r->starts[i]);
}

/* Any of them outside the vocabulary, or -1: the first such. */
static ptrdiff_t outside(const int32_t *ids, size_t n, uint32_t vocab)
{
	unsigned bad = 0;
#pragma omp simd reduction(| : bad)
	for (size_t i = 0; i < n; i++)
		bad |= (uint32_t)ids[i] >= vocab;
	for (size_t i = 0; bad && i < n; i++)
		if ((uint32_t)ids[i] >= vocab)
			return (ptrdiff_t)i;
	return -1;
}

static inline void pack_ids(unsigned char *p, const int32_t *ids, size_t n, int width)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	if (width == 2) {
		uint16_t *narrow = (uint16_t *)(void *)p; /* records begin at multiples of 4 */
#pragma omp simd
		for (size_t i = 0; i < n; i++)
			narrow[i] = (uint16_t)ids[i];
		return;
	}
#endif
	for (size_t i = 0; i < n; i++)
		if (width == 2)
			put16(p + 2 * i, (uint32_t)ids[i]);
		else
			put32(p + 4 * i, (uint32_t)ids[i]);
}

int shard_pack(const struct shard_head *h, const struct shard_rec *r, struct buf *b, struct err *e)
{
	ptrdiff_t bad;
	if (r->n > SHARD_MAX_TOKENS)
		return err_data(e, "%zu tokens are more than a shard's record holds (%d)", r->n, SHARD_MAX_TOKENS);
	if (!in_order(r->starts, r->nstarts, r->n))
		return err_data(e, "the record's pieces do not begin one behind the other");
	if ((bad = outside(r->ids, r->n, h->vocab)) >= 0)
		return err_data(e, "id %d is outside the vocabulary of %u", r->ids[bad], h->vocab);
	bool attn = !all_set(r->attn, r->n), keep = !all_set(r->keep, r->n);
	size_t idn = id_bytes(r->n, width_of(h)), masks = ((size_t)attn + keep) * words(r->n) * 4;
	size_t size = 4 + idn + masks + (r->nstarts ? 4 + 4 * r->nstarts : 0);
	if (buf_reserve(b, size))
		return err_mem(e);
	unsigned char *p = (unsigned char *)b->p + b->n;
	b->n += size;
	put32(p, (uint32_t)r->n | (attn ? HAS_ATTN : 0) | (keep ? HAS_KEEP : 0) | (r->nstarts ? HAS_STARTS : 0));
	p += 4;
	memset(p + (idn ? idn - 4 : 0), 0, idn ? 4 : 0);
	pack_ids(p, r->ids, r->n, width_of(h));
	p += idn;
	if (attn)
		pack_bits(p, r->attn, r->n), p += words(r->n) * 4;
	if (keep)
		pack_bits(p, r->keep, r->n), p += words(r->n) * 4;
	if (r->nstarts)
		pack_starts(p, r);
	return 0;
}

/* n ids and the one behind; writes up to SHARD_SPARE too many. Bytes of the record. */
static size_t pack_plain(unsigned char *p, const int32_t *ids, size_t n, int32_t behind, int width)
{
	size_t all = n + (behind >= 0), idn = id_bytes(all, width);
	put32(p, (uint32_t)all);
	p += 4;
	for (size_t i = 0; i < n; i += SHARD_SPARE)
		pack_ids(p + i * (size_t)width, ids + i, SHARD_SPARE, width);
	if (behind >= 0)
		pack_ids(p + n * (size_t)width, &behind, 1, width);
	if (width == 2 && all % 2)
		put16(p + 2 * all, 0);
	return 4 + idn;
}

int shard_pack_all(const struct shard_head *h, const int32_t *ids, const size_t *ends, size_t n, int32_t behind,
                   struct buf *b, struct err *e)
{
	size_t total = n ? ends[n - 1] : 0, from = 0;
	int width = width_of(h);
	ptrdiff_t bad;
	if (total >= SHARD_MAX_TOKENS)
		return err_data(e, "%zu tokens are more than a shard's record holds (%d)", total, SHARD_MAX_TOKENS);
	if ((bad = outside(ids, total, h->vocab)) >= 0)
		return err_data(e, "id %d is outside the vocabulary of %u", ids[bad], h->vocab);
	if (buf_reserve(b, 4 * (total + 3 * n + SHARD_SPARE)))
		return err_mem(e);
	for (size_t i = 0; i < n; from = ends[i++])
		b->n += pack_plain((unsigned char *)b->p + b->n, ids + from, ends[i] - from, behind, width);
	return 0;
}

int shard_put_packed(struct shard_writer *w, const void *p, size_t n, uint64_t records, uint64_t tokens, struct err *e)
{
	hash_lanes_words(&w->hash, p, n);
	w->records += records;
	w->tokens += tokens;
	return out_write(w->out, p, n, e);
}

int shard_put(struct shard_writer *w, const struct shard_rec *r, struct err *e)
{
	buf_reset(&w->b);
	return shard_pack(&w->head, r, &w->b, e) ? -1 : shard_put_packed(w, w->b.p, w->b.n, 1, r->n, e);
}

int shard_put_raw(struct shard_writer *w, const void *p, size_t n, struct err *e)
{
	size_t tokens = n < 4 ? 0 : get32(p) & LENGTH;
	if (n < 4 || n % 4 || n - 4 < id_bytes(tokens, width_of(&w->head)))
		return err_data(e, "no record of a shard: has the input changed while it was read?");
	return shard_put_packed(w, p, n, 1, tokens, e);
}

int shard_end(struct shard_writer *w, struct err *e)
{
	unsigned char b[4 + TRAILER];
	put32(b, THE_END);
	put64(b + 4, w->records);
	put64(b + 12, w->tokens);
	put64(b + 20, hash_lanes_end(&w->hash));
	memcpy(b + 28, END_MAGIC, 4);
	int rc = out_write(w->out, b, sizeof b, e);
	shard_drop(w);
	return rc;
}

void shard_drop(struct shard_writer *w)
{
	if (!w)
		return;
	buf_release(&w->b);
	free(w);
}

/* --- reading ------------------------------------------------------------------ */

static int broken(const struct shard_reader *r, struct err *e, const char *why)
{
	err_data(e, "%s: %s", in_name(r->in), why);
	e->kind = ERR_IO; /* nothing behind it can be read */
	return -1;
}

/* n bytes that must be there. */
static int need(struct shard_reader *r, void *p, size_t n, struct err *e)
{
	ssize_t got = in_full(r->in, p, n, e);
	if (got < 0)
		return -1;
	if ((size_t)got < n)
		return broken(r, e, "the shard is cut off: it has no trailer");
	return 0;
}

/* b holds the first 64 bytes of a shard. */
static int read_header(struct shard_reader *r, const unsigned char *b, struct err *e)
{
	if (memcmp(b, SHARD_MAGIC, SHARD_MAGIC_LEN))
		return broken(r, e, "not a token shard");
	if (get16(b + 8) != VERSION && get16(b + 8) != ONE_LANE) {
		err_data(e, "%s: shard version %u, this program reads up to %d", in_name(r->in), get16(b + 8), VERSION);
		e->kind = ERR_IO;
		return -1;
	}
	if (get16(b + 10) != BOM)
		return broken(r, e, "shard of another byte order");
	struct shard_head h = {get32(b + 16), get32(b + 20), get32(b + 24), get64(b + 32)};
	/* the width follows from the vocabulary: records are passed on as they stand */
	if (get64(b + 56) != hash_words(HASH_SEED, b, 56) || h.vocab > INT32_MAX || b[12] != width_of(&h))
		return broken(r, e, "the shard's header is damaged");
	if (r->width && (h.vocab != r->head.vocab || h.fingerprint != r->head.fingerprint))
		return broken(r, e, "shards of different tokenizers follow one another");
	if (!r->width)
		r->head = h;
	r->width = b[12];
	r->records = r->tokens = 0;
	r->one_lane = get16(b + 8) == ONE_LANE;
	r->one = HASH_SEED;
	hash_lanes_begin(&r->hash);
	return 0;
}

int shard_open(struct in *in, struct shard_reader **out, struct err *e)
{
	unsigned char b[HEADER];
	struct shard_reader *r = calloc(1, sizeof *r);
	if (!r)
		return err_mem(e);
	r->in = in;
	if (need(r, b, sizeof b, e) || read_header(r, b, e)) {
		shard_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

const struct shard_head *shard_headof(const struct shard_reader *r)
{
	return &r->head;
}

/* After a trailer: 0 at the end of the input, 1 when another shard has begun. */
static int trailer(struct shard_reader *r, struct err *e)
{
	unsigned char b[HEADER];
	if (need(r, b, TRAILER, e))
		return -1;
	if (memcmp(b + 24, END_MAGIC, 4) || get64(b) != r->records || get64(b + 8) != r->tokens)
		return broken(r, e, "the shard's trailer does not fit what was read");
	if (get64(b + 16) != (r->one_lane ? r->one : hash_lanes_end(&r->hash)))
		return broken(r, e, "the shard is damaged: its checksum does not fit");
	ssize_t got = in_full(r->in, b, sizeof b, e);
	if (got <= 0)
		return (int)got;
	if (got < HEADER)
		return broken(r, e, "bytes behind the shard that are no shard");
	return read_header(r, b, e) ? -1 : 1;
}

static int room(struct shard_reader *r, size_t n, struct err *e)
{
	if (n <= r->cap)
		return 0;
	size_t cap = n + n / 2;
	int32_t *ids = realloc(r->ids, cap * sizeof *ids);
	if (ids)
		r->ids = ids;
	uint8_t *attn = realloc(r->attn, cap);
	if (attn)
		r->attn = attn;
	uint8_t *keep = realloc(r->keep, cap);
	if (keep)
		r->keep = keep;
	if (!ids || !attn || !keep)
		return err_mem(e);
	r->cap = cap;
	return 0;
}

/* `size` more bytes of the record, read in steps: a length that lies about a short
 * file must not make us ask for all of its memory at once. */
static int read_more(struct shard_reader *r, size_t size, struct err *e)
{
	enum { STEP = 1 << 22 };
	while (size) {
		size_t n = size < STEP ? size : STEP;
		if (buf_reserve(&r->raw, n))
			return err_mem(e);
		if (need(r, r->raw.p + r->raw.n, n, e))
			return -1;
		r->raw.n += n;
		size -= n;
	}
	return 0;
}

static const unsigned char *unpack_bits(const unsigned char *p, uint8_t *flag, size_t n)
{
	for (size_t i = 0; i < n; i++)
		flag[i] = p[i / 8] >> i % 8 & 1;
	return p + words(n) * 4;
}

/* The list behind ids and masks, of a record of n tokens. */
static int read_starts(struct shard_reader *r, size_t n, struct shard_rec *rec, struct err *e)
{
	size_t at = r->raw.n;
	if (read_more(r, 4, e))
		return -1;
	size_t k = get32((unsigned char *)r->raw.p + at);
	if (k == 0 || k >= n)
		return broken(r, e, "the shard is damaged: a record has more pieces than tokens, or none");
	if (read_more(r, 4 * k, e))
		return -1;
	if (k > r->cap_starts) {
		uint32_t *starts = realloc(r->starts, (k + k / 2) * sizeof *starts);
		if (!starts)
			return err_mem(e);
		r->starts = starts;
		r->cap_starts = k + k / 2;
	}
	for (size_t i = 0; i < k; i++)
		r->starts[i] = get32((unsigned char *)r->raw.p + at + 4 + 4 * i);
	if (!in_order(r->starts, k, n))
		return broken(r, e, "the shard is damaged: the pieces of a record do not begin one behind the other");
	rec->starts = r->starts;
	rec->nstarts = k;
	return 0;
}

/* What follows a record's first word. */
static int read_record(struct shard_reader *r, uint32_t w, struct shard_rec *rec, struct err *e)
{
	size_t n = w & LENGTH;
	bool attn = n && w & HAS_ATTN, keep = n && w & HAS_KEEP; /* no tokens, no masks */
	if (w & ~(LENGTH | HAS_ATTN | HAS_KEEP | HAS_STARTS))
		return broken(r, e, "the shard is damaged: a record begins with unknown flags");
	if (read_more(r, id_bytes(n, r->width) + ((size_t)attn + keep) * words(n) * 4, e) || room(r, n, e))
		return -1;
	*rec = (struct shard_rec){.n = n, .ids = r->ids, .attn = attn ? r->attn : NULL, .keep = keep ? r->keep : NULL};
	return w & HAS_STARTS ? read_starts(r, n, rec, e) : 0;
}

/* 1: w is a record's first word, and all that r->raw holds; 0: the clean end. */
static int first_word(struct shard_reader *r, uint32_t *w, struct err *e)
{
	for (;;) {
		buf_reset(&r->raw);
		if (read_more(r, 4, e))
			return -1;
		*w = get32((unsigned char *)r->raw.p);
		if (*w != THE_END)
			return 1;
		int rc = trailer(r, e);
		if (rc <= 0)
			return rc;
	}
}

static void add_hash(struct shard_reader *r)
{
	if (r->one_lane)
		r->one = hash_words(r->one, r->raw.p, r->raw.n);
	else
		hash_lanes_words(&r->hash, r->raw.p, r->raw.n);
}

int shard_next(struct shard_reader *r, struct shard_rec *rec, struct err *e)
{
	uint32_t w;
	int rc = first_word(r, &w, e);
	if (rc <= 0)
		return rc;
	if (read_record(r, w, rec, e))
		return -1;
	size_t n = rec->n;
	add_hash(r);
	const unsigned char *p = (unsigned char *)r->raw.p + 4;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = r->width == 2 ? get16(p + 2 * i) : get32(p + 4 * i);
		if (id >= r->head.vocab)
			return broken(r, e, "the shard is damaged: an id is outside its vocabulary");
		r->ids[i] = (int32_t)id;
	}
	if (rec->attn || rec->keep)
		p += id_bytes(n, r->width);
	if (rec->attn)
		p = unpack_bits(p, r->attn, n);
	if (rec->keep)
		unpack_bits(p, r->keep, n);
	r->records++;
	r->tokens += n;
	r->count++;
	return 1;
}

const void *shard_raw(const struct shard_reader *r, size_t *n)
{
	*n = r->raw.n;
	return r->raw.p;
}

uint64_t shard_count(const struct shard_reader *r)
{
	return r->count;
}

void shard_close(struct shard_reader *r)
{
	if (!r)
		return;
	buf_release(&r->raw);
	free(r->ids);
	free(r->attn);
	free(r->keep);
	free(r->starts);
	free(r);
}
