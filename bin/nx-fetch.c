/* nx-fetch - models from a hub into the cache that Hugging Face's libraries use. */
#include "base/die.h"
#include "base/num.h"
#include "base/progress.h"
#include "base/sha.h"
#include "io/chat.h"
#include "io/http.h"
#include "io/hub.h"
#include "io/json.h"
#include "io/out.h"
#include "io/retry.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static const char *revision;
static struct opt_list includes;
static int64_t retries = 5;
static double timeout = 30, first_wait = 0.5;
static bool quiet;

static const struct opt opts[] = {
	{0, "revision", OPT_STR, &revision, "REV", "the branch, tag or commit (default main)", 0, 0, NULL},
	{0, "include", OPT_LIST, &includes, "PATTERN", "fetch the files of this pattern of names instead of what a model needs; may be given again", 0, 0, NULL},
	{0, "timeout", OPT_F64, &timeout, "S", "give up a connection after S seconds without a byte (default 30)", 1, 86400, NULL},
	{0, "retries", OPT_I64, &retries, "N", "try N times again where nothing comes (default 5)", 0, 1000, NULL},
	{0, "retry-delay", OPT_F64, &first_wait, "S", "wait about S seconds before the first of them, then twice as long each time (default 0.5)", 0, 60, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"nx-fetch", "[options] NAME[@REV] ...", "bring models from a hub", opts};

enum { LIST_MOST = 32 << 20, FILES_MOST = 100000, REDIRECTS = 5, LONGEST_WAIT = 600 };

struct file {
	const char *path;
	char etag[SHA_HEX]; /* sha256 of a large file, git's sha1 of a small one */
	int64_t size;
	bool wanted;
};

struct job {
	struct http *http;
	struct http_origin origin;
	struct buf endpoint, token_text;
	const char *token;
	struct xoshiro random;
	/* of the present model */
	struct hub_name name;
	struct buf folder; /* its place in the cache */
	char commit[HUB_COMMIT + 1];
	struct arena a;
	struct file *files;
	size_t nfiles, cap;
	uint64_t fetched; /* bytes, for the bar */
	bool away;        /* the hub is */
	struct progress bar;
};

/* A file on its way. */
struct load {
	struct job *j;
	const struct file *f;
	int fd;
	int64_t have; /* bytes in the file */
	struct sha sha;
	bool fresh;       /* nothing of the present answer was looked at yet */
	const char *odd;  /* what was wrong with it */
	struct err fault; /* of the disk */
	bool failed;
};

/* --- asking ------------------------------------------------------------------------------ */

/* One request; redirects are followed, the token goes to the hub alone. NULL: error. */
static struct http_reply *ask(struct job *j, const char *url, struct http_ask *a, const struct file *f, struct err *e)
{
	struct buf at = {0};
	struct http_reply *r = NULL;
	struct http_origin o;
	int rc = buf_adds(&at, url) || !buf_str(&at) ? err_mem(e) : 0;
	for (int hop = 0; rc == 0; hop++) {
		if ((rc = http_origin(&o, at.p, e))) {
			e->kind = hop && e->kind == ERR_USAGE ? ERR_DATA : e->kind; /* it is the hub that gave this URL */
			break;
		}
		a->url = at.p;
		a->key = strcmp(o.text, j->origin.text) == 0 ? j->token : NULL;
		if ((rc = http_start(j->http, a, e)))
			break;
		while ((rc = http_wait(j->http, 0.5, -1, &r, e)) == 0)
			continue;
		if (rc < 0)
			break;
		rc = 0;
		/* the hub's own answer tells what it is; those behind a redirect need not */
		const char *linked = f && hop == 0 && r->status / 100 <= 3 ? http_header(r, "X-Linked-Etag") : NULL;
		if (linked && !strstr(linked, f->etag))
			rc = err_data(e, "%s: the hub has another file than its list says", f->path);
		if (rc || r->status / 100 != 3 || r->end != HTTP_WHOLE)
			break;
		if (!r->location || hop == REDIRECTS)
			rc = err_data(e, "%s: a redirect to nowhere", j->origin.text);
		else if (o.tls && strncmp(r->location, "https:", 6))
			rc = err_data(e, "%s: a redirect from https to http is not followed", j->origin.text);
		else if (buf_reset(&at), buf_adds(&at, r->location) || !buf_str(&at))
			rc = err_mem(e);
		http_drop(j->http, r);
		r = NULL;
	}
	buf_release(&at);
	if (rc && r)
		http_drop(j->http, r);
	return rc ? NULL : r;
}

/* Waits before another try, if there is one left: 0; -1 with the reason of the last. `what` is asked for. */
static int again(struct job *j, int tries, struct http_reply *r, const char *what, struct err *e)
{
	double wait;
	struct buf said = {0};
	bool came = r->status && r->status / 100 != 2 && r->status / 100 != 3;
	bool heals = came ? retry_heals(r->status) : r->end != HTTP_NEVER;
	bool told = came && retry_after(http_header(r, "Retry-After"), (int64_t)time(NULL), &wait);
	if (heals && tries <= retries && !(told && wait > LONGEST_WAIT)) {
		if (!told)
			wait = retry_delay(tries, first_wait, &j->random);
		struct timespec t = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
		nanosleep(&t, NULL);
		return 0;
	}
	if (!came) {
		err_data(e, "%.300s: %s", what, *r->why ? r->why : "the answer ends too early");
		e->kind = r->end == HTTP_AWAY ? ERR_IO : ERR_DATA;
		return -1;
	}
	chat_complaint(&said, &j->a, r->body.p, r->body.n, j->token);
	err_data(e, "%.300s: the hub answered %d%s%s%s", what, r->status, said.n ? ": " : "", buf_str(&said) ? said.p : "",
	         r->status == 401 || r->status == 403 ? " (is there no such model, or does it need another HF_TOKEN?)" : "");
	e->kind = heals ? ERR_IO : ERR_DATA;
	buf_release(&said);
	return -1;
}

/* A JSON document of the hub's; *next, where not NULL, becomes the URL of its next page or empty. */
static int ask_json(struct job *j, const char *url, struct json **v, struct buf *next, struct err *e)
{
	for (int tries = 1;; tries++) {
		struct http_ask a = {.limit = LIST_MOST, .connect = timeout, .stall = timeout};
		struct http_reply *r = ask(j, url, &a, NULL, e);
		if (!r)
			return -1;
		bool whole = r->end == HTTP_WHOLE && r->status == 200;
		int rc = whole ? json_parse(&j->a, r->body.p ? r->body.p : "", r->body.n, v, e) : again(j, tries, r, j->name.repo, e);
		if (whole && rc)
			err_prefix(e, "%s: the hub's answer is no JSON: ", j->name.repo);
		const char *link = whole && next ? http_header(r, "Link") : NULL;
		if (next) {
			buf_reset(next);
			const char *end = link && *link == '<' ? strchr(link, '>') : NULL;
			if (end && strstr(end, "next") && buf_add(next, link + 1, (size_t)(end - link - 1)))
				rc = err_mem(e);
		}
		http_drop(j->http, r);
		if (whole || rc)
			return rc;
	}
}

/* --- what there is ------------------------------------------------------------------------- */

static bool is_hex(const struct json *v, size_t n)
{
	return json_is(v, JSON_STRING) && v->n == n && strspn(v->s, "0123456789abcdef") == n;
}

/* An entry of the hub's list. Nothing in it is believed that could lead out of the cache. */
static int add_file(struct job *j, const struct json *v, struct err *e)
{
	const struct json *path = json_get(v, "path"), *lfs = json_get(v, "lfs");
	bool large = json_is(lfs, JSON_OBJECT);
	const struct json *id = json_get(large ? lfs : v, "oid");
	int64_t size;
	if (!json_streq(json_get(v, "type"), "file"))
		return 0;
	if (!json_is(path, JSON_STRING) || strlen(path->s) != path->n || !hub_path_ok(path->s)) {
		struct buf shown = {0};
		if (json_is(path, JSON_STRING))
			chat_clean(&shown, path->s, path->n, j->token);
		err_data(e, "%s: the hub's list names the file \"%s\": refused", j->name.repo, buf_str(&shown) ? shown.p : "");
		buf_release(&shown);
		return -1;
	}
	if (!is_hex(id, large ? 64 : 40) || json_i64(json_get(large ? lfs : v, "size"), &size) || size < 0 || size > (int64_t)1 << 50)
		return err_data(e, "%s: the hub's list has no checksum or size of %.200s", j->name.repo, path->s);
	if (j->nfiles == FILES_MOST)
		return err_data(e, "%s: the hub's list has more than %d files", j->name.repo, FILES_MOST);
	if (j->nfiles == j->cap) {
		size_t cap = j->cap ? 2 * j->cap : 64;
		struct file *more = reallocarray(j->files, cap, sizeof *more);
		if (!more)
			return err_mem(e);
		j->files = more;
		j->cap = cap;
	}
	struct file *f = j->files + j->nfiles++;
	*f = (struct file){.path = path->s, .size = size};
	memcpy(f->etag, id->s, id->n + 1);
	return 0;
}

/* The commit that the revision is, and its files. */
static int list(struct job *j, struct err *e)
{
	struct buf url = {0}, next = {0};
	struct json *v;
	struct http_origin o;
	int rc = buf_printf(&url, "%s/api/models/%s/revision/", j->endpoint.p, j->name.repo) ||
	         http_quote(&url, j->name.revision, false) || !buf_str(&url) ? err_mem(e) : ask_json(j, url.p, &v, NULL, e);
	if (rc == 0 && !is_hex(json_get(v, "sha"), HUB_COMMIT))
		rc = err_data(e, "%s: the hub's answer names no commit", j->name.repo);
	if (rc == 0) {
		memcpy(j->commit, json_get(v, "sha")->s, HUB_COMMIT + 1);
		buf_reset(&url);
		rc = buf_printf(&url, "%s/api/models/%s/tree/%s?recursive=true&expand=false", j->endpoint.p, j->name.repo, j->commit) ?
		     err_mem(e) : 0;
	}
	while (rc == 0 && url.n) {
		if ((rc = ask_json(j, url.p, &v, &next, e)))
			break;
		if (!json_is(v, JSON_ARRAY))
			rc = err_data(e, "%s: the hub's list of files is none", j->name.repo);
		size_t before = j->nfiles;
		for (const struct json *f = rc ? NULL : v->child; f && rc == 0; f = f->next)
			rc = add_file(j, f, e);
		if (rc == 0 && next.n && j->nfiles == before)
			rc = err_data(e, "%s: the hub's list of files does not end", j->name.repo);
		if (rc == 0 && next.n && (!buf_str(&next) || http_origin(&o, next.p, e) || strcmp(o.text, j->origin.text)))
			rc = err_data(e, "%s: the hub's list of files goes on at another host", j->name.repo);
		buf_reset(&url);
		if (rc == 0 && (buf_add(&url, next.p, next.n) || !buf_str(&url)))
			rc = err_mem(e);
	}
	buf_release(&url);
	buf_release(&next);
	return rc;
}

/* Whether the model has files of the pattern; marks them as wanted. */
static bool want(struct job *j, const char *pattern)
{
	bool any = false;
	size_t n = strlen(pattern);
	for (struct file *f = j->files; f < j->files + j->nfiles; f++)
		if (fnmatch(pattern, f->path, 0) == 0 || (n && pattern[n - 1] == '/' && strncmp(f->path, pattern, n) == 0))
			any = f->wanted = true;
	return any;
}

/* Of the weights the first form that is there, pickled ones last. */
static int choose(struct job *j, struct err *e)
{
	static const char *const always[] = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
	                                     "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
	                                     "chat_template.jinja", "adapter_config.json", "prompt_template.txt"};
	static const char *const weights[][2] = {{"model.safetensors", NULL},
	                                         {"model.safetensors.index.json", "model-*-of-*.safetensors"},
	                                         {"pytorch_model.bin", NULL},
	                                         {"pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"}};
	bool any = false;
	for (int i = 0; i < includes.n; i++)
		if (!want(j, includes.v[i]))
			return err_data(e, "%s has no file of the pattern %s", j->name.repo, includes.v[i]);
	if (includes.n)
		return 0;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		any |= want(j, always[i]);
	for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
		if (want(j, weights[i][0])) {
			if (weights[i][1])
				want(j, weights[i][1]);
			any = true;
			break;
		}
	any |= want(j, "adapter_model.safetensors") || want(j, "adapter_model.bin");
	return any ? 0 : err_data(e, "%s has none of the files of a model: choose some with --include", j->name.repo);
}

