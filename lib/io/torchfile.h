/* torchfile.h - the tensors of a pytorch_model.bin, without running any of it.
 *
 *	if (torchfile_read(&set, "m/pytorch_model.bin", &e)) ...        adds its tensors (io/tensor.h)
 *
 * The file is a zip (io/torchzip.h) with a pickle that describes the tensors
 * (io/pickle.h; the only names taken are those with which torch.save spells a
 * dictionary of tensors) and a stored record for each storage. Checked: the size
 * of a storage against its record, each tensor against its storage, that it is
 * dense and row-major, that numbers are little-endian. The format from before
 * PyTorch 1.6, no zip, is refused and named. */
#ifndef IO_TORCHFILE_H
#define IO_TORCHFILE_H

#include "base/err.h"
#include "io/tensor.h"

int torchfile_read(struct tensor_set *s, const char *path, struct err *e);

#endif
