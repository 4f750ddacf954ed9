#include "text/vocab.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "io/in.h"
#include "io/json.h"
#include "text/bytechar.h"
#include "text/unicode.h"
#include "text/vocabfile.h"

#include <string.h>

/* --- the tokens by text -------------------------------------------------------- */

/* The slot that holds the token, or the empty one where it belongs. */
static int32_t *slot_of(const struct vocab *v, const char *text, size_t n)
{
	size_t i = (size_t)hash_bytes(HASH_SEED, text, n) & v->mask;
	for (;; i = (i + 1) & v->mask) {
		int32_t id = v->slot[i];
		if (id < 0 || (v->tok[id].n == n && memcmp(v->tok[id].text, text, n) == 0))
			return &v->slot[i];
	}
}

int32_t vocab_id(const struct vocab *v, const char *text, size_t n)
{
	return *slot_of(v, text, n);
}

int32_t vocab_word(const struct vocab *v, const char *s, size_t n, char *room)
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		char text[4];
		size_t len = (size_t)utf8_encode(bytechar_of((unsigned char)s[i]), text);
		if (len > v->longest - k)
			return -1;
		memcpy(room + k, text, len);
		k += len;
	}
	int32_t id = vocab_id(v, room, k);
	return id >= 0 && v->tok[id].model ? id : -1;
}

/* The ways of an added token that few have. */
static unsigned how(const struct vocab_added *a)
{
	return a->single_word + 2u * a->lstrip + 4u * a->rstrip;
}

bool vocab_plain(const struct vocab *v)
{
	for (size_t i = 0; i < v->nadded; i++)
		if (v->added[i].normalized && how(&v->added[i]))
			return false;
	return v->rules.ncut == 1 && v->rules.cut[0] == PRETOK_GPT2 && !v->rules.prefix_space && !v->rules.ignore_merges;
}

/* A few characters of a token for a message. */
static int shown(size_t n)
{
	return n > 60 ? 60 : (int)n;
}

/* The bytes a token stands for: through the byte alphabet if all its characters
 * are of it, else its own (an added token with a space in it, say). */
static int spell(struct vocab *v, struct vocab_token *t, struct err *e)
{
	char *bytes = arena_alloc(&v->arena, t->n + 1);
	if (!bytes)
		return err_mem(e);
	size_t k = 0;
	for (size_t i = 0; i < t->n;) {
		uint32_t cp = 0;
		i += (size_t)utf8_decode(t->text + i, t->n - i, &cp);
		int b = bytechar_byte(cp);
		if (b < 0) {
			memcpy(bytes, t->text, t->n);
			k = t->n;
			break;
		}
		bytes[k++] = (char)b;
	}
	bytes[k] = 0;
	t->bytes = bytes;
	t->nbytes = k;
	return 0;
}

/* A token that is known by its id alone. */
static int set_token(struct vocab *v, const char *text, size_t n, int32_t id, struct err *e)
{
	struct vocab_token *t = &v->tok[id];
	if (t->text)
		return err_data(e, "tokens \"%.*s\" and \"%.*s\" have the same id %d", shown(t->n), t->text, shown(n), text, id);
	t->text = arena_dup(&v->arena, text, n);
	if (!t->text)
		return err_mem(e);
	t->n = n;
	v->longest = n > v->longest ? n : v->longest;
	return spell(v, t, e);
}

static int add_token(struct vocab *v, const char *text, size_t n, int32_t id, struct err *e)
{
	int32_t *slot = slot_of(v, text, n);
	if (*slot >= 0 && !v->tok[id].text)
		return err_data(e, "token \"%.*s\" is there twice", shown(n), text);
	if (set_token(v, text, n, id, e))
		return -1;
	*slot = id;
	return 0;
}

/* --- from the file's parts to the tables --------------------------------------- */

/* The id that v says the token has, or -1. */
static int32_t id_of(const struct json *v, const char *text, size_t n, struct err *e)
{
	int64_t i;
	if (json_i64(v, &i) == 0 && i >= 0 && i < VOCAB_MAX)
		return (int32_t)i;
	err_data(e, "token \"%.*s\" has an id that is no number from 0 to %d", shown(n), text, VOCAB_MAX - 1);
	return -1;
}

