/* io/safetensors: number formats, round trip, single and sharded, and headers that lie. */
#include "test.h"

#include "base/buf.h"
#include "io/safetensors.h"
#include "io/weights.h"

#include <sys/stat.h>
#include <unistd.h>

static struct err e;

static void spill(const char *path, const char *head, size_t claim, size_t data)
{
	FILE *f = fopen(path, "wb");
	unsigned char len[8];
	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)((unsigned long long)claim >> 8 * i);
	if (!f)
		exit(1);
	fwrite(len, 1, 8, f);
	fwrite(head, 1, strlen(head), f);
	for (size_t i = 0; i < data; i++)
		fputc((int)i, f);
	fclose(f);
}

static void refused(const char *head, size_t data, const char *says)
{
	struct tensor_set st = {0};
	spill("bad/model.safetensors", head, strlen(head), data);
	int rc = weights_open(&st, "bad", &e);
	TEST(rc == -1 && strstr(e.msg, says), "refused: %s", rc ? e.msg : head);
	tensor_release(&st);
}

static void lies(void)
{
	struct tensor_set st = {0};
	mkdir("bad", 0777);
	TEST(weights_open(&st, "absent", &e) == -1 && strstr(e.msg, "absent/model.safetensors: No such file"), "%s", e.msg);
	tensor_release(&st);
	spill("bad/model.safetensors", "{}", (size_t)1 << 60, 0);
	TEST(weights_open(&st, "bad", &e) == -1 && strstr(e.msg, "its header would have"), "%s", e.msg);
	tensor_release(&st);
	refused("[]", 0, "the header is no JSON object");
	refused("{\"a\":", 0, "not valid JSON");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "lies beyond the end of the file");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not agree");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 8, "no list of sizes");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no list of sizes");
	refused("{\"a\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype Q4");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "no [begin, end]");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "tensors a and b overlap");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "4 bytes before tensor a belong to none");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 12, "4 bytes at the end belong to no tensor");
	refused("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no dtype");
	refused("{\"a\":{\"dtype\":\"F32\\u0000\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "no dtype");
	refused("{\"a\":{\"dtype\":\"I32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "\"dtype\" is there twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "\"shape\" is there twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16],\"data_offsets\":[0,8]}}", 8, "\"data_offsets\" is there twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor a is there twice");
	refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "no shape of at most 8");
}

/* Every one of the 65536 halves and bfloats survives the way to float and back. */
static void halves(enum tensor_dtype as, const char *dtype)
{
	enum { N = 65536 };
	static float v[N], w[N];
	char head[200];
	struct tensor_set st = {0};
	unsigned long changed = 0;
	mkdir("half", 0777);
	snprintf(head, sizeof head, "{\"a\":{\"dtype\":\"%s\",\"shape\":[65536],\"data_offsets\":[0,131072]}}", dtype);
	spill("half/model.safetensors", head, strlen(head), 0);
	FILE *f = fopen("half/model.safetensors", "ab");
	for (int i = 0; i < N && f; i++) {
		fputc(i & 255, f);
		fputc(i >> 8, f);
	}
	fclose(f);
	TEST(weights_open(&st, "half", &e) == 0, "a file of all %s", dtype);
	tensor_to_f32(tensor_find(&st, "a"), v);
	tensor_release(&st);
	struct safetensors_src src = {.name = "a", .ndim = 1, .shape = {N}, .data = v};
	TEST(safetensors_write("half/model.safetensors", &src, 1, as, &e) == 0, "written again");
	TEST(weights_open(&st, "half", &e) == 0, "read again");
	tensor_to_f32(tensor_find(&st, "a"), w);
	tensor_release(&st);
	for (int i = 0; i < N; i++)
		changed += !(v[i] == w[i] || (isnan(v[i]) && isnan(w[i])));
	TEST(changed == 0, "every %s is the same after a round trip", dtype);
	TEST(as == TENSOR_BF16 || (v[0x3C00] == 1 && v[1] == 0x1p-24f && v[0x7BFF] == 65504 && v[0xC000] == -2), "known halves");
}

/* v as halves or bfloats, read again into back; how many became infinite. */
static size_t there_and_back(const float *v, float *back, size_t n, enum tensor_dtype as)
{
	unsigned char bytes[4 * 16];
	struct tensor t = {.dtype = as, .count = n, .data = bytes};
	size_t lost = tensor_from_f32(bytes, v, n, as);
	tensor_to_f32(&t, back);
	return lost;
}

