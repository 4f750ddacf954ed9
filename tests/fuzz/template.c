/* A template, behind a NUL a field and another template for where it is empty, behind one
 * more a record: what is made of them is text again, or an error that leaves none. A template cut to its
 * prompt is one still, and gives the beginning of what the whole gives. */
#include "fuzz.h"

#include "base/utf8.h"
#include "text/template.h"

static int render(const struct template *t, const struct json *rec, struct buf *out)
{
	struct err e;
	int rc = template_render(t, rec, out, &e);
	fuzz_must(rc == 0 || (out->n == 0 && e.msg[0]));
	return rc;
}

/* The template as one of prompts: of the record, and of a text alone. */
static void ask(struct template *t, struct arena *a, const struct json *rec, const struct buf *whole)
{
	struct buf text = {0};
	struct err e;
	const char *end = NULL;
	size_t n = 0;
	bool cut = template_prompt(t, &end, &n);
	int rc = render(t, rec, &text);
	fuzz_must(!cut || end);
	if (whole)
		fuzz_must(rc == 0 && text.n <= whole->n && (text.n == 0 || memcmp(text.p, whole->p, text.n) == 0));
	buf_reset(&text);
	const struct json *said = template_record(t, a, "said", 4, &e);
	if (said)
		(void)render(t, said, &text);
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	size_t len, more, field_len;
	const char *text = (const char *)fuzz_part(&p, &n, &len), *field = (const char *)fuzz_part(&p, &n, &field_len),
	           *other = (const char *)fuzz_part(&p, &n, &more);
	struct template *t;
	struct json *rec;
	struct arena a = {0};
	struct buf once = {0}, twice = {0};
	struct err e;
	if (json_parse(&a, (const char *)p, n, &rec, &e) == 0 && template_parse(&t, text, len, &e) == 0) {
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)(field_len > 60 ? 60 : field_len), field);
		if (name[0])
			(void)template_else(t, name, other, more, &e);
		int rc = render(t, rec, &once);
		fuzz_must(render(t, rec, &twice) == rc && once.n == twice.n && (once.n == 0 || memcmp(once.p, twice.p, once.n) == 0));
		if (rc == 0 && once.n && utf8_valid(text, len) == len && utf8_valid(other, more) == more)
			fuzz_must(utf8_valid(once.p, once.n) == once.n);
		ask(t, &a, rec, rc == 0 ? &once : NULL);
		template_free(t);
	}
	buf_release(&once);
	buf_release(&twice);
	arena_release(&a);
	return 0;
}