/* Room for all ids of both lists, and the table of their texts. */
static int make_room(struct vocab *v, const struct vocabfile *f, struct err *e)
{
	int32_t id, top = -1;
	for (const struct json *c = f->vocab->child; c; c = c->next) {
		if ((id = id_of(c, c->key, c->keylen, e)) < 0)
			return -1;
		top = id > top ? id : top;
	}
	for (const struct json *c = f->added->child; c; c = c->next) {
		const struct json *text = json_get(c, "content");
		if ((id = id_of(json_get(c, "id"), text->s, text->n, e)) < 0)
			return -1;
		top = id > top ? id : top;
	}
	v->size = (uint32_t)(top + 1);
	v->mask = 15;
	while (v->mask < 2 * (f->vocab->n + f->added->n))
		v->mask = v->mask * 2 + 1;
	v->tok = arena_zalloc(&v->arena, (v->size + 1) * sizeof *v->tok);
	v->slot = arena_alloc(&v->arena, (v->mask + 1) * sizeof *v->slot);
	if (!v->tok || !v->slot)
		return err_mem(e);
	memset(v->slot, 0xFF, (v->mask + 1) * sizeof *v->slot);
	return 0;
}

static int add_vocab(struct vocab *v, const struct json *vocab, struct err *e)
{
	for (const struct json *c = vocab->child; c; c = c->next) {
		int32_t id = id_of(c, c->key, c->keylen, e);
		if (id < 0 || add_token(v, c->key, c->keylen, id, e))
			return -1;
		v->tok[id].model = true;
	}
	for (int b = 0; b < 256; b++) {
		char text[4];
		size_t n = (size_t)utf8_encode(bytechar_of((unsigned char)b), text);
		v->byte[b] = vocab_id(v, text, n);
		if (v->byte[b] < 0 && b != 0xC0 && b != 0xC1 && b < 0xF5)
			return err_data(e, "the vocabulary has no token for byte 0x%02X: not a byte-level one", (unsigned)b);
	}
	return 0;
}

/* "a b" or ["a", "b"]. */
static int merge_parts(const struct json *m, const char *part[2], size_t n[2])
{
	if (m->type == JSON_STRING) {
		const char *space = memchr(m->s, ' ', m->n);
		if (!space)
			return -1;
		part[0] = m->s;
		n[0] = (size_t)(space - m->s);
		part[1] = space + 1;
		n[1] = m->n - n[0] - 1;
		return memchr(part[1], ' ', n[1]) ? -1 : 0;
	}
	if (m->type != JSON_ARRAY || m->n != 2 || !json_is(m->child, JSON_STRING) || !json_is(m->child->next, JSON_STRING))
		return -1;
	part[0] = m->child->s;
	n[0] = m->child->n;
	part[1] = m->child->next->s;
	n[1] = m->child->next->n;
	return 0;
}

static int add_merge(struct vocab *v, const struct json *m, struct buf *joined, struct err *e)
{
	const char *part[2];
	size_t n[2];
	if (merge_parts(m, part, n))
		return err_data(e, "merge %zu is no pair of tokens", v->nmerge);
	buf_reset(joined);
	if (buf_add(joined, part[0], n[0]) || buf_add(joined, part[1], n[1]) || buf_reserve(joined, 1))
		return err_mem(e);
	struct vocab_merge *x = &v->merge[v->nmerge];
	x->a = vocab_id(v, part[0], n[0]);
	x->b = vocab_id(v, part[1], n[1]);
	x->id = vocab_id(v, joined->p, joined->n);
	if (x->a < 0 || x->b < 0 || x->id < 0)
		return err_data(e, "merge %zu, \"%.*s\" with \"%.*s\": the vocabulary lacks a part or the result", v->nmerge,
		                shown(n[0]), part[0], shown(n[1]), part[1]);
	v->nmerge++;
	return 0;
}

static int add_merges(struct vocab *v, const struct json *merges, struct err *e)
{
	struct buf joined = {0};
	int rc = 0;
	v->merge = arena_alloc(&v->arena, (merges->n + 1) * sizeof *v->merge);
	if (!v->merge)
		return err_mem(e);
	for (const struct json *c = merges->child; c && rc == 0; c = c->next) {
		/* HF takes it for the first line of a merges.txt, wherever it stands */
		if (c->type == JSON_STRING && c->n >= 8 && memcmp(c->s, "#version", 8) == 0)
			continue;
		rc = add_merge(v, c, &joined, e);
	}
	buf_release(&joined);
	return rc;
}

