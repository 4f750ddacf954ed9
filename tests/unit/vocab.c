/* text/vocab, text/vocabfile, text/bytechar and text/added: what a tokenizer.json
 * says, what is refused of it and in which words, and where added tokens are found. */
#include "test.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/added.h"
#include "text/bytechar.h"
#include "text/vocab.h"

#include <unistd.h>

/* --- a small tokenizer.json whose parts can be exchanged ---------------------------- */

/* The parts of the file, each of which a test may replace. */
static const char plain_merges[] = "[\"a b\", \"ab c\"]";
static const char plain_added[] = "[{\"id\": 0, \"content\": \"<|endoftext|>\", \"single_word\": false, \"lstrip\": false, "
                                  "\"rstrip\": false, \"normalized\": false, \"special\": true}, "
                                  "{\"id\": 259, \"content\": \"  \", \"single_word\": false, \"lstrip\": false, "
                                  "\"rstrip\": false, \"normalized\": true, \"special\": false}]";
static const char plain_head[] = "\"version\": \"1.0\", \"truncation\": null, \"padding\": null";
static const char plain_steps[] =
	"\"normalizer\": {\"type\": \"NFC\"}, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
	"\"trim_offsets\": true, \"use_regex\": true}, \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\"}";
static const char plain_model[] = "\"type\": \"BPE\", \"dropout\": null";

static void add(struct buf *b, const char *fmt, const char *s)
{
	if (buf_printf(b, fmt, s))
		abort();
}

/* Ids: 0 the end of text, 1 to 256 the bytes (one may be left out), 257 "ab", 258 "abc", then `more`. */
static void add_vocab(struct buf *b, int without, const char *more)
{
	char text[5];
	add(b, "%s", "{\"<|endoftext|>\": 0");
	for (int byte = 0; byte < 256; byte++) {
		if (byte == without)
			continue;
		text[utf8_encode(bytechar_of((unsigned char)byte), text)] = 0;
		add(b, ", \"%s", byte == '"' || byte == '\\' ? "\\" : "");
		add(b, "%s\": ", text);
		if (buf_printf(b, "%d", byte + 1))
			abort();
	}
	add(b, ", \"ab\": 257, \"abc\": 258%s}", more);
}

struct parts {
	const char *head, *steps, *model, *merges, *added, *more_vocab;
	int without;
};

static int load(struct vocab *v, const struct parts *p, struct err *e)
{
	struct buf b = {0};
	char path[64];
	FILE *f = tmpfile();
	add(&b, "{%s, \"added_tokens\": ", p->head ? p->head : plain_head);
	add(&b, "%s, ", p->added ? p->added : plain_added);
	add(&b, "%s, \"model\": {", p->steps ? p->steps : plain_steps);
	add(&b, "%s, \"vocab\": ", p->model ? p->model : plain_model);
	add_vocab(&b, p->without ? p->without : -1, p->more_vocab ? p->more_vocab : "");
	add(&b, ", \"merges\": %s}}", p->merges ? p->merges : plain_merges);
	if (!f || fwrite(b.p, 1, b.n, f) != b.n || fflush(f))
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(f));
	int rc = vocab_load(v, path, e);
	fclose(f);
	buf_release(&b);
	return rc;
}

static uint64_t print_of(struct parts p)
{
	struct vocab v;
	struct err e;
	uint64_t h = 0;
	if (load(&v, &p, &e))
		printf("# %s\n", e.msg);
	else
		h = v.fingerprint;
	vocab_release(&v);
	return h;
}

/* --- what is read ------------------------------------------------------------------- */

