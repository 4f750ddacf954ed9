/* chat and ledger: requests and answers as JSON, complaints without the key, kept answers. */
#include "io/chat.h"
#include "io/in.h"
#include "io/ledger.h"
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct err e;

static void asks(const struct chat_wish *w, const char *want)
{
	struct buf b = {0};
	struct arena a = {0};
	int rc = chat_request(&b, &a, w, "say \"hi\"", 8, &e);
	TEST(rc == 0 && buf_str(&b) && strcmp(b.p, want) == 0, "asked: %s", rc ? e.msg : b.p);
	buf_release(&b);
	arena_release(&a);
}

static void requests(void)
{
	static const char *const stop[] = {"\n\n", "END"}, *const extra[] = {"n=1", "max_completion_tokens=9", "temperature=null"};
	static const char *const bad[] = {"n", "=1", "n={", "n="};
	struct chat_wish w = {.model = "m", .temperature = -1, .top_p = -1, .seed = -1};
	asks(&w, "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"say \\\"hi\\\"\"}]}");
	w.system = "be kind";
	asks(&w, "{\"model\": \"m\", \"messages\": [{\"role\": \"system\", \"content\": \"be kind\"}, {\"role\": \"user\", "
	         "\"content\": \"say \\\"hi\\\"\"}]}");
	w = (struct chat_wish){.completion = true, .model = "m", .temperature = 0.7, .top_p = 0.95, .max_tokens = 5, .seed = 0,
	                       .stop = stop, .nstop = 2, .extra = extra, .nextra = 3};
	asks(&w, "{\"model\": \"m\", \"prompt\": \"say \\\"hi\\\"\", \"temperature\": null, \"top_p\": 0.95, \"max_tokens\": 5, "
	         "\"stop\": [\"\\n\\n\", \"END\"], \"seed\": 0, \"n\": 1, \"max_completion_tokens\": 9}");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf b = {0};
		struct arena a = {0};
		w.extra = bad + i;
		w.nextra = 1;
		TEST(chat_request(&b, &a, &w, "", 0, &e) == -1 && e.kind == ERR_USAGE, "extra \"%s\": %s", bad[i], e.msg);
		buf_release(&b);
		arena_release(&a);
	}
}

static void answer(const char *body, bool completion, int want, const char *text, int64_t tokens)
{
	struct arena a = {0};
	struct chat_reply r;
	int rc = chat_answer(&a, body, strlen(body), completion, &r, &e);
	TEST(rc == want, "%.60s: %d, %s", body, rc, rc ? e.msg : r.text);
	if (rc == 0)
		TEST(strlen(text) == r.n && memcmp(r.text, text, r.n) == 0 && r.completion_tokens == tokens, "its text and tokens");
	else
		TEST(strstr(e.msg, text) != NULL, "it is said why");
	arena_release(&a);
}

static void answers(void)
{
	answer("{\"choices\": [{\"message\": {\"content\": \"hi\"}}]}", false, 0, "hi", -1);
	answer("{\"choices\": [{\"text\": \"hi\"}], \"usage\": {\"completion_tokens\": 2}}", true, 0, "hi", 2);
	answer("{\"choices\": [{\"message\": {\"content\": null}}], \"usage\": {\"completion_tokens\": -2}}", false, 0, "", -1);
	answer("{\"choices\": [{\"message\": {\"content\": \"hi\"}}]}", true, -1, "\"text\" is no text", 0);
	answer("{\"choices\": [{\"message\": \"hi\"}]}", false, -1, "\"content\" is no text", 0);
	answer("{\"choices\": {}}", false, -1, "no \"choices\"", 0);
	answer("{\"choices\": []}", false, -1, "no \"choices\"", 0);
	answer("7", false, -1, "no \"choices\"", 0);
	answer("{\"choices\": [{\"mess", false, CHAT_NO_JSON, "no JSON", 0);
	answer("", false, CHAT_NO_JSON, "no JSON", 0);
}

static void complains(const char *body, size_t n, const char *key, const char *want, bool broke)
{
	struct buf b = {0};
	struct arena a = {0};
	bool got = chat_complaint(&b, &a, body, n, key);
	TEST(got == broke && buf_str(&b) && strcmp(b.p, want) == 0, "\"%s\"", b.p ? b.p : "");
	buf_release(&b);
	arena_release(&a);
}

