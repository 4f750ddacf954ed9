/* api-generate - answers from a service that speaks as OpenAI's does. */
#include "base/die.h"
#include "base/hash.h"
#include "base/progress.h"
#include "base/skip.h"
#include "base/utf8.h"
#include "base/xoshiro.h"
#include "io/chat.h"
#include "io/http.h"
#include "io/jsonl.h"
#include "io/ledger.h"
#include "io/out.h"
#include "io/retry.h"
#include "text/column.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *base_url = "https://api.openai.com/v1", *model, *key_env, *field, *key = "generated", *system_text, *output;
static struct opt_list stops, extras;
static double temperature = -1, top_p = -1, timeout = 600, connect_timeout = 10, first_wait = 0.5;
static int64_t max_tokens, seed = -1, concurrency = 4, retries = 5, max_body = 16;
static bool completion, chat, resume, dry_run, skip_bad, quiet;

static const struct opt opts[] = {
	{'u', "base-url", OPT_STR, &base_url, "URL", "the service (default https://api.openai.com/v1)", 0, 0, NULL},
	{'m', "model", OPT_STR, &model, "NAME", "the model, by the service's name for it", 0, 0, NULL},
	{0, "key-env", OPT_STR, &key_env, "VAR", "the environment variable that holds the key (default: OPENAI_API_KEY, DEEPSEEK_API_KEY or LAMINI_API_KEY for these services, none for others)", 0, 0, NULL},
	{0, "chat", OPT_FLAG, &chat, NULL, "ask URL/chat/completions, the default", 0, 0, NULL},
	{0, "completion", OPT_FLAG, &completion, NULL, "ask URL/completions: the prompt is gone on with, not replied to", 0, 0, NULL},
	{'f', "field", OPT_STR, &field, "NAME", "the records' field to answer (default: question, input, text or prompt)", 0, 0, NULL},
	{'k', "key", OPT_STR, &key, "NAME", "the field that gets the answer (default generated)", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "What is asked for", 0, 0, NULL},
	{0, "system", OPT_STR, &system_text, "TEXT", "what the model is told before each prompt", 0, 0, NULL},
	{0, "temperature", OPT_F64, &temperature, "X", "0: the likeliest, higher: more varied", 0, 100, NULL},
	{0, "top-p", OPT_F64, &top_p, "P", "draw from the likeliest tokens of this share", 0, 1, NULL},
	{0, "max-tokens", OPT_I64, &max_tokens, "N", "answer with at most N tokens", 1, 1e9, NULL},
	{0, "stop", OPT_LIST, &stops, "TEXT", "end the answer before TEXT; may be given again", 0, 0, NULL},
	{0, "seed", OPT_I64, &seed, "N", "seed of the draws, where the service has one", 0, 9e18, NULL},
	{0, "extra", OPT_LIST, &extras, "NAME=JSON", "set another field of the request; may be given again", 0, 0, NULL},
	{0, NULL, OPT_GROUP, NULL, NULL, "How it is asked", 0, 0, NULL},
	{'j', "concurrency", OPT_I64, &concurrency, "N", "ask N at once (default 4)", 1, 256, NULL},
	{0, "retries", OPT_I64, &retries, "N", "ask N times again where that may help (default 5)", 0, 1000, NULL},
	{0, "retry-delay", OPT_F64, &first_wait, "S", "wait about S seconds before the first of them, then twice as long each time (default 0.5)", 0, 60, NULL},
	{0, "timeout", OPT_F64, &timeout, "S", "an answer takes at most S seconds (default 600)", 0.001, 86400, NULL},
	{0, "connect-timeout", OPT_F64, &connect_timeout, "S", "a connection takes at most S seconds (default 10)", 0.001, 86400, NULL},
	{0, "max-body", OPT_I64, &max_body, "MB", "an answer's JSON has at most that many megabytes (default 16)", 1, 1024, NULL},
	{0, "resume", OPT_FLAG, &resume, NULL, "go on with FILE.partial, which a run with -o FILE left that did not end", 0, 0, NULL},
	{0, "dry-run", OPT_FLAG, &dry_run, NULL, "ask nothing, write the requests", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and refused ones and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"api-generate", "-m NAME [-u URL] [options] [FILE ...]",
                                     "answer prompts with a service that speaks as OpenAI's does", opts};

enum {
	AHEAD = 8,        /* records read ahead for each request at once: a late answer holds up the output, not the asking */
	LONGEST_WAIT = 600, /* seconds a service may ask to wait */
	REDIRECTS = 5
};

enum state { FREE, WAITING, ASKED, ANSWERED, FAILED };

/* A record on its way. */
struct slot {
	enum state state;
	struct arena a;
	struct buf body, url;
	struct json *rec;
	char *where; /* FILE:LINE, in the arena */
	uint64_t request; /* hash of URL and body */
	uint64_t number;  /* of the record, from 1 */
	int tries, redirects;
	double due; /* WAITING: not before */
	struct json *answer;
	struct err why; /* FAILED */
};

struct job {
	struct jsonl in;
	bool ended; /* the input has */
	struct out *out;
	struct ledger *ledger; /* NULL: there is no file to go on with */
	struct buf partial;    /* its name */
	struct http *http;
	struct http_origin origin;
	struct buf url, line;
	struct chat_wish wish;
	const char *secret;
	struct slot *slots; /* a ring: nslots, the oldest at head, n of them in use */
	size_t nslots, head, n, asked;
	double pause; /* the service asked for silence until then */
	struct xoshiro random;
	struct skip skip;
	struct progress bar;
	uint64_t read, written, again;
	char last_trouble[400];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

/* --- opening ------------------------------------------------------------------------- */

/* A key is given to its own service only. */
static const char *key_variable(const struct http_origin *o)
{
	static const char *const services[][2] = {
		{"openai.com", "OPENAI_API_KEY"}, {"deepseek.com", "DEEPSEEK_API_KEY"}, {"lamini.ai", "LAMINI_API_KEY"}};
	size_t n = strlen(o->host);
	for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
		size_t k = strlen(services[i][0]);
		if (n >= k && strcmp(o->host + n - k, services[i][0]) == 0 && (n == k || o->host[n - k - 1] == '.'))
			return services[i][1];
	}
	return NULL;
}

static void find_key(struct job *j)
{
	struct err e;
	const char *name = key_env ? key_env : key_variable(&j->origin);
	if (!name || dry_run)
		return;
	j->secret = getenv(name);
	if (!j->secret || !*j->secret)
		die_usage("no key for %s: set %s in the environment", j->origin.host, name);
	if (http_key_ok(&j->origin, j->secret, name, &e))
		die_err(&e);
}

static void check_options(void)
{
	const char *texts[] = {model, system_text, key, field};
	if (!model || !*model)
		die_usage("no model: give -m NAME");
	if (chat && completion)
		die_usage("--chat and --completion exclude each other");
	if (completion && system_text)
		die_usage("--system is for --chat: put it into the prompt");
	if (resume && (!output || strcmp(output, "-") == 0))
		die_usage("--resume goes on with what a run with -o FILE left: give -o FILE");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (texts[i] && utf8_valid(texts[i], strlen(texts[i])) != strlen(texts[i]))
			die_usage("an argument is not valid UTF-8");
	for (int i = 0; i < stops.n; i++)
		if (utf8_valid(stops.v[i], strlen(stops.v[i])) != strlen(stops.v[i]))
			die_usage("an argument is not valid UTF-8");
}

static void make_wish(struct job *j)
{
	struct arena a = {0};
	struct err e;
	j->wish = (struct chat_wish){.completion = completion, .model = model, .system = system_text, .temperature = temperature,
	                             .top_p = top_p, .max_tokens = max_tokens, .seed = seed, .stop = stops.v, .nstop = stops.n,
	                             .extra = extras.v, .nextra = extras.n};
	if (chat_request(&j->line, &a, &j->wish, "", 0, &e)) { /* is it one? */
		err_prefix(&e, "--extra: ");
		die_err(&e);
	}
	arena_release(&a);
	size_t n = strlen(base_url);
	while (n && base_url[n - 1] == '/')
		n--;
	if (buf_printf(&j->url, "%.*s%s", (int)n, base_url, completion ? "/completions" : "/chat/completions"))
		die_mem();
}

/* Answers are put by where the output is a file, which appears only when all is done. */
static void open_ledger(struct job *j)
{
	struct stat st;
	struct err e;
	if (dry_run || !output || strcmp(output, "-") == 0 || (stat(output, &st) == 0 && !S_ISREG(st.st_mode)))
		return;
	if (buf_printf(&j->partial, "%s.partial", output))
		die_mem();
	if (ledger_open(&j->ledger, j->partial.p, resume, &e))
		die_err(&e);
}

static void open_job(struct job *j, int argc, char **argv)
{
	struct err e;
	if (http_origin(&j->origin, base_url, &e)) {
		err_prefix(&e, "--base-url: ");
		die_err(&e);
	}
	if (strpbrk(base_url, "?#"))
		die_usage("--base-url: a \"?\" or \"#\" has no place in it");
	make_wish(j);
	find_key(j);
	if (jsonl_open(&j->in, argc, argv, &e) || out_open(&j->out, output, OUT_PLAIN, &e))
		die_err(&e);
	open_ledger(j);
	if (!dry_run && !(j->http = http_open(&e)))
		die_err(&e);
	j->skip.on = skip_bad;
	j->nslots = dry_run ? 1 : (size_t)concurrency * AHEAD;
	if (!(j->slots = calloc(j->nslots, sizeof *j->slots)))
		die_mem();
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	xoshiro_seed(&j->random, (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30, (uint64_t)getpid());
	progress_init(&j->bar, prog.name, 0, "records", quiet);
}

static void close_job(struct job *j)
{
	http_close(j->http);
	for (size_t i = 0; i < j->nslots; i++) {
		arena_release(&j->slots[i].a);
		buf_release(&j->slots[i].body);
		buf_release(&j->slots[i].url);
	}
	free(j->slots);
	jsonl_close(&j->in);
	buf_release(&j->partial);
	buf_release(&j->url);
	buf_release(&j->line);
}

/* --- how it ends too early ---------------------------------------------------------------- */

/* Says what is kept. */
static void leave(struct job *j)
{
	progress_end(&j->bar);
	http_close(j->http);
	j->http = NULL;
	out_abort(j->out);
	if (j->ledger && ledger_held(j->ledger))
		die_warn("%zu answer%s kept in %s: --resume goes on with them", ledger_held(j->ledger),
		         ledger_held(j->ledger) == 1 ? " is" : "s are", j->partial.p);
	ledger_close(j->ledger);
}

static void give_up(struct job *j, const struct err *e) __attribute__((noreturn));
static void give_up(struct job *j, const struct err *e)
{
	leave(j);
	die_err(e);
}

static void check_interrupt(struct job *j)
{
	if (!interrupted)
		return;
	leave(j);
	signal(interrupted, SIG_DFL);
	raise(interrupted);
}

/* --- a record in ----------------------------------------------------------------------------- */

/* The record's request; what an earlier run got for it is its answer. */
static int prepare(struct job *j, struct slot *s, struct err *e)
{
	const char *prompt;
	size_t n;
	if (json_parse(&s->a, j->in.text.p, j->in.text.n, &s->rec, e) || column_asked(s->rec, field, &prompt, &n, e) ||
	    chat_request(&s->body, &s->a, &j->wish, prompt, n, e))
		return -1;
	s->request = hash_bytes(hash_bytes(HASH_SEED, j->url.p, j->url.n), s->body.p, s->body.n);
	if (buf_add(&s->url, j->url.p, j->url.n) || !buf_str(&s->url) || !buf_str(&s->body))
		return err_mem(e);
	int rc = j->ledger ? ledger_take(j->ledger, s->request, &s->a, &s->answer, e) : 0;
	s->state = rc > 0 || dry_run ? ANSWERED : WAITING;
	return rc < 0 ? -1 : 0;
}

static void fail(struct slot *s, const struct err *e)
{
	s->state = FAILED;
	s->why = *e;
}

/* The next record into the ring, if there is room and one is there to be read. */
static void read_one(struct job *j)
{
	struct err e;
	struct slot *s = j->slots + (j->head + j->n) % j->nslots;
	int rc = jsonl_next_raw(&j->in, &e);
	if (rc == 0) {
		j->ended = true;
		return;
	}
	arena_reset(&s->a);
	buf_reset(&s->body);
	buf_reset(&s->url);
	s->tries = s->redirects = 0;
	s->due = 0;
	s->rec = s->answer = NULL;
	s->number = ++j->read;
	j->n++;
	if (rc < 0) { /* nothing more can be read */
		j->ended = true;
		fail(s, &e);
		return;
	}
	int n = snprintf(NULL, 0, "%s:%llu", j->in.name, (unsigned long long)j->in.line);
	if (!(s->where = arena_alloc(&s->a, (size_t)n + 1)))
		die_mem();
	snprintf(s->where, (size_t)n + 1, "%s:%llu", j->in.name, (unsigned long long)j->in.line);
	if (prepare(j, s, &e)) {
		jsonl_at(&j->in, &e);
		fail(s, &e);
	}
}

/* --- asking ------------------------------------------------------------------------------------ */

static void ask(struct job *j, struct slot *s)
{
	struct err e;
	struct http_ask a = {.url = s->url.p, .key = j->secret, .body = s->body.p, .nbody = s->body.n,
	                     .limit = (uint64_t)max_body << 20, .connect = connect_timeout, .timeout = timeout, .tag = s};
	if (http_start(j->http, &a, &e))
		give_up(j, &e);
	s->state = ASKED;
	s->tries++;
	j->asked++;
}

/* Asks as many as may be asked now; nothing behind a record that ends the run. Returns the
 * seconds until there is more to do. */
static double ask_some(struct job *j)
{
	double now = progress_clock(), next = 0.5;
	for (size_t i = 0; i < j->n && j->asked < (size_t)concurrency; i++) {
		struct slot *s = j->slots + (j->head + i) % j->nslots;
		if (s->state == FAILED && (!skip_bad || s->why.kind != ERR_DATA))
			break;
		if (s->state != WAITING)
			continue;
		double due = s->due > j->pause ? s->due : j->pause;
		if (due <= now)
			ask(j, s);
		else if (due - now < next)
			next = due - now;
	}
	return next;
}

/* --- what comes back ------------------------------------------------------------------------------ */

/* The fields of the answer; they are put by before anything else. */
static int keep(struct job *j, struct slot *s, const struct chat_reply *r, struct err *e)
{
	struct json *o = json_object(&s->a), *text = json_string(&s->a, r->text, r->n);
	int bad = !o || !text || json_set(&s->a, o, "text", text);
	if (!bad && r->finish)
		bad = !(text = json_string(&s->a, r->finish, r->nfinish)) || json_set(&s->a, o, "finish_reason", text);
	if (!bad && r->prompt_tokens >= 0)
		bad = !(text = json_number(&s->a, "%lld", (long long)r->prompt_tokens)) || json_set(&s->a, o, "prompt_tokens", text);
	if (!bad && r->completion_tokens >= 0)
		bad = !(text = json_number(&s->a, "%lld", (long long)r->completion_tokens)) ||
		      json_set(&s->a, o, "completion_tokens", text);
	if (bad)
		return err_mem(e);
	s->answer = o;
	s->state = ANSWERED;
	return j->ledger ? ledger_put(j->ledger, s->request, o, e) : 0;
}

/* The words come from others: whatever they hold, it is not the key. */
static void clean(const struct job *j, const char *what, char *to, size_t cap)
{
	struct buf b = {0};
	chat_clean(&b, what, strlen(what), j->secret);
	snprintf(to, cap, "%s", buf_str(&b) ? b.p : "");
	buf_release(&b);
}

static void refuse(struct job *j, struct slot *s, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void refuse(struct job *j, struct slot *s, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;
	char what[700], said[400];
	struct err e;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	clean(j, what, said, sizeof said);
	err_data(&e, "%.250s: %s", s->where, said);
	e.kind = kind;
	fail(s, &e);
}

/* Another try later, if there is one left. Silence that the service asks for is kept by all. */
static void try_again(struct job *j, struct slot *s, struct http_reply *r, const char *what)
{
	double now = progress_clock(), wait = 0;
	bool told = r->status / 100 != 2 && retry_after(http_header(r, "Retry-After"), (int64_t)time(NULL), &wait);
	enum err_kind kind = r->end == HTTP_AWAY ? ERR_IO : ERR_DATA; /* a service that is not there is no bad record */
	if (told && wait > LONGEST_WAIT) {
		refuse(j, s, ERR_IO, "%s; it asks to wait for %.0f seconds", what, wait);
		return;
	}
	if (s->tries > retries) {
		refuse(j, s, kind, "no answer after %d tr%s: %s", s->tries, s->tries == 1 ? "y" : "ies", what);
		return;
	}
	if (!told)
		wait = retry_delay(s->tries, first_wait, &j->random);
	else if (now + wait > j->pause)
		j->pause = now + wait;
	s->due = now + wait;
	s->state = WAITING;
	j->again++;
	clean(j, what, j->last_trouble, sizeof j->last_trouble);
}

/* To another path of the same service only: elsewhere neither key nor prompt is sent. */
static void redirect(struct job *j, struct slot *s, const struct http_reply *r)
{
	struct http_origin o;
	struct err e;
	if (!r->location || http_origin(&o, r->location, &e) || strcmp(o.text, j->origin.text))
		refuse(j, s, ERR_IO, "the service sends to another host, which is not followed%s%.200s", r->location ? ": " : "",
		       r->location ? r->location : "");
	else if ((r->status != 307 && r->status != 308) || ++s->redirects > REDIRECTS)
		refuse(j, s, ERR_IO, "the service answered %d and sends to %.200s: is that the --base-url?", r->status, r->location);
	else if (buf_reset(&s->url), buf_adds(&s->url, r->location) || !buf_str(&s->url))
		die_mem();
	else {
		s->state = WAITING;
		s->tries--;
	}
}

/* An answer that is none. */
static void complain(struct job *j, struct slot *s, struct http_reply *r)
{
	struct buf text = {0};
	char what[400];
	bool broke = chat_complaint(&text, &s->a, r->body.p, r->body.n, j->secret);
	snprintf(what, sizeof what, "the service answered %d%s%.300s", r->status, text.n ? ": " : "", buf_str(&text) ? text.p : "");
	buf_release(&text);
	/* a wrong key, no money, no such model: so it would be with all records */
	bool hopeless = broke || r->status == 401 || r->status == 402 || r->status == 404;
	if (retry_heals(r->status) && !broke)
		try_again(j, s, r, what);
	else
		refuse(j, s, hopeless ? ERR_IO : ERR_DATA, "%s", what);
}

/* The content type of an answer that may be read. */
static bool is_json(struct http_reply *r)
{
	const char *type = http_header(r, "Content-Type");
	return !type || strncasecmp(type, "application/json", strlen("application/json")) == 0;
}

static void read_answer(struct job *j, struct slot *s, struct http_reply *r)
{
	struct chat_reply answer;
	struct buf text = {0};
	struct err e;
	if (!is_json(r)) {
		refuse(j, s, ERR_IO, "the service answered with %.60s, not with JSON: is the --base-url right?", http_header(r, "Content-Type"));
		return;
	}
	int rc = chat_answer(&s->a, r->body.p ? r->body.p : "", r->body.n, completion, &answer, &e);
	if (rc == CHAT_NO_JSON) {
		try_again(j, s, r, e.msg);
	} else if (rc) {
		chat_complaint(&text, &s->a, r->body.p, r->body.n, j->secret);
		refuse(j, s, e.kind, "%.200s: %.300s", e.msg, buf_str(&text) ? text.p : "");
	} else if (keep(j, s, &answer, &e)) {
		give_up(j, &e);
	}
	buf_release(&text);
}

static void hear(struct job *j, struct http_reply *r)
{
	struct slot *s = r->tag;
	j->asked--;
	if (r->end == HTTP_BROKEN || r->end == HTTP_AWAY)
		try_again(j, s, r, r->why);
	else if (r->status / 100 == 3)
		redirect(j, s, r);
	else if (r->status && r->status / 100 != 2)
		complain(j, s, r);
	else if (r->end != HTTP_WHOLE)
		refuse(j, s, r->end == HTTP_BIG ? ERR_DATA : ERR_IO, "%s", r->why);
	else
		read_answer(j, s, r);
	http_drop(j->http, r);
}

/* --- a record out ------------------------------------------------------------------------------- */

/* The request as the services' batch files have it. */
static int put_request(struct job *j, const struct slot *s, struct err *e)
{
	buf_reset(&j->line);
	if (buf_printf(&j->line, "{\"custom_id\": \"record-%llu\", \"method\": \"POST\", \"url\": \"/v1%s\", \"body\": ",
	               (unsigned long long)s->number, completion ? "/completions" : "/chat/completions") ||
	    buf_add(&j->line, s->body.p, s->body.n) || buf_adds(&j->line, "}\n"))
		return err_mem(e);
	return 0;
}

static int put_answer(struct job *j, struct slot *s, struct err *e)
{
	buf_reset(&j->line);
	for (struct json *v = s->answer->child, *next; v; v = next) {
		next = v->next;
		v->next = NULL;
		if (json_set(&s->a, s->rec, strcmp(v->key, "text") ? v->key : key, v))
			return err_mem(e);
	}
	return json_write(&j->line, s->rec) || buf_addc(&j->line, '\n') ? err_mem(e) : 0;
}

/* Writes what is answered, in the order of the input. */
static void write_some(struct job *j)
{
	struct err e;
	for (; j->n; j->head = (j->head + 1) % j->nslots, j->n--) {
		struct slot *s = j->slots + j->head;
		if (s->state == FAILED) {
			if (skip_pass(&j->skip, &s->why))
				give_up(j, &s->why);
		} else if (s->state == ANSWERED) {
			if ((dry_run ? put_request(j, s, &e) : put_answer(j, s, &e)) ||
			    out_write(j->out, j->line.p, j->line.n, &e) || out_flush(j->out, &e))
				give_up(j, &e);
			j->written++;
		} else {
			return;
		}
		s->state = FREE;
		progress_to(&j->bar, j->written, j->again ? j->last_trouble : NULL);
	}
}

/* --- the whole ------------------------------------------------------------------------------------- */

static void run(struct job *j)
{
	struct http_reply *r;
	struct err e;
	while (!j->ended || j->n) {
		check_interrupt(j);
		bool room = !j->ended && j->n < j->nslots;
		while (room && (dry_run || jsonl_ready(&j->in))) {
			read_one(j);
			write_some(j);
			room = !j->ended && j->n < j->nslots && !interrupted;
		}
		if (j->ended && !j->n)
			break;
		double wait = ask_some(j);
		int rc = http_wait(j->http, wait, room && j->in.in ? in_fd(j->in.in) : -1, &r, &e);
		if (rc < 0)
			give_up(j, &e);
		if (rc)
			hear(j, r);
		write_some(j);
	}
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	if (j->again)
		die_warn("%llu tr%s failed and %s repeated, the last: %s", (unsigned long long)j->again, j->again == 1 ? "y" : "ies",
		         j->again == 1 ? "was" : "were", j->last_trouble);
	if (j->ledger && ledger_taken(j->ledger))
		die_warn("%zu answer%s of the run before %s used", ledger_taken(j->ledger), die_s(ledger_taken(j->ledger)),
		         ledger_taken(j->ledger) == 1 ? "was" : "were");
	if (j->ledger && ledger_left(j->ledger))
		die_warn("%zu answer%s of the run before fitted no request: not used", ledger_left(j->ledger), die_s(ledger_left(j->ledger)));
}

int main(int argc, char **argv)
{
	static struct job j;
	struct err e;
	struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	die_opts(&prog, &argc, &argv);
	die_without_core();
	check_options();
	open_job(&j, argc, argv);
	if (!dry_run && (sigaction(SIGINT, &act, NULL) || sigaction(SIGTERM, &act, NULL)))
		die_now("no signals can be caught");
	run(&j);
	progress_end(&j.bar);
	if (out_commit(j.out, &e)) {
		j.out = NULL;
		give_up(&j, &e);
	}
	if (!quiet)
		report(&j);
	if (j.ledger && ledger_finish(j.ledger, &e))
		die_err(&e);
	close_job(&j);
	return 0;
}
