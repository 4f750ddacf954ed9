#include "text/kin.h"

#include "text/bpe.h"

#include <unistd.h>

static int compare(uint64_t made, const char *path, const char *name, struct err *e)
{
	struct bpe *t;
	if (bpe_load(&t, path, e))
		return -1;
	uint64_t have = bpe_fingerprint(t);
	bpe_close(t);
	if (have == made)
		return 0;
	return err_data(e, "%s: the shard's tokenizer (%016llx) is not %s (%016llx); --any-tokenizer takes it all the same", name,
	                (unsigned long long)made, path, (unsigned long long)have);
}

int kin_admit(const struct shard_head *head, const char *dir, bool any, const char *name, struct err *e)
{
	struct buf path = {0};
	int rc;
	if (!head || any)
		return 0;
	if (buf_printf(&path, "%s/tokenizer.json", dir) || !buf_str(&path)) {
		rc = err_mem(e);
	} else if (!head->fingerprint || access(path.p, F_OK)) {
		err_data(e, "%s: the shard's tokenizer cannot be compared with the model's: %s", name,
		         head->fingerprint ? "it has none" : "the shard does not name it");
		rc = 1;
	} else {
		rc = compare(head->fingerprint, path.p, name, e);
	}
	buf_release(&path);
	return rc;
}
