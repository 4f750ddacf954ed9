/* server - what the tests of api-generate and nx-fetch ask: a service and a hub that
 * misbehave as they are told to. No part of what is installed.
 *
 *	server LOG [ROOT]       prints "PORT OTHER" and serves both on 127.0.0.1 until
 *	                        nothing was asked for five minutes
 *
 * OTHER is another host to all who compare ports. The first part of a request's path says how
 * it is answered, see the tables `services` and `hubs`. Services answer chats and completions
 * with "answer to PROMPT"; a prompt that begins with "wait N " takes N ms. Hubs serve files of
 * ROOT; beside FILE may stand FILE.head: lines of headers, before them perhaps a line with the
 * status; @OTHER@ in them is the other host's hub of the same mode, @SELF@ its own. LOG gets a line a request:
 *
 *	PORT METHOD PATH now=REQUESTS-UNANSWERED auth=AUTHORIZATION range=RANGE BODY
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 64 << 10, BODY_MAX = 1 << 20, PROMPTS = 4096, IDLE = 300 };

struct ask {
	int fd, port;
	char head[HEAD_MAX];
	char method[16], target[4096], mode[64];
	const char *path; /* behind the mode */
	char *body;
	char auth[1000], range[200], prompt[4000];
	bool *unanswered; /* counted in `now`: until the first byte of the answer, behind which the next may be asked */
	int tries; /* of this prompt, or of this path where there is none, in this mode: from 1 */
};

static int ports[2], log_fd = -1, now;
static const char *root;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char key[256];
	int n;
} seen[PROMPTS];

/* --- sending ------------------------------------------------------------------------ */

static void begin_answer(const struct ask *a)
{
	if (*a->unanswered)
		__atomic_sub_fetch(&now, 1, __ATOMIC_SEQ_CST);
	*a->unanswered = false;
}

