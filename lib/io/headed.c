#include "io/headed.h"
#include "io/out.h"
#include "io/spool.h"

#include <stdlib.h>

struct headed {
	struct out *out;
	struct spool *spool; /* NULL: the header is put in place */
	size_t size;
};

int headed_open(struct headed **out, const char *path, size_t size, struct err *e)
{
	static const char blank[HEADED_MAX];
	struct headed *h = calloc(1, sizeof *h);
	if (!h)
		return err_mem(e);
	h->size = size;
	int rc = out_open(&h->out, path, OUT_PLAIN, e);
	if (rc == 0 && size)
		rc = out_can_patch(h->out) ? out_write(h->out, blank, size, e) : spool_open(&h->spool, e);
	if (rc) {
		headed_abort(h);
		return -1;
	}
	*out = h;
	return 0;
}

const char *headed_name(const struct headed *h)
{
	return out_name(h->out);
}

int headed_write(struct headed *h, const void *p, size_t n, struct err *e)
{
	return h->spool ? spool_write(h->spool, p, n, e) : out_write(h->out, p, n, e);
}

static int copy(struct headed *h, const void *header, struct err *e)
{
	char b[16 * 1024];
	ssize_t n;
	if (out_write(h->out, header, h->size, e) || spool_rewind(h->spool, e))
		return -1;
	while ((n = spool_read(h->spool, b, sizeof b, e)) > 0)
		if (out_write(h->out, b, (size_t)n, e))
			return -1;
	return n < 0 ? -1 : 0;
}

int headed_commit(struct headed *h, const void *header, struct err *e)
{
	int rc = h->spool ? copy(h, header, e) : h->size ? out_patch(h->out, header, h->size, e) : 0;
	if (rc == 0) {
		rc = out_commit(h->out, e);
		h->out = NULL;
	}
	headed_abort(h);
	return rc;
}

void headed_abort(struct headed *h)
{
	if (!h)
		return;
	out_abort(h->out);
	spool_close(h->spool);
	free(h);
}