static void rounding(void)
{
	static const float v[] = {1 + 0x1p-11f, 1 + 0x1.8p-10f, 65519.0f, 65520.0f, 0x1p-25f, 0x1.8p-24f, 0x1p-14f - 0x1p-26f, 1 + 0x1p-8f, 1 + 0x1.8p-7f};
	float h[9], b[9], big[] = {0x1.FFp127f, INFINITY, NAN};
	struct safetensors_src src = {.name = "a", .ndim = 1, .shape = {9}, .data = v};
	TEST(there_and_back(v, h, 9, TENSOR_F16) == 1, "one number is too large for a half");
	TEST(h[0] == 1 && h[1] == 1 + 0x1p-9f && h[2] == 65504 && isinf(h[3]), "ties go to even, overflow to infinity");
	TEST(h[4] == 0 && h[5] == 0x1p-23f && h[6] == 0x1p-14f, "subnormal halves");
	TEST(there_and_back(v, b, 9, TENSOR_BF16) == 0 && b[7] == 1 && b[8] == 1 + 0x1p-6f, "bfloat ties go to even");
	TEST(there_and_back(big, b, 3, TENSOR_BF16) == 1 && isinf(b[0]), "the largest floats are too large for a bfloat");
	mkdir("r", 0777);
	TEST(safetensors_write("r/model.safetensors", &src, 1, TENSOR_F16, &e) == -1 && strstr(e.msg, "tensor a holds numbers too large for F16") &&
	     access("r/model.safetensors", F_OK), "no file of infinities: %s", e.msg);
	TEST(safetensors_write("r/model.safetensors", &src, 1, TENSOR_BF16, &e) == 0, "as bfloats it is written");
}

static void index_refused(const char *text, const char *says)
{
	struct tensor_set st = {0};
	FILE *f = fopen("sh/model.safetensors.index.json", "w");
	fputs(text, f);
	fclose(f);
	TEST(weights_open(&st, "sh", &e) == -1 && strstr(e.msg, says), "%s", e.msg);
	tensor_release(&st);
}

static void sharded(void)
{
	static const float x[] = {1, 2, 3, 4, 5, 6};
	struct safetensors_src a = {.name = "b.x", .ndim = 2, .shape = {2, 3}, .data = x}, b = {.name = "a.y", .ndim = 1, .shape = {2}, .data = x + 4};
	struct tensor_set st = {0};
	float y[2] = {0};
	mkdir("sh", 0777);
	mkfifo("sh/pipe", 0666);
	safetensors_write("sh/one.safetensors", &a, 1, TENSOR_F32, &e);
	safetensors_write("sh/two.safetensors", &b, 1, TENSOR_BF16, &e);
	FILE *f = fopen("sh/model.safetensors.index.json", "w");
	fputs("{\"weight_map\":{\"b.x\":\"one.safetensors\",\"a.y\":\"two.safetensors\"}}", f);
	fclose(f);
	TEST(weights_open(&st, "sh", &e) == 0, "a model in two files");
	TEST(st.n == 2 && !strcmp(st.t[0].name, "a.y") && !tensor_find(&st, "c"), "tensors in order of name");
	tensor_to_f32(tensor_find(&st, "a.y"), y);
	TEST(y[0] == 5 && y[1] == 6 && tensor_find(&st, "b.x")->shape[1] == 3, "values and shapes");
	tensor_release(&st);
	index_refused("{\"weight_map\":{\"b.x\":\"../sh/one.safetensors\"}}", "tensor b.x: its file is no plain name");
	index_refused("{\"weight_map\":{\"b.x\":\"/etc/passwd\"}}", "no plain name");
	index_refused("{\"weight_map\":{\"b.x\":\"..\"}}", "no plain name");
	index_refused("{\"weight_map\":{\"b.x\":\"\"}}", "no plain name");
	index_refused("{\"weight_map\":{\"b.x\":7}}", "no plain name");
	index_refused("{\"weight_map\":{\"b.x\":\"two.safetensors\",\"a.y\":\"two.safetensors\"}}", "tensor b.x is not in two.safetensors");
	index_refused("{\"weight_map\":{\"b.x\":\"two.safetensors\",\"a.y\":\"one.safetensors\"}}", "is not in");
	index_refused("{\"weight_map\":{\"b.x\":\"none.safetensors\"}}", "sh/none.safetensors: No such file");
	index_refused("{\"weight_map\":{\"b.x\":\"pipe\"}}", "sh/pipe: no regular file");
	index_refused("{\"weight_map\":{\"b.x\":\"one.safetensors\",\"b.x\\u0000y\":\"one.safetensors\",\"a.y\":\"two.safetensors\"}}", "holds a NUL");
	index_refused("{\"weight_map\":{\"b.x\":\"one.safetensors\",\"a.y\":\"one.safetensors\\u0000\"}}", "no plain name");
	index_refused("{\"weight_map\":[]}", "no \"weight_map\"");
	index_refused("[", "model.safetensors.index.json: ");
}

int main(void)
{
	const char *dir = test_dir();
	lies();
	halves(TENSOR_F16, "F16");
	halves(TENSOR_BF16, "BF16");
	rounding();
	sharded();
	test_dir_done(dir);
	return test_done();
}
