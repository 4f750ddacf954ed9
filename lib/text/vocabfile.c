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

/* v[key] must be a boolean. */
static int a_bool(const struct json *v, const char *what, const char *key, struct err *e)
{
	const struct json *x = json_get(v, key);
	return json_is(x, JSON_TRUE) || json_is(x, JSON_FALSE) ? 0 : err_data(e, "%s: \"%s\" is no boolean", what, key);
}

/* --- the steps before BPE ------------------------------------------------------------ */

/* The steps of {"type": "Sequence", KEY: [...]}, or the one step that v is. NULL: neither. */
static const struct json *steps_of(const struct json *v, const char *what, const char *key, struct err *e)
{
	char keys[40] = "type|";
	if (!json_streq(json_get(v, "type"), "Sequence"))
		return v;
	strcat(keys, key);
	if (object_of(v, what, keys, e))
		return NULL;
	const struct json *list = json_get(v, key);
	if (json_is(list, JSON_ARRAY))
		return list;
	err_data(e, "%s: \"%s\" is no array", what, key);
	return NULL;
}

/* The first step of what steps_of gave; step->next is that behind it where it is a list. */
static const struct json *first_step(const struct json *steps)
{
	return steps->type == JSON_ARRAY ? steps->child : steps;
}

static const struct json *next_step(const struct json *steps, const struct json *step)
{
	return steps->type == JSON_ARRAY ? step->next : NULL;
}

static int normalizer(struct vocabfile *f, const struct json *v, struct err *e)
{
	if (absent(v))
		return 0;
	const struct json *steps = steps_of(v, "normalizer", "normalizers", e);
	if (!steps)
		return -1;
	for (const struct json *s = first_step(steps); s; s = next_step(steps, s)) {
		if (!json_streq(json_get(s, "type"), "NFC"))
			return wrong_type(s, "normalizer", e);
		if (object_of(s, "normalizer", "type", e))
			return -1;
		f->rules.nfc = true;
	}
	return 0;
}

static int add_cut(struct vocabfile *f, enum pretok kind, struct err *e)
{
	if (f->rules.ncut == VOCAB_CUTS)
		return err_data(e, "pre_tokenizer: more than %d steps are not supported", VOCAB_CUTS);
	f->rules.cut[f->rules.ncut++] = kind;
	return 0;
}

static const char byte_level[] = "type|add_prefix_space|trim_offsets|use_regex";

/* A pattern of pretok.h has no gaps between its matches: to keep the matches and to drop the gaps are the same. */
static int split_step(struct vocabfile *f, const struct json *v, struct err *e)
{
	static const char what[] = "pre_tokenizer Split";
	enum pretok kind;
	if (object_of(v, what, "type|pattern|behavior|invert", e) || a_bool(v, what, "invert", e))
		return -1;
	const struct json *pattern = json_get(v, "pattern"), *behavior = json_get(v, "behavior");
	const struct json *regex = json_get(pattern, "Regex");
	bool invert = json_is(json_get(v, "invert"), JSON_TRUE);
	if (object_of(pattern, "pre_tokenizer Split: pattern", "Regex", e))
		return -1;
	if (!json_is(regex, JSON_STRING))
		return err_data(e, "%s: the pattern is no string", what);
	if (!json_is(behavior, JSON_STRING))
		return err_data(e, "%s has no behavior", what);
	if (!json_streq(behavior, "Isolated") && !(invert && json_streq(behavior, "Removed")))
		return err_data(e, "%s: behavior \"%s\"%s is not supported", what, behavior->s, invert ? ", inverted," : "");
	if (pretok_published(regex->s, regex->n, &kind))
		return err_data(e, "%s: the pattern \"%s\" is not supported", what, regex->s);
	return add_cut(f, kind, e);
}

static int digits_step(struct vocabfile *f, const struct json *v, struct err *e)
{
	static const char what[] = "pre_tokenizer Digits";
	if (object_of(v, what, "type|individual_digits", e) || a_bool(v, what, "individual_digits", e))
		return -1;
	return add_cut(f, json_is(json_get(v, "individual_digits"), JSON_TRUE) ? PRETOK_DIGITS : PRETOK_NUMBERS, e);
}

/* The last step: no other could read the byte alphabet it leaves. */
static int byte_level_step(struct vocabfile *f, const struct json *v, struct err *e)
{
	const struct json *regex = json_get(v, "use_regex");
	if (object_of(v, "pre_tokenizer", byte_level, e) || a_bool(v, "pre_tokenizer", "add_prefix_space", e) ||
	    (regex && a_bool(v, "pre_tokenizer", "use_regex", e)))
		return -1;
	f->rules.prefix_space = json_is(json_get(v, "add_prefix_space"), JSON_TRUE);
	if (!json_is(regex, JSON_FALSE))
		return add_cut(f, PRETOK_GPT2, e);
	return f->rules.ncut == 0 || f->rules.prefix_space ? add_cut(f, PRETOK_WHOLE, e) : 0;
}

static int pre_tokenizer(struct vocabfile *f, const struct json *v, struct err *e)
{
	bool done = false;
	if (absent(v))
		return err_data(e, "no pre_tokenizer: not supported");
	const struct json *steps = steps_of(v, "pre_tokenizer", "pretokenizers", e);
	if (!steps)
		return -1;
	for (const struct json *s = first_step(steps); s; s = next_step(steps, s)) {
		const struct json *type = json_get(s, "type");
		if (done)
			return err_data(e, "pre_tokenizer: a step behind ByteLevel is not supported");
		done = json_streq(type, "ByteLevel");
		if (done ? byte_level_step(f, s, e) : json_streq(type, "Split") ? split_step(f, s, e) :
		    json_streq(type, "Digits") ? digits_step(f, s, e) : wrong_type(s, "pre_tokenizer", e))
			return -1;
	}
	return done ? 0 : err_data(e, "pre_tokenizer without ByteLevel: not supported");
}

