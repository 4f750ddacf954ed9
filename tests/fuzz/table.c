/* Bytes as the cells of a table, NUL between them, behind two that say how it is to be
 * printed: no line is wider than the terminal, and nothing that moves the cursor is left. */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/cell.h"
#include "text/table.h"

enum { COLUMNS = 3 };

static void look(const struct buf *b, size_t width)
{
	fuzz_must(utf8_valid(b->p, b->n) == b->n);
	for (size_t i = 0; i < b->n; i++)
		fuzz_must((unsigned char)b->p[i] >= 0x20 || b->p[i] == '\n');
	for (size_t at = 0; at < b->n;) {
		const char *end = memchr(b->p + at, '\n', b->n - at);
		size_t len = end ? (size_t)(end - b->p) - at : b->n - at;
		fuzz_must(cell_width(b->p + at, len) <= width);
		at += len + 1;
	}
}

static int next(const uint8_t **p, size_t *n, struct buf *b, struct table_text *t)
{
	size_t len, from = b->n;
	const uint8_t *s = fuzz_part(p, n, &len);
	int rc = utf8_replace(b, (const char *)s, len);
	*t = (struct table_text){b->p + from, b->n - from};
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct table_text cell[COLUMNS];
	struct buf out = {0}, text = {0};
	if (n < 2)
		return 0;
	struct table t = {.n = 1 + p[0] % COLUMNS, .width = p[1] < 20 ? 20 : p[1], .wrap = p[0] & 128};
	int rows = 0;
	p += 2, n -= 2;
	/* room for all, so that no cell moves */
	fuzz_must(buf_reserve(&text, 4 * n + 64) == 0);
	do {
		for (size_t i = 0; i < t.n; i++)
			fuzz_must(next(&p, &n, &text, &cell[i]) == 0);
		fuzz_must((rows++ ? table_add(&t, cell) : table_begin(&t, cell)) == 0);
	} while (n);
	fuzz_must(table_print(&t, p ? "A title" : NULL, &out) == 0);
	look(&out, t.width);
	table_release(&t);
	buf_release(&out);
	buf_release(&text);
	return 0;
}
