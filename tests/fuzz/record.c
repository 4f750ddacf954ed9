/* Any bytes as token records, JSON lines, shard or zstd: read to the end and
 * written in both forms, or refused. */
#include "fuzz.h"

#include "io/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char null_path[] = "/dev/null";
	char path[32], *paths[] = {path};
	struct shard_head h = {65536, 0, 1, 7};
	struct record_out *lines = NULL, *shard = NULL;
	struct record_in *in;
	struct record r;
	struct err e;
	int rc, fd = fuzz_open(p, n, path);
	if (record_open(&in, 1, paths, &e) == 0) {
		if (record_create(&lines, null_path, RECORD_JSONL, NULL, OUT_PLAIN, &e) ||
		    record_create(&shard, null_path, RECORD_SHARD, &h, OUT_PLAIN, &e))
			abort();
		while ((rc = record_next(in, &r, &e)) != 0) {
			if (rc < 0 && e.kind != ERR_DATA)
				break;
			if (rc == 1) {
				(void)record_put(shard, &r, record_arena(in), &e);
				if (record_put(lines, &r, record_arena(in), &e))
					abort();
			}
		}
		record_abort(lines);
		record_abort(shard);
		record_close(in);
	}
	close(fd);
	return 0;
}
