#include "io/hub.h"

#include "io/in.h"
#include "io/there.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- names ----------------------------------------------------------------------------- */

/* ORG or NAME, by huggingface_hub's rule: letters, digits, "_", "-" and ".", at most 96;
 * the last two not at an end; no "--", which stands for "/" in the cache, and no "..". */
static bool part_ok(const char *s, size_t n)
{
	if (n == 0 || n > 96 || strchr("-.", s[0]) || strchr("-.", s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("_-.", s[i]))
			return false;
		if (i && s[i] == s[i - 1] && (s[i] == '-' || s[i] == '.'))
			return false;
	}
	return true;
}

bool hub_path_ok(const char *path)
{
	if (!*path || strlen(path) > 1000)
		return false;
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");
		if (n == 0 || n > 255 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)p[i] < ' ' || p[i] == 127 || p[i] == '\\')
				return false;
		p += n;
		if (!*p)
			return true;
	}
}

bool hub_is_commit(const char *s)
{
	return strlen(s) == HUB_COMMIT && strspn(s, "0123456789abcdef") == HUB_COMMIT;
}

bool hub_name(struct hub_name *n, const char *text)
{
	const char *at = strchr(text, '@');
	size_t len = at ? (size_t)(at - text) : strlen(text);
	const char *slash = memchr(text, '/', len);
	if (slash ? !part_ok(text, (size_t)(slash - text)) || !part_ok(slash + 1, (size_t)(text + len - slash - 1))
	          : !part_ok(text, len))
		return false;
	const char *revision = at ? at + 1 : "main";
	if (strlen(revision) >= sizeof n->revision || !hub_path_ok(revision))
		return false;
	snprintf(n->repo, sizeof n->repo, "%.*s", (int)len, text);
	snprintf(n->revision, sizeof n->revision, "%s", revision);
	return true;
}

/* --- the cache ---------------------------------------------------------------------------- */

/* As Python's expanduser finds it; NULL: nobody knows. */
static const char *home_directory(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user = home ? NULL : getpwuid(getuid());
	return user ? user->pw_dir : home;
}

/* path, in which a leading ~ is the home directory, and tail */
static int set_path(struct buf *b, const char *path, const char *tail, struct err *e)
{
	bool tilde = path[0] == '~' && (path[1] == '/' || !path[1]);
	const char *home = tilde ? home_directory() : NULL;
	if (tilde && !home)
		return err_usage(e, "%s: where is that? HOME is not set", path);
	buf_reset(b);
	if (buf_printf(b, "%s%s%s", tilde ? home : "", tilde ? path + 1 : path, tail) || !buf_str(b))
		return err_mem(e);
	return 0;
}

static const char *set_in(const char *name)
{
	const char *v = getenv(name);
	return v && *v ? v : NULL;
}

int hub_home(struct buf *b, struct err *e)
{
	const char *v = set_in("HF_HOME");
	if (v)
		return set_path(b, v, "", e);
	if ((v = set_in("XDG_CACHE_HOME")))
		return set_path(b, v, "/huggingface", e);
	return set_path(b, "~", "/.cache/huggingface", e);
}

int hub_cache(struct buf *b, struct err *e)
{
	const char *v = set_in("HF_HUB_CACHE");
	if (v || (v = set_in("HUGGINGFACE_HUB_CACHE")))
		return set_path(b, v, "", e);
	if (hub_home(b, e))
		return -1;
	return buf_adds(b, "/hub") || !buf_str(b) ? err_mem(e) : 0;
}

int hub_folder(struct buf *b, const struct hub_name *n, struct err *e)
{
	if (hub_cache(b, e))
		return -1;
	int bad = buf_adds(b, "/models--");
	for (const char *p = n->repo; *p && !bad; p++)
		bad = *p == '/' ? buf_adds(b, "--") : buf_addc(b, *p);
	return bad || !buf_str(b) ? err_mem(e) : 0;
}

