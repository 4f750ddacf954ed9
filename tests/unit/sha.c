/* sha: the digests of the standard's examples, and of pieces of every size. */
#include "base/sha.h"
#include "test.h"

static void is(enum sha_kind kind, const void *p, size_t n, size_t piece, const char *want, const char *what)
{
	struct sha s;
	char hex[SHA_HEX];
	sha_init(&s, kind);
	for (size_t i = 0; i < n; i += piece)
		sha_add(&s, (const char *)p + i, n - i < piece ? n - i : piece);
	sha_hex(&s, hex);
	TEST(strcmp(hex, want) == 0, "%s of %s: %s", kind == SHA_1 ? "SHA-1" : "SHA-256", what, hex);
}

int main(void)
{
	static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	is(SHA_1, "", 0, 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709", "nothing");
	is(SHA_1, "abc", 3, 3, "a9993e364706816aba3e25717850c26c9cd0d89d", "abc");
	is(SHA_1, two, 56, 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1", "two blocks");
	is(SHA_256, "", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
	is(SHA_256, "abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "abc");
	is(SHA_256, two, 56, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "two blocks");
	char *million = malloc(1000000);
	if (!million)
		return 1;
	memset(million, 'a', 1000000);
	static const size_t pieces[] = {1000000, 1, 7, 63, 64, 65, 4096};
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		is(SHA_1, million, 1000000, pieces[i], "34aa973cd4c4daa4f61eeb2bdbad27316534016f", "a million letters a");
		is(SHA_256, million, 1000000, pieces[i], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
		   "a million letters a");
	}
	free(million);
	return test_done();
}
