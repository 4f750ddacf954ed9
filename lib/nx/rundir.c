#include "nx/rundir.h"

#include "base/buf.h"
#include "base/num.h"
#include "io/out.h"
#include "io/there.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LL(x) (long long)(x)

static const char template_file[] = "prompt_template.txt"; /* text/prompt.h calls it PROMPT_FILE */

/* --- names ---------------------------------------------------------------------------- */

char *rundir_name(const char *pattern, int64_t steps, int64_t second)
{
	struct buf b = {0};
	int bad = 0;
	for (const char *p = pattern; *p;) {
		if (strncmp(p, "{steps}", 7) == 0) {
			bad |= buf_printf(&b, "%lld", LL(steps));
			p += 7;
		} else if (strncmp(p, "{timestamp}", 11) == 0) {
			bad |= buf_printf(&b, "%lld", LL(second));
			p += 11;
		} else {
			bad |= buf_addc(&b, *p++);
		}
	}
	if (bad || !buf_str(&b)) {
		buf_release(&b);
		return NULL;
	}
	return b.p;
}

char *rundir_parent(const char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	while (n && path[n - 1] != '/')
		n--;
	return n ? strndup(path, n > 1 ? n - 1 : 1) : strdup(".");
}

static int write_template(const struct outdir *d, const char *text, struct err *e)
{
	struct out *out;
	char *path;
	if (asprintf(&path, "%s/%s", outdir_path(d), template_file) < 0)
		return err_mem(e);
	int rc = out_open(&out, path, OUT_PLAIN, e);
	free(path);
	if (rc == 0 && (out_write(out, text, strlen(text), e) || out_write(out, "\n", 1, e))) {
		out_abort(out);
		return -1;
	}
	return rc == 0 ? out_commit(out, e) : -1;
}

int rundir_copy(const struct outdir *d, const char *from, const char *template, struct err *e)
{
	static const char *const copied[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < sizeof copied / sizeof *copied; i++)
		rc = outdir_copy(d, from, copied[i], e) < 0 ? -1 : 0;
	if (rc == 0)
		rc = template ? write_template(d, template, e) : outdir_copy(d, from, template_file, e) < 0 ? -1 : 0;
	return rc;
}

/* --- the checkpoints in it ----------------------------------------------------------- */

static const char prefix[] = "checkpoint-";

char *rundir_checkpoint(const char *out, int64_t step)
{
	char *s;
	return asprintf(&s, "%s/%s%lld", out, prefix, LL(step)) < 0 ? NULL : s;
}

struct steps {
	int64_t *v;
	size_t n, cap;
};

static int by_step(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int add_step(struct steps *s, int64_t v)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		int64_t *p = realloc(s->v, cap * sizeof *p);
		if (!p)
			return -1;
		s->v = p;
		s->cap = cap;
	}
	s->v[s->n++] = v;
	return 0;
}

/* The steps of the checkpoints in out, in order; s->v is the caller's to free, on error too. */
static int list(struct steps *s, const char *out, struct err *e)
{
	DIR *dir = opendir(out);
	const struct dirent *ent;
	int rc = 0;
	*s = (struct steps){0};
	if (!dir)
		return errno == ENOENT ? 0 : err_io(e, "%s", out);
	while (rc == 0 && (errno = 0, ent = readdir(dir))) {
		const char *digits = ent->d_name + sizeof prefix - 1;
		int64_t v;
		if (strncmp(ent->d_name, prefix, sizeof prefix - 1) == 0 && num_i64(digits, strlen(digits), &v) == 0 && v > 0 &&
		    add_step(s, v))
			rc = err_mem(e);
	}
	if (rc == 0 && errno)
		rc = err_io(e, "%s", out);
	closedir(dir);
	if (s->n)
		qsort(s->v, s->n, sizeof *s->v, by_step);
	return rc;
}

int64_t rundir_last(const char *out, struct err *e)
{
	struct steps s;
	int rc = list(&s, out, e);
	int64_t last = rc ? -1 : s.n ? s.v[s.n - 1] : 0;
	free(s.v);
	return last;
}

static int remove_step(const char *out, int64_t step, struct err *e)
{
	char *path = rundir_checkpoint(out, step);
	int rc = path ? outdir_remove(path, e) : err_mem(e);
	free(path);
	return rc;
}