/* The normalizer has left the content alone. */
static bool as_written(const struct vocab_added *a, const struct json *content)
{
	return a->n == content->n && memcmp(a->text, content->s, a->n) == 0;
}

static int twice(const char *s, size_t n, struct err *e)
{
	return err_data(e, "added token \"%.*s\" is there twice", shown(n), s);
}

/* One of the same content stands behind c. Only where the normalizer changes it: others are known by it in v. */
static bool content_again(const struct json *c, const struct json *text)
{
	for (const struct json *d = c->next; d; d = d->next) {
		const struct json *other = json_get(d, "content");
		if (other->n == text->n && memcmp(other->s, text->s, text->n) == 0)
			return true;
	}
	return false;
}

/* Of two that are one behind the normalizer HF finds now this one, now that. */
static int only_one(const struct vocab *v, const struct vocab_added *a, struct err *e)
{
	for (const struct vocab_added *b = v->added; a->normalized && b < a; b++)
		if (b->normalized && b->n == a->n && memcmp(b->text, a->text, a->n) == 0)
			return twice(a->text, a->n, e);
	return 0;
}

/* HF numbers added tokens itself: a token of the vocabulary keeps its id, others
 * are counted on from the vocabulary's size. A file that says otherwise means
 * something that HF would not do. A token is known by its content; what is looked for in text and
 * comes out of it, a->text, may be another, and that of another token too. */
static int number_added(struct vocab *v, const struct json *text, const struct vocab_added *a, int32_t nvocab, int32_t *top,
                        struct err *e)
{
	int32_t known = vocab_id(v, text->s, text->n);
	int32_t want = known >= 0 ? known : *top >= nvocab ? *top + 1 : nvocab;
	if (known >= 0 && v->tok[known].added)
		return twice(text->s, text->n, e);
	if (a->id != want)
		return err_data(e, "added token \"%.*s\" has id %d where HF counts %d", shown(text->n), text->s, a->id, want);
	*top = a->id > *top ? a->id : *top;
	if (known >= 0)
		return 0;
	return as_written(a, text) ? add_token(v, a->text, a->n, a->id, e) : set_token(v, a->text, a->n, a->id, e);
}

static int add_added(struct vocab *v, const struct json *c, struct vocab_added *a, struct err *e)
{
	const struct json *text = json_get(c, "content");
	struct buf nfc = {0};
	a->normalized = json_is(json_get(c, "normalized"), JSON_TRUE);
	a->single_word = json_is(json_get(c, "single_word"), JSON_TRUE);
	a->lstrip = json_is(json_get(c, "lstrip"), JSON_TRUE);
	a->rstrip = json_is(json_get(c, "rstrip"), JSON_TRUE);
	if (a->normalized && v->rules.nfc ? unicode_nfc(&nfc, text->s, text->n) : buf_add(&nfc, text->s, text->n))
		return err_mem(e);
	a->n = nfc.n;
	a->text = arena_dup(&v->arena, nfc.p, nfc.n);
	buf_release(&nfc);
	if (!a->text)
		return err_mem(e);
	a->id = id_of(json_get(c, "id"), text->s, text->n, e);
	return a->id < 0 ? -1 : 0;
}

/* HF keeps special tokens by their content and asks by what a token decodes to: one that the
 * normalizer changes is special only if it comes out as another that is. */
static void special_by_text(struct vocab *v)
{
	for (const struct vocab_added *a = v->added; a < v->added + v->nadded; a++) {
		int32_t id = vocab_id(v, a->text, a->n);
		if (id != a->id)
			v->tok[a->id].special = id >= 0 && v->tok[id].special;
	}
}

