/* text/prompt: the ids of a prompt are those that the whole text of training begins with; what is
 * cut, what ends an answer, and what cannot be a template. */
#include "test.h"

#include "text/prompt.h"

static struct arena a;

static struct json *record(const char *question, const char *answer)
{
	struct json *rec = json_object(&a);
	const char *const fields[][2] = {{"question", question}, {"answer", answer}, {"instruction", question}, {"output", answer},
	                                 {"input", ""}};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (json_set(&a, rec, fields[i][0], json_string(&a, fields[i][1], strlen(fields[i][1]))))
			abort();
	return rec;
}

/* Whether the whole text's ids begin with the prompt's and go on with the answer. */
static bool begins(struct bpe *tok, const char *template, const char *question, const char *answer)
{
	struct prompt p = {0};
	struct template *whole;
	struct json *rec = record(question, answer);
	struct buf text = {0}, asked = {0}, rest = {0};
	struct bpe_ids all = {0}, ids = {0};
	struct err e = {0};
	if (prompt_open(&p, template, &e) || template_given(&whole, template, strlen(template), &e))
		return false;
	bool ok = p.cut && template_render(whole, rec, &text, &e) == 0 && prompt_fill(&p, rec, &asked, &e) == 0 &&
	          bpe_encode(tok, text.p, text.n, &all, &e) == 0 && prompt_encode(&p, tok, &asked, &ids, &e) == 0;
	ok = ok && ids.n && ids.n < all.n && memcmp(ids.v, all.v, ids.n * sizeof *ids.v) == 0;
	ok = ok && bpe_decode(tok, all.v + ids.n, all.n - ids.n, false, &rest, &e) == 0;
	/* the two together are the text, also where a blank went to the answer */
	ok = ok && asked.n + rest.n == text.n && memcmp(asked.p, text.p, asked.n) == 0 && buf_str(&rest) &&
	     strncmp(rest.p + (*rest.p == ' ' && *answer != ' '), answer, strlen(answer)) == 0;
	template_free(whole);
	prompt_release(&p);
	buf_release(&text), buf_release(&asked), buf_release(&rest);
	bpe_ids_release(&all), bpe_ids_release(&ids);
	return ok;
}

static void prefixes(const char *tokenizer)
{
	static const char *const templates[] = {"qa", "alpaca", "concat", "Q: {question} A: {answer}", "{question}\n\n{answer}",
	                                        "{question}\n \n\n{answer}\n", "Q {question}?  {answer}", "{question}\t{answer}{question}",
	                                        "{question!r:>20}\nA:\n\n\n{answer} ."};
	static const char *const answers[] = {"So it is.", "42", "\xC3\x9Cx", "x\n\ny", "(no)", "'s"};
	struct bpe *tok;
	struct err e;
	if (bpe_load(&tok, tokenizer, &e)) {
		TEST(0, "%s", e.msg);
		return;
	}
	for (size_t i = 0; i < sizeof templates / sizeof *templates; i++) {
		int bad = 0;
		/* ":(" is one token: alpaca's prompt is no beginning of it */
		size_t n = sizeof answers / sizeof *answers - (strcmp(templates[i], "alpaca") == 0 ? 2 : 0);
		for (size_t k = 0; k < n; k++)
			bad += !begins(tok, templates[i], "Why is that", answers[k]);
		TEST(bad == 0, "%s: the ids that whole texts of template %zu begin with, %d not", tokenizer, i, bad);
	}
	bpe_close(tok);
}

static void says(const char *template, const char *line, const char *want, const char *end)
{
	struct prompt p = {0};
	struct buf text = {0};
	struct err e = {0};
	int rc = prompt_open(&p, template, &e) || prompt_say(&p, line, strlen(line), &text, &e);
	TEST(rc == 0 && buf_str(&text) && strcmp(text.p, want) == 0 && strcmp(p.end.p, end) == 0, "what \"%.20s\" makes of \"%s\"%s%s",
	     template, line, rc ? ": " : "", rc ? e.msg : "");
	prompt_release(&p);
	buf_release(&text);
}

static void refuses(const char *template, enum err_kind kind, const char *why)
{
	struct prompt p = {0};
	struct err e = {0};
	TEST(prompt_open(&p, template, &e) == -1 && e.kind == kind && strstr(e.msg, why), "refused: %s: %s", template, e.msg);
	prompt_release(&p);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void files(void)
{
	char dir[] = "build/nxpromptXXXXXX", path[100];
	struct prompt p = {0};
	struct buf text = {0};
	struct err e = {0};
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof path, "%s/" PROMPT_FILE, dir);
	TEST(prompt_load(&p, dir, &e) == 0 && !p.t, "a model without a template has none");
	TEST(prompt_say(&p, "as it is ", 9, &text, &e) == 0 && text.n == 9 && !memcmp(text.p, "as it is ", 9), "then a text stands for itself");
	buf_reset(&text);
	write_file(path, "{text}\nA:\n\n");
	TEST(prompt_load(&p, dir, &e) == 1 && prompt_say(&p, "x", 1, &text, &e) == 0 && text.n == 5 && !memcmp(text.p, "x\nA:\n", 5),
	     "the file's last newline is not the template's");
	prompt_release(&p);
	write_file(path, "qa\r\n");
	TEST(prompt_load(&p, dir, &e) == 1 && p.cut, "a preset's name");
	prompt_release(&p);
	write_file(path, "nonsense\n");
	TEST(prompt_load(&p, dir, &e) == -1 && e.kind == ERR_DATA && strstr(e.msg, path), "a wrong one is named: %s", e.msg);
	prompt_release(&p);
	write_file(path, "");
	TEST(prompt_load(&p, dir, &e) == -1 && e.kind == ERR_DATA, "an empty one is wrong");
	prompt_release(&p);
	remove(path);
	remove(dir);
	buf_release(&text);
}

int main(void)
{
	const char *data = getenv("NXTOOLS_DATA");
	char path[500];
	snprintf(path, sizeof path, "%s/pythia.tokenizer.json", data && *data ? data : "../shared/data");
	prefixes("tests/golden/bpe-small.json");
	if (access(path, F_OK) == 0)
		prefixes(path);
	says("qa", "Why?", "### Question:\nWhy?\n\n### Answer:\n", "");
	says("qa-prompt", "Why?", "### Question:\nWhy?\n\n### Answer:", "");
	says("{a} and {b} or {a}{{}}", "x", "x and  or x{}", "");
	says("<{question}|{answer}|> {answer} \n## End\t{note} more", "x", "<x||> ", "## End");
	says("{instruction[0]}", "xy", "x", "");
	refuses("nonsense", ERR_USAGE, "no preset");
	refuses("", ERR_USAGE, "no preset");
	refuses("{answer}", ERR_USAGE, "no field for a prompt");
	refuses("x {", ERR_DATA, "column 3");
	refuses("\xFF{a}", ERR_DATA, "UTF-8");
	files();
	arena_release(&a);
	return test_done();
}