static void contents(void)
{
	struct vocab v;
	struct err e;
	int rc = load(&v, &(struct parts){0}, &e);
	TEST(rc == 0, "the plain file is read");
	if (rc)
		return;
	TEST(v.size == 260 && v.nmerge == 2 && v.nadded == 2 && v.rules.nfc && vocab_plain(&v), "its parts are there");
	TEST(v.byte['a'] == 98 && v.byte[0] == 1 && v.byte[0xFF] == 256, "every byte has its token");
	TEST(v.merge[1].a == 257 && v.merge[1].b == 100 && v.merge[1].id == 258, "merges by id");
	TEST(vocab_id(&v, "abc", 3) == 258 && vocab_id(&v, "  ", 2) == 259 && vocab_id(&v, "abd", 3) == -1, "ids by text");
	TEST(v.tok[0].special && v.tok[0].added && !v.tok[259].special && v.tok[259].added && v.tok[259].normalized, "flags");
	TEST(v.tok[v.byte[' ']].nbytes == 1 && v.tok[v.byte[' ']].bytes[0] == ' ', "a token's bytes");
	vocab_release(&v);
}

#define TOKEN(id, content, flags) "{\"id\": " id ", \"content\": \"" content "\", " flags "}"
#define FLAGS(word, left, right) \
	"\"single_word\": " word ", \"lstrip\": " left ", \"rstrip\": " right ", \"normalized\": true, \"special\": false"
#define NONE FLAGS("false", "false", "false")
#define STEPS(norm, pre, post, dec) \
	"\"normalizer\": " norm ", \"pre_tokenizer\": " pre ", \"post_processor\": " post ", \"decoder\": " dec
#define PRE "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}"
#define LEVEL "{\"type\": \"ByteLevel\"}"
#define SEQUENCE(key, steps) "{\"type\": \"Sequence\", \"" key "\": [" steps "]}"
#define SPLIT(pattern, behavior, invert) \
	"{\"type\": \"Split\", \"pattern\": " pattern ", \"behavior\": \"" behavior "\", \"invert\": " invert "}"
#define GPT4(digits) \
	"{\"Regex\": \"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}" digits "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*" \
	"|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}"
#define DIGITS(single) "{\"type\": \"Digits\", \"individual_digits\": " single "}"
#define BYTES(space, regex) "{\"type\": \"ByteLevel\", \"add_prefix_space\": " space ", \"use_regex\": " regex "}"
#define CHAIN(steps) STEPS("null", SEQUENCE("pretokenizers", steps), "null", LEVEL)
#define SPECIAL(name) "{\"SpecialToken\": {\"id\": \"" name "\", \"type_id\": 0}}"
#define TEXT(id) "{\"Sequence\": {\"id\": \"" id "\", \"type_id\": 0}}"
#define TEMPLATE(single, ids) \
	"{\"type\": \"TemplateProcessing\", \"single\": [" single "], \"pair\": [], \"special_tokens\": {" \
	"\"<s>\": {\"id\": \"<s>\", \"ids\": [" ids "], \"tokens\": [\"<s>\"]}}}"

#define SPECIAL_TOKEN(id, content, normalized) \
	TOKEN(id, content, "\"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": " normalized ", \"special\": true")

/* Which of the added tokens 259 and 260 skip_special leaves out: 1 and 2. */
static int left_out(const char *added)
{
	struct vocab v;
	struct err e;
	if (load(&v, &(struct parts){.added = added}, &e))
		return -1;
	int out = v.tok[259].special + 2 * (v.size > 260 && v.tok[260].special);
	vocab_release(&v);
	return out;
}

/* HF asks whether a token's text, normalized, is the content of a special one, as it was written. */
static void special_by_text(void)
{
	TEST(left_out("[" SPECIAL_TOKEN("259", "q\xCC\x87\xCC\xA3", "false") "]") == 1, "special is left out");
	TEST(left_out("[" SPECIAL_TOKEN("259", "q\xCC\x87\xCC\xA3", "true") "]") == 0, "but not where the normalizer changes it");
	TEST(left_out("[" SPECIAL_TOKEN("259", "q\xCC\x87\xCC\xA3", "true") ", " SPECIAL_TOKEN("260", "q\xCC\xA3\xCC\x87", "false") "]") == 3 &&
	     left_out("[" TOKEN("259", "q\xCC\x87\xCC\xA3", NONE) ", " SPECIAL_TOKEN("260", "q\xCC\xA3\xCC\x87", "false") "]") == 3,
	     "unless into another special one's text");
}

