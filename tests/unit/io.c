/* io/: streams in and out, JSON, JSON lines, shards, token records. Works in a
 * directory of its own, which it removes. */
#include "test.h"

#include "base/hash.h"
#include "io/in.h"
#include "io/json.h"
#include "io/jsonfast.h"
#include "io/jsonl.h"
#include "io/out.h"
#include "io/record.h"
#include "io/shard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct err e;

static void spill(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f))
		exit(1);
}

static struct buf slurp(const char *path)
{
	struct buf b = {0};
	if (in_slurp(path, &b, &e))
		buf_release(&b);
	return b;
}

/* --- JSON ------------------------------------------------------------------------ */

static void json_same(const char *text, const char *want)
{
	struct arena a = {0};
	struct buf b = {0};
	struct json *v;
	int rc = json_parse(&a, text, strlen(text), &v, &e);
	if (rc == 0)
		json_write(&b, v);
	TEST(rc == 0 && b.n == strlen(want) && memcmp(b.p, want, b.n) == 0, "JSON %.60s", text);
	arena_release(&a);
	buf_release(&b);
}

static void json_bad(const char *text, size_t n, const char *says)
{
	struct arena a = {0};
	struct json *v;
	int rc = json_parse(&a, text, n, &v, &e);
	TEST(rc == -1 && e.kind == ERR_DATA && strstr(e.msg, says), "JSON refused: %.40s (%s)", text, rc ? e.msg : "taken");
	arena_release(&a);
}

static void json(void)
{
	json_same("{\"b\":1,\"a\":[1.50,-0,1e400,123456789012345678901234567890],\"b\":null}",
	          "{\"b\": 1, \"a\": [1.50, -0, 1e400, 123456789012345678901234567890], \"b\": null}");
	json_same("\"\\u00e9\\ud83d\\ude00\\u0000\\n\\/\\\"\"", "\"\xC3\xA9\xF0\x9F\x98\x80\\u0000\\n/\\\"\"");
	json_same(" [ ] ", "[]");
	json_same("{}", "{}");
	json_same("\"\x7F\"", "\"\x7F\"");
#define BAD(text, says) json_bad(text, sizeof text - 1, says)
	BAD("", "premature EOF");
	BAD("{\"a\":1", "not valid JSON");
	BAD("{\"a\":1}x", "not valid JSON");
	BAD("[1,]", "not valid JSON");
	BAD("{'a':1}", "column 2: not valid JSON");
	BAD("\"\\ud800\"", "column 2: half a surrogate pair");
	BAD("\"\\\\\\udc00\"", "half a surrogate");
	/* half a string or a word behind it, which nothing ends */
	BAD("{} \"a", "column 4: not valid JSON: trailing garbage");
	BAD("{\"a\": 1}\"}", "column 9: not valid JSON: trailing garbage");
	BAD("\"a\"\"", "column 4: not valid JSON: trailing garbage");
	BAD("1 \"", "column 3: not valid JSON: trailing garbage");
	BAD("[\xC3\xA9]", "column 2: not valid JSON");
	BAD("[]t", "column 3: not valid JSON: trailing garbage");
	BAD("{\f}", "column 2: not valid JSON");
	BAD("[1,\v2]", "column 4: not valid JSON");
	BAD("\"ab\xFF\"", "column 4: not valid UTF-8");
	BAD("\"\xED\xA0\x80\"", "not valid UTF-8");
	BAD("[1] // no comments", "not valid JSON");
	BAD("\"a\nb\"", "not valid JSON");
	BAD("NaN", "not valid JSON");
	BAD("\"\\u12\"", "not valid JSON");
	BAD("\"\\ud8", "not valid JSON");
	json_same("\"\\\\ud800\"", "\"\\\\ud800\"");
	static char deep[4001];
	memset(deep, '[', 2000);
	memset(deep + 2000, ']', 2000);
	json_bad(deep, 4000, "nested too deep");

	struct arena a = {0};
	struct buf b = {0};
	struct json *v;
	TEST(json_parse(&a, "1", SIZE_MAX / 4, &v, &e) == -1 && e.kind == ERR_MEM, "a text whose size yajl could not double is not begun");
	int32_t ids[] = {5, -100, 2147483647}, ends[] = {INT32_MIN, 0};
	json_parse(&a, "{\"x\":1,\"y\":2,\"x\":3}", 19, &v, &e);
	TEST(json_streq(json_get(v, "x"), "3") == false && json_get(v, "x")->s[0] == '3', "of two equal keys the last counts");
	json_set(&a, v, "y", json_ints(&a, ids, 3));
	json_set(&a, v, "z", json_string(&a, "q\"", 2));
	json_drop(v, "x");
	json_write(&b, v);
	TEST(strcmp(buf_str(&b), "{\"y\": [5, -100, 2147483647], \"z\": \"q\\\"\"}") == 0, "set, replace, drop: %s", b.p);
	buf_reset(&b);
	json_write_pretty(&b, v);
	TEST(strcmp(buf_str(&b), "{\n  \"y\": [\n    5,\n    -100,\n    2147483647\n  ],\n  \"z\": \"q\\\"\"\n}") == 0, "pretty");
	buf_reset(&b);
	json_write(&b, json_ints(&a, ends, 2));
	json_write(&b, json_ints(&a, ends, 0));
	json_write_pretty(&b, json_ints(&a, ends, 0));
	TEST(strcmp(buf_str(&b), "[-2147483648, 0][][]") == 0, "arrays of the smallest number and of none: %s", b.p);
	buf_release(&b);
	arena_release(&a);
}

