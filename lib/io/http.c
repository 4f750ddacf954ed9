#include "io/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_LIMIT = 256 << 10, ERROR_LIMIT = 64 << 10 };

struct http {
	CURLM *multi;
	struct flight *first;
};

/* A request under way. */
struct flight {
	struct http_reply r; /* first: http_drop goes from it to the flight */
	struct http_ask ask;
	CURL *easy;
	struct curl_slist *headers;
	char message[CURL_ERROR_SIZE];
	struct flight *next, *prev;
	struct buf value; /* http_header's */
	uint64_t got;     /* bytes of the body */
};

struct http *http_open(struct err *e)
{
	struct http *h = calloc(1, sizeof *h);
	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(h);
		err_mem(e);
		return NULL;
	}
	if (!(h->multi = curl_multi_init())) {
		http_close(h);
		err_mem(e);
		return NULL;
	}
	return h;
}

/* --- what comes in ---------------------------------------------------------------------- */

/* Answers may come after others of the same request: 100 Continue, a proxy's. The last counts. */
static size_t take_header(char *p, size_t size, size_t n, void *arg)
{
	struct flight *f = arg;
	n *= size;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		buf_reset(&f->r.head);
	if (f->r.head.n + n > HEAD_LIMIT) {
		f->r.end = HTTP_BIG;
		return 0;
	}
	return buf_add(&f->r.head, p, n) ? 0 : n;
}

static size_t take_body(char *p, size_t size, size_t n, void *arg)
{
	struct flight *f = arg;
	long status = 0;
	n *= size;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	f->r.status = (int)status;
	bool good = status / 100 == 2;
	uint64_t limit = good || f->ask.limit < ERROR_LIMIT ? f->ask.limit : ERROR_LIMIT;
	f->got += n;
	if (f->got > limit) {
		f->r.end = HTTP_BIG;
		return 0;
	}
	if (good && f->ask.sink) {
		if (f->ask.sink(f->ask.tag, &f->r, p, n) == 0)
			return n;
		f->r.end = HTTP_STOPPED;
		return 0;
	}
	return buf_add(&f->r.body, p, n) ? 0 : n;
}

/* --- what goes out ----------------------------------------------------------------------- */

static void drop(struct http *h, struct flight *f)
{
	*(f->prev ? &f->prev->next : &h->first) = f->next;
	if (f->next)
		f->next->prev = f->prev;
	if (f->easy) {
		curl_multi_remove_handle(h->multi, f->easy);
		curl_easy_cleanup(f->easy);
	}
	curl_slist_free_all(f->headers);
	buf_release(&f->r.body);
	buf_release(&f->r.head);
	buf_release(&f->value);
	free(f);
}

static int add_header(struct flight *f, const char *name, const char *value, struct err *e)
{
	struct buf line = {0};
	struct curl_slist *more = NULL;
	if (buf_printf(&line, "%s: %s", name, value) == 0)
		more = curl_slist_append(f->headers, line.p);
	if (line.p)
		explicit_bzero(line.p, line.n); /* it may be the key */
	buf_release(&line);
	if (!more)
		return err_mem(e);
	f->headers = more;
	return 0;
}

static int set_headers(struct flight *f, struct err *e)
{
	char range[40];
	const struct http_ask *a = &f->ask;
	snprintf(range, sizeof range, "bytes=%lld-", (long long)a->from);
	if (a->key) {
		struct buf bearer = {0};
		int rc = buf_printf(&bearer, "Bearer %s", a->key) ? err_mem(e) : add_header(f, "Authorization", bearer.p, e);
		if (bearer.p)
			explicit_bzero(bearer.p, bearer.n);
		buf_release(&bearer);
		if (rc)
			return -1;
	}
	if (a->body && (add_header(f, "Content-Type", "application/json", e) || add_header(f, "Expect", "", e)))
		return -1;
	if (a->plain && add_header(f, "Accept-Encoding", "identity", e))
		return -1;
	return a->from > 0 ? add_header(f, "Range", range, e) : 0;
}

static long ms(double seconds)
{
	return seconds > 0 && seconds < 1e6 ? (long)(seconds * 1000) + 1 : 0;
}

