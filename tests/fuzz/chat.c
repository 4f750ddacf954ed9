/* Any bytes as what a service answers: an answer, in either form, or a reason that fits on a line, steers no
 * terminal and does not tell the key. */
#include "fuzz.h"

#include "base/utf8.h"
#include "io/chat.h"

static const char key[] = "sk-key";

static void look(const struct buf *b)
{
	fuzz_must(utf8_valid(b->p, b->n) == b->n && b->n < 1000);
	for (size_t i = 0; i < b->n; i++)
		fuzz_must((unsigned char)b->p[i] >= 0x20 && b->p[i] != 0x7f);
	fuzz_must(b->n == 0 || !memmem(b->p, b->n, key, sizeof key - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena a = {0};
	struct buf said = {0}, plain = {0};
	struct chat_reply r;
	struct err e;
	for (int completion = 0; completion < 2; completion++)
		if (chat_answer(&a, (const char *)p, n, completion, &r, &e) == 0)
			fuzz_must(utf8_valid(r.text, r.n) == r.n && r.prompt_tokens >= -1);
	(void)chat_complaint(&said, &a, (const char *)p, n, key);
	chat_clean(&plain, (const char *)p, n, key);
	look(&said);
	look(&plain);
	buf_release(&said);
	buf_release(&plain);
	arena_release(&a);
	return 0;
}