/* --- JSON lines -------------------------------------------------------------------- */

/* jsonfast says yes to nothing that json_parse refuses, and to what is usual. */
static void fast(void)
{
	static const char *const usual[] = {
		"{}", " { } ", "{\"a\":1}", "{\"a\": [1, -0.5e+7, [], {}, {\"b\": null}], \"c\": true, \"\": false}\r",
		"{\"a\": \"\\u00e9\\n\\\"\\\\ \xC3\xA9\xF0\x9F\x98\x80 and much more text of plain letters\"}", "{\"a\":{\"b\":[[[0]]]}}",
	};
	static const char bytes[] = "{}[]\",:\\u0d8eE+-.truefalsnl \t\n\x01\x7F\x80\xC3\xA9\xED\xA0";
	int no = 0, wrong = 0, yes = 0;
	uint64_t h = HASH_SEED;
	struct arena a = {0};
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		char text[200];
		size_t n = strlen(usual[i]);
		no += !jsonfast_object(usual[i], n);
		for (int k = 0; k < 20000; k++) {
			struct json *v;
			memcpy(text, usual[i], n);
			for (int m = 0; m <= k % 3; m++) {
				h = hash_word(h, (uint32_t)k);
				text[(h >> 40) % n] = bytes[h % (sizeof bytes - 1)];
			}
			size_t len = k % 5 ? n : (h >> 20) % n;
			arena_reset(&a);
			if (jsonfast_object(text, len)) {
				yes++;
				wrong += json_parse(&a, text, len, &v, &e) || v->type != JSON_OBJECT;
			}
		}
	}
	arena_release(&a);
	TEST(no == 0, "usual objects are seen at once, %d are not", no);
	TEST(wrong == 0 && yes > 1000, "%d changed ones taken, %d of them wrongly", yes, wrong);
	TEST(!jsonfast_object("", 0) && !jsonfast_object("[1]", 3) && !jsonfast_object("{\"a\":\"\\ud800\"}", 14), "no object is none");
}