/* Each a tokenizer of its own. */
static void fingerprints_of_steps(void)
{
	static const struct parts all[] = {
		{.steps = STEPS("null", PRE, "null", LEVEL)},
		{.steps = STEPS("null", BYTES("true", "true"), "null", LEVEL)},
		{.steps = STEPS("null", BYTES("false", "false"), "null", LEVEL)},
		{.steps = STEPS("null", BYTES("true", "false"), "null", LEVEL)},
		{.steps = CHAIN(SPLIT(GPT4("{1,3}"), "Isolated", "false") ", " BYTES("false", "false"))},
		{.steps = CHAIN(SPLIT(GPT4(""), "Isolated", "false") ", " BYTES("false", "false"))},
		{.steps = CHAIN(SPLIT(GPT4(""), "Isolated", "false") ", " BYTES("true", "false"))},
		{.steps = CHAIN(SPLIT(GPT4(""), "Isolated", "false") ", " PRE)},
		{.steps = CHAIN(DIGITS("true") ", " PRE)},
		{.steps = CHAIN(DIGITS("false") ", " PRE)},
		{.steps = STEPS("null", PRE, TEMPLATE(SPECIAL("<s>") ", " TEXT("A"), "0"), LEVEL)},
		{.steps = STEPS("null", PRE, TEMPLATE(TEXT("A") ", " SPECIAL("<s>"), "0"), LEVEL)},
		{.steps = STEPS("null", PRE, TEMPLATE(SPECIAL("<s>") ", " TEXT("A"), "0, 1"), LEVEL)},
		{.steps = STEPS("null", PRE, "null", LEVEL), .model = "\"ignore_merges\": true"},
		{.steps = STEPS("null", PRE, "null", LEVEL), .added = "[" TOKEN("259", "xx", FLAGS("false", "false", "false")) "]"},
		{.steps = STEPS("null", PRE, "null", LEVEL), .added = "[" TOKEN("259", "xx", FLAGS("true", "false", "false")) "]"},
		{.steps = STEPS("null", PRE, "null", LEVEL), .added = "[" TOKEN("259", "xx", FLAGS("false", "true", "false")) "]"},
		{.steps = STEPS("null", PRE, "null", LEVEL), .added = "[" TOKEN("259", "xx", FLAGS("false", "false", "true")) "]"},
	};
	uint64_t seen[sizeof all / sizeof *all];
	int same = 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		seen[i] = print_of(all[i]);
		same += seen[i] == 0;
		for (size_t k = 0; k < i; k++)
			same += seen[k] == seen[i];
	}
	TEST(same == 0, "other steps are other tokenizers");
	TEST(print_of((struct parts){.steps = CHAIN(SPLIT(GPT4("{1,3}"), "Removed", "true") ", " BYTES("false", "false"))}) == seen[4],
	     "a pattern without gaps: to drop the gaps is to keep the pieces");
	TEST(print_of((struct parts){.steps = STEPS(SEQUENCE("normalizers", ""), SEQUENCE("pretokenizers", PRE),
	                                            SEQUENCE("processors", LEVEL), SEQUENCE("decoders", LEVEL))}) == seen[0],
	     "a sequence of one is that one");
	TEST(print_of((struct parts){.steps = STEPS("null", PRE, SEQUENCE("processors", LEVEL ", " TEMPLATE(SPECIAL("<s>") ", " TEXT("A"), "0")),
	                                            LEVEL)}) == seen[10],
	     "also for a template");
	TEST(print_of((struct parts){.steps = STEPS("null", PRE, TEMPLATE(TEXT("A"), "5"), LEVEL), .model = "\"byte_fallback\": true"}) == seen[0],
	     "what is not used does not count");
}