static void complaints(void)
{
#define C(s) s, sizeof s - 1
	complains(C("{\"error\": {\"message\": \"no\"}}"), NULL, "no", false);
	complains(C("{\"error\": \"no\"}"), NULL, "no", false);
	complains(C("{\"message\": \"no\"}"), NULL, "no", false);
	complains(C("{\"detail\": \"no\"}"), NULL, "no", false);
	complains(C("{\"error\": {\"message\": \"pay\", \"code\": \"insufficient_quota\"}}"), NULL, "pay", true);
	complains(C("<h1>no\r\n</h1>"), NULL, "<h1>no </h1>", false);
	complains(C("{\"error\": \"a key sk-abc and \\u001b[31mred \\u202Esk-abcsk-ab\"}"), "sk-abc", "a key *** and [31mred ***sk-ab",
	          false);
	complains(C("\xFF\xFE\0x"), NULL, "x", false);
	complains("", 0, NULL, "", false);
	complains(NULL, 0, "key", "", false);
#undef C
	char big[2000];
	memset(big, 'a', sizeof big);
	struct buf b = {0};
	struct arena a = {0};
	chat_complaint(&b, &a, big, sizeof big, NULL);
	TEST(b.n == 300, "a long one is cut");
	buf_release(&b);
	arena_release(&a);
}

/* --- the ledger ---------------------------------------------------------------------------- */

static int keep(struct ledger *l, uint64_t key, const char *s)
{
	struct arena a = {0};
	struct json *v = json_string(&a, s, strlen(s));
	int rc = v ? ledger_put(l, key, v, &e) : -1;
	arena_release(&a);
	return rc;
}

static void taken(struct ledger *l, uint64_t key, const char *want)
{
	struct arena a = {0};
	struct json *v = NULL;
	int rc = ledger_take(l, key, &a, &v, &e);
	if (want)
		TEST(rc == 1 && json_streq(v, want), "request %llx has the answer %s", (unsigned long long)key, want);
	else
		TEST(rc == 0, "request %llx has none (any more)", (unsigned long long)key);
	arena_release(&a);
}

static void append(const char *s)
{
	FILE *f = fopen("p", "a");
	TEST(f && fputs(s, f) >= 0 && fclose(f) == 0, "the file is added to: %.40s", s);
}

static void ledgers(void)
{
	const char *dir = test_dir();
	struct ledger *l;
	TEST(ledger_open(&l, "p", false, &e) == 0 && access("p", F_OK), "no file before the first answer");
	taken(l, 1, NULL);
	TEST(keep(l, 7, "seven") == 0 && keep(l, UINT64_MAX, "most") == 0 && keep(l, 7, "seven too") == 0, "three answers are put by");
	TEST(ledger_held(l) == 3 && access("p", F_OK) == 0, "they are in the file");
	ledger_close(l);
	TEST(ledger_open(&l, "p", false, &e) == -1 && strstr(e.msg, "--resume"), "a second run must be told: %s", e.msg);
	append("{\"request\": \"0000000000000009\", \"answ"); /* a process was killed */
	TEST(ledger_open(&l, "p", true, &e) == 0 && ledger_held(l) == 3, "it goes on with three");
	taken(l, 9, NULL);
	taken(l, 7, "seven");
	taken(l, 7, "seven too");
	taken(l, 7, NULL);
	TEST(keep(l, 3, "three") == 0, "another is put by");
	struct ledger *second;
	TEST(ledger_open(&second, "p", true, &e) == -1 && strstr(e.msg, "another process"), "not two at once: %s", e.msg);
	ledger_close(l);
	TEST(ledger_open(&l, "p", true, &e) == 0 && ledger_held(l) == 4, "what was torn is gone, what came after is whole");
	taken(l, 3, "three");
	taken(l, UINT64_MAX, "most");
	TEST(ledger_taken(l) == 2, "two were taken");
	TEST(ledger_left(l) == ledger_held(l) - 2, "and the others are left");
	ledger_close(l);
	append("[1]\n");
	TEST(ledger_open(&l, "p", true, &e) == -1 && strstr(e.msg, "p:5: "), "a line of something else is told: %s", e.msg);
	TEST(truncate("p", 0) == 0 && ledger_open(&l, "p", true, &e) == 0, "an empty file is fine");
	TEST(ledger_finish(l, &e) == 0 && access("p", F_OK), "in the end the file goes");
	TEST(symlink("elsewhere", "p") == 0 && ledger_open(&l, "p", true, &e) == -1, "a link is not followed: %s", e.msg);
	test_dir_done(dir);
}

int main(void)
{
	requests();
	answers();
	complaints();
	ledgers();
	return test_done();
}