static void lines(void)
{
	static const char text[] = "\xEF\xBB\xBF{\"a\":1}\r\n\n  \t\n{\"a\":2}\nbroken\n{\"a\":3}";
	static char one[] = "one.jsonl", two[] = "two.jsonl";
	spill(one, text, sizeof text - 1);
	spill(two, "7", 1);
	char *paths[] = {one, two};
	struct jsonl r;
	struct json *v;
	int seen = 0, rc;
	char where[100] = "";
	TEST(jsonl_open(&r, 2, paths, &e) == 0, "two files of lines");
	while ((rc = jsonl_next(&r, &v, &e)) != 0) {
		if (rc == 1)
			seen = seen * 10 + (v->type == JSON_NUMBER ? v->s[0] : v->child->s[0]) - '0';
		else if (e.kind == ERR_DATA)
			snprintf(where, sizeof where, "%.90s", e.msg);
		else
			break;
	}
	TEST(rc == 0 && seen == 1237, "BOM, CRLF, blank lines, a bad line and no last newline: records %d", seen);
	TEST(strncmp(where, "one.jsonl:5: column 1: not valid JSON", 37) == 0, "the bad line is named: %s", where);
	jsonl_close(&r);
	const char *none[] = {"absent"};
	TEST(jsonl_open(&r, 1, (char **)none, &e) == -1 && strstr(e.msg, "absent: No such file"), "a missing file: %s", e.msg);
	const char *dir[] = {"."};
	TEST(jsonl_open(&r, 1, (char **)dir, &e) == -1 && strstr(e.msg, "directory"), "a directory: %s", e.msg);
}

/* --- streams ------------------------------------------------------------------------- */

static int write_all(const char *path, enum out_form form, const char *p, size_t n, int commit)
{
	struct out *o;
	if (out_open(&o, path, form, &e) || out_write(o, p, n, &e))
		return -1;
	if (commit)
		return out_commit(o, &e);
	out_abort(o);
	return 0;
}

static void streams(void)
{
	size_t n = 300000;
	char *big = malloc(n);
	for (size_t i = 0; i < n; i++)
		big[i] = (char)(hash_word(HASH_SEED, (uint32_t)i / 7) >> 13);
	TEST(write_all("plain", OUT_PLAIN, big, n, 1) == 0 && write_all("packed", OUT_ZSTD, big, n, 1) == 0, "written plain and packed");
	struct buf a = slurp("plain"), b = slurp("packed");
	TEST(a.n == n && b.n == n && !memcmp(a.p, big, n) && !memcmp(b.p, big, n), "both read back the same");
	buf_release(&a);
	buf_release(&b);
	FILE *f = fopen("packed", "rb");
	size_t packed = f ? fread(big, 1, n, f) : 0;
	if (f)
		fclose(f);
	int taken = 0;
	for (size_t cut = 5; cut < packed; cut += packed / 50 + 1) {
		struct buf c = {0};
		spill("cut", big, cut);
		taken += in_slurp("cut", &c, &e) == 0;
		buf_release(&c);
	}
	TEST(packed > 1000 && taken == 0, "no cut-off zstd stream passes for a whole one");
	big[packed / 2] ^= 1;
	spill("cut", big, packed);
	TEST(in_slurp("cut", &a, &e) == -1 && strstr(e.msg, "cut: zstd stream is damaged"), "a flipped bit is noticed: %s", e.msg);
	buf_release(&a);
	TEST(write_all("plain", OUT_PLAIN, "x", 1, 0) == 0, "an aborted write");
	a = slurp("plain");
	TEST(a.n == n, "leaves what was there");
	buf_release(&a);
	TEST(write_all("absent", OUT_PLAIN, "x", 1, 0) == 0 && access("absent", F_OK), "and makes no file where none was");
	chmod("plain", 0640);
	TEST(write_all("plain", OUT_PLAIN, "new", 3, 1) == 0, "replaced");
	struct stat st;
	TEST(stat("plain", &st) == 0 && st.st_size == 3 && (st.st_mode & 0777) == 0640, "the new file keeps the old one's mode");
	TEST(symlink("plain", "link") == 0 && write_all("link", OUT_PLAIN, "four", 4, 1) == 0 && lstat("link", &st) == 0 && S_ISLNK(st.st_mode), "a symbolic link stays one");
	TEST(out_same("link", "./plain") && out_same("new", ".//new"), "one file under several names, there or not yet");
	TEST(out_same(NULL, "-") && !out_same(NULL, "plain") && !out_same("plain", "other") && !out_same("no/x", "no/../x"), "and others are not one");
	TEST(write_all("no/such/dir", OUT_PLAIN, "x", 1, 1) == -1 && strstr(e.msg, "no/such/dir: No such file"), "%s", e.msg);
	TEST(write_all("/dev/full", OUT_PLAIN, "x", 1, 1) == -1 && strstr(e.msg, "/dev/full: No space left"), "%s", e.msg);
	free(big);
}