static CURLcode set_options(struct flight *f)
{
	const struct http_ask *a = &f->ask;
	const char *authorities = getenv("SSL_CERT_FILE");
	struct http_origin o;
	struct err ignored;
	CURL *c = f->easy;
	CURLcode rc = CURLE_OK;
#define SET(option, value) rc = rc ? rc : curl_easy_setopt(c, CURLOPT_##option, value)
	SET(URL, a->url);
	SET(PRIVATE, (void *)f);
	SET(ERRORBUFFER, f->message);
	SET(PROTOCOLS_STR, "http,https");
	/* no NOSIGNAL: with it a broken TLS connection would end the process by SIGPIPE */
	SET(USERAGENT, "nxtools/" NXTOOLS_VERSION);
	SET(HTTPHEADER, f->headers);
	SET(HEADERFUNCTION, take_header);
	SET(HEADERDATA, (void *)f);
	SET(WRITEFUNCTION, take_body);
	SET(WRITEDATA, (void *)f);
	SET(CONNECTTIMEOUT_MS, ms(a->connect));
	SET(TIMEOUT_MS, ms(a->timeout));
	if (a->stall > 0) {
		SET(LOW_SPEED_LIMIT, 1L);
		SET(LOW_SPEED_TIME, a->stall < 1 ? 1L : (long)a->stall);
	}
	if (!a->plain)
		SET(ACCEPT_ENCODING, "");
	if (a->body) {
		SET(POSTFIELDS, a->body);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)a->nbody);
	}
	if (authorities && *authorities)
		SET(CAINFO, authorities);
	if (http_origin(&o, a->url, &ignored))
		return ignored.kind == ERR_MEM ? CURLE_OUT_OF_MEMORY : CURLE_URL_MALFORMAT;
	if (o.local)
		SET(NOPROXY, "*");
#undef SET
	return rc;
}

int http_start(struct http *h, const struct http_ask *ask, struct err *e)
{
	struct flight *f = calloc(1, sizeof *f);
	if (!f)
		return err_mem(e);
	f->ask = *ask;
	f->r.tag = ask->tag;
	f->next = h->first;
	if (f->next)
		f->next->prev = f;
	h->first = f;
	f->easy = curl_easy_init();
	int rc = f->easy ? set_headers(f, e) : err_mem(e);
	CURLcode set = rc ? CURLE_OK : set_options(f);
	if (set)
		rc = set == CURLE_OUT_OF_MEMORY ? err_mem(e) : err_data(e, "%s: this libcurl cannot be asked for that", ask->url);
	if (rc == 0 && curl_multi_add_handle(h->multi, f->easy))
		rc = err_mem(e);
	if (rc)
		drop(h, f);
	return rc;
}

/* --- how it ends --------------------------------------------------------------------------- */

static enum http_end end_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return HTTP_WHOLE;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_FAILED_INIT:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_OUT_OF_MEMORY:
		return HTTP_NEVER;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_AWAY;
	default:
		return HTTP_BROKEN;
	}
}

static void finish(struct flight *f, CURLcode code)
{
	struct http_reply *r = &f->r;
	long status = 0;
	char *location = NULL;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &location);
	r->status = (int)status;
	r->location = location;
	if (code == CURLE_WRITE_ERROR && r->end == HTTP_BIG) {
		snprintf(r->why, sizeof r->why, "the answer is larger than %llu bytes", (unsigned long long)f->ask.limit);
	} else if (code == CURLE_WRITE_ERROR && r->end == HTTP_STOPPED) {
		snprintf(r->why, sizeof r->why, "cut off");
	} else {
		r->end = end_of(code);
		if (r->end != HTTP_WHOLE)
			snprintf(r->why, sizeof r->why, "%s", *f->message ? f->message : curl_easy_strerror(code));
	}
}

int http_wait(struct http *h, double seconds, int fd, struct http_reply **r, struct err *e)
{
	struct curl_waitfd also = {.fd = fd, .events = CURL_WAIT_POLLIN};
	for (int looked = 0;; looked++) {
		int running, left;
		CURLMsg *m;
		CURLMcode rc = curl_multi_perform(h->multi, &running);
		while (rc == CURLM_OK && (m = curl_multi_info_read(h->multi, &left))) {
			char *f = NULL;
			if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &f) || !f)
				continue;
			*r = &((struct flight *)(void *)f)->r;
			finish((struct flight *)(void *)f, m->data.result);
			return 1;
		}
		if (rc == CURLM_OK && !looked)
			rc = curl_multi_poll(h->multi, &also, fd >= 0, (int)(seconds * 1000), NULL);
		if (rc != CURLM_OK)
			return err_data(e, "%s", curl_multi_strerror(rc));
		if (looked)
			return 0;
	}
}

