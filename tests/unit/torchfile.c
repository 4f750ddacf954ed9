/* io/torchfile, torchzip and pickle: files of PyTorch's, and what a stranger's file may try. */
#include "test.h"

#include "io/pickle.h"
#include "io/torchfile.h"

#include <stdbool.h>
#include <stdint.h>

static struct err e;

/* --- files of PyTorch's ------------------------------------------------------------------ */

static const float *numbers(const struct tensor_set *s, const char *name, const char *dtype, int ndim, size_t count)
{
	static float v[16];
	const struct tensor *t = tensor_find(s, name);
	TEST(t && !strcmp(t->dtype_name, dtype) && t->ndim == ndim && t->count == count, "%s is there", name);
	if (t && t->count <= 16 && t->dtype != TENSOR_OTHER)
		tensor_to_f32(t, v);
	return v;
}

static void torch_files(const char *golden)
{
	struct tensor_set s = {0};
	char path[5000];
	snprintf(path, sizeof path, "%s/torch.bin", golden);
	TEST(torchfile_read(&s, path, &e) == 0 && tensor_sort(&s, &e) == 0 && s.n == 7, "a file of torch.save");
	const float *v = numbers(&s, "weight", "F32", 2, 6);
	TEST(v[0] == 0 && v[5] == 5, "a matrix");
	v = numbers(&s, "half", "F16", 1, 4);
	TEST(v[1] == -2 && v[2] == 65504 && v[3] == 0x1p-24f, "halves");
	v = numbers(&s, "bf", "BF16", 1, 2);
	TEST(v[0] == 1.5f && v[1] == -3, "bfloats");
	v = numbers(&s, "p", "F32", 1, 4);
	TEST(v[0] == 3 && v[3] == 6, "a parameter that begins within its storage");
	v = numbers(&s, "row", "F32", 2, 2);
	TEST(v[0] == 2 && v[1] == 3, "one row of a matrix");
	v = numbers(&s, "s", "F32", 0, 1);
	TEST(v[0] == 7, "a scalar");
	numbers(&s, "i", "I64", 1, 3);
	tensor_release(&s);
	snprintf(path, sizeof path, "%s/torch_module.bin", golden);
	TEST(torchfile_read(&s, path, &e) == 0 && tensor_sort(&s, &e) == 0 && s.n == 2, "a module's state");
	v = numbers(&s, "weight", "F32", 2, 4);
	TEST(v[0] == 1 && v[3] == 4, "and its weights");
	tensor_release(&s);
	snprintf(path, sizeof path, "%s/torch_view.bin", golden);
	TEST(torchfile_read(&s, path, &e) == -1 && strstr(e.msg, "tensor t: its strides are not those of a dense"), "%s", e.msg);
	tensor_release(&s);
	snprintf(path, sizeof path, "%s/torch_old.bin", golden);
	TEST(torchfile_read(&s, path, &e) == -1 && strstr(e.msg, "of torch.save before PyTorch 1.6"), "%s", e.msg);
	tensor_release(&s);
}

/* --- files of our own ------------------------------------------------------------------------ */

/* Lies about one entry: added to what is true. */
struct lie {
	int entry;
	uint32_t central_size, central_packed, local_size, method, flags, offset;
	int name;         /* the local header's name is another one */
	uint32_t entries; /* added to the end record's count */
	size_t cut, tail; /* bytes cut off, or added behind */
	bool twice;       /* the directory has the last entry twice */
};

static unsigned char file[1 << 16];
static size_t used;

static void put(uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		file[used++] = (unsigned char)(i < 8 ? v >> 8 * i : 0);
}

static void put_bytes(const void *p, size_t n)
{
	memcpy(file + used, p, n);
	used += n;
}

struct part {
	const char *name;
	const void *p;
	size_t n;
	uint32_t at;
};

static void local(struct part *r, const struct lie *l)
{
	r->at = (uint32_t)used;
	put(0x04034b50, 4);
	put(0, 2);
	put(l->flags, 2);
	put(l->method, 2);
	put(0, 8);
	put(r->n + l->local_size, 4);
	put(r->n + l->local_size, 4);
	put(strlen(r->name), 2);
	put(0, 2);
	put_bytes(r->name, strlen(r->name));
	file[used - 1] ^= (unsigned char)l->name;
	put_bytes(r->p, r->n);
}

static void central(const struct part *r, const struct lie *l)
{
	put(0x02014b50, 4);
	put(0, 4);
	put(l->flags, 2);
	put(l->method, 2);
	put(0, 8);
	put(r->n + l->central_size + l->central_packed, 4);
	put(r->n + l->central_size, 4);
	put(strlen(r->name), 2);
	put(0, 12);
	put(r->at + l->offset, 4);
	put_bytes(r->name, strlen(r->name));
}

static void write_file(const struct lie *l)
{
	FILE *f = fopen("m.bin", "wb");
	if (!f || fwrite(file, 1, used - l->cut, f) != used - l->cut || fclose(f))
		exit(1);
}

