#include "io/idstream.h"
#include "io/shard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int idstream_broken(const struct in *in, struct err *e, const char *fmt, ...)
{
	char what[500];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	err_data(e, "%s: %s", in_name(in), what);
	e->kind = ERR_IO;
	return -1;
}

/* --- reading ------------------------------------------------------------------ */

void idstream_start(struct idstream *s, struct in *in, const struct idarray_type *t, uint64_t count, uint32_t vocab)
{
	memset(s, 0, sizeof *s);
	s->in = in;
	s->type = *t;
	s->count = s->left = count;
	s->vocab = vocab;
}

int idstream_ends(struct idstream *s, struct err *e)
{
	char b;
	ssize_t n = s->left == 0 ? in_full(s->in, &b, 1, e) : 0;
	if (n > 0)
		return idstream_broken(s->in, e, "more bytes than the %llu tokens that the header counts",
		                       (unsigned long long)s->count);
	return n < 0 ? -1 : 0;
}

/* Takes off what was read of the chunk's want ids; got bytes came. */
static int decode(struct idstream *s, const unsigned char *raw, size_t want, size_t got, struct err *e)
{
	size_t n = got / s->type.width, bad;
	if (s->left == IDSTREAM_ENDLESS && got % s->type.width)
		return idstream_broken(s->in, e, "cut off within its last token: %d bytes a token", s->type.width);
	if (s->left != IDSTREAM_ENDLESS && n < want)
		return idstream_broken(s->in, e, "cut off: %llu tokens where the header counts %llu",
		                       (unsigned long long)s->done + n, (unsigned long long)s->count);
	if (idarray_get(&s->type, raw, n, s->vocab, s->chunk, &bad, e)) {
		err_prefix(e, "%s: token %llu: ", in_name(s->in), (unsigned long long)(s->done + bad));
		e->kind = ERR_IO;
		return -1;
	}
	s->at = 0;
	s->n = n;
	s->done += n;
	if (s->left != IDSTREAM_ENDLESS)
		s->left -= n;
	return n > 0;
}

/* Makes at least one id wait: 1, or 0 at the end, -1. */
static int fill(struct idstream *s, struct err *e)
{
	unsigned char raw[IDSTREAM_CHUNK * sizeof(uint64_t)];
	if (s->at < s->n)
		return 1;
	size_t want = s->left < IDSTREAM_CHUNK ? (size_t)s->left : IDSTREAM_CHUNK;
	if (want == 0)
		return idstream_ends(s, e);
	ssize_t got = in_full(s->in, raw, want * s->type.width, e);
	return got < 0 ? -1 : decode(s, raw, want, (size_t)got, e);
}

/* The next n of the waiting ids belong to the record. */
static int take(struct idstream *s, size_t n, struct err *e)
{
	if (s->rec.n / sizeof(int32_t) + n > SHARD_MAX_TOKENS)
		return idstream_broken(s->in, e, "a document of more than %d tokens", SHARD_MAX_TOKENS);
	if (buf_add(&s->rec, s->chunk + s->at, n * sizeof(int32_t)))
		return err_mem(e);
	s->at += n;
	return 0;
}

static int give(struct idstream *s, int32_t **ids, size_t *n)
{
	*ids = (int32_t *)(void *)s->rec.p;
	*n = s->rec.n / sizeof(int32_t);
	return *n > 0;
}

int idstream_before(struct idstream *s, uint32_t eos, int32_t **ids, size_t *n, struct err *e)
{
	int rc;
	buf_reset(&s->rec);
	while ((rc = fill(s, e)) == 1) {
		size_t i = s->at + (s->rec.n == 0); /* the first id is the record's, whatever it is */
		while (i < s->n && (uint32_t)s->chunk[i] != eos)
			i++;
		bool ended = i < s->n;
		if (take(s, i - s->at, e))
			return -1;
		if (ended)
			break;
	}
	return rc < 0 ? -1 : give(s, ids, n);
}

int idstream_after(struct idstream *s, uint32_t eos, int32_t **ids, size_t *n, struct err *e)
{
	int rc;
	buf_reset(&s->rec);
	while ((rc = fill(s, e)) == 1) {
		size_t i = s->at;
		while (i < s->n && (uint32_t)s->chunk[i] != eos)
			i++;
		bool ended = i < s->n;
		if (take(s, i - s->at + ended, e))
			return -1;
		if (ended)
			break;
	}
	return rc < 0 ? -1 : give(s, ids, n);
}

int idstream_row(struct idstream *s, size_t length, int32_t **ids, size_t *n, struct err *e)
{
	int rc = 1;
	buf_reset(&s->rec);
	for (size_t need = length; need && (rc = fill(s, e)) == 1;) {
		size_t some = s->n - s->at < need ? s->n - s->at : need;
		if (take(s, some, e))
			return -1;
		need -= some;
	}
	return rc < 0 ? -1 : give(s, ids, n);
}

void idstream_release(struct idstream *s)
{
	buf_release(&s->rec);
}

/* --- writing ------------------------------------------------------------------ */

int idstream_create(struct idstream_out *s, const char *path, size_t header, struct err *e)
{
	if (s->eos == SHARD_NO_ID)
		return err_usage(e, "documents are set apart by the end-of-text token: --eos ID or -T FILE tells it");
	if (s->vocab && s->eos >= s->vocab)
		return err_usage(e, "the end-of-text token %u is outside the vocabulary of %u", s->eos, s->vocab);
	if (s->type.width == 2 && s->eos > UINT16_MAX)
		return err_usage(e, "the end-of-text token %u does not fit into the format's 16 bits", s->eos);
	return headed_open(&s->h, path, header, e);
}

/* A document without the end-of-text token at its ends, which the stream puts there itself. */
static const int32_t *inner(const struct idstream_out *s, const int32_t *ids, size_t *n)
{
	if (*n && (uint32_t)ids[0] == s->eos)
		ids++, --*n;
	if (*n && (uint32_t)ids[*n - 1] == s->eos)
		--*n;
	return ids;
}

int idstream_fits(const struct idstream_out *s, const int32_t *ids, size_t n, struct err *e)
{
	ids = inner(s, ids, &n);
	return idarray_fits(&s->type, ids, n, s->vocab, e);
}

int idstream_put(struct idstream_out *s, const int32_t *ids, size_t n, struct err *e)
{
	size_t width = s->type.width;
	ids = inner(s, ids, &n);
	buf_reset(&s->raw);
	if (buf_reserve(&s->raw, (n + 1) * width))
		return err_mem(e);
	unsigned char *p = (unsigned char *)s->raw.p;
	if (idarray_put(&s->type, ids, n, s->vocab, p + (s->before ? width : 0), e))
		return -1;
	idarray_set(p + (s->before ? 0 : n * width), width, s->eos);
	s->count += n + 1;
	return headed_write(s->h, p, (n + 1) * width, e);
}

int idstream_commit(struct idstream_out *s, const void *header, struct err *e)
{
	int rc = headed_commit(s->h, header, e);
	s->h = NULL;
	buf_release(&s->raw);
	return rc;
}

void idstream_abort(struct idstream_out *s)
{
	headed_abort(s->h);
	s->h = NULL;
	buf_release(&s->raw);
}