static void fingerprints(void)
{
	uint64_t plain = print_of((struct parts){0});
	TEST(plain != 0, "there is a fingerprint");
	TEST(print_of((struct parts){.merges = "[[\"a\", \"b\"], [\"ab\", \"c\"]]"}) == plain, "merges as pairs are the same");
	TEST(print_of((struct parts){.merges = "[ \"#version: 0.2\",\n\"a b\",\t\"ab c\" ]"}) == plain, "so is other spacing");
	TEST(print_of((struct parts){.steps = "\"decoder\": {\"type\": \"ByteLevel\", \"trim_offsets\": false, \"add_prefix_space\": true}, "
	                                      "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, "
	                                      "\"normalizer\": {\"type\": \"NFC\"}"}) == plain,
	     "and what does not touch ids");
	TEST(print_of((struct parts){.model = "\"unk_token\": \"x\", \"fuse_unk\": true, \"end_of_word_suffix\": \"\", \"dropout\": 0.0, "
	                                      "\"byte_fallback\": false, \"ignore_merges\": false"}) == plain,
	     "nor do these");
	TEST(print_of((struct parts){.merges = "[\"ab c\", \"a b\"]"}) != plain, "another order of merges is another tokenizer");
	TEST(print_of((struct parts){.merges = "[\"a b\"]"}) != plain, "as are fewer merges");
	TEST(print_of((struct parts){.added = "[]"}) != plain, "other added tokens");
	TEST(print_of((struct parts){.more_vocab = ", \"zz\": 259", .added = "null"}) != print_of((struct parts){.added = "null"}),
	     "more tokens");
	TEST(print_of((struct parts){.steps = "\"normalizer\": null, \"decoder\": {\"type\": \"ByteLevel\"}, "
	                                      "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}"}) != plain,
	     "another normalizer");
	fingerprints_of_steps();
}

/* --- what is refused ------------------------------------------------------------------ */

static void refuse(struct parts p, const char *why)
{
	struct vocab v;
	struct err e = {0};
	int rc = load(&v, &p, &e);
	const char *said = strstr(e.msg, ": ");
	TEST(rc == -1 && e.kind == ERR_DATA && said && strcmp(said + 2, why) == 0, "%s", e.msg);
	vocab_release(&v);
}

static void refuse_steps(void)
{
	refuse((struct parts){.head = "\"version\": \"2.0\""}, "a version other than \"1.0\" is not supported");
	refuse((struct parts){.head = "\"truncation\": {\"max_length\": 3}"},
	       "\"truncation\" is not supported here: set it to null, pad-trunc cuts");
	refuse((struct parts){.head = "\"padding\": {\"pad_id\": 3}"}, "\"padding\" is not supported here: set it to null, pad-trunc pads");
	refuse((struct parts){.head = "\"speed\": 11"}, "the tokenizer has a key \"speed\" that is not supported");
	refuse((struct parts){.head = "\"truncation\": null, \"truncation\": null"}, "the tokenizer has the key \"truncation\" twice");
	refuse((struct parts){.steps = STEPS("{\"type\": \"NFKC\"}", PRE, "null", LEVEL)}, "normalizer \"NFKC\" is not supported");
	refuse((struct parts){.steps = STEPS("{}", PRE, "null", LEVEL)}, "normalizer has no type");
	refuse((struct parts){.steps = STEPS("null", "null", "null", LEVEL)}, "no pre_tokenizer: not supported");
	refuse((struct parts){.steps = STEPS("null", LEVEL, "null", LEVEL)}, "pre_tokenizer: \"add_prefix_space\" is no boolean");
	refuse((struct parts){.steps = STEPS("null", PRE, "null", "null")}, "no decoder: not supported");
	refuse((struct parts){.steps = STEPS("null", PRE, "null", "{\"type\": \"Metaspace\"}")}, "decoder \"Metaspace\" is not supported");
}