/* --- places -------------------------------------------------------------------------------------- */

/* Makes the directories that path stands in. */
static int make_parents(char *path, struct err *e)
{
	for (char *p = path; (p = strchr(p + 1, '/'));) {
		*p = 0;
		int rc = mkdir(path, 0777) && errno != EEXIST ? err_io(e, "%s", path) : 0;
		*p = '/';
		if (rc)
			return -1;
	}
	return 0;
}

/* FOLDER/sub/name, whose directories are there then; to be freed. NULL: error. */
static char *place(const struct job *j, const char *sub, const char *name, const char *tail, struct err *e)
{
	char *path;
	if (asprintf(&path, "%s/%s/%s%s", j->folder.p, sub, name, tail) < 0) {
		err_mem(e);
		return NULL;
	}
	if (make_parents(path, e)) {
		free(path);
		return NULL;
	}
	return path;
}

static int write_small(const char *path, const char *text, struct err *e)
{
	struct out *out;
	if (out_open(&out, path, OUT_PLAIN, e))
		return -1;
	if (out_write(out, text, strlen(text), e)) {
		out_abort(out);
		return -1;
	}
	return out_commit(out, e);
}

/* FOLDER/refs/REVISION, and for those who make copies the mark that all of this is a cache. */
static int write_refs(struct job *j, struct err *e)
{
	static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
	                          "# A cache of models: what is in this directory can be fetched again.\n";
	char *path = NULL, known[HUB_COMMIT + 1], *mark;
	const char *last = strrchr(j->folder.p, '/');
	if (asprintf(&mark, "%.*s/CACHEDIR.TAG", (int)(last - j->folder.p), j->folder.p) < 0)
		return err_mem(e);
	int rc = access(mark, F_OK) ? write_small(mark, tag, e) : 0;
	free(mark);
	if (rc || strcmp(j->name.revision, j->commit) == 0 ||
	    (hub_commit(j->folder.p, j->name.revision, known) && strcmp(known, j->commit) == 0))
		return rc;
	rc = (path = place(j, "refs", j->name.revision, "", e)) ? write_small(path, j->commit, e) : -1;
	free(path);
	return rc;
}

