#include "text/vocabfile.h"

#include <string.h>

/* keys is "one|two|three". */
static bool named(const char *keys, const char *key, size_t n)
{
	for (const char *k = keys; *k;) {
		size_t len = strcspn(k, "|");
		if (len == n && memcmp(k, key, n) == 0)
			return true;
		k += len + (k[len] == '|');
	}
	return false;
}

/* An object that has no other keys than those, each at most once. */
static int object_of(const struct json *v, const char *what, const char *keys, struct err *e)
{
	if (!json_is(v, JSON_OBJECT))
		return err_data(e, "%s is no object", what);
	for (const struct json *c = v->child; c; c = c->next) {
		if (!named(keys, c->key, c->keylen))
			return err_data(e, "%s has a key \"%s\" that is not supported", what, c->key);
		if (json_getn(v, c->key, c->keylen) != c)
			return err_data(e, "%s has the key \"%s\" twice", what, c->key);
	}
	return 0;
}

static bool absent(const struct json *v)
{
	return !v || v->type == JSON_NULL;
}

/* A part {"type": "..."} by its type; NULL if it has none. */
static const char *type_of(const struct json *part)
{
	const struct json *t = json_get(part, "type");
	return json_is(t, JSON_STRING) ? t->s : NULL;
}

static int wrong_type(const struct json *part, const char *what, struct err *e)
{
	const char *type = type_of(part);
	return type ? err_data(e, "%s \"%s\" is not supported", what, type) : err_data(e, "%s has no type", what);
}

/* v[key] must be absent, null or the boolean `want`. */
static int must_be(const struct json *v, const char *what, const char *key, bool want, struct err *e)
{
	const struct json *x = json_get(v, key);
	if (absent(x) || x->type == (want ? JSON_TRUE : JSON_FALSE))
		return 0;
	return err_data(e, "%s: \"%s\" other than %s is not supported", what, key, want ? "true" : "false");
}

/* v[key] must be a boolean. */
static int a_bool(const struct json *v, const char *what, const char *key, struct err *e)
{
	const struct json *x = json_get(v, key);
	return json_is(x, JSON_TRUE) || json_is(x, JSON_FALSE) ? 0 : err_data(e, "%s: \"%s\" is no boolean", what, key);
}

static int normalizer(struct vocabfile *f, const struct json *v, struct err *e)
{
	f->nfc = !absent(v);
	if (absent(v))
		return 0;
	if (!json_streq(json_get(v, "type"), "NFC"))
		return wrong_type(v, "normalizer", e);
	return object_of(v, "normalizer", "type", e);
}

static const char byte_level[] = "type|add_prefix_space|trim_offsets|use_regex";

static int pre_tokenizer(struct vocabfile *f, const struct json *v, struct err *e)
{
	if (absent(v))
		return err_data(e, "no pre_tokenizer: not supported");
	if (!json_streq(json_get(v, "type"), "ByteLevel"))
		return wrong_type(v, "pre_tokenizer", e);
	f->pretok = VOCAB_GPT2;
	if (object_of(v, "pre_tokenizer", byte_level, e) || a_bool(v, "pre_tokenizer", "add_prefix_space", e) ||
	    must_be(v, "pre_tokenizer", "add_prefix_space", false, e))
		return -1;
	return must_be(v, "pre_tokenizer", "use_regex", true, e);
}

/* Neither of these two touches the ids: one trims offsets, one spells tokens out. */
static int byte_level_only(const struct json *v, const char *what, struct err *e)
{
	if (!json_streq(json_get(v, "type"), "ByteLevel"))
		return wrong_type(v, what, e);
	return object_of(v, what, byte_level, e);
}

static int empty_or_null(const struct json *v, const char *key, struct err *e)
{
	const struct json *x = json_get(v, key);
	return absent(x) || json_streq(x, "") ? 0 : err_data(e, "model: \"%s\" is not supported", key);
}