static int add_all_added(struct vocab *v, const struct vocabfile *f, struct err *e)
{
	int32_t top = -1;
	v->added = arena_alloc(&v->arena, (f->added->n + 1) * sizeof *v->added);
	if (!v->added)
		return err_mem(e);
	for (const struct json *c = f->added->child; c; c = c->next) {
		const struct json *text = json_get(c, "content");
		struct vocab_added *a = &v->added[v->nadded++];
		if (add_added(v, c, a, e) || only_one(v, a, e) || number_added(v, text, a, (int32_t)f->vocab->n, &top, e))
			return -1;
		if (!as_written(a, text) && content_again(c, text))
			return twice(text->s, text->n, e);
		v->tok[a->id].added = true;
		v->tok[a->id].normalized = a->normalized;
		v->tok[a->id].special = json_is(json_get(c, "special"), JSON_TRUE);
	}
	special_by_text(v);
	return 0;
}

/* A template names ids of its own, not tokens: they must be some. */
static int check_around(const struct vocab *v, const int32_t *ids, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (ids[i] >= (int32_t)v->size || !v->tok[ids[i]].text)
			return err_data(e, "post_processor: no token has its id %d", ids[i]);
	return 0;
}

/* The rules that most tokenizers do without add nothing to the hash where they are not used. */
static uint64_t hash_rules(uint64_t h, const struct vocab_rules *r)
{
	h = hash_word(h, r->nfc);
	for (uint32_t i = 0; i < r->ncut; i++)
		h = hash_word(h, r->cut[i]);
	if (r->prefix_space || r->ignore_merges)
		h = hash_word(h, 0x100 + r->prefix_space + 2u * r->ignore_merges);
	if (r->nfront + r->nback == 0)
		return h;
	h = hash_word(h, 0x200 + r->nfront);
	for (uint32_t i = 0; i < r->nfront; i++)
		h = hash_word(h, (uint32_t)r->front[i]);
	for (uint32_t i = 0; i < r->nback; i++)
		h = hash_word(h, (uint32_t)r->back[i]);
	return h;
}

/* Over what decides the ids: of each id in order its token and whether it is an
 * added one, raw or normalized, and where that matters whether it is the model's;
 * the merges; the odd ways of added tokens; the steps around all. */
static uint64_t fingerprint(const struct vocab *v)
{
	uint64_t h = HASH_SEED;
	for (uint32_t id = 0; id < v->size; id++) {
		const struct vocab_token *t = &v->tok[id];
		h = hash_bytes(h, t->text, t->n);
		h = hash_word(h, t->added + 2u * t->normalized + 4u * (v->rules.ignore_merges && t->model));
	}
	for (size_t i = 0; i < v->nmerge; i++)
		h = hash_word(hash_word(h, (uint32_t)v->merge[i].a), (uint32_t)v->merge[i].b);
	for (size_t i = 0; i < v->nadded; i++)
		if (how(&v->added[i]))
			h = hash_word(hash_word(h, (uint32_t)v->added[i].id), 0x300 + how(&v->added[i]));
	h = hash_rules(h, &v->rules);
	return h ? h : 1;
}

static int build(struct vocab *v, const struct vocabfile *f, struct err *e)
{
	v->rules = f->rules;
	if (make_room(v, f, e) || add_vocab(v, f->vocab, e) || add_merges(v, f->merges, e) || add_all_added(v, f, e) ||
	    check_around(v, v->rules.front, v->rules.nfront, e) || check_around(v, v->rules.back, v->rules.nback, e))
		return -1;
	v->fingerprint = fingerprint(v);
	return 0;
}

int vocab_parse(struct vocab *v, const char *json, size_t n, struct err *e)
{
	struct arena tree = {0};
	struct vocabfile f;
	*v = (struct vocab){0};
	int rc = vocabfile_read(&f, &tree, json, n, e) || build(v, &f, e) ? -1 : 0;
	arena_release(&tree);
	if (rc)
		vocab_release(v);
	return rc;
}

int vocab_load(struct vocab *v, const char *path, struct err *e)
{
	struct buf text = {0};
	/* in_slurp names the file itself */
	int rc = in_slurp(path, &text, e);
	if (rc == 0 && (rc = vocab_parse(v, text.p, text.n, e)) != 0)
		err_prefix(e, "%s: ", path);
	buf_release(&text);
	return rc;
}

void vocab_release(struct vocab *v)
{
	arena_release(&v->arena);
	*v = (struct vocab){0};
}
