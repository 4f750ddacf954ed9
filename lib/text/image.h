/* image.h - a tokenizer.json's tables as they lie in memory, kept between runs.
 *
 *	struct image im;
 *	if (image_find(&im, json, n) == 0)
 *		tables = image_part(&im, IMAGE_X, &size);      point into it until image_release
 *	...else make the tables, and keep them:
 *	struct image_parts parts = {0};
 *	image_add(&parts, IMAGE_X, tables, size);
 *	image_save(&parts, json, n);
 *
 * The file is $XDG_CACHE_HOME/nxtools/HASH-VERSION.tokenizer, else below $HOME/.cache. It
 * holds the json itself, which is compared: no two can be taken for one another.
 * What is cut off, damaged, another's or of another version of this code is not
 * used, and replaced. NX_CACHE=DIR names another directory, NX_CACHE= (empty) none.
 * Nothing here fails: without a file the tables are made anew. */
#ifndef TEXT_IMAGE_H
#define TEXT_IMAGE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

enum image_part {
	IMAGE_VOCAB, IMAGE_TOKENS, IMAGE_TEXT, IMAGE_BYTES, IMAGE_ADDED, IMAGE_NAMES,
	IMAGE_PAIRS, IMAGE_FIRST, IMAGE_MADE,
	IMAGE_SEAMS, IMAGE_PARTS_OF, IMAGE_WHOLE,
	IMAGE_COUNT
};

struct image {
	struct buf file;
};

struct image_parts {
	const void *p[IMAGE_COUNT];
	size_t n[IMAGE_COUNT];
};

int image_find(struct image *im, const char *json, size_t n); /* 0, or -1: there is none to use */
/* Aligned to 64 bytes. */
const void *image_part(const struct image *im, enum image_part which, size_t *n);
void image_add(struct image_parts *parts, enum image_part which, const void *p, size_t n); /* p must live until the save */
void image_save(const struct image_parts *parts, const char *json, size_t n);
void image_release(struct image *im);

#endif