static void refuse_cuts(void)
{
	refuse((struct parts){.steps = STEPS("null", "{\"type\": \"Sequence\"}", "null", LEVEL)}, "pre_tokenizer: \"pretokenizers\" is no array");
	refuse((struct parts){.steps = STEPS("null", "{\"type\": \"Sequence\", \"pretokenizers\": [], \"x\": 1}", "null", LEVEL)},
	       "pre_tokenizer has a key \"x\" that is not supported");
	refuse((struct parts){.steps = CHAIN("")}, "pre_tokenizer without ByteLevel: not supported");
	refuse((struct parts){.steps = CHAIN(DIGITS("true"))}, "pre_tokenizer without ByteLevel: not supported");
	refuse((struct parts){.steps = CHAIN(PRE ", " DIGITS("true"))}, "pre_tokenizer: a step behind ByteLevel is not supported");
	refuse((struct parts){.steps = CHAIN("{\"type\": \"Whitespace\"}, " PRE)}, "pre_tokenizer \"Whitespace\" is not supported");
	refuse((struct parts){.steps = CHAIN(SEQUENCE("pretokenizers", PRE))}, "pre_tokenizer \"Sequence\" is not supported");
	refuse((struct parts){.steps = CHAIN("{\"type\": \"Digits\"}, " PRE)}, "pre_tokenizer Digits: \"individual_digits\" is no boolean");
	refuse((struct parts){.steps = CHAIN(DIGITS("true") ", " DIGITS("true") ", " DIGITS("true") ", " DIGITS("true") ", " PRE)},
	       "pre_tokenizer: more than 4 steps are not supported");
	refuse((struct parts){.steps = STEPS("null", "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": null}", "null", LEVEL)},
	       "pre_tokenizer: \"use_regex\" is no boolean");
	refuse((struct parts){.steps = CHAIN(SPLIT(GPT4("{1,3}"), "Removed", "false") ", " PRE)},
	       "pre_tokenizer Split: behavior \"Removed\" is not supported");
	refuse((struct parts){.steps = CHAIN(SPLIT(GPT4("{1,3}"), "MergedWithNext", "true") ", " PRE)},
	       "pre_tokenizer Split: behavior \"MergedWithNext\", inverted, is not supported");
	refuse((struct parts){.steps = CHAIN(SPLIT("{\"Regex\": \"\\\\p{L}+\"}", "Isolated", "false") ", " PRE)},
	       "pre_tokenizer Split: the pattern \"\\p{L}+\" is not supported");
	refuse((struct parts){.steps = CHAIN(SPLIT(GPT4("{1,2}"), "Isolated", "false") ", " PRE)},
	       "pre_tokenizer Split: the pattern \"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
	       "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+\" is not supported");
	refuse((struct parts){.steps = CHAIN(SPLIT("{\"String\": \" \"}", "Isolated", "false") ", " PRE)},
	       "pre_tokenizer Split: pattern has a key \"String\" that is not supported");
	refuse((struct parts){.steps = CHAIN(SPLIT("\" \"", "Isolated", "false") ", " PRE)}, "pre_tokenizer Split: pattern is no object");
	refuse((struct parts){.steps = CHAIN("{\"type\": \"Split\", \"pattern\": {\"Regex\": \"x\"}, \"invert\": false}, " PRE)},
	       "pre_tokenizer Split has no behavior");
}

static void refuse_templates(void)
{
	static const char one_text[] = "post_processor: a template other than of one sequence A is not supported";
	refuse((struct parts){.steps = STEPS("null", PRE, "{\"type\": \"RobertaProcessing\"}", LEVEL)}, "post_processor \"RobertaProcessing\" is not supported");
	refuse((struct parts){.steps = STEPS("null", PRE, "{\"type\": \"TemplateProcessing\"}", LEVEL)}, "post_processor: \"single\" is no array");
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(SPECIAL("<s>"), "0"), LEVEL)}, one_text);
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(TEXT("A") ", " SPECIAL("<s>") ", " TEXT("A"), "0"), LEVEL)}, one_text);
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(TEXT("B"), "0"), LEVEL)}, one_text);
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(SPECIAL("</s>") ", " TEXT("A"), "0"), LEVEL)},
	       "post_processor: special token \"</s>\" has no ids");
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(SPECIAL("<s>") ", " TEXT("A"), "0, 260"), LEVEL)},
	       "post_processor: no token has its id 260");
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(TEXT("A") ", " SPECIAL("<s>"), "-1"), LEVEL)},
	       "post_processor: special token \"<s>\" has an id that is no number from 0 to 2097151");
	refuse((struct parts){.steps = STEPS("null", PRE, TEMPLATE(TEXT("A") ", " SPECIAL("<s>"), "1,2,3,4,5,6,7,8,9"), LEVEL)},
	       "post_processor: more than 8 tokens on one side are not supported");
	refuse((struct parts){.steps = STEPS("null", PRE, SEQUENCE("processors", TEMPLATE(TEXT("A"), "0") ", " TEMPLATE(TEXT("A"), "0")), LEVEL)},
	       "post_processor: a second template is not supported");
	refuse((struct parts){.steps = STEPS("null", PRE, "null", SEQUENCE("decoders", LEVEL ", " LEVEL))},
	       "a decoder of other than one step is not supported");
	refuse((struct parts){.steps = STEPS("null", PRE, "null", SEQUENCE("decoders", "{\"type\": \"Fuse\"}"))}, "decoder \"Fuse\" is not supported");
	refuse((struct parts){.steps = STEPS(SEQUENCE("normalizers", "{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}"), PRE, "null", LEVEL)},
	       "normalizer \"Lowercase\" is not supported");
}