static void zip(struct part *r, int n, const struct lie *l)
{
	static const struct lie none;
	used = 0;
	for (int i = 0; i < n; i++)
		local(&r[i], i == l->entry ? l : &none);
	size_t at = used;
	for (int i = 0; i < n + l->twice; i++)
		central(&r[i < n ? i : n - 1], i == l->entry ? l : &none);
	size_t size = used - at;
	put(0x06054b50, 4);
	put(0, 4);
	put((uint64_t)(n + l->twice) + l->entries, 2);
	put((uint64_t)(n + l->twice) + l->entries, 2);
	put(size, 4);
	put(at, 4);
	put(0, 2);
	used += l->tail;
	write_file(l);
}

/* A pickle: text with the bytes of opcodes; LEN has no NUL to stop at. */
#define P(text) text, sizeof text - 1
#define HEAD "\x80\x02}X\1\0\0\0a"
#define STORAGE(key, n) "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" key "X\3\0\0\0cpuK" n "tQ"
#define TENSOR(storage, offset, shape, strides) \
	"ctorch._utils\n_rebuild_tensor_v2\n(" storage "K" offset shape strides "\x89" "ccollections\nOrderedDict\n)RtR"
#define PLAIN HEAD TENSOR(STORAGE("0", "\6"), "\0", "K\2K\3\x86", "K\3K\1\x86") "s."

static const float six[6] = {1, 2, 3, 4, 5, 6};

static int read_one(const char *pickle, size_t n, const struct lie *l)
{
	struct part r[] = {{"m/data.pkl", pickle, n, 0}, {"m/data/0", six, sizeof six, 0}, {"m/byteorder", "little", 6, 0}};
	struct tensor_set s = {0};
	zip(r, 3, l);
	int rc = torchfile_read(&s, "m.bin", &e);
	if (rc == 0) {
		float v[6] = {0};
		TEST(s.n == 1 && s.t[0].count == 6 && (tensor_to_f32(&s.t[0], v), v[5] == 6), "its tensor is there");
	}
	tensor_release(&s);
	return rc;
}

static void refused(const char *pickle, size_t n, const char *says)
{
	int rc = read_one(pickle, n, &(struct lie){0});
	TEST(rc == -1 && strstr(e.msg, says), "refused: %s", rc ? e.msg : says);
}

static void lied(struct lie l, const char *says)
{
	int rc = read_one(P(PLAIN), &l);
	TEST(rc == -1 && strstr(e.msg, says), "refused: %s", rc ? e.msg : says);
}

static void zips(void)
{
	TEST(read_one(P(PLAIN), &(struct lie){0}) == 0, "a file of our own");
	lied((struct lie){.entry = 1, .central_size = 1}, "entry m/data/0: its header and the directory do not agree");
	lied((struct lie){.entry = 1, .central_size = 0x70000000}, "entry m/data/0 lies beyond the file's entries");
	lied((struct lie){.entry = 1, .central_size = 0xFFFFFFFF - 24}, "entry m/data/0: no 64-bit sizes");
	lied((struct lie){.entry = 1, .local_size = 4}, "its header and the directory do not agree");
	lied((struct lie){.entry = 1, .central_size = 8, .local_size = 8}, "m/data/0 and m/byteorder overlap");
	lied((struct lie){.entry = 1, .name = 1}, "its header and the directory do not agree");
	lied((struct lie){.entry = 1, .offset = 3}, "its header is not where the directory says");
	lied((struct lie){.entry = 1, .offset = 0x7FFFFFFF}, "its header is not where the directory says");
	lied((struct lie){.entry = 1, .method = 8}, "entry m/data/0 is compressed");
	lied((struct lie){.entry = 1, .central_packed = 1}, "entry m/data/0 is compressed");
	lied((struct lie){.entry = 1, .flags = 1}, "entry m/data/0 is encrypted");
	lied((struct lie){.entries = (uint32_t)-1}, "the zip file's directory is damaged");
	lied((struct lie){.entries = 60000}, "too small for its entries");
	lied((struct lie){.cut = 1}, "it was cut off");
	lied((struct lie){.cut = 30}, "it was cut off");
	lied((struct lie){.tail = 1}, "it was cut off");
	lied((struct lie){.entry = 9, .twice = true}, "overlap");
}