/* --- the steps after it ---------------------------------------------------------------- */

/* Spells tokens out. */
static int decoder(const struct json *v, struct err *e)
{
	if (absent(v))
		return err_data(e, "no decoder: not supported");
	const struct json *steps = steps_of(v, "decoder", "decoders", e);
	if (!steps)
		return -1;
	const struct json *s = first_step(steps);
	if (!s || next_step(steps, s))
		return err_data(e, "a decoder of other than one step is not supported");
	return json_streq(json_get(s, "type"), "ByteLevel") ? object_of(s, "decoder", byte_level, e) : wrong_type(s, "decoder", e);
}

/* {"SpecialToken": {"id": NAME, "type_id": 0}}: the ids that `tokens` gives NAME, to *n at ids. */
static int template_token(const struct json *v, const struct json *tokens, int32_t *ids, uint32_t *n, struct err *e)
{
	const struct json *name = json_get(v, "id");
	if (object_of(v, "post_processor: a SpecialToken", "id|type_id", e))
		return -1;
	if (!json_is(name, JSON_STRING))
		return err_data(e, "post_processor: a SpecialToken has no id");
	const struct json *list = json_get(json_getn(tokens, name->s, name->n), "ids");
	if (!json_is(list, JSON_ARRAY))
		return err_data(e, "post_processor: special token \"%s\" has no ids", name->s);
	for (const struct json *c = list->child; c; c = c->next) {
		int64_t id;
		if (json_i64(c, &id) || id < 0 || id >= VOCAB_MAX)
			return err_data(e, "post_processor: special token \"%s\" has an id that is no number from 0 to %d", name->s, VOCAB_MAX - 1);
		if (*n == VOCAB_AROUND)
			return err_data(e, "post_processor: more than %d tokens on one side are not supported", VOCAB_AROUND);
		ids[(*n)++] = (int32_t)id;
	}
	return 0;
}

/* What stands around the one sequence of "single"; "pair" is for two texts at once, which no program encodes. */
static int template(struct vocabfile *f, const struct json *v, struct err *e)
{
	int sequences = 0;
	const struct json *single = json_get(v, "single"), *tokens = json_get(v, "special_tokens");
	if (object_of(v, "post_processor TemplateProcessing", "type|single|pair|special_tokens", e))
		return -1;
	if (!json_is(single, JSON_ARRAY))
		return err_data(e, "post_processor: \"single\" is no array");
	for (const struct json *c = single->child; c; c = c->next) {
		const struct json *special = json_get(c, "SpecialToken");
		if (object_of(c, "post_processor: a part of \"single\"", "SpecialToken|Sequence", e))
			return -1;
		if (special) {
			if (sequences ? template_token(special, tokens, f->rules.back, &f->rules.nback, e)
			              : template_token(special, tokens, f->rules.front, &f->rules.nfront, e))
				return -1;
			continue;
		}
		sequences += json_streq(json_get(json_get(c, "Sequence"), "id"), "A") ? 1 : 2;
	}
	return sequences == 1 ? 0 : err_data(e, "post_processor: a template other than of one sequence A is not supported");
}

/* ByteLevel trims offsets, which nothing here has. */
static int post_processor(struct vocabfile *f, const struct json *v, struct err *e)
{
	bool had_template = false;
	if (absent(v))
		return 0;
	const struct json *steps = steps_of(v, "post_processor", "processors", e);
	if (!steps)
		return -1;
	for (const struct json *s = first_step(steps); s; s = next_step(steps, s)) {
		const struct json *type = json_get(s, "type");
		if (json_streq(type, "ByteLevel")) {
			if (object_of(s, "post_processor", byte_level, e))
				return -1;
			continue;
		}
		if (!json_streq(type, "TemplateProcessing"))
			return wrong_type(s, "post_processor", e);
		if (had_template)
			return err_data(e, "post_processor: a second template is not supported");
		had_template = true;
		if (template(f, s, e))
			return -1;
	}
	return 0;
}

/* --- model and added tokens -------------------------------------------------------------- */

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
	/* unk_token, fuse_unk and byte_fallback say what becomes of a byte without a token: vocab.c wants one for each */
	const struct json *d = json_get(v, "dropout"), *ignore = json_get(v, "ignore_merges");
	if (!absent(d) && (json_f64(d, &dropout) || dropout != 0))
		return err_data(e, "model: \"dropout\" is not supported");
	if (empty_or_null(v, "continuing_subword_prefix", e) || empty_or_null(v, "end_of_word_suffix", e) ||
	    (!absent(ignore) && a_bool(v, "model", "ignore_merges", e)))
		return -1;
	f->rules.ignore_merges = json_is(ignore, JSON_TRUE);
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
		if (a_bool(v, what, flag[i], e))
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
	*f = (struct vocabfile){0};
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
	if (post_processor(f, json_get(v, "post_processor"), e) || decoder(json_get(v, "decoder"), e))
		return -1;
	return model(f, json_get(v, "model"), e) || added_tokens(f, json_get(v, "added_tokens"), e) ? -1 : 0;
}