static void refuse_model(void)
{
	refuse((struct parts){.model = "\"type\": \"WordPiece\""}, "model \"WordPiece\" is not supported");
	refuse((struct parts){.model = "\"dropout\": 0.1"}, "model: \"dropout\" is not supported");
	refuse((struct parts){.model = "\"end_of_word_suffix\": \"</w>\""}, "model: \"end_of_word_suffix\" is not supported");
	refuse((struct parts){.model = "\"continuing_subword_prefix\": \"##\""}, "model: \"continuing_subword_prefix\" is not supported");
	refuse((struct parts){.model = "\"ignore_merges\": 1"}, "model: \"ignore_merges\" is no boolean");
	refuse((struct parts){.model = "\"magic\": 1"}, "model has a key \"magic\" that is not supported");
	refuse((struct parts){.without = 'q'}, "the vocabulary has no token for byte 0x71: not a byte-level one");
	refuse((struct parts){.more_vocab = ", \"x y\": 5"}, "tokens \"\xC4\x84\" and \"x y\" have the same id 5");
	refuse((struct parts){.more_vocab = ", \"ab\": 300"}, "token \"ab\" is there twice");
	refuse((struct parts){.more_vocab = ", \"zz\": -1"}, "token \"zz\" has an id that is no number from 0 to 2097151");
	refuse((struct parts){.more_vocab = ", \"zz\": 2097152"}, "token \"zz\" has an id that is no number from 0 to 2097151");
	refuse((struct parts){.merges = "[\"a b\", \"a q\"]"}, "merge 1, \"a\" with \"q\": the vocabulary lacks a part or the result");
	refuse((struct parts){.merges = "[\"ab\"]"}, "merge 0 is no pair of tokens");
	refuse((struct parts){.merges = "[\"a b c\"]"}, "merge 0 is no pair of tokens");
	refuse((struct parts){.merges = "[[\"a\"]]"}, "merge 0 is no pair of tokens");
	refuse((struct parts){.merges = "{}"}, "model: \"merges\" is no array");
}

