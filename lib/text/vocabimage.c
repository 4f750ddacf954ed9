#include "text/vocabimage.h"

#include <string.h>

struct head {
	uint32_t size;
	int32_t byte[256];
	uint64_t nmerge, nadded, longest, fingerprint, mask;
	struct vocab_rules rules;
};

/* Texts and bytes stand one behind the other in the parts of that name, each with a NUL. */
struct token {
	uint32_t n, nbytes;
	bool there, special, added, normalized, model;
};

struct added {
	uint32_t n;
	int32_t id;
	bool normalized, single_word, lstrip, rstrip;
};

static int blob_add(struct buf *b, const char *s, size_t n)
{
	return n >= UINT32_MAX || buf_add(b, s, n) || buf_addc(b, 0) ? -1 : 0;
}

/* The next n bytes of a blob. */
static const char *blob_next(const char **at, size_t n)
{
	const char *s = *at;
	*at += n + 1;
	return s;
}

static int pack_token(struct vocabimage *vi, const struct vocab_token *t)
{
	struct token x;
	memset(&x, 0, sizeof x);
	x.there = t->text != NULL;
	x.n = (uint32_t)t->n;
	x.nbytes = (uint32_t)t->nbytes;
	x.special = t->special;
	x.added = t->added;
	x.normalized = t->normalized;
	x.model = t->model;
	if (x.there && (blob_add(&vi->text, t->text, t->n) || blob_add(&vi->bytes, t->bytes, t->nbytes)))
		return -1;
	return buf_add(&vi->tokens, &x, sizeof x);
}

static int pack_added(struct vocabimage *vi, const struct vocab_added *a)
{
	struct added x;
	memset(&x, 0, sizeof x);
	x.n = (uint32_t)a->n;
	x.id = a->id;
	x.normalized = a->normalized;
	x.single_word = a->single_word;
	x.lstrip = a->lstrip;
	x.rstrip = a->rstrip;
	return blob_add(&vi->text, a->text, a->n) || buf_add(&vi->added, &x, sizeof x) ? -1 : 0;
}

static int pack_head(struct vocabimage *vi, const struct vocab *v)
{
	struct head h;
	memset(&h, 0, sizeof h);
	h.size = v->size;
	memcpy(h.byte, v->byte, sizeof h.byte);
	h.nmerge = v->nmerge;
	h.nadded = v->nadded;
	h.longest = v->longest;
	h.fingerprint = v->fingerprint;
	h.mask = v->mask;
	memcpy(&h.rules, &v->rules, sizeof h.rules);
	return buf_add(&vi->head, &h, sizeof h);
}

int vocabimage_pack(struct vocabimage *vi, const struct vocab *v, struct image_parts *parts)
{
	*vi = (struct vocabimage){0};
	if (pack_head(vi, v))
		return -1;
	for (uint32_t id = 0; id < v->size; id++)
		if (pack_token(vi, &v->tok[id]))
			return -1;
	for (size_t i = 0; i < v->nadded; i++)
		if (pack_added(vi, &v->added[i]))
			return -1;
	image_add(parts, IMAGE_VOCAB, vi->head.p, vi->head.n);
	image_add(parts, IMAGE_TOKENS, vi->tokens.p, vi->tokens.n);
	image_add(parts, IMAGE_TEXT, vi->text.p, vi->text.n);
	image_add(parts, IMAGE_BYTES, vi->bytes.p, vi->bytes.n);
	image_add(parts, IMAGE_ADDED, vi->added.p, vi->added.n);
	image_add(parts, IMAGE_NAMES, v->slot, (v->mask + 1) * sizeof *v->slot);
	return 0;
}

void vocabimage_release(struct vocabimage *vi)
{
	buf_release(&vi->head);
	buf_release(&vi->tokens);
	buf_release(&vi->text);
	buf_release(&vi->bytes);
	buf_release(&vi->added);
}

static void unpack_tokens(struct vocab *v, const struct token *x, const char **text, const char *bytes)
{
	for (uint32_t id = 0; id < v->size; id++, x++) {
		v->tok[id] = (struct vocab_token){.n = x->n, .nbytes = x->nbytes, .special = x->special, .added = x->added,
		                                  .normalized = x->normalized, .model = x->model};
		if (x->there) {
			v->tok[id].text = blob_next(text, x->n);
			v->tok[id].bytes = blob_next(&bytes, x->nbytes);
		}
	}
}

int vocabimage_unpack(struct vocab *v, const struct image *im)
{
	size_t n;
	const struct head *h = image_part(im, IMAGE_VOCAB, &n);
	const struct added *a = image_part(im, IMAGE_ADDED, &n);
	const char *text = image_part(im, IMAGE_TEXT, &n), *bytes = image_part(im, IMAGE_BYTES, &n);
	*v = (struct vocab){.size = h->size, .nmerge = h->nmerge, .nadded = h->nadded, .rules = h->rules,
	                    .longest = h->longest, .fingerprint = h->fingerprint, .mask = h->mask};
	memcpy(v->byte, h->byte, sizeof v->byte);
	/* the tables are only read */
	v->slot = (int32_t *)(uintptr_t)image_part(im, IMAGE_NAMES, &n);
	v->tok = arena_alloc(&v->arena, (v->size + 1) * sizeof *v->tok);
	v->added = arena_alloc(&v->arena, (v->nadded + 1) * sizeof *v->added);
	if (!v->tok || !v->added) {
		vocab_release(v);
		return -1;
	}
	unpack_tokens(v, image_part(im, IMAGE_TOKENS, &n), &text, bytes);
	for (size_t i = 0; i < v->nadded; i++)
		v->added[i] = (struct vocab_added){.text = blob_next(&text, a[i].n), .n = a[i].n, .id = a[i].id, .normalized = a[i].normalized,
		                                   .single_word = a[i].single_word, .lstrip = a[i].lstrip, .rstrip = a[i].rstrip};
	return 0;
}