/* --- shards ---------------------------------------------------------------------------- */

enum { RECS = 40 };

static size_t make(int i, int32_t *ids, uint8_t *attn, uint8_t *keep, uint32_t vocab)
{
	size_t n = (size_t)(i * i % 97);
	for (size_t k = 0; k < n; k++) {
		uint64_t h = hash_word(HASH_SEED + (uint64_t)i, (uint32_t)k);
		ids[k] = (int32_t)(h % vocab);
		attn[k] = i % 3 ? 1 : (h >> 40) % 4 != 0;
		keep[k] = i % 2 ? 1 : (h >> 50) % 3 != 0;
	}
	return n;
}

/* Every fifth record is packed: a piece of 7 tokens, and pieces of 1 behind it. */
static size_t make_starts(int i, size_t n, uint32_t *starts)
{
	size_t k = 0;
	for (size_t at = 7; i % 5 == 0 && at < n; at++)
		starts[k++] = (uint32_t)at;
	return k;
}

static int write_shard(const char *path, uint32_t vocab, enum out_form form)
{
	struct shard_head h = {vocab, 0, SHARD_NO_ID, 0x1234567890ABCDEF};
	struct shard_writer *w;
	struct out *o;
	int32_t ids[100];
	uint8_t attn[100], keep[100];
	if (out_open(&o, path, form, &e) || shard_begin(o, &h, &w, &e))
		return -1;
	for (int i = 0; i < RECS; i++) {
		uint32_t starts[100];
		size_t n = make(i, ids, attn, keep, vocab);
		struct shard_rec r = {n, ids, attn, i % 2 ? NULL : keep, starts, make_starts(i, n, starts)};
		if (shard_put(w, &r, &e))
			return -1;
	}
	return shard_end(w, &e) || out_commit(o, &e);
}

/* Records of path that are as made; -1 on an error. */
static int read_shard(const char *path, uint32_t vocab)
{
	struct in *in;
	struct shard_reader *r;
	struct shard_rec rec;
	int32_t ids[100];
	uint8_t attn[100], keep[100];
	int good = 0, rc = -1;
	if (in_open(&in, path, &e))
		return -1;
	if (shard_open(in, &r, &e) == 0) {
		while ((rc = shard_next(r, &rec, &e)) == 1) {
			size_t n = make((int)((shard_count(r) - 1) % RECS), ids, attn, keep, vocab);
			uint32_t starts[100];
			size_t pieces = make_starts((int)((shard_count(r) - 1) % RECS), n, starts);
			int same = rec.n == n && rec.nstarts == pieces && (!pieces || !memcmp(rec.starts, starts, pieces * sizeof *starts));
			for (size_t k = 0; k < n && same; k++)
				same = rec.ids[k] == ids[k] && (rec.attn ? rec.attn[k] : 1) == attn[k] && (rec.keep ? rec.keep[k] : 1) == keep[k];
			good += same;
		}
		shard_close(r);
	}
	in_close(in);
	return rc < 0 ? -1 : good;
}

static uint64_t get64(const char *p)
{
	uint64_t x;
	memcpy(&x, p, 8);
	return x;
}

static void put64(char *p, uint64_t x)
{
	memcpy(p, &x, 8);
}

/* What version 1 wrote differs in the version, so in the header's hash, and in the trailer's, which has one lane. */
static void first_version(struct buf *b)
{
	size_t from = 64, to = b->n - 32;
	struct hash_lanes l;
	hash_lanes_begin(&l);
	hash_lanes_words(&l, b->p + from, to - from);
	TEST(get64(b->p + to + 20) == hash_lanes_end(&l), "a shard's trailer has the hash in four lanes");
	b->p[8] = 1;
	put64(b->p + 56, hash_words(HASH_SEED, b->p, 56));
	spill("v1", b->p, b->n);
	TEST(read_shard("v1", 50277) == -1, "a shard of version 1 has another hash");
	put64(b->p + to + 20, hash_words(HASH_SEED, b->p + from, to - from));
	spill("v1", b->p, b->n);
	TEST(read_shard("v1", 50277) == RECS, "a shard of version 1 is read");
	b->p[8] = 3;
	put64(b->p + 56, hash_words(HASH_SEED, b->p, 56));
	spill("v3", b->p, b->n);
	TEST(read_shard("v3", 50277) == -1 && strstr(e.msg, "shard version 3, this program reads up to 2"), "one of version 3 is not: %s", e.msg);
}

