/* hub: names of models on a hub, the cache's places, what -m and -T mean. */
#include "io/hub.h"
#include "test.h"

#include <sys/stat.h>

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void names(void)
{
	struct hub_name n;
	static const char *const good[] = {"EleutherAI/pythia-70m", "gpt2", "a_b/c.d-e", "a/b@step3000", "a/b@refs/pr/1", "A/1"};
	static const char *const bad[] = {"",       "/",      "a/",     "/a",      "a/b/c",   "../b",   "a/..",     "a/.b",  "-a/b",
	                                  "a/b-",   "a--b/c", "a..b",   "a b",     "a/b@",    "a@../x", "a@x/../y", "a@/x",  "a@x//y",
	                                  "a@x\\y", "a@x\ny", "a/b@.",  "./model", "~/model", "a:b",    "a/b?c",    "a%2fb", "\xC3\xA9/b"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		TEST(hub_name(&n, good[i]), "\"%s\" is a name", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		TEST(!hub_name(&n, bad[i]), "bad name %zu is none", i);
	char big[300];
	memset(big, 'a', sizeof big);
	big[97] = 0;
	TEST(!hub_name(&n, big), "97 letters are no name");
	big[96] = 0;
	TEST(hub_name(&n, big), "96 are");
	TEST(hub_name(&n, "EleutherAI/pythia-70m") && strcmp(n.revision, "main") == 0, "main is the default");
	TEST(hub_name(&n, "a/b@refs/pr/1") && strcmp(n.repo, "a/b") == 0 && strcmp(n.revision, "refs/pr/1") == 0,
	     "a revision is told from the name");
}

static void paths(void)
{
	static const char *const good[] = {"a", "a/b.c", "a..b/c", ".gitattributes", "onnx/model file.bin", "\xC3\xA9"};
	static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a\\b", "a\x01", "a\x7F"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		TEST(hub_path_ok(good[i]), "\"%s\" stays where it is put", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		TEST(!hub_path_ok(bad[i]), "bad path %zu does not", i);
}

static void cache_is(const char *want, const char *what)
{
	struct buf b = {0};
	struct err e;
	TEST(hub_cache(&b, &e) == 0 && strcmp(b.p, want) == 0, "the cache is that of %s", what);
	buf_release(&b);
}

static void cache(void)
{
	setenv("HOME", "/h", 1);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HF_HOME");
	unsetenv("HF_HUB_CACHE");
	unsetenv("HUGGINGFACE_HUB_CACHE");
	cache_is("/h/.cache/huggingface/hub", "HOME");
	setenv("XDG_CACHE_HOME", "/x", 1);
	cache_is("/x/huggingface/hub", "XDG_CACHE_HOME");
	setenv("HF_HOME", "~/hf", 1);
	cache_is("/h/hf/hub", "HF_HOME");
	setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
	cache_is("/old", "HUGGINGFACE_HUB_CACHE");
	setenv("HF_HUB_CACHE", "/new", 1);
	cache_is("/new", "HF_HUB_CACHE");
	unsetenv("HUGGINGFACE_HUB_CACHE");
	setenv("HF_HUB_CACHE", "", 1);
	cache_is("/h/hf/hub", "HF_HOME where HF_HUB_CACHE is empty");
}

static void make(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	TEST(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s is written", path);
}

/* What -m NAME and -T NAME lead to; want NULL: an error that holds `says`. */
static void means(char *(*find)(const char *, struct err *), const char *name, const char *want, const char *says)
{
	struct err e = {0};
	char *got = find(name, &e);
	if (want)
		TEST(got && strcmp(got, want) == 0, "%s means %s", name, want);
	else
		TEST(!got && strstr(e.msg, says), "%s: %s", name, says);
	free(got);
}

static void models(void)
{
	const char *dir = test_dir();
	char snap[] = "c/models--org--tiny/snapshots/" COMMIT;
	setenv("HF_HUB_CACHE", "c", 1);
	for (char *p = strchr(snap, '/');; p = strchr(p + 1, '/')) {
		if (p)
			*p = 0;
		mkdir(snap, 0777);
		if (!p)
			break;
		*p = '/';
	}
	TEST(mkdir("c/models--org--tiny/refs", 0777) == 0, "refs/ is made");
	make("c/models--org--tiny/refs/main", COMMIT);
	make("c/models--org--tiny/refs/evil", "../../../../../../../etc/passwd/../././././././.");
	make("c/models--org--tiny/refs/gone", "1111111111111111111111111111111111111111");
	means(hub_model, "org/tiny", snap, NULL);
	means(hub_model, "org/tiny@main", snap, NULL);
	means(hub_model, "org/tiny@" COMMIT, snap, NULL);
	means(hub_model, "org/tiny@evil", NULL, "org/tiny@evil: No such file or directory");
	means(hub_model, "org/tiny@gone", NULL, "nx-fetch org/tiny@gone");
	means(hub_model, "org/other", NULL, "org/other: No such file or directory, nor in the cache of the hub");
	means(hub_model, "other", NULL, "other: No such file or directory");
	means(hub_model, "../x/y", NULL, "../x/y: No such file or directory");
	means(hub_model, "", NULL, ": No such file or directory");
	means(hub_model, "c/models--org--tiny/refs/main/x", NULL, "Not a directory");
	means(hub_model, "-", "-", NULL);
	char tok[200];
	snprintf(tok, sizeof tok, "%s/tokenizer.json", snap);
	means(hub_tokenizer, "org/tiny", tok, NULL);
	means(hub_tokenizer, "c", "c/tokenizer.json", NULL);
	means(hub_tokenizer, "c/models--org--tiny/refs/main", "c/models--org--tiny/refs/main", NULL);
	/* what exists comes first */
	TEST(mkdir("org", 0777) == 0 && mkdir("org/tiny", 0777) == 0, "a directory of that name is made");
	means(hub_model, "org/tiny", "org/tiny", NULL);
	test_dir_done(dir);
}

int main(void)
{
	names();
	paths();
	cache();
	models();
	return test_done();
}
