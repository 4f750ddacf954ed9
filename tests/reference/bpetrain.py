"""Goldens of lib/text/bpetrain: the merges HF's BpeTrainer learns.

Ran under Python 3.11, tokenizers 0.23.3.
usage: bpetrain.py GOLDEN_DIR [lamini_docs.jsonl]
Reads bpetrain_multi.txt and bpetrain_code.txt there, writes bpetrain_CASE.merges:
a line "# tokens hash" with the size of the vocabulary and the hash (lib/base/hash.h)
of its tokens in order of id, each with a newline; then the merges in order.
tests/unit/bpetrain.c trains on the same texts. With the guide's data set also
bpetrain_guide.sha256: of the 2000 tokens' merges as JSON strings, a line each.
"""
import hashlib
import json
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = sys.argv[1]
M64 = 2**64 - 1
PYTHIA = ["<|endoftext|>", "<|padding|>"]


def hash_bytes(data):
    """lib/base/hash.h"""
    h = 0x6E78746F6F6C7331
    padded = data + bytes(-len(data) % 4)
    words = [len(data) & 0xFFFFFFFF, len(data) >> 32]
    words += [int.from_bytes(padded[i:i + 4], "little") for i in range(0, len(padded), 4)]
    for w in words:
        h = ((h ^ w) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return h


def made_up(letters, longest, lines, seed):
    """Words of random letters: full of ties, of runs and of tokens with two ways to them."""
    out, x = [], seed

    def draw(n):
        nonlocal x
        x = (x * 6364136223846793005 + 1442695040888963407) & M64
        return (x >> 33) % n

    for _ in range(lines):
        words = ["".join(letters[draw(len(letters))] for _ in range(1 + draw(longest))) for _ in range(10)]
        out.append(" ".join(words) + "\n")
    return out


def lines_of(name):
    """As HF feeds a file: line by line, with the newlines."""
    with open(f"{OUT}/{name}", encoding="utf-8", newline="") as f:
        return [s + "\n" for s in f.read().split("\n")[:-1]]


def train(texts, vocab, min_frequency, special, alphabet=True, prefix=False, nfc=True, **more):
    t = Tokenizer(models.BPE())
    if nfc:
        t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    t.decoder = decoders.ByteLevel(add_prefix_space=prefix)
    t.post_processor = processors.ByteLevel(add_prefix_space=prefix)
    t.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=vocab, min_frequency=min_frequency, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else [], **more))
    return json.loads(t.to_str())


CASES = [
    ("two", made_up("ab", 12, 60, 1), 420, 0, PYTHIA),
    ("three", made_up("abc", 9, 200, 2), 700, 2, []),
    ("many", made_up("aeiounrtslkd", 7, 400, 3), 1200, 3, PYTHIA),
    ("special", made_up("ab", 12, 60, 4), 400, 0, ["ab", "Ġa", "a", "aab", "bb", "ab", "Ġ"]),
    ("special2", made_up("abc", 16, 300, 5), 1500, 0, ["abc", "bcab", "ca", "cab", "Ġabca", "aa", "aaa", "bca"]),
    ("none", made_up("ab", 12, 60, 6), 100, 0, PYTHIA),
    ("dry", ["abcd abcd\n", "xyz\n"], 1000, 0, PYTHIA),
    ("multi", lines_of("bpetrain_multi.txt"), 900, 0, PYTHIA),
    ("code", lines_of("bpetrain_code.txt"), 1000, 2, PYTHIA),
    ("often", lines_of("bpetrain_code.txt"), 1000, 5, PYTHIA),
    ("once", lines_of("bpetrain_code.txt"), 700, 1, []),
    ("run", ["a" * 37 + "\n", "aaa aaaa a aa aaaaa aaaaaaaaaaa\n", "baaab aaab baaa\n"], 300, 0, []),
    ("long", ["".join(line.split()) + "\n" for line in made_up("abcd", 40, 20, 7)], 700, 0, []),
    ("empty", [], 300, 0, PYTHIA),
    ("max1", lines_of("bpetrain_multi.txt"), 900, 0, PYTHIA, {"max_token_length": 1}),
    ("max4", lines_of("bpetrain_multi.txt"), 900, 0, PYTHIA, {"max_token_length": 4}),
    ("max16", lines_of("bpetrain_code.txt"), 1500, 0, [], {"max_token_length": 16}),
    ("runmax", ["a" * 37 + "\n", "baaab aaab baaa " * 3 + "\n"], 300, 0, [], {"max_token_length": 5}),
    ("seen", lines_of("bpetrain_multi.txt"), 600, 0, PYTHIA, {"alphabet": False}),
    ("limit", lines_of("bpetrain_multi.txt"), 500, 0, ["z", "Ġ"], {"alphabet": False, "limit_alphabet": 20}),
    ("prefix", lines_of("bpetrain_code.txt"), 700, 0, PYTHIA, {"prefix": True}),
    ("plain", lines_of("bpetrain_multi.txt"), 900, 0, PYTHIA, {"nfc": False}),
]

for name, texts, vocab, min_frequency, special, *more in CASES:
    d = train(texts, vocab, min_frequency, special, **(more[0] if more else {}))
    # which of equally rare letters HF drops is up to chance: no case may depend on it
    assert all(d == train(texts, vocab, min_frequency, special, **(more[0] if more else {})) for _ in range(5)), name
    tokens = sorted(d["model"]["vocab"].items(), key=lambda kv: kv[1])
    assert [i for _, i in tokens] == list(range(len(tokens)))
    digest = hash_bytes("".join(t + "\n" for t, _ in tokens).encode())
    with open(f"{OUT}/bpetrain_{name}.merges", "w", encoding="utf-8") as f:
        f.write(f"# {len(tokens)} {digest:016x}\n")
        for a, b in d["model"]["merges"]:
            f.write(f"{a} {b}\n")
    print(name, len(tokens), len(d["model"]["merges"]))

if len(sys.argv) > 2:
    with open(sys.argv[2], encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    d = train([r["question"] + r["answer"] for r in rows], 2000, 0, PYTHIA)
    lines = "".join(json.dumps(f"{a} {b}", ensure_ascii=False) + "\n" for a, b in d["model"]["merges"])
    with open(f"{OUT}/bpetrain_guide.sha256", "w") as f:
        f.write(hashlib.sha256(lines.encode()).hexdigest() + "\n")
