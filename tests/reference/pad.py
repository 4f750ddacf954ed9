"""Golden of lib/text/pad: every combination of a tokenizer call's padding and truncation.

Ran under Python 3.11, transformers 5.24.0, tokenizers 0.23.3.
usage: pad.py GOLDEN_DIR
Writes pad.txt, a combination a line:
    padding truncation max_length multiple padding_side truncation_side result
max_length and multiple are -1 where not given. The result is "error", or the hash
(lib/base/hash.h) of the words: for each row its length, its ids, its attention mask.
Writes pad_windows.txt, windows of return_overflowing_tokens, a line each:
    tokens max_length stride truncation_side from-to ...
The rows have 0, 1, 3, 4, 6 and 9 tokens; token j of row i is 10 i + j + 2.
"""
import itertools
import logging
import sys

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

OUT = sys.argv[1]
M64 = 2**64 - 1
logging.disable(logging.WARNING)


def hash_words(words, h=0x6E78746F6F6C7331):
    """lib/base/hash.h"""
    for w in words:
        h = ((h ^ w) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return h


inner = Tokenizer(models.WordLevel({f"t{i}": i for i in range(100)}, unk_token="t1"))
inner.pre_tokenizer = pre_tokenizers.Whitespace()
LENGTHS = [0, 1, 3, 4, 6, 9]
TEXTS = [" ".join(f"t{10 * i + j + 2}" for j in range(n)) for i, n in enumerate(LENGTHS)]

with open(f"{OUT}/pad.txt", "w") as f:
    f.write("# padding truncation max_length multiple padding_side truncation_side result\n")
    for padding, truncation, longest, multiple, pad_side, cut_side in itertools.product(
            ["none", "longest", "max_length"], [True, False], [None, 0, 1, 3, 4, 8, 20], [None, 1, 4, 5],
            ["right", "left"], ["right", "left"]):
        if longest is None and (padding == "max_length" or truncation):
            continue  # HF warns and does neither; here it is wrong usage
        tok = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="t0", padding_side=pad_side, truncation_side=cut_side)
        try:
            out = tok(TEXTS, padding=False if padding == "none" else padding, truncation=truncation, max_length=longest,
                      pad_to_multiple_of=multiple)
            words = []
            for ids, mask in zip(out["input_ids"], out["attention_mask"]):
                words += [len(ids), *ids, *mask]
            got = f"{hash_words(words):016x}"
        except ValueError:
            got = "error"
        f.write(f"{padding} {int(truncation)} {-1 if longest is None else longest} {-1 if multiple is None else multiple} "
                f"{pad_side} {cut_side} {got}\n")

with open(f"{OUT}/pad_windows.txt", "w") as f:
    f.write("# tokens max_length stride truncation_side windows\n")
    for n, longest, side in itertools.product([0, 1, 2, 3, 5, 8, 13, 20], [1, 2, 3, 5, 8, 13], ["right", "left"]):
        for stride in range(longest):
            tok = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="t0", truncation_side=side)
            out = tok(" ".join(f"t{j + 2}" for j in range(n)), truncation=True, max_length=longest, stride=stride,
                      return_overflowing_tokens=True)
            windows = " ".join(f"{ids[0] - 2}-{ids[-1] - 1}" if ids else "0-0" for ids in out["input_ids"])
            f.write(f"{n} {longest} {stride} {side} {windows}\n")
