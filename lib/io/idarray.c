#include "io/idarray.h"

uint64_t idarray_u64(const unsigned char *p, size_t width)
{
	uint64_t v = 0;
	for (size_t i = width; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

void idarray_set(unsigned char *p, size_t width, uint64_t v)
{
	for (size_t i = 0; i < width; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

static uint64_t big(const unsigned char *p, size_t width)
{
	uint64_t v = 0;
	for (size_t i = 0; i < width; i++)
		v = v << 8 | p[i];
	return v;
}

static bool is_negative(const struct idarray_type *t, const unsigned char *p)
{
	return t->is_signed && (t->big_endian ? p[0] : p[t->width - 1]) >> 7;
}

/* The value as it is meant, a negative one told by `negative`. */
static uint64_t value(const struct idarray_type *t, const unsigned char *p, bool *negative)
{
	uint64_t v = t->big_endian ? big(p, t->width) : idarray_u64(p, t->width);
	*negative = is_negative(t, p);
	return v;
}

static int refuse(const struct idarray_type *t, const unsigned char *p, uint32_t vocab, struct err *e)
{
	bool negative;
	uint64_t v = value(t, p, &negative);
	if (negative)
		return err_data(e, "a negative number is no token id");
	if (!vocab)
		return err_data(e, "%llu is no token id", (unsigned long long)v);
	return err_data(e, "id %llu is outside the vocabulary of %u", (unsigned long long)v, vocab);
}

int idarray_get(const struct idarray_type *t, const unsigned char *p, size_t n, uint32_t vocab, int32_t *ids, size_t *bad,
                struct err *e)
{
	uint64_t end = vocab ? vocab : (uint64_t)INT32_MAX + 1;
	bool negative;
	for (size_t i = 0; i < n; i++, p += t->width) {
		uint64_t v = t->width == 2 && !t->big_endian ? (uint64_t)p[0] | (uint64_t)p[1] << 8 : value(t, p, &negative);
		/* a negative number read as unsigned is above every limit but a wide one's */
		if (v >= end || is_negative(t, p)) {
			*bad = i;
			return refuse(t, p, vocab, e);
		}
		ids[i] = (int32_t)v;
	}
	return 0;
}

int idarray_fits(const struct idarray_type *t, const int32_t *ids, size_t n, uint32_t vocab, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t id = (uint32_t)ids[i];
		if (vocab && id >= vocab)
			return err_data(e, "id %u is outside the vocabulary of %u", id, vocab);
		if (t->width == 2 && id > UINT16_MAX)
			return err_data(e, "id %u does not fit into the format's 16 bits", id);
	}
	return 0;
}

int idarray_put(const struct idarray_type *t, const int32_t *ids, size_t n, uint32_t vocab, unsigned char *p, struct err *e)
{
	if (idarray_fits(t, ids, n, vocab, e))
		return -1;
	for (size_t i = 0; i < n; i++, p += t->width)
		idarray_set(p, t->width, (uint32_t)ids[i]);
	return 0;
}
