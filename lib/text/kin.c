#include "text/kin.h"
#include "io/there.h"

int kin_same(const struct shard_head *head, const struct bpe *t, const char *whose, bool any, const char *name,
             struct err *e)
{
	if (!head || any)
		return 0;
	if (!head->fingerprint || !t) {
		err_data(e, "%s: the shard's tokenizer cannot be compared with the model's: %s", name,
		         head->fingerprint ? "it has none" : "the shard does not name it");
		return 1;
	}
	if (head->fingerprint == bpe_fingerprint(t))
		return 0;
	return err_data(e, "%s: the shard's tokenizer (%016llx) is not %s (%016llx); --any-tokenizer takes it all the same", name,
	                (unsigned long long)head->fingerprint, whose, (unsigned long long)bpe_fingerprint(t));
}

int kin_admit(const struct shard_head *head, const char *dir, bool any, const char *name, struct err *e)
{
	struct buf path = {0};
	struct bpe *t = NULL;
	int rc = 0;
	if (!head || any)
		return 0;
	if (buf_printf(&path, "%s/tokenizer.json", dir) || !buf_str(&path))
		rc = err_mem(e);
	else if (head->fingerprint && (rc = there_is_file(path.p, e)) > 0)
		rc = bpe_load(&t, path.p, e);
	if (rc == 0)
		rc = kin_same(head, t, path.p, any, name, e);
	bpe_close(t);
	buf_release(&path);
	return rc;
}
