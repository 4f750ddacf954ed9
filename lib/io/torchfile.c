#include "io/torchfile.h"

#include "io/pickle.h"
#include "io/torchzip.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* All that torch.save writes for a dictionary of tensors. */
enum { NAME_DICT, NAME_TENSOR, NAME_PARAMETER, NAME_STORAGE };
static const struct pickle_name names[] = {
	[NAME_DICT] = {"collections", "OrderedDict", PICKLE_DICT},
	[NAME_TENSOR] = {"torch._utils", "_rebuild_tensor_v2", PICKLE_CALL},
	[NAME_PARAMETER] = {"torch._utils", "_rebuild_parameter", PICKLE_CALL},
	[NAME_STORAGE] = {"torch", "FloatStorage", PICKLE_NONE},
	{"torch", "HalfStorage", PICKLE_NONE},
	{"torch", "BFloat16Storage", PICKLE_NONE},
	{"torch", "DoubleStorage", PICKLE_NONE},
	{"torch", "LongStorage", PICKLE_NONE},
	{"torch", "IntStorage", PICKLE_NONE},
	{"torch", "ShortStorage", PICKLE_NONE},
	{"torch", "CharStorage", PICKLE_NONE},
	{"torch", "ByteStorage", PICKLE_NONE},
	{"torch", "BoolStorage", PICKLE_NONE},
};
/* Their numbers, from NAME_STORAGE on, as safetensors calls them. */
static const char *const dtypes[] = {"F32", "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U8", "BOOL"};

enum { NAMES = sizeof names / sizeof *names };

struct torch {
	struct tensor_set *set;
	const unsigned char *p;
	const char *file;
	struct torchzip zip;
	const char *folder; /* of the records in the zip, with its slash */
	struct err *e;
};

/* --- records --------------------------------------------------------------------------- */

static const struct torchzip_entry *record(const struct torch *t, const char *what, size_t n)
{
	size_t k = strlen(t->folder);
	char name[300];
	if (k + n >= sizeof name || memchr(what, 0, n))
		return NULL;
	memcpy(name, t->folder, k);
	memcpy(name + k, what, n);
	name[k + n] = '\0';
	return torchzip_find(&t->zip, name);
}

/* The folder is the one that holds data.pkl. */
static int find_folder(struct torch *t)
{
	static const char tail[] = "/data.pkl";
	for (size_t i = 0; i < t->zip.n; i++) {
		const char *name = t->zip.e[i].name, *slash = strchr(name, '/');
		if (!slash || strcmp(slash, tail))
			continue;
		if (t->folder)
			return err_data(t->e, "%s: two pickles: %sdata.pkl and %s", t->file, t->folder, name);
		if (!(t->folder = arena_dup(&t->set->arena, name, (size_t)(slash - name) + 1)))
			return err_mem(t->e);
	}
	return t->folder ? 0 : err_data(t->e, "%s: a zip file without data.pkl: torch.save did not write it", t->file);
}

static int check_order(const struct torch *t)
{
	const struct torchzip_entry *r = record(t, "byteorder", 9);
	if (r && (r->n != 6 || memcmp(t->p + r->at, "little", 6)))
		return err_data(t->e, "%s: its numbers are not little-endian", t->file);
	return 0;
}

/* --- one tensor --------------------------------------------------------------------------- */

static int broken(const struct torch *t, const struct tensor *v, const char *what)
{
	return err_data(t->e, "%s: tensor %s: %s", t->file, v->name, what);
}

/* ('storage', type, key, device, elements): its bytes, and how many elements they are. */
static int read_storage(const struct torch *t, const struct pickle *ref, struct tensor *v, const unsigned char **p,
                        size_t *elements)
{
	const struct pickle *id = pickle_at(ref, 0, PICKLE_LIST), *word = pickle_at(id, 0, PICKLE_TEXT),
	                    *type = pickle_at(id, 1, PICKLE_NAME), *key = pickle_at(id, 2, PICKLE_TEXT),
	                    *n = pickle_at(id, 4, PICKLE_INT);
	char name[100];
	size_t bytes;
	if (!word || strcmp(word->s, "storage") || !type || type->i < NAME_STORAGE || !key || !n || n->i < 0)
		return broken(t, v, "its storage is none");
	v->dtype_name = dtypes[type->i - NAME_STORAGE];
	size_t size = tensor_dtype(v->dtype_name, &v->dtype);
	int len = snprintf(name, sizeof name, "data/%s", key->s);
	const struct torchzip_entry *r = len < (int)sizeof name ? record(t, name, (size_t)len) : NULL;
	if (!r)
		return broken(t, v, "its storage is not in the file");
	if (__builtin_mul_overflow((size_t)n->i, size, &bytes) || bytes != r->n)
		return broken(t, v, "its storage has another size than its record");
	*p = t->p + r->at;
	*elements = (size_t)n->i;
	return 0;
}

