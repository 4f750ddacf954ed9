#include "nx/answer.h"

#include <string.h>

/* {"token": ..., "id": ..., "logprob": ...}; JSON has no infinity: that of an impossible token is -9999, as OpenAI's. */
static struct json *one_token(struct arena *a, const struct generate_rules *r, const struct sample_logprob *p,
                              struct err *e)
{
	struct json *v = json_object(a);
	struct buf text = {0};
	double x = p->logprob > -9999 ? (double)p->logprob : -9999;
	int rc = v ? 0 : err_mem(e);
	if (rc == 0 && r->text)
		rc = r->text(r->text_arg, &p->id, 1, &text, e);
	if (rc == 0 && ((r->text && json_set(a, v, "token", json_string(a, text.p ? text.p : "", text.n))) ||
	                json_set(a, v, "id", json_number(a, "%d", p->id)) ||
	                json_set(a, v, "logprob", json_number(a, "%.7g", x))))
		rc = err_mem(e);
	buf_release(&text);
	return rc ? NULL : v;
}

/* Links elements in order without walking to the end each time. */
static void push(struct json *array, struct json ***tail, struct json *v)
{
	**tail = v;
	*tail = &v->next;
	array->n++;
}

static struct json *all_logprobs(struct arena *a, const struct answer *w, struct err *e)
{
	size_t row = 1 + (size_t)w->rules->top;
	struct json *content = json_array(a), *obj = json_object(a), **end = content ? &content->child : NULL;
	if (!obj || !content)
		return err_mem(e), NULL;
	for (size_t i = 0; i < w->n; i++) {
		struct json *v = one_token(a, w->rules, w->logprobs + i * row, e);
		struct json *top = json_array(a), **at = top ? &top->child : NULL;
		for (size_t k = 1; v && top && k < row; k++) {
			struct json *t = one_token(a, w->rules, w->logprobs + i * row + k, e);
			if (!t)
				return NULL;
			push(top, &at, t);
		}
		if (!v)
			return NULL;
		if (!top || json_set(a, v, "top_logprobs", top))
			return err_mem(e), NULL;
		push(content, &end, v);
	}
	return json_set(a, obj, "content", content) ? err_mem(e), NULL : obj;
}

bool answer_has(const char *name)
{
	static const char *const names[] = {"output_ids", "finish_reason", "prompt_tokens", "completion_tokens", "sequence", "score",
	                                    "logprobs"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

int answer_set(struct arena *a, struct json *obj, const struct answer *w, struct err *e)
{
	const char *end = generate_end_name(w->end);
	struct json *lp = w->logprobs ? all_logprobs(a, w, e) : NULL;
	if (w->logprobs && !lp)
		return -1;
	if ((w->put_ids && json_set(a, obj, "output_ids", json_ints(a, w->ids, w->n))) ||
	    (w->text && json_set(a, obj, w->key, json_string(a, w->text->p ? w->text->p : "", w->text->n))) ||
	    json_set(a, obj, "finish_reason", json_string(a, end, strlen(end))) ||
	    json_set(a, obj, "prompt_tokens", json_number(a, "%zu", w->prompt)) ||
	    json_set(a, obj, "completion_tokens", json_number(a, "%zu", w->n)) ||
	    (w->sequence >= 0 && json_set(a, obj, "sequence", json_number(a, "%lld", (long long)w->sequence))) ||
	    (w->score && json_set(a, obj, "score", json_number(a, "%.7g", (double)*w->score))) ||
	    (lp && json_set(a, obj, "logprobs", lp)))
		return err_mem(e);
	return 0;
}