static void refuse_added(void)
{
	refuse((struct parts){.added = "[" TOKEN("259", "", NONE) "]"}, "an added token without content");
	refuse((struct parts){.added = "[{\"content\": \"x\"}]"}, "added token \"x\": \"single_word\" is no boolean");
	refuse((struct parts){.added = "[" TOKEN("260", "xx", NONE) "]"}, "added token \"xx\" has id 260 where HF counts 259");
	refuse((struct parts){.added = "[" TOKEN("259", "xx", NONE) ", " TOKEN("259", "yy", NONE) "]"},
	       "added token \"yy\" has id 259 where HF counts 260");
	refuse((struct parts){.added = "[" TOKEN("0", "ab", NONE) "]"}, "added token \"ab\" has id 0 where HF counts 257");
	/* U+212B and U+00C5 are the same once normalized */
	refuse((struct parts){.added = "[" TOKEN("259", "\xE2\x84\xAB\xE2\x84\xAB", NONE) ", " TOKEN("260", "\xC3\x85\xC3\x85", NONE) "]"},
	       "added token \"\xC3\x85\xC3\x85\" is there twice");
	refuse((struct parts){.added = "[" SPECIAL_TOKEN("259", "\xE2\x84\xAB!", "true") ", " SPECIAL_TOKEN("260", "\xE2\x84\xAB!", "false") "]"},
	       "added token \"\xE2\x84\xAB!\" is there twice");
	refuse((struct parts){.added = "[3]"}, "an added token is no object");
	refuse((struct parts){.added = "{}"}, "added_tokens is no array");
}

/* --- the byte alphabet ----------------------------------------------------------------- */

static void alphabet(void)
{
	int bad = 0, count = 0;
	uint32_t next = 0x100;
	for (int b = 0; b < 256; b++) {
		bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
		uint32_t want = printable ? (uint32_t)b : next++;
		bad += bytechar_of((unsigned char)b) != want || bytechar_byte(want) != b;
	}
	for (uint32_t cp = 0; cp < 0x3000; cp++)
		count += bytechar_byte(cp) >= 0;
	TEST(bad == 0 && next == BYTECHAR_END && count == 256, "256 characters for 256 bytes");
}

/* --- finding added tokens ------------------------------------------------------------------ */

static uint32_t below(uint64_t *h, uint32_t n)
{
	*h = hash_word(*h, 1);
	return (uint32_t)(*h >> 32) % n;
}

/* As added_find, looked for at every place. */
static size_t plain_find(const struct vocab *v, const char *s, size_t n, const struct vocab_added **hit)
{
	*hit = NULL;
	for (size_t at = 0; at < n; at++) {
		for (size_t i = 0; i < v->nadded; i++) {
			const struct vocab_added *a = &v->added[i];
			if (a->n <= n - at && memcmp(a->text, s + at, a->n) == 0 && (!*hit || a->n > (*hit)->n))
				*hit = a;
		}
		if (*hit)
			return at;
	}
	return n;
}

static void finding(void)
{
	static const char *const sets[][8] = {{"ab", "abab", "b", "ba\xFF"}, {"a", "aa", "aaaa", "aaaaab"}, {"xyz"}, {"abc", "ab\xFF" "a", "bca"}, {NULL}};
	uint64_t draw = HASH_SEED;
	int bad = 0, hits = 0;
	for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
		struct vocab_added tokens[8];
		struct vocab v = {.added = tokens};
		struct added a;
		struct err e;
		for (; sets[k][v.nadded]; v.nadded++)
			tokens[v.nadded] = (struct vocab_added){.text = sets[k][v.nadded], .n = strlen(sets[k][v.nadded])};
		if (added_init(&a, &v, false, &e))
			abort();
		for (int round = 0; round < 3000; round++) {
			char s[12];
			size_t n = below(&draw, sizeof s + 1);
			for (size_t i = 0; i < n; i++)
				s[i] = "ab\xFF" "c"[below(&draw, k == 1 ? 2 : 4)];
			const struct vocab_added *got, *want;
			bad += added_find(&a, s, n, &got) != plain_find(&v, s, n, &want) || got != want;
			hits += got != NULL;
		}
		added_release(&a);
	}
	TEST(bad == 0 && hits > 1000, "the leftmost and of those the longest is found, %d times", hits);
}

int main(void)
{
	contents();
	special_by_text();
	fingerprints();
	refuse_steps();
	refuse_cuts();
	refuse_templates();
	refuse_model();
	refuse_added();
	alphabet();
	finding();
	return test_done();
}