static int read_shape(const struct torch *t, const struct pickle *size, const struct pickle *stride, struct tensor *v)
{
	if (!size || !stride || size->n != stride->n || size->n > TENSOR_NDIM)
		return broken(t, v, "no shape and strides of at most 8 dimensions");
	v->ndim = (int)size->n;
	v->count = 1;
	for (size_t i = 0; i < size->n; i++) {
		const struct pickle *d = pickle_at(size, i, PICKLE_INT);
		if (!d || d->i < 0 || __builtin_mul_overflow(v->count, (size_t)d->i, &v->count))
			return broken(t, v, "the shape is no list of sizes");
		v->shape[i] = d->i;
	}
	/* from the last dimension on each step is as long as all behind it */
	size_t dense = 1;
	for (size_t i = size->n; i-- > 0; dense *= (size_t)v->shape[i]) {
		const struct pickle *d = pickle_at(stride, i, PICKLE_INT);
		if (!d)
			return broken(t, v, "the strides are no list of numbers");
		if (v->count && v->shape[i] != 1 && (uint64_t)d->i != dense)
			return broken(t, v, "its strides are not those of a dense row-major array: save it with .contiguous()");
	}
	return 0;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, ...), perhaps in _rebuild_parameter(tensor, ...) */
static int read_tensor(const struct torch *t, const struct pickle *v, struct tensor *out)
{
	const unsigned char *p = NULL;
	size_t elements = 0;
	if (v->type == PICKLE_CALL && v->i == NAME_PARAMETER)
		v = pickle_at(pickle_at(v, 0, PICKLE_LIST), 0, PICKLE_CALL);
	if (!v || v->type != PICKLE_CALL || v->i != NAME_TENSOR)
		return err_data(t->e, "%s: entry %s is no tensor", t->file, out->name);
	const struct pickle *args = pickle_at(v, 0, PICKLE_LIST), *ref = pickle_at(args, 0, PICKLE_REF),
	                    *offset = pickle_at(args, 1, PICKLE_INT);
	if (!ref || !offset || offset->i < 0)
		return broken(t, out, "what describes it is no storage, offset, shape and strides");
	if (read_storage(t, ref, out, &p, &elements) ||
	    read_shape(t, pickle_at(args, 2, PICKLE_LIST), pickle_at(args, 3, PICKLE_LIST), out))
		return -1;
	if ((size_t)offset->i > elements || out->count > elements - (size_t)offset->i)
		return broken(t, out, "lies beyond its storage");
	enum tensor_dtype type;
	out->data = p + (size_t)offset->i * tensor_dtype(out->dtype_name, &type);
	return tensor_add(t->set, out, t->e);
}

/* --- the file --------------------------------------------------------------------------------- */

static int read_pickle(struct torch *t)
{
	const struct torchzip_entry *r = record(t, "data.pkl", 8);
	const struct pickle *root;
	if (!r)
		return err_data(t->e, "%s: the folder's name is too long", t->file);
	if (pickle_parse(&t->set->arena, t->p + r->at, r->n, names, NAMES, t->file, &root, t->e))
		return -1;
	if (root->type != PICKLE_DICT)
		return err_data(t->e, "%s: holds no dictionary of tensors", t->file);
	for (size_t i = 0; i + 1 < root->n; i += 2) {
		const struct pickle *key = root->item[i];
		if (key->type != PICKLE_TEXT || strlen(key->s) != key->n)
			return err_data(t->e, "%s: a tensor's name is no text", t->file);
		struct tensor v = {.name = key->s, .file = t->file};
		if (read_tensor(t, root->item[i + 1], &v))
			return -1;
	}
	return 0;
}

/* The first pickle of the older format is this number, as a LONG1 of 10 bytes. */
static bool is_old(const unsigned char *p, size_t n)
{
	static const unsigned char magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
	return n >= sizeof magic && !memcmp(p, magic, sizeof magic);
}

int torchfile_read(struct tensor_set *s, const char *path, struct err *e)
{
	const struct tensor_file *f;
	if (tensor_map(s, path, &f, e))
		return -1;
	struct torch t = {.set = s, .p = f->p, .file = f->name, .e = e};
	if (is_old(f->p, f->n))
		return err_data(e, "%s: of torch.save before PyTorch 1.6, which is not read: load and save it with a newer one",
		                f->name);
	if (!torchzip_is(f->p, f->n))
		return err_data(e, "%s: no file of torch.save, which is a zip", f->name);
	return torchzip_open(&t.zip, &s->arena, f->p, f->n, f->name, e) || find_folder(&t) || check_order(&t) ||
	                       read_pickle(&t)
	               ? -1
	               : 0;
}