/* A symbolic link under the name path, in place of what has it. */
static int put_link(const char *to, const char *path, struct err *e)
{
	unsigned long long r = 0;
	char *temp = NULL;
	if (getrandom(&r, sizeof r, 0) != sizeof r || asprintf(&temp, "%s.%016llx.tmp", path, r) < 0)
		return err_io(e, "%s", path);
	int rc = symlink(to, temp) || rename(temp, path) ? err_io(e, "%s", path) : 0;
	if (rc)
		unlink(temp);
	free(temp);
	return rc;
}

/* snapshots/COMMIT/PATH -> ../../blobs/ETAG, with one more ../ for each directory in PATH */
static int link_file(struct job *j, const struct file *f, struct err *e)
{
	char sub[60], old[300];
	struct buf to = {0};
	snprintf(sub, sizeof sub, "snapshots/%s", j->commit);
	char *path = place(j, sub, f->path, "", e);
	int bad = buf_adds(&to, "../../");
	for (const char *p = f->path; *p; p++)
		bad |= *p == '/' && buf_adds(&to, "../");
	int rc = !path ? -1 : bad || buf_printf(&to, "blobs/%s", f->etag) ? err_mem(e) : 0;
	ssize_t n = rc ? -1 : readlink(path, old, sizeof old);
	if (rc == 0 && ((size_t)n != to.n || memcmp(old, to.p, to.n)))
		rc = put_link(to.p, path, e);
	buf_release(&to);
	free(path);
	return rc;
}

