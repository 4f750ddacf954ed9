/* http.h - requests over HTTP and HTTPS, several at a time. The only user of libcurl.
 *
 *	struct http *h = http_open(&e);
 *	struct http_ask ask = {.url = url, .key = key, .body = json, .nbody = n, .limit = 1 << 20, .tag = me};
 *	if (http_start(h, &ask, &e)) ...
 *	while (http_wait(h, 0.5, -1, &r, &e) == 0) ...       1: *r has ended, 0: nothing yet
 *	if (r->end == HTTP_WHOLE && r->status == 200) use(r->body.p, r->body.n);
 *	http_drop(h, r);
 *	http_close(h);                                   what is under way is cut off
 *
 * One request, one answer: redirects are not followed (r->location says where to) and nothing
 * is tried again, so that the caller decides who gets the key. It goes into the header
 * "Authorization: Bearer" and nowhere else; no message holds it. Certificates are checked,
 * against $SSL_CERT_FILE where that is set. Proxies are those of the environment
 * (https_proxy, no_proxy); this machine is asked without. */
#ifndef IO_HTTP_H
#define IO_HTTP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;
struct http_reply;

struct http_ask {
	const char *url;
	const char *key;  /* NULL: none */
	const char *body; /* JSON to be posted; NULL: GET. All strings must live until the answer is dropped. */
	size_t nbody;
	int64_t from;     /* > 0: only the bytes from this one on (Range) */
	uint64_t limit;   /* most bytes of an answer's body, after decompression */
	bool plain;       /* take no compressed answer */
	double connect, timeout, stall; /* seconds: to be connected, in all, without a byte; 0: any */
	/* Gets the body of an answer of status 2xx piece by piece, instead of r->body; -1 cuts it off. */
	int (*sink)(void *tag, struct http_reply *r, const char *p, size_t n);
	void *tag;
};

enum http_end {
	HTTP_WHOLE,   /* the answer is there */
	HTTP_AWAY,    /* no connection */
	HTTP_BROKEN,  /* cut off, time out; as above it may go well another time */
	HTTP_BIG,     /* more than limit */
	HTTP_STOPPED, /* by the sink */
	HTTP_NEVER    /* a wrong URL, a certificate that is not trusted */
};

struct http_reply {
	void *tag; /* the asker's */
	enum http_end end;
	int status;      /* 0: none came */
	struct buf body; /* as much as came */
	char why[300];   /* unless HTTP_WHOLE: in a few words */
	const char *location; /* of a redirect, as an absolute URL; else NULL */
	struct buf head; /* see http_header */
};

struct http *http_open(struct err *e);
int http_start(struct http *h, const struct http_ask *ask, struct err *e);
/* Works for at most `seconds`, less where a signal comes or, unless it is -1, where `fd` can
 * be read from: 1 and an answer, 0, -1. */
int http_wait(struct http *h, double seconds, int fd, struct http_reply **r, struct err *e);
/* The value of a header of the answer, NULL if it has none; valid until the drop. */
const char *http_header(struct http_reply *r, const char *name);
void http_drop(struct http *h, struct http_reply *r);
void http_close(struct http *h); /* NULL is fine */

/* Appends s percent-encoded, "/" too unless it is kept. 0 or -1. */
int http_quote(struct buf *b, const char *s, bool slash);

/* Where a URL leads. */
struct http_origin {
	char text[300]; /* https://api.openai.com:443 */
	char host[256]; /* in lower case */
	bool tls, local; /* local: this machine, by a name or number that cannot be another */
};
/* ERR_USAGE: no URL of http or https, or one with a user's name or a password in it. */
int http_origin(struct http_origin *o, const char *url, struct err *e);
/* 0 if the key may travel to o: it is NULL, or printable and the way is encrypted or local.
 * ERR_DATA else; `what` names the key ("OPENAI_API_KEY"). */
int http_key_ok(const struct http_origin *o, const char *key, const char *what, struct err *e);

#endif
