/* text/column: the column rule. */
#include "test.h"

#include "text/column.h"

static struct arena a;

static struct json *parse(const char *s)
{
	struct json *v;
	struct err e;
	if (json_parse(&a, s, strlen(s), &v, &e)) {
		printf("# %s: %s\n", s, e.msg);
		exit(1);
	}
	return v;
}

static void gives(const char *rec, const char *text, size_t prompt)
{
	struct column c;
	struct err e;
	int rc = column_text(&a, parse(rec), &c, &e);
	TEST(rc == 0 && c.n == strlen(text) && memcmp(c.text, text, c.n) == 0 && c.prompt == prompt, "%s", rec);
}

static void refuses(const char *rec, const char *why)
{
	struct column c;
	struct err e = {0};
	int rc = column_text(&a, parse(rec), &c, &e);
	TEST(rc == -1 && e.kind == ERR_DATA && strcmp(e.msg, why) == 0, "%s: %s", rec, e.msg);
}

static void asks(const char *rec, const char *name, const char *want)
{
	const char *s = NULL;
	size_t n = 0;
	struct err e = {0};
	int rc = column_asked(parse(rec), name, &s, &n, &e);
	TEST(rc == 0 ? n == strlen(want) && memcmp(s, want, n) == 0 : strcmp(e.msg, want) == 0, "asked: %s", rec);
}

int main(void)
{
	asks("{\"text\": \"t\", \"input\": \"i\", \"question\": \"q\", \"n\": \"x\"}", NULL, "q");
	asks("{\"text\": \"t\", \"input\": \"i\", \"question\": \"q\", \"n\": \"x\"}", "n", "x");
	asks("{\"text\": \"t\", \"input\": {\"0\": \"i\"}}", NULL, "i");
	asks("{\"text\": \"t\"}", NULL, "t");
	asks("{\"completion\": \"c\", \"prompt\": \"p\", \"text\": \"t\"}", NULL, "t");
	asks("{\"completion\": \"c\", \"prompt\": \"p\"}", NULL, "p"); /* what column_text masks of it, too */
	asks("{\"text\": \"t\"}", "n", "field \"n\" is missing");
	asks("{\"answer\": \"t\"}", NULL, "no \"question\", \"input\", \"text\" or \"prompt\" to answer: name a field with --field");
	asks("[1]", NULL, "the record is an array, no JSON object");
	gives("{\"question\": \"Why?\", \"answer\": \"So.\"}", "Why?So.", 4);
	gives("{\"answer\": \"So.\", \"question\": \"Why?\", \"text\": \"x\", \"input\": \"i\", \"output\": \"o\"}", "Why?So.", 4);
	gives("{\"input\": \"i\", \"output\": \"oo\", \"text\": \"x\"}", "ioo", 1);
	gives("{\"question\": \"q\", \"text\": \"x\"}", "x", 0);
	gives("{\"completion\": \"c\", \"prompt\": \"pp\"}", "ppc", 2);
	gives("{\"prompt\": \"p\", \"completion\": \"c\", \"text\": \"x\"}", "x", 0);
	gives("{\"prompt\": \"p\", \"completion\": \"c\", \"input\": \"i\", \"output\": \"o\"}", "io", 1);
	refuses("{\"prompt\": \"p\", \"completion\": 1}", "field \"completion\" is a number, no text");
	gives("{\"question\": \"\", \"answer\": \"\"}", "", 0);
	gives("{\"question\": {\"0\": \"q\"}, \"answer\": {\"0\": \"a\"}}", "qa", 1);
	gives("{\"text\": {\"17\": \"x\"}, \"n\": 1}", "x", 0);
	refuses("{\"question\": \"q\"}", "no field \"question\" and \"answer\", \"input\" and \"output\", \"text\", or \"prompt\" and \"completion\"");
	refuses("[1]", "the record is an array, no JSON object");
	refuses("{\"question\": null, \"answer\": \"a\"}", "field \"question\" is null, no text");
	refuses("{\"question\": \"q\", \"answer\": 3}", "field \"answer\" is a number, no text");
	refuses("{\"text\": {\"0\": \"a\", \"1\": \"b\"}}", "field \"text\" holds 2 rows, not one text");
	refuses("{\"text\": {}}", "field \"text\" is an object, no text");
	refuses("{\"text\": {\"0\": {\"0\": \"a\"}}}", "field \"text\" is an object, no text");
	refuses("{\"text\": [\"a\"]}", "field \"text\" is an array, no text");
	TEST(column_value(NULL) == NULL, "nothing stays nothing");
	arena_release(&a);
	return test_done();
}