/* The lock that huggingface_hub takes for the same file: a descriptor, or -1. */
static int lock_file(struct job *j, const struct file *f, struct err *e)
{
	const char *last = strrchr(j->folder.p, '/');
	char *path;
	int fd = -1;
	if (asprintf(&path, "%.*s/.locks%s/%s.lock", (int)(last - j->folder.p), j->folder.p, last, f->etag) < 0)
		return err_mem(e);
	if (make_parents(path, e) == 0 && (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666)) < 0)
		err_io(e, "%s", path);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
		if (!quiet)
			die_warn("%s: another process fetches it, waiting", f->path);
		while (flock(fd, LOCK_EX) && errno == EINTR)
			continue;
	}
	free(path);
	return fd;
}

/* --- a file's bytes --------------------------------------------------------------------------------- */

/* Begins anew with the file's first `have` bytes as they stand on the disk. */
static int restart(struct load *l, int64_t have, struct err *e)
{
	char chunk[1 << 16], head[40];
	bool small = strlen(l->f->etag) == 40;
	l->j->fetched -= (uint64_t)(l->have - have);
	l->have = have;
	sha_init(&l->sha, small ? SHA_1 : SHA_256);
	if (small) /* git's name of a file: "blob SIZE", NUL, the bytes */
		sha_add(&l->sha, head, (size_t)snprintf(head, sizeof head, "blob %lld", (long long)l->f->size) + 1);
	if (ftruncate(l->fd, have))
		return err_io(e, "%s", l->f->path);
	for (int64_t at = 0; at < have;) {
		ssize_t n = pread(l->fd, chunk, sizeof chunk, at);
		if (n <= 0)
			return err_io(e, "%s", l->f->path);
		sha_add(&l->sha, chunk, (size_t)n);
		at += n;
	}
	return 0;
}

