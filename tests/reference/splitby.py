"""The chances of split --by, computed from the description in split(1).

Ran under Python 3.11 (standard library only).
usage: splitby.py
Prints for the values of the test "the hash is the one that the page describes" in
tests/split.bats: line number, chance of seed 42 and the next larger double,
with colons between.
"""
import math

M64 = 2**64 - 1


def hash_bytes(h, data):
    """lib/base/hash.h"""
    words = [len(data) & 0xFFFFFFFF, len(data) >> 32]
    words += [int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4)]
    return hash_words(h, words)


def hash_words(h, words):
    for w in words:
        h = ((h ^ w) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return h


def chance(value, seed):
    h = hash_bytes(hash_words(0x6E78746F6F6C7331, [seed & 0xFFFFFFFF, seed >> 32]), value.encode())
    h = ((h ^ h >> 30) * 0xBF58476D1CE4E5B9) & M64
    h = ((h ^ h >> 27) * 0x94D049BB133111EB) & M64
    return ((h ^ h >> 31) >> 11) / 2**53


VALUES = ['"a"', '"b"', "1", "2.50", "null", "true", "[1, 2]", '{"k": "x"}', '"\u00e9"', '""']
print(" ".join(f"{n}:{chance(v, 42)!r}:{math.nextafter(chance(v, 42), 1)!r}" for n, v in enumerate(VALUES, 1)))
