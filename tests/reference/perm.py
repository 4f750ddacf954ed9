"""Goldens of lib/base/pcg and lib/text/perm: what NumPy and HF datasets do.

Ran under Python 3.11, numpy 2.4.6, datasets 5.2.0, pyarrow 21.0.0.
usage: perm.py GOLDEN_DIR
Writes perm.txt (NumPy permutations, as hashes), perm_interval.txt (bounded
draws of NumPy's C code, both sides of 2^32) and perm_sizes.txt (train_test_split).
"""
import ctypes
import sys

import numpy as np
import numpy.random._generator as generator
import pyarrow
from datasets import Dataset, disable_progress_bars
from datasets.table import InMemoryTable

OUT = sys.argv[1]
M64 = 2**64 - 1


def hash_words(words, h=0x6E78746F6F6C7331):
    """lib/base/hash.h"""
    for w in words:
        h = ((h ^ int(w)) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return h


def rows(n):
    """A data set of n rows; given a fingerprint, since this pyarrow cannot be hashed for one."""
    return Dataset(InMemoryTable(pyarrow.table({"i": pyarrow.array(range(n), pyarrow.int64())})), fingerprint=f"n{n}")


PAIRS = [(1, 0), (1, M64), (2, 0), (2, 1), (2, 2**32), (3, 123), (7, 2**63), (10, 42), (10, 2**32 - 1),
         (10, 2**32 + 42), (140, 123), (255, 5), (256, 2**40 + 1), (257, M64), (1000, 31337),
         (1260, 42), (1400, 123), (1400, 2**33), (65537, 9), (100000, 0), (100000, 123), (100000, 2**32),
         (100000, 2**63 + 12345), (100000, M64)]

with open(f"{OUT}/perm.txt", "w") as f:
    f.write("# n seed hash_of_words first last: numpy.random.default_rng(seed).permutation(n)\n")
    for n, seed in PAIRS:
        p = np.random.default_rng(seed).permutation(n)
        f.write(f"{n} {seed} {hash_words(p):016x} {p[0]} {p[-1]}\n")

# NumPy's own bounded draw, called in its shared object
lib = ctypes.CDLL(generator.__file__)
lib.random_interval.restype = ctypes.c_uint64
lib.random_interval.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
MAXES = [0, 1, 2, 9, 2**16, 2**31, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1, 5, 2**40, 6, 7, 2**63, M64, 3]
with open(f"{OUT}/perm_interval.txt", "w") as f:
    f.write("# seed max value: consecutive draws of random_interval\n")
    for seed in (0, 123, 2**32, 2**64 - 2):
        bits = np.random.PCG64(seed)
        at = bits.ctypes.bit_generator
        for top in MAXES * 3:
            f.write(f"{seed} {top} {lib.random_interval(at, top)}\n")

disable_progress_bars()
TESTS = [None, "0.1", "0.07", "0.25", "0.29", "0.5", "0.999", "0.001", "1e-1", "1", "2", "10", "99", "100", "1399", "1400"]
with open(f"{OUT}/perm_sizes.txt", "w") as f:
    f.write("# n test_size train_size ntest ntrain, or 'error' (- is: not given)\n")
    for n in (0, 1, 2, 3, 10, 99, 100, 1400):
        data = rows(n)
        for test in TESTS:
            for train in TESTS:
                size = [None if s is None else int(s) if s.isdigit() else float(s) for s in (test, train)]
                try:
                    d = data.train_test_split(test_size=size[0], train_size=size[1], shuffle=False)
                    # an empty data set comes back whole, twice
                    got = f"{len(d['test'])} {len(d['train'])}"
                    if n > 0:
                        assert list(d["train"]["i"]) == list(range(len(d["train"])))
                except ValueError:
                    got = "error"
                f.write(f"{n} {test or '-'} {train or '-'} {got}\n")
    # the order of the parts, once
    d = rows(1400).train_test_split(test_size=0.1, seed=123)
    p = np.random.default_rng(123).permutation(1400)
    assert list(d["test"]["i"]) == list(p[:140]) and list(d["train"]["i"]) == list(p[140:])
    assert list(d["test"]["i"])[:2] == [602, 1120]