/* Bytes of an answer; it must go on where we are. */
static int take(void *tag, struct http_reply *r, const char *p, size_t n)
{
	struct load *l = tag;
	if (l->fresh && r->status == 206) {
		const char *range = http_header(r, "Content-Range"); /* "bytes FROM-TO/ALL" */
		size_t digits = range && strncmp(range, "bytes ", 6) == 0 ? strspn(range + 6, "0123456789") : 0;
		uint64_t at = 0;
		if (!digits || range[6 + digits] != '-' || num_u64(range + 6, digits, &at) || at != (uint64_t)l->have)
			l->odd = "the hub sent other bytes than those asked for";
	} else if (l->fresh && l->have && restart(l, 0, &l->fault)) {
		l->failed = true;
	}
	l->fresh = false;
	if ((int64_t)n > l->f->size - l->have)
		l->odd = "the hub sent more bytes than the file has";
	if (l->odd || l->failed)
		return -1;
	for (size_t done = 0; done < n;) {
		ssize_t k = pwrite(l->fd, p + done, n - done, l->have + (int64_t)done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			err_io(&l->fault, "%s", l->f->path);
			l->failed = true;
			return -1;
		}
		done += (size_t)k;
	}
	sha_add(&l->sha, p, n);
	l->have += (int64_t)n;
	l->j->fetched += n;
	progress_to(&l->j->bar, l->j->fetched / 1000, l->f->path);
	return 0;
}