static int model(struct vocabfile *f, const struct json *v, struct err *e)
{
	double dropout;
	if (json_is(v, JSON_OBJECT) && json_get(v, "type") && !json_streq(json_get(v, "type"), "BPE"))
		return wrong_type(v, "model", e);
	if (object_of(v, "model", "type|dropout|unk_token|continuing_subword_prefix|end_of_word_suffix|fuse_unk|"
	              "byte_fallback|ignore_merges|vocab|merges", e))
		return -1;
	/* unk_token and fuse_unk say what becomes of a byte without a token: vocab.c wants one for each */
	const struct json *d = json_get(v, "dropout");
	if (!absent(d) && (json_f64(d, &dropout) || dropout != 0))
		return err_data(e, "model: \"dropout\" is not supported");
	if (empty_or_null(v, "continuing_subword_prefix", e) || empty_or_null(v, "end_of_word_suffix", e) ||
	    must_be(v, "model", "byte_fallback", false, e) || must_be(v, "model", "ignore_merges", false, e))
		return -1;
	f->vocab = json_get(v, "vocab");
	f->merges = json_get(v, "merges");
	if (!json_is(f->vocab, JSON_OBJECT))
		return err_data(e, "model: \"vocab\" is no object");
	return json_is(f->merges, JSON_ARRAY) ? 0 : err_data(e, "model: \"merges\" is no array");
}

static int added_token(const struct json *v, struct err *e)
{
	static const char *const flag[] = {"single_word", "lstrip", "rstrip"};
	char what[100] = "an added token";
	if (object_of(v, what, "id|content|special|normalized|single_word|lstrip|rstrip", e))
		return -1;
	const struct json *content = json_get(v, "content");
	if (!json_is(content, JSON_STRING) || content->n == 0)
		return err_data(e, "an added token without content");
	size_t shown = content->n > 60 ? 60 : content->n;
	memcpy(what, "added token \"", 13);
	memcpy(what + 13, content->s, shown);
	memcpy(what + 13 + shown, "\"", 2);
	for (size_t i = 0; i < sizeof flag / sizeof *flag; i++)
		if (a_bool(v, what, flag[i], e) || must_be(v, what, flag[i], false, e))
			return -1;
	return a_bool(v, what, "special", e) || a_bool(v, what, "normalized", e) ? -1 : 0;
}

static int added_tokens(struct vocabfile *f, const struct json *v, struct err *e)
{
	static const struct json none = {.type = JSON_ARRAY};
	f->added = absent(v) ? &none : v;
	if (f->added->type != JSON_ARRAY)
		return err_data(e, "added_tokens is no array");
	for (const struct json *c = f->added->child; c; c = c->next)
		if (added_token(c, e))
			return -1;
	return 0;
}

int vocabfile_read(struct vocabfile *f, struct arena *a, const char *text, size_t n, struct err *e)
{
	struct json *v;
	if (json_parse(a, text, n, &v, e))
		return -1;
	if (object_of(v, "the tokenizer",
	              "version|truncation|padding|added_tokens|normalizer|pre_tokenizer|post_processor|decoder|model", e))
		return -1;
	const struct json *version = json_get(v, "version");
	if (version && !json_streq(version, "1.0"))
		return err_data(e, "a version other than \"1.0\" is not supported");
	if (!absent(json_get(v, "truncation")))
		return err_data(e, "\"truncation\" is not supported here: set it to null, pad-trunc cuts");
	if (!absent(json_get(v, "padding")))
		return err_data(e, "\"padding\" is not supported here: set it to null, pad-trunc pads");
	if (normalizer(f, json_get(v, "normalizer"), e) || pre_tokenizer(f, json_get(v, "pre_tokenizer"), e))
		return -1;
	const struct json *post = json_get(v, "post_processor");
	if (!absent(post) && byte_level_only(post, "post_processor", e))
		return -1;
	if (absent(json_get(v, "decoder")))
		return err_data(e, "no decoder: not supported");
	if (byte_level_only(json_get(v, "decoder"), "decoder", e))
		return -1;
	return model(f, json_get(v, "model"), e) || added_tokens(f, json_get(v, "added_tokens"), e) ? -1 : 0;
}
