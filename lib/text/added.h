/* added.h - finds added tokens in text: the leftmost, of those the longest.
 *
 *	struct added a;
 *	if (added_init(&a, &vocab, false, &e)) ...       the raw ones; true: the normalized ones
 *	while (n) {
 *		const struct vocab_added *hit;
 *		size_t at = added_find(&a, s, n, &hit);
 *		...s[0..at) holds none; hit == NULL: at is n
 *	}
 *	added_release(&a);
 */
#ifndef TEXT_ADDED_H
#define TEXT_ADDED_H

#include "text/vocab.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct added {
	const struct vocab_added **tok; /* in order of their bytes */
	size_t n;
	uint8_t first[256];      /* some token begins with the byte */
	uint8_t pair[65536 / 8]; /* bit first << 8 | second: some token begins so, or is that one byte */
};

/* Points into v, which must outlive it. */
int added_init(struct added *a, const struct vocab *v, bool normalized, struct err *e);
size_t added_find(const struct added *a, const char *s, size_t n, const struct vocab_added **hit);
bool added_at(const struct added *a, const char *s, size_t n); /* does s[0..n) begin with one? */

/* All tokens of a text one after the other, where their white space and the words beside them say so. */
struct added_walk {
	const struct added *a;
	const char *s;
	size_t n;
	size_t at; /* looked at up to here */
};
/* The next token, NULL if there is none, and the bytes from..to that it takes. done: where the one
 * before it ended, whose white space it leaves alone. As in HF it may begin within that. */
const struct vocab_added *added_next(struct added_walk *w, size_t done, size_t *from, size_t *to);
void added_release(struct added *a);

#endif
