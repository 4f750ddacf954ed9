#include "text/prompt.h"
#include "base/utf8.h"
#include "io/in.h"
#include "io/there.h"

#include <string.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int open_given(struct prompt *p, const char *s, size_t n, struct err *e)
{
	const char *end = "";
	size_t len = 0;
	if (utf8_valid(s, n) != n)
		return err_data(e, "the template is not valid UTF-8");
	if (template_given(&p->t, s, n, e))
		return -1;
	p->cut = template_prompt(p->t, &end, &len);
	for (; len && is_space(*end); end++)
		len--;
	while (len && is_space(end[len - 1]))
		len--;
	if (!template_record(p->t, &p->arena, "", 0, e))
		return -1;
	return buf_add(&p->end, end, len) || !buf_str(&p->end) ? err_mem(e) : 0;
}

int prompt_open(struct prompt *p, const char *given, struct err *e)
{
	return open_given(p, given, strlen(given), e);
}

int prompt_load(struct prompt *p, const char *dir, struct err *e)
{
	struct buf path = {0}, text = {0};
	int rc = buf_printf(&path, "%s/" PROMPT_FILE, dir) || !buf_str(&path) ? err_mem(e) : there_is_file(path.p, e);
	if (rc > 0 && in_slurp(path.p, &text, e))
		rc = -1;
	if (rc > 0) {
		size_t n = text.n;
		n -= n && text.p[n - 1] == '\n'; /* the file's last line has one, the template not */
		n -= n < text.n && n && text.p[n - 1] == '\r';
		if (open_given(p, text.p ? text.p : "", n, e)) {
			err_prefix(e, "%s: ", path.p);
			e->kind = e->kind == ERR_USAGE ? ERR_DATA : e->kind;
			rc = -1;
		}
	}
	buf_release(&path);
	buf_release(&text);
	return rc;
}

int prompt_fill(const struct prompt *p, const struct json *rec, struct buf *text, struct err *e)
{
	return template_render(p->t, rec, text, e);
}

int prompt_say(struct prompt *p, const char *s, size_t n, struct buf *text, struct err *e)
{
	if (!p->t)
		return buf_add(text, s, n) ? err_mem(e) : 0;
	arena_reset(&p->arena);
	struct json *rec = template_record(p->t, &p->arena, s, n, e);
	return rec ? template_render(p->t, rec, text, e) : -1;
}

/* Takes off the last id, that of the letter that stood for the answer; 0: there is no such id, the
 * letter went together with the prompt's end. */
static int take_off(struct bpe *tok, struct buf *text, struct bpe_ids *ids, struct err *e)
{
	struct buf last = {0};
	int rc = bpe_decode(tok, ids->v + ids->n - 1, 1, false, &last, e);
	bool blank = last.n == 2 && memcmp(last.p, " a", 2) == 0;
	if (rc == 0 && (blank || (last.n == 1 && *last.p == 'a'))) {
		ids->n--;
		text->n -= blank;
		rc = 1;
	}
	buf_release(&last);
	return rc;
}

int prompt_encode(const struct prompt *p, struct bpe *tok, struct buf *text, struct bpe_ids *ids, struct err *e)
{
	size_t before = ids->n;
	if (!p->cut)
		return bpe_encode(tok, text->p ? text->p : "", text->n, ids, e);
	if (buf_addc(text, 'a'))
		return err_mem(e);
	int rc = bpe_encode(tok, text->p, text->n, ids, e);
	text->n--;
	if (rc == 0 && ids->n > before && (rc = take_off(tok, text, ids, e)) == 0) {
		ids->n = before;
		return bpe_encode(tok, text->p, text->n, ids, e);
	}
	return rc < 0 ? -1 : 0;
}

void prompt_release(struct prompt *p)
{
	template_free(p->t);
	buf_release(&p->end);
	arena_release(&p->arena);
	*p = (struct prompt){0};
}