const char *http_header(struct http_reply *r, const char *name)
{
	struct flight *f = (struct flight *)(void *)r;
	size_t n = strlen(name);
	const char *end = r->head.p + r->head.n;
	for (const char *p = r->head.p; p && p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		if ((size_t)(stop - p) > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
			for (p += n + 1; p < stop && strchr(" \t", *p); p++)
				continue;
			while (stop > p && strchr(" \t\r", stop[-1]))
				stop--;
			buf_reset(&f->value);
			return buf_add(&f->value, p, (size_t)(stop - p)) ? NULL : buf_str(&f->value);
		}
		p = nl ? nl + 1 : end;
	}
	return NULL;
}

void http_drop(struct http *h, struct http_reply *r)
{
	drop(h, (struct flight *)(void *)r);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	while (h->first)
		drop(h, h->first);
	if (h->multi)
		curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h);
}

/* --- where a URL leads ------------------------------------------------------------------------ */

int http_quote(struct buf *b, const char *s, bool slash)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	int bad = 0;
	for (; *s && !bad; s++)
		bad = strchr(plain, *s) || (slash && *s == '/') ? buf_addc(b, *s) : buf_printf(b, "%%%02X", (unsigned char)*s);
	return bad;
}

static bool is_local(const char *host)
{
	size_t n = strlen(host);
	return strcmp(host, "localhost") == 0 || (n > 10 && strcmp(host + n - 10, ".localhost") == 0) ||
	       strcmp(host, "[::1]") == 0 || (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n);
}

/* A part of a URL, NULL where it has none: to be freed by curl_free. */
static int part(CURLU *u, CURLUPart which, unsigned flags, char **text, struct err *e)
{
	CURLUcode rc = curl_url_get(u, which, text, flags);
	if (rc == CURLUE_OUT_OF_MEMORY)
		return err_mem(e);
	if (rc)
		*text = NULL;
	return 0;
}

static int parse(CURLU *u, const char *url, struct err *e)
{
	CURLUcode rc = curl_url_set(u, CURLUPART_URL, url, 0);
	if (rc == CURLUE_OUT_OF_MEMORY)
		return err_mem(e);
	return rc ? err_usage(e, "\"%s\" is no URL", url) : 0;
}

int http_origin(struct http_origin *o, const char *url, struct err *e)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL, *password = NULL;
	*o = (struct http_origin){0};
	if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
		return err_usage(e, "\"%s\" does not begin with http:// or https://", url);
	CURLU *u = curl_url();
	if (!u)
		return err_mem(e);
	int rc = parse(u, url, e) || part(u, CURLUPART_SCHEME, 0, &scheme, e) || part(u, CURLUPART_HOST, 0, &host, e) ||
	         part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port, e) || part(u, CURLUPART_USER, 0, &user, e) ||
	         part(u, CURLUPART_PASSWORD, 0, &password, e) ? -1 : 0;
	if (rc == 0 && (!scheme || !host || !port))
		rc = err_usage(e, "\"%s\" is no URL", url);
	else if (rc == 0 && (user || password))
		rc = err_usage(e, "a URL with a user's name or password in it: secrets belong into the environment");
	else if (rc == 0 && strlen(host) >= sizeof o->host)
		rc = err_usage(e, "a host's name of %zu bytes", strlen(host));
	if (rc == 0) {
		for (size_t i = 0; host[i]; i++)
			o->host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 32 : host[i]);
		snprintf(o->text, sizeof o->text, "%s://%s:%s", scheme, o->host, port);
		o->tls = strcmp(scheme, "https") == 0;
		o->local = is_local(o->host);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_free(password);
	curl_url_cleanup(u);
	return rc;
}

int http_key_ok(const struct http_origin *o, const char *key, const char *what, struct err *e)
{
	if (!key)
		return 0;
	for (const unsigned char *p = (const unsigned char *)key; *p; p++)
		if (*p <= ' ' || *p >= 127)
			return err_data(e, "%s holds a space, a line's end or another character that no key has", what);
	if (!o->tls && !o->local)
		return err_data(e, "%s would go unencrypted to %s: https is needed", what, o->host);
	return 0;
}