static void shards(void)
{
	TEST(write_shard("s16", 50277, OUT_PLAIN) == 0 && read_shard("s16", 50277) == RECS, "a shard of 16-bit ids");
	TEST(write_shard("s32", 128256, OUT_PLAIN) == 0 && read_shard("s32", 128256) == RECS, "a shard of 32-bit ids");
	TEST(write_shard("sz", 50277, OUT_ZSTD) == 0 && read_shard("sz", 50277) == RECS, "a shard in zstd");
	struct buf b = slurp("s16"), two = {0};
	buf_add(&two, b.p, b.n);
	buf_add(&two, b.p, b.n);
	spill("cat", two.p, two.n);
	TEST(read_shard("cat", 50277) == 2 * RECS, "shards concatenate");
	int taken = 0;
	for (size_t cut = 0; cut < b.n; cut++) {
		spill("cut", b.p, cut);
		taken += read_shard("cut", 50277) >= 0;
	}
	TEST(taken == 0, "cut at any of %zu bytes a shard is an error", b.n);
	taken = 0;
	for (size_t at = 0; at < b.n; at++) {
		b.p[at] ^= 0x10;
		spill("cut", b.p, b.n);
		taken += read_shard("cut", 50277) >= 0;
		b.p[at] ^= 0x10;
	}
	TEST(taken == 0, "a flipped bit in any byte is an error");
	for (size_t cut = b.n + 1; cut < two.n; cut++) {
		spill("cut", two.p, cut);
		taken += read_shard("cut", 50277) >= 0;
	}
	TEST(taken == 0, "the second of two shards cut off anywhere is an error");
	first_version(&b);
	buf_release(&b);
	buf_release(&two);
}

/* --- token records ------------------------------------------------------------------------ */

static const char *token_lines =
	"{\"q\": 1.0, \"input_ids\": [1, 2, 3], \"attention_mask\": [1, 1, 0], \"labels\": [1, -100, 3]}\n"
	"{\"input_ids\": [], \"attention_mask\": [], \"labels\": []}\n";

static int copy(const char *from, const char *to, enum record_form form)
{
	struct record_in *in;
	struct record_out *out;
	struct record r;
	struct shard_head h = {100, 0, 1, 9};
	int rc;
	if (record_open(&in, 1, (char **)&from, &e))
		return -1;
	if (record_create(&out, to, form, &h, OUT_PLAIN, &e)) {
		record_close(in);
		return -1;
	}
	while ((rc = record_next(in, &r, &e)) == 1)
		if ((rc = record_put(out, &r, record_arena(in), &e)))
			break;
	if (rc == 0)
		rc = record_commit(out, &e);
	else
		record_abort(out);
	record_close(in);
	return rc;
}

static void refused(const char *line, const char *says)
{
	spill("bad.jsonl", line, strlen(line));
	int rc = copy("bad.jsonl", "bad.out", RECORD_SHARD);
	TEST(rc == -1 && strstr(e.msg, says) && access("bad.out", F_OK), "refused: %s", rc ? e.msg : line);
}

