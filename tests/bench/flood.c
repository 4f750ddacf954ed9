/* flood BYTES FILE: so many bytes of text on stdout, the lines of FILE over and over, where every time
 * one long word in eight is another: what remembers words meets new ones without end. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONG = 5, ONE_IN = 8 };

struct place {
	size_t at, len;
};

static char *whole(const char *path, size_t *n)
{
	FILE *f = fopen(path, "re");
	long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
	char *p = size > 0 ? malloc((size_t)size) : NULL;
	if (!p || fseek(f, 0, SEEK_SET) || fread(p, (size_t)size, 1, f) != 1 || fclose(f)) {
		perror(path);
		exit(1);
	}
	*n = (size_t)size;
	return p;
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* Where the words stand that change. */
static struct place *places(const char *p, size_t n, size_t *count)
{
	struct place *all = malloc((n / LONG + 1) * sizeof *all);
	uint64_t x = 88172645463325252;
	*count = 0;
	for (size_t at = 0, len; all && at < n; at += len + 1) {
		for (len = 0; at + len < n && p[at + len] >= 'a' && p[at + len] <= 'z';)
			len++;
		if (len >= LONG && next(&x) % ONE_IN == 0)
			all[(*count)++] = (struct place){at, len};
	}
	return all;
}

int main(int argc, char **argv)
{
	char *end, *p;
	uint64_t left = argc == 3 ? strtoull(argv[1], &end, 10) : 0, x = 1;
	size_t n, count;
	if (argc != 3 || *end) {
		fprintf(stderr, "usage: flood BYTES FILE\n");
		return 2;
	}
	p = whole(argv[2], &n);
	struct place *words = places(p, n, &count);
	if (!words)
		return 1;
	for (; left; left -= n) {
		for (size_t i = 0; i < count; i++)
			for (size_t k = 0; k < words[i].len; k++)
				p[words[i].at + k] = (char)('a' + (next(&x) >> 40) % 26);
		if (left < n) {
			n = (size_t)left;
			p[n - 1] = '\n';
		}
		if (fwrite(p, n, 1, stdout) != 1)
			break;
	}
	if (fflush(stdout) || ferror(stdout)) {
		perror("flood");
		return 1;
	}
	free(words);
	free(p);
	return 0;
}