static void pickles(void)
{
	refused(P("\x80\x02" "cos\nsystem\nX\4\0\0\0true\x85R."), "it wants to call os.system");
	refused(P("\x80\x02" "c__builtin__\neval\nX\1\0\0\0" "1\x85R."), "__builtin__.eval");
	refused(P("\x80\x02" "cposix\n\x1b[2Jsystem\nX\4\0\0\0true\x85R."), "posix.?[2Jsystem");
	refused(P("\x80\x02" "ctorch\nload\n)R."), "it wants to call torch.load");
	refused(P("\x80\x02i__main__\nx\n."), "opcode 0x69 is none");
	refused(P("\x80\x04\x95\1\0\0\0\0\0\0\0N."), "a pickle of protocol 4");
	refused(P("hello"), "no pickle");
	refused(P(""), "no pickle");
	refused(P("\x80\x02"), "the pickle is cut off");
	refused(P("\x80\x02X\xff\xff\xff\x7f" "a."), "the pickle is cut off");
	refused(P("\x80\x02}r\xff\xff\xff\x7f."), "a memo's number is too large");
	refused(P("\x80\x02h\1."), "a memo was never set");
	refused(P("\x80\x02\x86."), "a tuple has too few values");
	refused(P("\x80\x02(N\x86."), "a tuple has too few values");
	refused(P("\x80\x02t."), "no mark is on the stack");
	refused(P("\x80\x02."), "nothing is on the stack");
	refused(P("\x80\x02(."), "nothing is on the stack");
	refused(P("\x80\x02NN."), "something left over");
	refused(P("\x80\x02N.N"), "something left over");
	refused(P("\x80\x02NR."), "nothing is on the stack");
	refused(P("\x80\x02N)R."), "a call of what is no function");
	refused(P("\x80\x02" "ctorch\nFloatStorage\n)R."), "a call of what is no function");
	refused(P("\x80\x02" "ccollections\nOrderedDict\n]\x85R."), "made from arguments");
	refused(P("\x80\x02)NNs."), "no member of a dictionary");
	refused(P("\x80\x02}(Nu."), "no member of a dictionary");
	refused(P("\x80\x02}Na."), "no element of a list");
	refused(P("\x80\x02\x8a\xff."), "more than 64 bits");
	refused(P("\x80\x02)."), "holds no dictionary of tensors");
	refused(P("\x80\x02}NNs."), "a tensor's name is no text");
	refused(P(HEAD "Ns."), "entry a is no tensor");
	refused(P("\x80\x02}q\1X\1\0\0\0ah\1s."), "entry a is no tensor");
}

static void tensors(void)
{
	refused(P(HEAD TENSOR(STORAGE("1", "\6"), "\0", "K\2K\3\x86", "K\3K\1\x86") "s."), "tensor a: its storage is not in the file");
	refused(P(HEAD TENSOR(STORAGE("0", "\7"), "\0", "K\2K\3\x86", "K\3K\1\x86") "s."), "its storage has another size than its record");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\1", "K\2K\3\x86", "K\3K\1\x86") "s."), "tensor a: lies beyond its storage");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\0", "K\2K\4\x86", "K\4K\1\x86") "s."), "tensor a: lies beyond its storage");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\0", "K\2K\3\x86", "K\1K\2\x86") "s."), "tensor a: its strides");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\0", "K\2K\3\x86", "K\1\x85") "s."), "no shape and strides");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\0", "J\xfe\xff\xff\xffK\3\x86", "K\3K\1\x86") "s."), "no list of sizes");
	refused(P(HEAD TENSOR(STORAGE("0", "\6"), "\0", "\x8a\x08\0\0\0\0\0\0\0\x40" "K\4\x86", "K\4K\1\x86") "s."), "no list of sizes");
	refused(P(HEAD TENSOR("N", "\0", "K\2K\3\x86", "K\3K\1\x86") "s."), "no storage, offset, shape");
	refused(P(HEAD TENSOR("NQ", "\0", "K\2K\3\x86", "K\3K\1\x86") "s."), "its storage is none");
	refused(P(HEAD "ctorch._utils\n_rebuild_tensor_v2\n)Rs."), "no storage, offset, shape");
	refused(P(HEAD "ctorch._utils\n_rebuild_parameter\n)Rs."), "entry a is no tensor");
}

static void archives(void)
{
	struct tensor_set s = {0};
	struct part two[] = {{"m/data.pkl", P(PLAIN), 0}, {"n/data.pkl", P(PLAIN), 0}};
	zip(two, 2, &(struct lie){.entry = -1});
	TEST(torchfile_read(&s, "m.bin", &e) == -1 && strstr(e.msg, "two pickles"), "%s", e.msg);
	tensor_release(&s);
	struct part none[] = {{"m/readme", P("x"), 0}};
	zip(none, 1, &(struct lie){.entry = -1});
	TEST(torchfile_read(&s, "m.bin", &e) == -1 && strstr(e.msg, "without data.pkl"), "%s", e.msg);
	tensor_release(&s);
	struct part big[] = {{"m/data.pkl", P(PLAIN), 0}, {"m/data/0", six, sizeof six, 0}, {"m/byteorder", P("big"), 0}};
	zip(big, 3, &(struct lie){.entry = -1});
	TEST(torchfile_read(&s, "m.bin", &e) == -1 && strstr(e.msg, "not little-endian"), "%s", e.msg);
	tensor_release(&s);
	struct part same[] = {{"m/data.pkl", P(PLAIN), 0}, {"m/data/0", six, 4, 0}, {"m/data/0", six, sizeof six, 0}};
	zip(same, 3, &(struct lie){.entry = -1});
	TEST(torchfile_read(&s, "m.bin", &e) == -1 && strstr(e.msg, "entry m/data/0 is there twice"), "%s", e.msg);
	tensor_release(&s);
}

int main(void)
{
	char golden[4096];
	if (!realpath("tests/golden", golden))
		return 1;
	const char *dir = test_dir();
	torch_files(golden);
	zips();
	pickles();
	tensors();
	archives();
	test_dir_done(dir);
	return test_done();
}
