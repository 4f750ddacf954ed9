#include "io/weights.h"

#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/there.h"
#include "io/torchfile.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FILES = 4096 };

static const struct {
	const char *name;
	bool index;
} known[] = {
	{"model.safetensors", false},
	{"model.safetensors.index.json", true},
	{"pytorch_model.bin", false},
	{"pytorch_model.bin.index.json", true},
};

enum { KNOWN = sizeof known / sizeof *known };

/* dir/name in the set's arena, or NULL. */
static char *join(struct tensor_set *s, const char *dir, const char *name)
{
	size_t n = strlen(dir), m = strlen(name);
	char *p = arena_alloc(&s->arena, n + m + 2);
	if (p)
		snprintf(p, n + m + 2, "%s/%s", dir, name);
	return p;
}

int weights_read(struct tensor_set *s, const char *path, struct err *e)
{
	static const char tail[] = ".safetensors";
	size_t n = strlen(path), m = sizeof tail - 1;
	if (n >= m && !strcmp(path + n - m, tail))
		return safetensors_read(s, path, e);
	return torchfile_read(s, path, e);
}

/* --- an index ---------------------------------------------------------------------- */

static bool have_file(const struct tensor_set *s, const char *path)
{
	for (size_t i = s->nfile; i-- > 0;)
		if (strcmp(s->file[i].name, path) == 0)
			return true;
	return false;
}

/* A name with a slash would be a way out of the directory. */
static bool is_plain(const struct json *v)
{
	return v->type == JSON_STRING && v->n && !memchr(v->s, '/', v->n) && !memchr(v->s, 0, v->n) && v->s[0] != '.';
}

static int read_files(struct tensor_set *s, const char *dir, const char *index, const struct json *map, struct err *e)
{
	for (const struct json *v = map->child; v; v = v->next) {
		if (strlen(v->key) != v->keylen)
			return err_data(e, "%s: a tensor's name holds a NUL", index);
		if (!is_plain(v))
			return err_data(e, "%s: tensor %s: its file is no plain name", index, v->key);
		char *path = join(s, dir, v->s);
		if (!path)
			return err_mem(e);
		if (have_file(s, path))
			continue;
		if (s->nfile == MAX_FILES)
			return err_data(e, "%s: more than %d files", index, MAX_FILES);
		if (weights_read(s, path, e))
			return -1;
	}
	return tensor_sort(s, e);
}

/* Each tensor is where the index says. */
static int check_files(const struct tensor_set *s, const char *index, const struct json *map, struct err *e)
{
	for (const struct json *v = map->child; v; v = v->next) {
		const struct tensor *t = tensor_find(s, v->key);
		const char *name = t ? strrchr(t->file, '/') + 1 : NULL;
		if (!t || strcmp(name, v->s))
			return err_data(e, "%s: tensor %s is not in %s", index, v->key, v->s);
	}
	return 0;
}

static int read_index(struct tensor_set *s, const char *dir, const char *path, struct err *e)
{
	struct buf text = {0};
	struct json *root = NULL;
	int rc = in_slurp(path, &text, e);
	if (rc == 0 && json_parse(&s->arena, text.p, text.n, &root, e))
		rc = err_prefix(e, "%s: ", path);
	buf_release(&text);
	if (rc)
		return -1;
	const struct json *map = json_get(root, "weight_map");
	if (!json_is(map, JSON_OBJECT))
		return err_data(e, "%s: no \"weight_map\"", path);
	return read_files(s, dir, path, map, e) || check_files(s, path, map, e) ? -1 : 0;
}

/* --- a directory --------------------------------------------------------------------- */

/* The path of the first of the four that is there: 1; 0: none is, -1. */
static int find(struct tensor_set *s, const char *dir, int *which, const char **path, struct err *e)
{
	for (int i = 0; i < KNOWN; i++) {
		*which = i;
		*path = join(s, dir, known[i].name);
		int rc = *path ? there_is_file(*path, e) : err_mem(e);
		if (rc)
			return rc;
	}
	return 0;
}

int weights_there(const char *dir, struct err *e)
{
	struct tensor_set s = {0};
	const char *path;
	int which, rc = find(&s, dir, &which, &path, e);
	tensor_release(&s);
	return rc;
}

int weights_open(struct tensor_set *s, const char *dir, struct err *e)
{
	const char *path = NULL;
	int i = 0, rc = find(s, dir, &i, &path, e);
	if (rc < 0)
		return -1;
	if (rc && known[i].index)
		return read_index(s, dir, path, e);
	if (rc == 0 && !(path = join(s, dir, known[0].name))) /* opening it tells why there is none */
		return err_mem(e);
	return weights_read(s, path, e) || tensor_sort(s, e) ? -1 : 0;
}
