#include "io/chat.h"

#include "base/utf8.h"

#include <string.h>

/* --- asking ------------------------------------------------------------------------- */

/* Sets o[name] to v, which may be NULL where memory ran out. */
static int put(struct arena *a, struct json *o, const char *name, struct json *v)
{
	return !v || json_set(a, o, name, v);
}

static struct json *text(struct arena *a, const char *s)
{
	return json_string(a, s, strlen(s));
}

static int push_message(struct arena *a, struct json *list, const char *role, const char *s, size_t n)
{
	struct json *m = json_object(a);
	if (!m || put(a, m, "role", text(a, role)) || put(a, m, "content", json_string(a, s, n)))
		return -1;
	json_push(list, m);
	return 0;
}

static int put_prompt(struct arena *a, struct json *o, const struct chat_wish *w, const char *s, size_t n)
{
	if (w->completion)
		return put(a, o, "prompt", json_string(a, s, n));
	struct json *list = json_array(a);
	if (!list || (w->system && push_message(a, list, "system", w->system, strlen(w->system))) ||
	    push_message(a, list, "user", s, n))
		return -1;
	return json_set(a, o, "messages", list);
}

static int put_stops(struct arena *a, struct json *o, const struct chat_wish *w)
{
	struct json *list = json_array(a);
	if (!list)
		return -1;
	for (int i = 0; i < w->nstop; i++) {
		struct json *s = text(a, w->stop[i]);
		if (!s)
			return -1;
		json_push(list, s);
	}
	return json_set(a, o, "stop", list);
}

static int put_extra(struct arena *a, struct json *o, const char *extra, struct err *e)
{
	const char *is = strchr(extra, '=');
	struct json *v;
	if (!is || is == extra)
		return err_usage(e, "\"%s\" is no NAME=JSON", extra);
	const char *name = arena_dup(a, extra, (size_t)(is - extra));
	if (!name)
		return err_mem(e);
	if (json_parse(a, is + 1, strlen(is + 1), &v, e)) {
		if (e->kind != ERR_DATA)
			return -1;
		e->kind = ERR_USAGE;
		return err_prefix(e, "\"%s\": what follows the \"=\" is no JSON: ", name);
	}
	return json_set(a, o, name, v) ? err_mem(e) : 0;
}

int chat_request(struct buf *b, struct arena *a, const struct chat_wish *w, const char *prompt, size_t n, struct err *e)
{
	struct json *o = json_object(a);
	int bad = !o || put(a, o, "model", text(a, w->model)) || put_prompt(a, o, w, prompt, n);
	if (!bad && w->temperature >= 0)
		bad = put(a, o, "temperature", json_number(a, "%.15g", w->temperature));
	if (!bad && w->top_p >= 0)
		bad = put(a, o, "top_p", json_number(a, "%.15g", w->top_p));
	if (!bad && w->max_tokens)
		bad = put(a, o, "max_tokens", json_number(a, "%lld", (long long)w->max_tokens));
	if (!bad && w->nstop)
		bad = put_stops(a, o, w);
	if (!bad && w->seed >= 0)
		bad = put(a, o, "seed", json_number(a, "%lld", (long long)w->seed));
	for (int i = 0; i < w->nextra && !bad; i++)
		if (put_extra(a, o, w->extra[i], e))
			return -1;
	return bad || json_write(b, o) ? err_mem(e) : 0;
}

/* --- the answer ------------------------------------------------------------------------ */

static int64_t count(const struct json *usage, const char *name)
{
	int64_t n;
	return json_i64(json_get(usage, name), &n) == 0 && n >= 0 ? n : -1;
}

int chat_answer(struct arena *a, const char *body, size_t n, bool completion, struct chat_reply *r, struct err *e)
{
	struct json *v;
	*r = (struct chat_reply){.text = ""};
	if (json_parse(a, body, n, &v, e)) {
		err_prefix(e, "the answer is no JSON: ");
		return e->kind == ERR_DATA ? CHAT_NO_JSON : -1;
	}
	const struct json *choices = json_get(v, "choices"), *choice = json_is(choices, JSON_ARRAY) ? choices->child : NULL;
	if (!json_is(choice, JSON_OBJECT))
		return err_data(e, "the answer has no \"choices\"");
	const struct json *s = json_get(completion ? choice : json_get(choice, "message"), completion ? "text" : "content");
	if (json_is(s, JSON_STRING)) {
		r->text = s->s;
		r->n = s->n;
	} else if (!json_is(s, JSON_NULL)) {
		return err_data(e, "the answer's \"%s\" is no text", completion ? "text" : "content");
	}
	const struct json *finish = json_get(choice, "finish_reason"), *usage = json_get(v, "usage");
	if (json_is(finish, JSON_STRING)) {
		r->finish = finish->s;
		r->nfinish = finish->n;
	}
	r->prompt_tokens = count(usage, "prompt_tokens");
	r->completion_tokens = count(usage, "completion_tokens");
	return 0;
}

/* --- complaints --------------------------------------------------------------------------- */

void chat_clean(struct buf *b, const char *s, size_t n, const char *key)
{
	enum { MOST = 300 };
	size_t k = key ? strlen(key) : 0;
	for (size_t i = 0; i < n && b->n < MOST;) {
		uint32_t cp;
		int len = utf8_decode(s + i, n - i, &cp);
		if (k && n - i >= k && memcmp(s + i, key, k) == 0) {
			if (buf_adds(b, "***"))
				return;
			i += k;
			continue;
		}
		bool odd = len == 0 || utf8_steers(cp);
		if (odd ? b->n && b->p[b->n - 1] != ' ' && buf_addc(b, ' ') : buf_add(b, s + i, (size_t)len))
			return;
		i += len ? (size_t)len : 1;
	}
	while (b->n && b->p[b->n - 1] == ' ')
		b->n--;
}

bool chat_complaint(struct buf *b, struct arena *a, const char *body, size_t n, const char *key)
{
	struct json *v;
	struct err ignored;
	const struct json *s = NULL;
	bool broke = false;
	buf_reset(b);
	if (json_parse(a, body ? body : "", n, &v, &ignored) == 0) {
		const struct json *error = json_get(v, "error");
		const struct json *said[] = {json_get(error, "message"), error, json_get(v, "message"), json_get(v, "detail")};
		for (size_t i = 0; i < sizeof said / sizeof *said && !s; i++)
			s = json_is(said[i], JSON_STRING) ? said[i] : NULL;
		broke = json_streq(json_get(error, "code"), "insufficient_quota") ||
		        json_streq(json_get(error, "type"), "insufficient_quota");
	}
	if (s)
		chat_clean(b, s->s, s->n, key);
	else if (body)
		chat_clean(b, body, n, key);
	return broke;
}
