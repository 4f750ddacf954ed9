/* npy.h - NumPy's .npy (numpy.lib.format, versions 1 to 3): an array of one dimension is
 * documents with the end-of-text token behind each; one of two is a record a row, padded
 * on the right. Whole numbers of 8 to 64 bits, either byte order, C order. Used through
 * io/tokenfile.h. */
#ifndef IO_NPY_H
#define IO_NPY_H

#include "io/tokenfile.h"

extern const struct tokenfile_format npy_format;      /* "npy": reads both, writes one dimension */
extern const struct tokenfile_format npy_rows_format; /* "npy2": reads both, writes two */

#endif