/* Packed records: the pieces in both forms, padding on either side. */
static void pieces(void)
{
	static const char *lines =
		"{\"input_ids\": [1, 2, 3, 4, 0], \"attention_mask\": [1, 1, 1, 1, 0], \"labels\": [1, 2, -100, 4, -100], \"position_ids\": [0, 1, 0, 1, 0]}\n"
		"{\"input_ids\": [0, 1, 2, 3], \"attention_mask\": [0, 1, 1, 1], \"labels\": [-100, 1, -100, -100], \"position_ids\": [0, 0, 0, 0]}\n"
		"{\"input_ids\": [1, 2], \"attention_mask\": [1, 1], \"labels\": [1, 2]}\n";
	spill("p.jsonl", lines, strlen(lines));
	TEST(copy("p.jsonl", "p2.jsonl", RECORD_JSONL) == 0 && copy("p.jsonl", "p.nxs", RECORD_SHARD) == 0 &&
	         copy("p.nxs", "p3.jsonl", RECORD_JSONL) == 0, "packed records, and through a shard");
	struct buf a = slurp("p2.jsonl"), b = slurp("p3.jsonl");
	TEST(a.n == strlen(lines) && !memcmp(a.p, lines, a.n), "lines stay what they were");
	TEST(b.n == strlen(lines) && !memcmp(b.p, lines, b.n), "and come out of the shard so");
	buf_release(&a);
	buf_release(&b);
	refused("{\"input_ids\": [1, 2], \"position_ids\": [0]}\n", "\"position_ids\" has 1 entries where \"input_ids\" has 2");
	refused("{\"input_ids\": [1, 2], \"position_ids\": 7}\n", "\"position_ids\" is no array");
	refused("{\"input_ids\": [1, 2], \"position_ids\": [3, 4]}\n", "\"position_ids\"[0] is neither 0 nor one more");
	refused("{\"input_ids\": [1, 2, 3], \"position_ids\": [0, 1, 1]}\n", "\"position_ids\"[2] is neither 0 nor one more");
}

static void records(void)
{
	spill("t.jsonl", token_lines, strlen(token_lines));
	TEST(copy("t.jsonl", "t2.jsonl", RECORD_JSONL) == 0, "JSON lines to JSON lines");
	struct buf b = slurp("t2.jsonl");
	TEST(b.n == strlen(token_lines) && !memcmp(b.p, token_lines, b.n), "are what they were");
	buf_release(&b);
	TEST(copy("t.jsonl", "t.nxs", RECORD_SHARD) == 0 && copy("t.nxs", "t3.jsonl", RECORD_JSONL) == 0, "to a shard and back");
	b = slurp("t3.jsonl");
	TEST(b.n && strstr(buf_str(&b), "{\"input_ids\": [1, 2, 3], \"attention_mask\": [1, 1, 0], \"labels\": [1, -100, 3]}\n"), "keep ids, mask and labels");
	buf_release(&b);
	refused("[1]\n", "bad.jsonl:1: the record is no JSON object");
	refused("{\"input_ids\": [1, 2.5]}\n", "bad.jsonl:1: \"input_ids\"[1] is no whole number");
	refused("{\"input_ids\": [1, -1]}\n", "\"input_ids\"[1] is no whole number");
	refused("{\"input_ids\": [1], \"labels\": [1, 2]}\n", "\"labels\" has 2 entries where \"input_ids\" has 1");
	refused("{\"input_ids\": [1], \"labels\": [2]}\n", "label 2 of token 0 is neither its id nor -100");
	refused("{\"input_ids\": [100]}\n", "id 100 is outside the vocabulary of 100");
	refused("{\"input_ids\": 5}\n", "\"input_ids\" is no array");
	const char *mixed[] = {"t.jsonl", "t.nxs"};
	struct record_in *in;
	struct record r;
	int rc;
	TEST(record_open(&in, 2, (char **)mixed, &e) == 0, "two forms");
	while ((rc = record_next(in, &r, &e)) == 1)
		;
	TEST(rc == -1 && strstr(e.msg, "t.nxs is a token shard and t.jsonl is JSON lines"), "are told apart: %s", e.msg);
	record_close(in);
	spill("empty", "", 0);
	const char *none = "empty";
	TEST(record_open(&in, 1, (char **)&none, &e) == 0 && record_form(in) == RECORD_NONE && record_next(in, &r, &e) == 0, "an empty input has no records");
	record_close(in);
}

int main(void)
{
	const char *dir = test_dir();
	json();
	fast();
	lines();
	streams();
	shards();
	records();
	pieces();
	test_dir_done(dir);
	return test_done();
}