/* Until all bytes are there; as long as some come, tries are not counted. */
static int load(struct load *l, struct err *e)
{
	struct job *j = l->j;
	struct buf url = {0};
	int rc = buf_printf(&url, "%s/%s/resolve/%s/", j->endpoint.p, j->name.repo, j->commit) || http_quote(&url, l->f->path, true) ||
	         !buf_str(&url) ? err_mem(e) : 0;
	for (int tries = 1; rc == 0 && (l->have < l->f->size || tries == 1); tries++) {
		int64_t before = l->have;
		if (before && before == l->f->size)
			break;
		struct http_ask a = {.from = l->have, .limit = (uint64_t)l->f->size + (1 << 20), .plain = true, .connect = timeout,
		                     .stall = timeout, .sink = take, .tag = l};
		l->fresh = true;
		l->odd = NULL;
		struct http_reply *r = ask(j, url.p, &a, l->f, e);
		if (!r) {
			rc = -1;
			break;
		}
		if (l->failed) {
			*e = l->fault;
			rc = -1;
		} else if (l->odd && l->have == 0) {
			rc = err_data(e, "%s: %s", l->f->path, l->odd);
		} else if (l->odd || r->status == 416) { /* what was there before does not fit: all anew, once */
			rc = tries > retries + 1 ? err_data(e, "%s: %s", l->f->path, l->odd ? l->odd : "no such bytes") : restart(l, 0, e);
		} else if (r->end != HTTP_WHOLE || r->status / 100 != 2 || l->have < l->f->size) {
			tries = l->have > before ? 0 : tries;
			rc = tries ? again(j, tries, r, l->f->path, e) : 0;
		}
		http_drop(j->http, r);
	}
	buf_release(&url);
	return rc;
}

/* The blob, whole and of the right checksum, under its name. */
static int make_blob(struct load *l, const char *part, const char *blob, struct err *e)
{
	char hex[SHA_HEX];
	struct stat st;
	if (fstat(l->fd, &st))
		return err_io(e, "%s", part);
	for (int64_t kept = st.st_size <= l->f->size ? st.st_size : 0;; kept = 0) {
		l->have = kept;
		l->j->fetched += (uint64_t)kept;
		if (restart(l, kept, e) || load(l, e))
			return -1;
		sha_hex(&l->sha, hex);
		if (strcmp(hex, l->f->etag) == 0)
			break;
		if (!kept) {
			unlink(part);
			return err_data(e, "%s: the checksum is %s, the hub's %s: thrown away", l->f->path, hex, l->f->etag);
		}
		l->j->fetched -= (uint64_t)l->have; /* what an earlier run left may be spoilt: once more from the beginning */
	}
	if (fsync(l->fd) || rename(part, blob))
		return err_io(e, "%s", blob);
	return 0;
}

static bool has_blob(const struct job *j, const struct file *f)
{
	struct stat st;
	char *path;
	if (asprintf(&path, "%s/blobs/%s", j->folder.p, f->etag) < 0)
		return false;
	bool has = stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == f->size;
	free(path);
	return has;
}

static int fetch_file(struct job *j, const struct file *f, struct err *e)
{
	struct load l = {.j = j, .f = f, .fd = -1};
	int rc = 0, lock = -1;
	char *part = NULL, *blob = NULL;
	if (!has_blob(j, f) && (lock = lock_file(j, f, e)) < 0)
		return -1;
	if (lock >= 0 && !has_blob(j, f)) {
		rc = (part = place(j, "blobs", f->etag, ".incomplete", e)) && (blob = place(j, "blobs", f->etag, "", e)) ? 0 : -1;
		if (rc == 0 && (l.fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666)) < 0)
			rc = err_io(e, "%s", part);
		if (rc == 0)
			rc = make_blob(&l, part, blob, e);
		if (l.fd >= 0)
			close(l.fd);
		free(part);
		free(blob);
	}
	if (lock >= 0)
		close(lock);
	return rc;
}

/* --- a model ------------------------------------------------------------------------------------------ */

