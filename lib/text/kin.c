#include "text/kin.h"

#include "text/bpe.h"

#include <unistd.h>

static enum kin compare(uint64_t made, const char *path, struct err *e)
{
	struct bpe *t;
	if (bpe_load(&t, path, e))
		return KIN_ERROR;
	uint64_t have = bpe_fingerprint(t);
	bpe_close(t);
	if (have == made)
		return KIN_SAME;
	err_data(e, "the shard's tokenizer (%016llx) is not %s (%016llx)", (unsigned long long)made, path,
	         (unsigned long long)have);
	return KIN_OTHER;
}

enum kin kin_check(const struct shard_head *head, const char *dir, struct err *e)
{
	struct buf path = {0};
	enum kin kin;
	if (!head)
		return KIN_SAME;
	if (buf_printf(&path, "%s/tokenizer.json", dir) || !buf_str(&path)) {
		err_mem(e);
		kin = KIN_ERROR;
	} else if (!head->fingerprint || access(path.p, F_OK)) {
		err_data(e, "the shard's tokenizer cannot be compared with the model's: %s",
		         head->fingerprint ? "it has none" : "the shard does not name it");
		kin = KIN_UNKNOWN;
	} else {
		kin = compare(head->fingerprint, path.p, e);
	}
	buf_release(&path);
	return kin;
}
