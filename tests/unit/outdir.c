/* A directory appears complete or not at all. */
#include "test.h"

#include "io/outdir.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static int holds(const char *path, const char *text)
{
	char got[100] = "";
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	size_t n = fread(got, 1, sizeof got - 1, f);
	fclose(f);
	return n == strlen(text) && memcmp(got, text, n) == 0;
}

/* Entries of a directory, hidden ones included. */
static int entries(const char *path)
{
	int n = 0;
	DIR *d = opendir(path);
	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void put_in(const struct outdir *d, const char *name, const char *text)
{
	char path[400];
	snprintf(path, sizeof path, "%s/%s", outdir_path(d), name);
	put(path, text);
}

static void new_ones(void)
{
	struct err e;
	struct outdir *d;
	TEST(outdir_check("one", false, &e) == 0 && access("one", F_OK) != 0 && entries(".") == 0,
	     "a check leaves nothing behind");
	TEST(outdir_open(&d, "one/", false, &e) == 0 && access("one", F_OK) != 0, "nothing under the name yet");
	put_in(d, "a", "1");
	TEST(outdir_commit(d, &e) == 0 && holds("one/a", "1") && entries(".") == 1, "complete under its name");

	TEST(outdir_open(&d, "two", false, &e) == 0, "opens a second");
	put_in(d, "a", "1");
	char path[400];
	snprintf(path, sizeof path, "%s/sub", outdir_path(d));
	mkdir(path, 0777);
	put_in(d, "sub/b", "2");
	outdir_abort(d);
	TEST(entries(".") == 1, "an abort leaves nothing, folders in it neither");
	outdir_abort(NULL);

	mkdir("empty", 0777);
	chmod("empty", 0770);
	struct stat st;
	TEST(outdir_open(&d, "empty", false, &e) == 0, "an empty directory may be there");
	put_in(d, "a", "3");
	TEST(outdir_commit(d, &e) == 0 && holds("empty/a", "3") && stat("empty", &st) == 0 && (st.st_mode & 07777) == 0770,
	     "it is filled and keeps its mode");
}

static void used_ones(void)
{
	struct err e;
	struct outdir *d;
	TEST(outdir_check("one", false, &e) == -1 && e.kind == ERR_DATA && strstr(e.msg, "one"), "a used one is refused");
	put("one/other", "kept");
	TEST(outdir_open(&d, "one", true, &e) == 0, "a used one can be merged into");
	put_in(d, "a", "new");
	put_in(d, "b", "more");
	TEST(holds("one/a", "1"), "the old file stays until the commit");
	TEST(outdir_commit(d, &e) == 0 && holds("one/a", "new") && holds("one/b", "more") && holds("one/other", "kept") &&
	         entries("one") == 3,
	     "new files replace those of their name, others stay");
	TEST(symlink("one", "link") == 0 && outdir_open(&d, "link", true, &e) == 0, "through a symbolic link");
	put_in(d, "c", "4");
	TEST(outdir_commit(d, &e) == 0 && holds("one/c", "4"), "the directory behind the link is filled");
}

static void refused(void)
{
	struct err e;
	put("file", "x");
	TEST(outdir_check("file", true, &e) == -1 && e.kind == ERR_IO, "a file is no directory");
	TEST(outdir_check("/dev/full", false, &e) == -1, "nor is a device");
	TEST(outdir_check("missing/dir", false, &e) == -1 && strstr(e.msg, "missing/dir"), "the parent must exist");
	TEST(outdir_check("", false, &e) == -1, "an empty name");
	TEST(symlink("nowhere", "dangling") == 0 && outdir_check("dangling", false, &e) == -1, "a link to nowhere");
	if (geteuid() != 0) {
		mkdir("locked", 0555);
		TEST(outdir_check("locked/dir", false, &e) == -1, "a directory that cannot be written");
	}
}

static void copies(void)
{
	struct err e;
	struct outdir *d;
	TEST(outdir_open(&d, "copy", false, &e) == 0, "opens");
	TEST(outdir_copy(d, "one", "other", &e) == 1 && outdir_copy(d, "one", "no", &e) == 0, "copies what is there");
	mkdir("one/dir", 0777);
	TEST(outdir_copy(d, "one", "dir", &e) == -1, "a directory is not copied");
	TEST(outdir_commit(d, &e) == 0 && holds("copy/other", "kept") && entries("copy") == 1, "the copy is complete");
}

int main(void)
{
	const char *dir = test_dir();
	new_ones();
	used_ones();
	refused();
	copies();
	test_dir_done(dir);
	return test_done();
}
