/* vocabimage.h - a vocabulary to the parts of an image and back.
 *
 *	struct vocabimage vi;
 *	if (vocabimage_pack(&vi, &vocab, &parts) == 0)
 *		...save the parts...
 *	vocabimage_release(&vi);
 *	if (vocabimage_unpack(&vocab, &im) == 0) ...as vocab_load leaves it, but without merges; points into im...
 */
#ifndef TEXT_VOCABIMAGE_H
#define TEXT_VOCABIMAGE_H

#include "base/buf.h"
#include "text/image.h"
#include "text/vocab.h"

struct vocabimage {
	struct buf head, tokens, text, bytes, added;
};

/* v and vi must live until the parts are saved. 0, or -1 when out of memory. */
int vocabimage_pack(struct vocabimage *vi, const struct vocab *v, struct image_parts *parts);
void vocabimage_release(struct vocabimage *vi);
/* vocab_release gives back what v has of its own. -1 when out of memory: nothing is left to release. */
int vocabimage_unpack(struct vocab *v, const struct image *im);

#endif
