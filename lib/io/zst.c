#include "io/zst.h"

#include <stdlib.h>
#include <zstd.h>

struct zst_reader {
	ZSTD_DStream *ds;
	zst_pull *pull;
	void *arg;
	ZSTD_inBuffer src;
	bool mid_frame; /* a frame has begun and not ended */
	bool ended;     /* pull said so */
	size_t cap;
	char buf[];
};

struct zst_writer {
	ZSTD_CStream *cs;
	zst_push *push;
	void *arg;
	size_t cap;
	char buf[];
};

struct zst_reader *zst_reader_open(zst_pull *pull, void *arg, struct err *e)
{
	size_t cap = ZSTD_DStreamInSize();
	struct zst_reader *z = malloc(sizeof *z + cap);
	if (!z || !(z->ds = ZSTD_createDStream())) {
		free(z);
		err_mem(e);
		return NULL;
	}
	ZSTD_initDStream(z->ds);
	z->pull = pull;
	z->arg = arg;
	z->cap = cap;
	z->src = (ZSTD_inBuffer){z->buf, 0, 0};
	z->mid_frame = z->ended = false;
	return z;
}

ssize_t zst_read(struct zst_reader *z, void *p, size_t cap, struct err *e)
{
	ZSTD_outBuffer dst = {p, cap, 0};
	while (dst.pos == 0) {
		if (z->src.pos == z->src.size && !z->ended) {
			ssize_t n = z->pull(z->arg, z->buf, z->cap, e);
			if (n < 0)
				return -1;
			z->ended = n == 0;
			z->src.size = (size_t)n;
			z->src.pos = 0;
		}
		if (z->ended && !z->mid_frame)
			return 0;
		size_t was = z->src.pos;
		size_t rc = ZSTD_decompressStream(z->ds, &dst, &z->src);
		if (ZSTD_isError(rc))
			return err_data(e, "zstd stream is damaged: %s", ZSTD_getErrorName(rc));
		/* with nothing left to read and nothing coming out, the rest of the frame is missing */
		if (z->ended && rc != 0 && dst.pos == 0 && z->src.pos == was)
			return err_data(e, "zstd stream is cut off");
		z->mid_frame = rc != 0;
	}
	return (ssize_t)dst.pos;
}

void zst_reader_close(struct zst_reader *z)
{
	if (!z)
		return;
	ZSTD_freeDStream(z->ds);
	free(z);
}

struct zst_writer *zst_writer_open(zst_push *push, void *arg, struct err *e)
{
	size_t cap = ZSTD_CStreamOutSize();
	struct zst_writer *z = malloc(sizeof *z + cap);
	if (!z || !(z->cs = ZSTD_createCStream())) {
		free(z);
		err_mem(e);
		return NULL;
	}
	ZSTD_CCtx_setParameter(z->cs, ZSTD_c_compressionLevel, 3);
	ZSTD_CCtx_setParameter(z->cs, ZSTD_c_checksumFlag, 1);
	z->push = push;
	z->arg = arg;
	z->cap = cap;
	return z;
}

static int drive(struct zst_writer *z, const void *p, size_t n, ZSTD_EndDirective how, struct err *e)
{
	ZSTD_inBuffer src = {p, n, 0};
	for (;;) {
		ZSTD_outBuffer dst = {z->buf, z->cap, 0};
		size_t rc = ZSTD_compressStream2(z->cs, &dst, &src, how);
		if (ZSTD_isError(rc))
			return err_data(e, "zstd: %s", ZSTD_getErrorName(rc));
		if (dst.pos && z->push(z->arg, z->buf, dst.pos, e))
			return -1;
		if (how == ZSTD_e_continue ? src.pos == src.size : rc == 0)
			return 0;
	}
}

int zst_write(struct zst_writer *z, const void *p, size_t n, struct err *e)
{
	return drive(z, p, n, ZSTD_e_continue, e);
}

int zst_flush(struct zst_writer *z, struct err *e)
{
	return drive(z, NULL, 0, ZSTD_e_flush, e);
}

int zst_end(struct zst_writer *z, struct err *e)
{
	return drive(z, NULL, 0, ZSTD_e_end, e);
}

void zst_writer_close(struct zst_writer *z)
{
	if (!z)
		return;
	ZSTD_freeCStream(z->cs);
	free(z);
}
