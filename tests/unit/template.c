/* text/template: equal to Python's str.format over the golden's templates, made
 * by tests/reference/template.py; the presets are the guide's. */
#include "test.h"

#include "base/arena.h"
#include "io/jsonl.h"
#include "text/template.h"

#include <stdbool.h>

/* What a template makes of a record; NULL if it is wrong or does not fit. */
static const char *rendered(const char *text, size_t n, const struct json *rec, struct buf *out, struct err *e)
{
	struct template *t;
	buf_reset(out);
	if (template_parse(&t, text, n, e))
		return NULL;
	int rc = template_render(t, rec, out, e);
	template_free(t);
	return rc ? NULL : buf_str(out);
}

static bool agrees(const struct json *line, const struct json *rec, struct buf *out)
{
	const struct json *template = json_get(line, "template"), *want = json_get(line, "want");
	struct err e = {0};
	const char *got = rendered(template->s, template->n, rec, out, &e);
	bool same = got ? want->type == JSON_STRING && out->n == want->n && memcmp(got, want->s, out->n) == 0
	                : want->type == JSON_NULL && e.kind == ERR_DATA && e.msg[0];
	if (!same)
		printf("# %s of %s: %s, not %s\n", template->s, json_get(line, "json") ? json_get(line, "json")->s : "the record",
		       got ? got : e.msg, want->s ? want->s : "an error");
	return same;
}

/* A golden whose first line is the record of all, or whose lines hold one each. */
static void golden(const char *path, bool one, int least)
{
	char *paths[] = {(char *)path};
	struct arena a = {0}, own = {0};
	struct jsonl in;
	struct json *line, *rec = NULL;
	struct buf out = {0};
	struct err e = {0};
	int count = 0, bad = 0;
	if (jsonl_open(&in, 1, paths, &e) || (one && (jsonl_next(&in, &line, &e) != 1 ||
	    json_parse(&a, in.text.p, in.text.n, &rec, &e)))) {
		TEST(0, "%s", e.msg);
		return;
	}
	while (jsonl_next(&in, &line, &e) == 1) {
		const struct json *text = json_get(line, "json");
		arena_reset(&own);
		if (text && json_parse(&own, text->s, text->n, &rec, &e))
			break;
		bad += !agrees(line, text ? rec : json_get(rec, "record"), &out);
		count++;
	}
	TEST(count > least && bad == 0, "%s: %d templates as Python has them, %d wrong", path, count, bad);
	jsonl_close(&in);
	buf_release(&out);
	arena_release(&a);
	arena_release(&own);
}

static void says(const char *json, const char *text, const char *want)
{
	struct arena a = {0};
	struct json *rec;
	struct buf out = {0};
	struct err e = {0};
	if (json_parse(&a, json, strlen(json), &rec, &e))
		abort();
	const char *got = rendered(text, strlen(text), rec, &out, &e);
	TEST(strcmp(got ? got : e.msg, want) == 0, "%s of %s: %s", text, json, got ? got : e.msg);
	buf_release(&out);
	arena_release(&a);
}

static void preset(const char *name, const char *json, const char *want)
{
	struct arena a = {0};
	struct json *rec;
	struct buf out = {0};
	struct err e = {0};
	struct template *t;
	if (json_parse(&a, json, strlen(json), &rec, &e) || template_preset(&t, name, &e))
		abort();
	const char *got = template_render(t, rec, &out, &e) ? e.msg : buf_str(&out);
	TEST(strcmp(got, want) == 0, "preset %s of %s", name, json);
	template_free(t);
	buf_release(&out);
	arena_release(&a);
}

/* A record that does not fit leaves what is in the buffer alone. */
static void untouched(void)
{
	static const char json[] = "{\"a\": \"text\"}";
	struct arena a = {0};
	struct json *rec;
	struct buf out = {0};
	struct err e = {0};
	struct template *t;
	if (json_parse(&a, json, strlen(json), &rec, &e) || template_parse(&t, "{a}{b}", 6, &e) || buf_adds(&out, "kept"))
		abort();
	TEST(template_render(t, rec, &out, &e) == -1 && strcmp(buf_str(&out), "kept") == 0, "what was in the buffer stays");
	template_free(t);
	buf_release(&out);
	arena_release(&a);
}

#define ALONE "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nDo\n\n### Response:"
#define GIVEN "Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nDo\n\n### Input:\nthis\n\n### Response:"

int main(void)
{
	golden("tests/golden/template.jsonl", true, 800);
	golden("tests/golden/template_values.jsonl", false, 1500);
	untouched();
	says("{\"a\": 1.50}", "{a}", "1.5");
	says("{\"a\": -1e5}", "{a}", "-100000.0");
	says("{\"a\": 1}", "{b}", "field \"b\" is missing");
	says("{\"a\": {\"b\": 1}}", "{a.c[0]}", "field \"a.c[0]\" is missing");
	says("{\"a\": {\"0\": 1, \"1\": 2}}", "{a}", "{'0': 1, '1': 2}");
	says("[1]", "{a}", "the record is no JSON object");
	says("{\"a\": 1}", "ab{a!x}", "column 5 of the template: only the conversions !r, !s and !a are known");
	says("{\"a\": 1}", "ab{a:x}", "column 6 of the template: of the format types only s, d, e, E, f, F, g, G and % are supported");
	says("{\"a\": [1]}", "{a:>5}", "field \"a\": null, an array or an object takes no format specification (but !s or !r, and then one)");
	says("{\"a\": 1}", "ab}", "column 3 of the template: a \"}\" without its \"{\" (a brace of the text is written twice)");
	preset("qa", "{\"question\": \"Q\", \"answer\": {\"0\": \"A\"}}", "### Question:\nQ\n\n### Answer:\nA");
	preset("qa-prompt", "{\"question\": \"Q\"}", "### Question:\nQ\n\n### Answer:");
	preset("concat", "{\"question\": \"Q\", \"answer\": \"A\"}", "Q A");
	preset("alpaca", "{\"instruction\": \"Do\", \"input\": \"\", \"output\": \"Done\"}", ALONE "Done");
	preset("alpaca", "{\"instruction\": \"Do\", \"input\": \"this\", \"output\": \"Done\"}", GIVEN "Done");
	preset("alpaca-prompt", "{\"instruction\": \"Do\", \"input\": null}", ALONE);
	preset("alpaca-prompt", "{\"instruction\": \"Do\", \"input\": {\"0\": \"this\"}}", GIVEN);
	preset("alpaca-prompt", "{\"instruction\": \"Do\"}", "field \"input\" is missing");
	return test_done();
}