int rundir_rotate(const char *out, int64_t step, int64_t keep, int64_t best, struct err *e)
{
	struct steps s;
	int rc = list(&s, out, e);
	int64_t left = 0, least = 1;
	for (size_t i = 0; i < s.n && s.v[i] <= step; i++) {
		left++;
		least += s.v[i] == best && best != step;
	}
	if (keep > least)
		least = keep;
	for (size_t i = 0; rc == 0 && i < s.n && s.v[i] < step && left > least; i++) {
		if (s.v[i] == best)
			continue;
		rc = remove_step(out, s.v[i], e);
		left--;
	}
	free(s.v);
	return rc;
}

int rundir_clear(const char *out, struct err *e)
{
	struct steps s;
	int rc = list(&s, out, e);
	for (size_t i = 0; rc == 0 && i < s.n; i++)
		rc = remove_step(out, s.v[i], e);
	free(s.v);
	if (rc == 0 && (rc = there_is(out, e)) > 0)
		rc = outdir_sweep(out, e);
	return rc;
}

int rundir_find(char **found, const char *place, bool any, struct err *e)
{
	struct buf b = {0};
	int64_t step;
	*found = NULL;
	if (buf_printf(&b, "%s/nx-train.json", place) || !buf_str(&b))
		return err_mem(e);
	int is_one = any ? 0 : there_is(b.p, e);
	buf_release(&b);
	if (is_one < 0)
		return -1;
	if (is_one) {
		*found = strdup(place);
	} else {
		if ((step = rundir_last(place, e)) < 0)
			return -1;
		if (step == 0)
			return any ? 0 : err_data(e, "%s: no checkpoint", place);
		*found = rundir_checkpoint(place, step);
	}
	return *found ? 0 : err_mem(e);
}

int rundir_has(const char *out, int64_t step, struct err *e)
{
	char *path = rundir_checkpoint(out, step);
	int has = path ? there_is(path, e) : err_mem(e);
	free(path);
	return has;
}

/* --- of one run ------------------------------------------------------------------------- */

static bool same_place(const char *a, const char *b)
{
	struct stat x, y;
	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int rundir_start(struct rundir *r, const char *output, const char *resume, struct err *e)
{
	bool any = resume && strcmp(resume, "auto") == 0;
	int rc = 0;
	r->pattern = output ? output : "nx-{steps}-steps-{timestamp}";
	if (resume && rundir_find(&r->from, any ? output : resume, any, e))
		return -1;
	/* what a killed process has left does not make it a used directory */
	if (!r->from) {
		if (any && output && (rc = there_is(output, e)) > 0)
			rc = outdir_sweep(output, e);
		return rc;
	}
	if (!(r->home = rundir_parent(r->from)))
		return err_mem(e);
	r->pattern = output ? output : r->home;
	r->owns = same_place(r->home, r->pattern);
	return 0;
}

int rundir_open(struct rundir *r, struct outdir **d, struct err *e)
{
	for (;; r->second++) {
		bool merge = r->overwrite || r->owns;
		free(r->out);
		if (!(r->out = rundir_name(r->pattern, r->steps, r->second)))
			return err_mem(e);
		if ((d ? outdir_open(d, r->out, merge, e) : outdir_check(r->out, merge, e)) == 0)
			return 0;
		if (e->kind != ERR_DATA || !strstr(r->pattern, "{timestamp}"))
			return -1;
	}
}

int rundir_make(struct rundir *r, struct err *e)
{
	struct outdir *d;
	if (r->owns)
		return 0;
	if (rundir_open(r, &d, e))
		return -1;
	int old = there_is(r->out, e);
	if (old < 0) {
		outdir_abort(d);
		return -1;
	}
	if (outdir_commit(d, e))
		return -1;
	r->owns = true;
	return !old;
}

int rundir_clean(const struct rundir *r, struct err *e)
{
	if (r->owns)
		return outdir_sweep(r->out, e);
	return r->overwrite ? rundir_clear(r->out, e) : 0;
}

void rundir_release(struct rundir *r)
{
	free(r->out);
	free(r->from);
	free(r->home);
	*r = (struct rundir){0};
}