int hub_commit(const char *folder, const char *revision, char commit[HUB_COMMIT + 1])
{
	struct buf path = {0};
	int found = 0;
	if (hub_is_commit(revision)) {
		memcpy(commit, revision, HUB_COMMIT + 1);
		return 1;
	}
	if (buf_printf(&path, "%s/refs/%s", folder, revision) == 0) {
		FILE *f = fopen(path.p, "re");
		size_t n = f ? fread(commit, 1, HUB_COMMIT, f) : 0;
		commit[n] = 0;
		found = hub_is_commit(commit);
		if (f)
			fclose(f);
	}
	buf_release(&path);
	return found;
}

int hub_snapshot(struct buf *b, const struct hub_name *n, struct err *e)
{
	char commit[HUB_COMMIT + 1];
	if (hub_folder(b, n, e))
		return -1;
	if (!hub_commit(b->p, n->revision, commit))
		return 0;
	if (buf_printf(b, "/snapshots/%s", commit))
		return err_mem(e);
	return there_is_dir(b->p, e);
}

int hub_token(struct buf *b, struct err *e)
{
	struct buf path = {0};
	const char *v = set_in("HF_TOKEN"), *file = set_in("HF_TOKEN_PATH");
	int rc = 0;
	buf_reset(b);
	if (v || (v = set_in("HUGGING_FACE_HUB_TOKEN")))
		rc = buf_adds(b, v) ? err_mem(e) : 0;
	else if (!file && (hub_home(&path, e) || buf_adds(&path, "/token") || !(file = buf_str(&path))))
		rc = err_mem(e);
	else if ((rc = there_is(file, e)) > 0)
		rc = in_slurp(file, b, e);
	while (rc == 0 && b->n && strchr(" \t\r\n", b->p[b->n - 1]))
		b->n--;
	buf_release(&path);
	return rc || buf_str(b) ? rc : err_mem(e);
}

bool hub_offline(void)
{
	static const char *const names[] = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}, *const yes[] = {"1", "on", "yes", "true"};
	for (size_t i = 0; i < 2; i++) {
		const char *v = getenv(names[i]);
		for (size_t k = 0; v && k < sizeof yes / sizeof *yes; k++)
			if (strcasecmp(v, yes[k]) == 0)
				return true;
	}
	return false;
}

/* --- what a program means --------------------------------------------------------------------- */

/* Not there: a name of two parts may be one of the hub. */
static int missing(const char *given, struct err *e)
{
	struct hub_name n;
	errno = ENOENT;
	err_io(e, "%s", given);
	if (strchr(given, '/') && hub_name(&n, given)) {
		struct err was = *e;
		snprintf(e->msg, sizeof e->msg, "%.*s, nor in the cache of the hub (nx-fetch %.300s brings what the hub has)",
		         (int)(sizeof e->msg / 2), was.msg, given);
	}
	return -1;
}

char *hub_model(const char *given, struct err *e)
{
	struct buf dir = {0};
	struct hub_name n;
	char *found = NULL;
	int rc = 0;
	if (access(given, F_OK) == 0 || strcmp(given, "-") == 0) {
		found = strdup(given);
		if (!found)
			err_mem(e);
	} else if (errno != ENOENT) {
		err_io(e, "%s", given);
	} else if (hub_name(&n, given) && (rc = hub_snapshot(&dir, &n, e)) > 0) {
		found = dir.p;
	} else if (rc == 0) {
		missing(given, e);
	}
	if (found != dir.p)
		buf_release(&dir);
	return found;
}

char *hub_named(const char *named, struct err *e)
{
	char *dir = strcmp(named, "-") ? hub_model(named, e) : NULL;
	int rc = dir ? there_is_dir(dir, e) : 0;
	if (rc > 0)
		return dir;
	if (rc == 0)
		err_data(e, "%s: no directory", named);
	free(dir);
	return NULL;
}

char *hub_tokenizer(const char *given, struct err *e)
{
	char *path = hub_model(given, e), *file = NULL;
	int rc = path ? there_is_dir(path, e) : 0;
	if (rc == 0)
		return path;
	if (rc > 0 && asprintf(&file, "%s/tokenizer.json", path) < 0) {
		file = NULL;
		err_mem(e);
	}
	if (file && there_is_file(file, e) < 0) {
		free(file);
		file = NULL;
	}
	free(path);
	return file;
}
