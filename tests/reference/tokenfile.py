"""Goldens of shard-cat: the same documents in the files of llm.c, nanoGPT, Megatron and NumPy.

Ran under Python 3.11, numpy 2.4.6, megatron-core 0.16.1 (which needs torch, here 2.15.0).
usage: tokenfile.py GOLDEN_DIR        writes GOLDEN_DIR/tokenfile/
       tokenfile.py --read FILE ...   prints what is in a .npy or PREFIX.idx as its own library reads it, a record a line
The .npy files are numpy.save's, the .idx and .bin those of Megatron's IndexedDatasetBuilder,
fed as its tools/preprocess_data.py feeds it; those of llm.c and nanoGPT are written here
after the description of their data scripts (dev/data/data_common.py, data/openwebtext/prepare.py).
"""
import os
import struct
import sys

import numpy as np

EOS = 0
DOCS = [[5, 6, 7], [300], [8, 9, 10, 11, 500], [12, 13]]
LLAMA = [[128000, 9906, 1917], [128000, 128255], [128000]]


def llmc(path, magic, version, dtype, docs, eos):
    tokens = [t for d in docs for t in ([eos] if eos is not None else []) + d]
    header = np.zeros(256, np.int32)
    header[:3] = magic, version, len(tokens)
    with open(path, "wb") as f:
        f.write(header.tobytes() + np.array(tokens, dtype).tobytes())


def stream(docs):
    return [t for d in docs for t in d + [EOS]]


def megatron(prefix, docs, dtype):
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    builder = IndexedDatasetBuilder(prefix + ".bin", dtype=dtype)
    for sentences in docs:
        builder.add_document([t for s in sentences for t in s], [len(s) for s in sentences])
    builder.finalize(prefix + ".idx")


def npy(out):
    flat = stream(DOCS)
    rows = np.full((4, 5), 1)
    for i, d in enumerate(DOCS):
        rows[i, : len(d)] = d
    for name, dtype in ("u2", "<u2"), ("i4", "<i4"), ("i8be", ">i8"), ("u2be", ">u2"), ("u4", "<u4"), ("i2", "<i2"):
        np.save(f"{out}/flat-{name}.npy", np.array(flat, dtype))
    for name, dtype in ("u2", "<u2"), ("i4", "<i4"), ("i8be", ">i8"):
        np.save(f"{out}/rows-{name}.npy", rows.astype(dtype))
    with open(f"{out}/flat-version2.npy", "wb") as f:
        np.lib.format.write_array(f, np.array(flat, "<u2"), version=(2, 0))
    np.save(f"{out}/none.npy", np.zeros((0,), "<i4"))
    np.save(f"{out}/none-rows.npy", np.zeros((3, 0), "<i4"))
    np.save(f"{out}/bad-float.npy", np.zeros(3, "<f4"))
    np.save(f"{out}/bad-struct.npy", np.zeros(3, [("a", "<i4")]))
    np.save(f"{out}/bad-fortran.npy", np.asfortranarray(rows.astype("<u2")))
    np.save(f"{out}/bad-cube.npy", np.zeros((2, 2, 2), "<i4"))
    np.save(f"{out}/bad-scalar.npy", np.array(3, "<i4"))
    np.save(f"{out}/bad-negative.npy", np.array([1, -1, 0], "<i4"))


def read(path):
    if path.endswith(".npy"):
        a = np.load(path)
        print(a.dtype, a.shape)
        print("\n".join(" ".join(map(str, r)) for r in np.atleast_2d(a)))
        return
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    for mmap in (True, False):
        d = IndexedDataset(path[:-4], mmap=mmap)
        print(d.index.dtype.__name__, len(d), d.document_indices.tolist())
        for i in range(len(d)):
            print(*d[i].tolist())


if sys.argv[1] == "--read":
    for p in sys.argv[2:]:
        read(p)
    sys.exit()
OUT = os.path.join(sys.argv[1], "tokenfile")
os.makedirs(OUT, exist_ok=True)
llmc(OUT + "/gpt2.bin", 20240520, 1, "<u2", DOCS, EOS)
llmc(OUT + "/llama3.bin", 20240801, 7, "<u4", LLAMA, None)
np.array(stream(DOCS), "<u2").tofile(OUT + "/nanogpt.bin")
npy(OUT)
megatron(OUT + "/mega", [[d] for d in DOCS[:2]] + [[]] + [[d] for d in DOCS[2:]], np.uint16)
megatron(OUT + "/mega32", [[d] for d in LLAMA], np.int32)
megatron(OUT + "/sentences", [[DOCS[0], DOCS[1]], [], [DOCS[2], DOCS[3]]], np.int32)