static bool put(const struct ask *a, const char *p, size_t n)
{
	begin_answer(a);
	while (n) {
		ssize_t k = send(a->fd, p, n, MSG_NOSIGNAL);
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static bool say(const struct ask *a, const char *fmt, ...)
{
	char *text;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	bool ok = n >= 0 && put(a, text, (size_t)n);
	if (n >= 0)
		free(text);
	return ok;
}

static void answer(const struct ask *a, int status, const char *type, const char *extra, const char *body)
{
	say(a, "HTTP/1.1 %d Whatever\r\nContent-Type: %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", status, type, extra,
	    strlen(body), body);
}

static void error(const struct ask *a, int status, const char *extra, const char *message)
{
	char body[3000];
	snprintf(body, sizeof body, "{\"error\": {\"message\": \"%s\", \"type\": \"some_error\"}}", message);
	answer(a, status, "application/json", extra, body);
}

static void nap(int milliseconds)
{
	struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
	nanosleep(&t, NULL);
}

/* --- the service ------------------------------------------------------------------------ */

static void good_text(const struct ask *a, char *body, size_t cap, const char *usage)
{
	if (strstr(a->path, "/chat/completions"))
		snprintf(body, cap,
		         "{\"id\": \"x\", \"object\": \"chat.completion\", \"choices\": [{\"index\": 0, \"message\": {\"role\": "
		         "\"assistant\", \"content\": \"answer to %s\"}, \"finish_reason\": \"stop\"}]%s}",
		         a->prompt, usage);
	else
		snprintf(body, cap, "{\"choices\": [{\"text\": \"answer to %s\", \"index\": 0, \"finish_reason\": \"length\"}]%s}",
		         a->prompt, usage);
}

static void good(const struct ask *a)
{
	char body[8000], usage[100];
	int wait = 0;
	if (sscanf(a->prompt, "wait %d ", &wait) == 1)
		nap(wait);
	snprintf(usage, sizeof usage, ", \"usage\": {\"prompt_tokens\": %zu, \"completion_tokens\": 3, \"total_tokens\": 9}",
	         strlen(a->prompt));
	good_text(a, body, sizeof body, usage);
	answer(a, 200, "application/json; charset=utf-8", "", body);
}

/* As good, but none is answered until so many were under way together, or after half a minute. */
static void gather(const struct ask *a)
{
	static int gathered;
	int most = atoi(a->mode + strlen("gather"));
	for (int i = 0; i < 3000 && !__atomic_load_n(&gathered, __ATOMIC_SEQ_CST); i++) {
		if (__atomic_load_n(&now, __ATOMIC_SEQ_CST) >= most)
			__atomic_store_n(&gathered, 1, __ATOMIC_SEQ_CST);
		else
			nap(10);
	}
	good(a);
}

static void first(const struct ask *a)
{
	int times = 1, status = 500;
	sscanf(a->mode, "first%d-%d", &times, &status);
	if (a->tries <= times)
		error(a, status, "", "busy");
	else
		good(a);
}

static void status(const struct ask *a)
{
	error(a, atoi(a->mode + strlen("status-")), "", "this is the message");
}

static void later(const struct ask *a)
{
	char when[200];
	time_t t = time(NULL) + 2;
	struct tm tm;
	if (a->tries > 1) {
		good(a);
		return;
	}
	if (strcmp(a->mode, "later-date") == 0)
		strftime(when, sizeof when, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&t, &tm));
	else
		snprintf(when, sizeof when, "retry-after: %s\r\n", strcmp(a->mode, "later-long") == 0 ? "100000" : "1");
	error(a, 429, when, "slow down");
}

/* Cut off: before anything, in the head, in the body told of, in a body of unknown length. */
static void cut(const struct ask *a)
{
	static const char half[] = "{\"choices\": [{\"message\": {\"content\": \"answ";
	const char *what = a->mode + strlen("cut-");
	if (a->tries > 1) {
		good(a);
		return;
	}
	if (strcmp(what, "head") == 0)
		say(a, "HTTP/1.1 200 OK\r\nContent-Ty");
	else if (strcmp(what, "body") == 0)
		say(a, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n%s", half);
	else if (strcmp(what, "json") == 0)
		say(a, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n%s", half);
}

static void hang(const struct ask *a)
{
	if (a->tries > 1)
		good(a);
	else
		nap(5000);
}

static void huge(const struct ask *a)
{
	static char spaces[1 << 16];
	memset(spaces, ' ', sizeof spaces);
	if (strcmp(a->mode, "huge-head") == 0) {
		say(a, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 1000000 && say(a, "X-Header-%d: %.1000s\r\n", i, spaces + 1); i++)
			continue;
		return;
	}
	say(a, "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n",
	    strcmp(a->mode, "huge-error") ? 200 : 400);
	for (int i = 0; i < 100000 && put(a, spaces, sizeof spaces); i++)
		continue;
}

static void redirect(const struct ask *a)
{
	const char *what = a->mode + strlen("redirect-");
	char to[5000], head[5100];
	if (strcmp(what, "other") == 0)
		snprintf(to, sizeof to, "http://127.0.0.1:%d/ok%s", ports[1], a->path);
	else
		snprintf(to, sizeof to, "/%s%s", strcmp(what, "loop") ? "ok" : a->mode, a->path);
	snprintf(head, sizeof head, "Location: %s\r\n", to);
	answer(a, strcmp(what, "302") ? 307 : 302, "text/plain", head, "");
}

/* The message tells the key, and would paint the terminal red. */
static void tell_key(const struct ask *a)
{
	char text[2000];
	snprintf(text, sizeof text, "Incorrect API key provided: \\u001b[31m%s\\u0007\\nsecond line", a->auth);
	error(a, 401, "", text);
}

static void chunked(const struct ask *a)
{
	char body[8000];
	good_text(a, body, sizeof body, "");
	say(a, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Type: text/html\r\n\r\n");
	say(a, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	for (size_t i = 0, n = strlen(body); i < n; i += 7)
		say(a, "%zx\r\n%.7s\r\n", n - i < 7 ? n - i : 7, body + i);
	say(a, "0\r\n\r\n");
}

/* Bodies that are no answer, always. */
static void body_of(const struct ask *a)
{
	static const struct {
		const char *mode, *type, *body;
	} bodies[] = {
		{"html", "text/html", "<html>please log in</html>"},
		{"bad-json", "application/json", "{\"choices\": nonsense"},
		{"no-choices", "application/json", "{\"choices\": []}"},
		{"not-object", "application/json", "[1, 2]"},
		{"no-text", "application/json", "{\"choices\": [{\"message\": {\"content\": 7}}]}"},
		{"null-text", "application/json",
	     "{\"choices\": [{\"message\": {\"content\": null}, \"finish_reason\": \"content_filter\"}], \"usage\": null}"},
		{"nul-text", "application/json",
	     "{\"choices\": [{\"message\": {\"content\": \"a\\u0000b\"}, \"finish_reason\": \"c\\u0000d\"}]}"},
		{"error-200", "application/json", "{\"error\": \"the model is gone\"}"},
		{"detail-422", "application/json", "{\"detail\": \"wrong field\"}"},
		{"quota", "application/json", "{\"error\": {\"message\": \"no money left\", \"code\": \"insufficient_quota\"}}"},
		{"page-502", "text/html", "<html>Bad gateway</html>"}};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		if (strcmp(a->mode, bodies[i].mode) == 0) {
			int code = strcmp(a->mode, "quota") == 0 ? 429 : 200;
			const char *dash = strrchr(a->mode, '-');
			if (dash && atoi(dash + 1))
				code = atoi(dash + 1);
			answer(a, code, bodies[i].type, "", bodies[i].body);
			return;
		}
	error(a, 404, "", "no such mode of the test's server");
}

/* --- the hub ------------------------------------------------------------------------------ */

static char *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	char *p = NULL;
	if (f && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (p = calloc(1, (size_t)st.st_size + 1)))
		*n = fread(p, 1, (size_t)st.st_size, f);
	if (f)
		fclose(f);
	return p;
}

/* The headers beside a file; the status of a first line of digits, else 200. */
static int side_headers(const struct ask *a, const char *path, char *head, size_t cap)
{
	char name[6000], line[2000];
	int code = 200;
	snprintf(name, sizeof name, "%s.head", path);
	FILE *f = fopen(name, "r");
	*head = 0;
	while (f && fgets(line, sizeof line, f)) {
		char *other = strstr(line, "@OTHER@") ? strstr(line, "@OTHER@") : strstr(line, "@SELF@");
		line[strcspn(line, "\n")] = 0;
		if (atoi(line) > 0) {
			code = atoi(line);
			continue;
		}
		size_t n = strlen(head);
		if (other)
			snprintf(head + n, cap - n, "%.*shttp://127.0.0.1:%d/%s%s\r\n", (int)(other - line), line,
			         strncmp(other, "@SELF@", 6) ? ports[1] : a->port, a->mode, strchr(other + 1, '@') + 1);
		else
			snprintf(head + n, cap - n, "%s\r\n", line);
	}
	if (f)
		fclose(f);
	return code;
}

/* A file, whole or from a byte on; `cutoff` bytes of it at most, then the connection ends. */
static void send_file(const struct ask *a, int code, const char *head, char *p, size_t n)
{
	bool ranges = strcmp(a->mode, "hub-norange") != 0, is_head = strcmp(a->method, "HEAD") == 0;
	size_t from = 0, cutoff = (size_t)-1, told;
	long long start = 0, k = 0;
	char range[200] = "";
	if (ranges && code == 200 && sscanf(a->range, "bytes=%lld-", &start) == 1) {
		if (start >= (long long)n) {
			answer(a, 416, "text/plain", "", "");
			return;
		}
		from = (size_t)start;
		code = 206;
		snprintf(range, sizeof range, "Content-Range: bytes %lld-%zu/%zu\r\n",
		         strcmp(a->mode, "hub-wrongrange") ? start : 0, n - 1, n);
		if (strcmp(a->mode, "hub-hugerange") == 0) /* 2^64 and start: its last 64 bits are right */
			snprintf(range, sizeof range, "Content-Range: bytes 184467440737%08lld-%zu/%zu\r\n", 9551616 + start, n - 1, n);
	}
	if (strcmp(a->mode, "hub-flip") == 0 && n > 10)
		p[10] ^= 1;
	if (sscanf(a->mode, "hub-cut%lld", &k) == 1)
		cutoff = (size_t)k;
	told = n - from;
	say(a, "HTTP/1.1 %d OK\r\n%s%sConnection: close\r\nContent-Length: %zu\r\n\r\n", code, head, range,
	    strcmp(a->mode, "hub-long") ? told : told + 1000);
	if (is_head)
		return;
	put(a, p + from, told < cutoff ? told : cutoff);
	for (int i = 0; i < 1000 && strcmp(a->mode, "hub-long") == 0; i++)
		put(a, "x", 1);
}

static void hub(const struct ask *a)
{
	char path[5000], head[4000], plain[4096];
	size_t n = 0, k = 0;
	for (const char *s = a->path; *s && *s != '?' && k < sizeof plain - 1; s++)
		if (strncasecmp(s, "%2f", 3) == 0) {
			plain[k++] = '/';
			s += 2;
		} else {
			plain[k++] = *s;
		}
	plain[k] = 0;
	if (strcmp(a->mode, "hub-first503") == 0 && a->tries == 1) {
		error(a, 503, "", "busy");
		return;
	}
	if (strcmp(a->mode, "hub-slow") == 0)
		nap(300);
	const char *query = strstr(a->path, "cursor=");
	snprintf(path, sizeof path, "%s%s%s", root ? root : "", plain, query ? ".page2" : "");
	int code = side_headers(a, path, head, sizeof head);
	char *p = slurp(path, &n);
	if (!p && code == 200)
		answer(a, 404, "text/plain", "", "Entry not found");
	else
		send_file(a, code, head, p ? p : calloc(1, 1), n);
	free(p);
}

/* --- one request ---------------------------------------------------------------------------- */

static const struct {
	const char *mode; /* begins with it */
	void (*answer)(const struct ask *a);
} modes[] = {{"ok", good},           {"gather", gather},     {"first", first},       {"status-", status}, {"later", later},       {"cut-", cut},
             {"hang", hang},         {"huge", huge},         {"redirect-", redirect}, {"tell-key", tell_key}, {"chunked", chunked},
             {"hub", hub},           {"", body_of}};

/* The value of a header, "" if there is none. */
static void header(const struct ask *a, const char *name, char *value, size_t cap)
{
	*value = 0;
	for (const char *p = a->head; (p = strstr(p, "\r\n")); p += 2)
		if (strncasecmp(p + 2, name, strlen(name)) == 0) {
			p += 2 + strlen(name);
			snprintf(value, cap, "%.*s", (int)strcspn(p, "\r"), p);
			return;
		}
}

static int count_try(const struct ask *a)
{
	char key[256];
	int n = 0;
	snprintf(key, sizeof key, "%.60s %.190s", a->mode, *a->prompt ? a->prompt : a->path);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < PROMPTS && !n; i++)
		if (!*seen[i].key || strcmp(seen[i].key, key) == 0) {
			strcpy(seen[i].key, key);
			n = ++seen[i].n;
		}
	pthread_mutex_unlock(&lock);
	return n;
}

/* The text behind the last "content" or "prompt", as it stands in the JSON. */
static void find_prompt(struct ask *a)
{
	char *p = strstr(a->body, "\"prompt\": \""), *last = p;
	for (char *q = a->body; !p && (q = strstr(q, "\"content\": \"")); q++)
		last = q;
	if (!last)
		return;
	last = strstr(last, ": \"") + 3;
	size_t n = 0;
	while (last[n] && last[n] != '"' && n < sizeof a->prompt - 2)
		n += last[n] == '\\' ? 2 : 1;
	snprintf(a->prompt, sizeof a->prompt, "%.*s", (int)n, last);
}

static bool read_ask(struct ask *a)
{
	char length[40], *end;
	size_t n = 0;
	while (!(end = strstr(a->head, "\r\n\r\n"))) {
		ssize_t k = n < HEAD_MAX - 1 ? recv(a->fd, a->head + n, HEAD_MAX - 1 - n, 0) : 0;
		if (k <= 0)
			return false;
		a->head[n += (size_t)k] = 0;
	}
	header(a, "Content-Length: ", length, sizeof length);
	size_t want = (size_t)atol(length), have = n - (size_t)(end + 4 - a->head);
	if (want > BODY_MAX || !(a->body = calloc(1, want + have + 1)))
		return false;
	memcpy(a->body, end + 4, have);
	while (have < want) {
		ssize_t k = recv(a->fd, a->body + have, want - have, 0);
		if (k <= 0)
			return false;
		have += (size_t)k;
	}
	if (sscanf(a->head, "%15s %4095s", a->method, a->target) != 2)
		return false;
	size_t m = strcspn(a->target + 1, "/");
	snprintf(a->mode, sizeof a->mode, "%.*s", (int)m, a->target + 1);
	a->path = a->target + 1 + m;
	header(a, "Authorization: ", a->auth, sizeof a->auth);
	header(a, "Range: ", a->range, sizeof a->range);
	find_prompt(a);
	return true;
}

static void *serve(void *arg)
{
	struct ask *a = arg;
	bool unanswered = true;
	a->unanswered = &unanswered;
	if (read_ask(a)) {
		int at_once = __atomic_add_fetch(&now, 1, __ATOMIC_SEQ_CST);
		a->tries = count_try(a);
		dprintf(log_fd, "%d %s %s now=%d auth=%s range=%s %s\n", a->port, a->method, a->target, at_once, a->auth, a->range, a->body);
		for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
			if (strncmp(a->mode, modes[i].mode, strlen(modes[i].mode)) == 0) {
				modes[i].answer(a);
				break;
			}
		begin_answer(a);
	}
	shutdown(a->fd, SHUT_WR);
	close(a->fd);
	free(a->body);
	free(a);
	return NULL;
}

static int listener(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 100) ||
	    getsockname(fd, (struct sockaddr *)&at, &n)) {
		perror("server");
		exit(1);
	}
	*port = ntohs(at.sin_port);
	return fd;
}

static void *accept_all(void *arg)
{
	int *of = arg; /* listener and port */
	for (;;) {
		struct ask *a = calloc(1, sizeof *a);
		pthread_t t;
		if (!a || (a->fd = accept4(of[0], NULL, NULL, SOCK_CLOEXEC)) < 0)
			exit(1);
		a->port = of[1];
		alarm(IDLE);
		if (pthread_create(&t, NULL, serve, a))
			exit(1);
		pthread_detach(t);
	}
}

int main(int argc, char **argv)
{
	int of[2][2];
	pthread_t t;
	signal(SIGPIPE, SIG_IGN);
	alarm(IDLE);
	if (argc < 2 || (log_fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) {
		fprintf(stderr, "usage: server LOG [ROOT]\n");
		return 2;
	}
	root = argv[2];
	for (int i = 0; i < 2; i++) {
		of[i][0] = listener(&ports[i]);
		of[i][1] = ports[i];
	}
	printf("%d %d\n", ports[0], ports[1]);
	fflush(stdout);
	if (pthread_create(&t, NULL, accept_all, of[1]))
		return 1;
	accept_all(of[0]);
}