/* Is there room for what is missing? */
static int check_room(struct job *j, uint64_t *missing, struct err *e)
{
	struct statvfs fs;
	*missing = 0;
	for (const struct file *f = j->files; f < j->files + j->nfiles; f++)
		*missing += f->wanted && !has_blob(j, f) ? (uint64_t)f->size : 0;
	char *path = place(j, "blobs", "x", "", e);
	if (!path)
		return -1;
	*strrchr(path, '/') = 0;
	bool full = statvfs(path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < *missing;
	if (full)
		err_data(e, "%s: %.1f GB are missing, but %s has room for %.1f GB", j->name.repo, (double)*missing / 1e9, path,
		         (double)fs.f_bavail * (double)fs.f_frsize / 1e9);
	free(path);
	return full ? -1 : 0;
}

static int fetch(struct job *j, struct err *e)
{
	uint64_t missing;
	arena_reset(&j->a);
	j->nfiles = 0;
	j->fetched = 0;
	j->away = false;
	if (list(j, e)) {
		j->away = e->kind == ERR_IO;
		return -1;
	}
	if (choose(j, e) || check_room(j, &missing, e))
		return -1;
	progress_init(&j->bar, prog.name, missing / 1000, "kB", quiet);
	int rc = 0;
	for (const struct file *f = j->files; f < j->files + j->nfiles && rc == 0; f++)
		if (f->wanted)
			rc = fetch_file(j, f, e);
	progress_end(&j->bar);
	/* all at the end: a snapshot that is there holds all that was wanted */
	for (const struct file *f = j->files; f < j->files + j->nfiles && rc == 0; f++)
		if (f->wanted)
			rc = link_file(j, f, e);
	return rc ? rc : write_refs(j, e);
}

/* Brings one model and prints its directory; without the hub that which is there. */
static void bring(struct job *j, const char *text)
{
	struct buf dir = {0};
	struct err e, away;
	bool offline = hub_offline();
	if (!hub_name(&j->name, text))
		die_usage("\"%s\" is no name of a model: ORG/NAME or NAME, perhaps with @REVISION", text);
	if (revision && strchr(text, '@'))
		die_usage("\"%s\" has a revision: --revision is a second one", text);
	if (revision)
		snprintf(j->name.revision, sizeof j->name.revision, "%s", revision);
	if (hub_folder(&j->folder, &j->name, &e))
		die_err(&e);
	if (offline) {
		err_data(&away, "%s@%s: No such file or directory in the cache, and HF_HUB_OFFLINE forbids to ask", j->name.repo, j->name.revision);
	} else if (fetch(j, &away) == 0) {
		printf("%s/snapshots/%s\n", j->folder.p, j->commit);
		return;
	}
	int found = offline || j->away ? hub_snapshot(&dir, &j->name, &e) : 0;
	if (found <= 0)
		die_err(&away);
	if (!offline && !quiet)
		die_warn("%s: taking what the cache has", away.msg);
	printf("%s\n", dir.p);
	buf_release(&dir);
}

static void open_job(struct job *j)
{
	struct err e;
	struct timespec now;
	const char *endpoint = getenv("HF_ENDPOINT");
	endpoint = endpoint && *endpoint ? endpoint : "https://huggingface.co";
	size_t n = strlen(endpoint);
	while (n && endpoint[n - 1] == '/')
		n--;
	if (buf_add(&j->endpoint, endpoint, n) || !buf_str(&j->endpoint))
		die_mem();
	if (http_origin(&j->origin, j->endpoint.p, &e)) {
		err_prefix(&e, "HF_ENDPOINT: ");
		die_err(&e);
	}
	if (hub_token(&j->token_text, &e))
		die_err(&e);
	j->token = j->token_text.n ? j->token_text.p : NULL;
	if (http_key_ok(&j->origin, j->token, "HF_TOKEN", &e))
		die_err(&e);
	if (!(j->http = http_open(&e)))
		die_err(&e);
	clock_gettime(CLOCK_REALTIME, &now);
	xoshiro_seed(&j->random, (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30, (uint64_t)getpid());
}

int main(int argc, char **argv)
{
	static struct job j;
	die_opts(&prog, &argc, &argv);
	die_without_core();
	if (!argc)
		die_usage("no model: give its name, such as EleutherAI/pythia-70m");
	if (revision) {
		struct hub_name n;
		char *test;
		if (asprintf(&test, "x@%s", revision) < 0)
			die_mem();
		if (!hub_name(&n, test))
			die_usage("\"%s\" is no revision", revision);
		free(test);
	}
	open_job(&j);
	for (int i = 0; i < argc; i++)
		bring(&j, argv[i]);
	die_close_stdout();
	http_close(j.http);
	arena_release(&j.a);
	free(j.files);
	buf_release(&j.endpoint);
	buf_release(&j.token_text);
	buf_release(&j.folder);
	return 0;
}
