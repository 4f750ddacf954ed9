/* http: where URLs lead, which keys may go there. (Requests are tested by api-generate and nx-fetch.) */
#include "io/http.h"
#include "test.h"

static void leads(const char *url, const char *text, bool local)
{
	struct http_origin o;
	struct err e;
	int rc = http_origin(&o, url, &e);
	if (text)
		TEST(rc == 0 && strcmp(o.text, text) == 0 && o.local == local, "%s leads to %s", url, rc ? e.msg : o.text);
	else
		TEST(rc == -1 && e.kind == ERR_USAGE && !strstr(e.msg, "hunter2"), "%s is refused: %s", url, e.msg);
}

static void keyed(const char *url, const char *key, const char *says)
{
	struct http_origin o;
	struct err e;
	if (http_origin(&o, url, &e)) {
		TEST(false, "%s", e.msg);
		return;
	}
	int rc = http_key_ok(&o, key, "KEY", &e);
	if (says)
		TEST(rc == -1 && strstr(e.msg, says) && !strstr(e.msg, "sk-"), "to %s: %s", url, e.msg);
	else
		TEST(rc == 0, "to %s it may go", url);
}

int main(void)
{
	leads("https://api.openai.com/v1", "https://api.openai.com:443", false);
	leads("HTTPS://API.OpenAI.com:443/other", "https://api.openai.com:443", false);
	leads("http://api.openai.com", "http://api.openai.com:80", false);
	leads("https://api.openai.com:8443", "https://api.openai.com:8443", false);
	leads("http://localhost:8080/v1", "http://localhost:8080", true);
	leads("http://127.0.0.1:1", "http://127.0.0.1:1", true);
	leads("http://[::1]:1/", "http://[::1]:1", true);
	leads("http://me.localhost/", "http://me.localhost:80", true);
	leads("http://127.evil.com/", "http://127.evil.com:80", false);
	leads("http://notlocalhost/", "http://notlocalhost:80", false);
	leads("http://localhost.evil.com/", "http://localhost.evil.com:80", false);
	leads("http://127.0.0.1.evil.com/", "http://127.0.0.1.evil.com:80", false);
	leads("https://user:hunter2@host/", NULL, false);
	leads("https://hunter2@host/", NULL, false);
	leads("ftp://host/", NULL, false);
	leads("file:///etc/passwd", NULL, false);
	leads("host/v1", NULL, false);
	leads("", NULL, false);
	leads("http://", NULL, false);
	leads("http://host:99999999/", NULL, false);

	keyed("https://host/", "sk-1", NULL);
	keyed("http://localhost/", "sk-1", NULL);
	keyed("http://host/", NULL, NULL);
	keyed("http://host/", "sk-1", "unencrypted to host");
	keyed("https://host/", "sk-1\n", "KEY holds a space");
	keyed("https://host/", "sk-1\r\nHost: x", "KEY holds a space");
	keyed("https://host/", "sk-\xC3\xA9", "KEY holds a space");

	struct buf b = {0};
	TEST(http_quote(&b, "a/b c%\xC3\xA9~", true) == 0 && buf_str(&b) && strcmp(b.p, "a/b%20c%25%C3%A9~") == 0, "what is no plain letter is encoded");
	buf_reset(&b);
	TEST(http_quote(&b, "refs/pr/1", false) == 0 && buf_str(&b) && strcmp(b.p, "refs%2Fpr%2F1") == 0, "what is no plain letter is encoded");
	buf_release(&b);
	return test_done();
}
