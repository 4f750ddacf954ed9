"""Goldens of lib/text/{unicode,pretok,bpe}: what HF tokenizers makes of hard texts.

Ran under Python 3.11, tokenizers 0.23.3.
usage: bpe.py GOLDEN_DIR DATA_DIR
DATA_DIR holds lamini_docs.jsonl and pythia.tokenizer.json. Writes to GOLDEN_DIR:
  bpe-small.json    a tokenizer trained on examples/nxtools.jsonl, with added tokens of every kind we support
  bpe-texts.jsonl   records {"text": ...}: words, marks, Hangul, spaces, added tokens, any code point
  bpe-small.txt, bpe-pythia.txt
                    a line a record: hash of its ids, of the text they decode to, of the text without special
                    tokens; then lists of ids drawn from the vocabulary, hashed in the same way
  pretok.txt        a line a record: hash of the pieces' ends, in bytes
  unicode.txt       hashes of the classes and of the NFC of all code points, and of the NFC of drawn sequences
  lamini-ids.sha256 of the ids of question + answer, a line a record
"""
import hashlib
import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOLDEN, DATA = map(pathlib.Path, sys.argv[1:3])
ROOT = pathlib.Path(__file__).resolve().parents[2]
M64 = 2**64 - 1
SEED = 0x6E78746F6F6C7331


def hash_word(h, w):
    """lib/base/hash.h"""
    h = ((h ^ w) * 0x9E3779B97F4A7C15) & M64
    return h ^ h >> 32


def hash_words(words, h=SEED):
    for w in words:
        h = hash_word(h, w)
    return h


def hash_text(s, h=SEED):
    b = s.encode() if isinstance(s, str) else s
    h = hash_word(hash_word(h, len(b) & 0xFFFFFFFF), len(b) >> 32)
    b += bytes(-len(b) % 4)
    return hash_words((int.from_bytes(b[i:i + 4], "little") for i in range(0, len(b), 4)), h)


class Draw:
    """Numbers that the C tests draw in the same way."""

    def __init__(self, seed):
        self.h = hash_word(SEED, seed)

    def below(self, n):
        self.h = hash_word(self.h, 1)
        return (self.h >> 32) % n


# --- texts --------------------------------------------------------------------------

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
ASSIGNED = [c for c in CODES if unicodedata.category(chr(c)) not in ("Cn", "Co")]
MARKS = [c for c in CODES if unicodedata.category(chr(c))[0] == "M"]
COMPOSED = [c for c in CODES if unicodedata.normalize("NFD", chr(c)) != chr(c) and not 0xAC00 <= c < 0xD7A4]
PARTS = sorted({ord(x) for c in COMPOSED for x in unicodedata.normalize("NFD", chr(c))})
# assigned after the edition of HF's NFC, some after that of this Python: marks and letters that must stay as they are
LATER = [*range(0x1ABF, 0x1ACF), *range(0x11930, 0x11945), *range(0x105C0, 0x105F4), *range(0x11380, 0x113E3),
         *range(0x16120, 0x1612A), *range(0x16D63, 0x16D6B), *range(0x10EAB, 0x10EAD), *range(0x11F41, 0x11F43)]
SPACES = [*range(9, 14), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200C), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF,
          0x180E, 0x1C, 0x1D, 0x1E, 0x1F]
HANGUL = [*range(0x1100, 0x1113), *range(0x1160, 0x1178), *range(0x11A6, 0x11C8), 0xAC00, 0xAC01, 0xAC1C, 0xD788, 0xD7A3, 0xB9C8]
WORDS = ["the", "Hello", "don't", "it's", "we'll", "I'm", "they've", "you're", "he'd", "'S", "'T", "'ll", "'", "''", " world",
         "internationalization", "2024", "3.14", "foo_bar", "<|endoftext|>", "<|padding|>", "<|endoftext|", "<|", "|>",
         "<<|endoftext|>>", "<|tool|>", "<|tools|>", "[", "[X]", "café", "cafe\u0301", "token", "tokens", "tokenizer", "\n\n",
         "\r\n", "\t\t", "日本語", "한국어", "Привет", "naïve", "ﬁ", "½", "²", "①", "😀", "👨\u200d👩", "\0", "{}", "()", "//",
         "http://x.y/z", "...", "!!", "ǅ", "nxtools", "fine-tune", "a" * 50, "ab" * 30, "=" * 70]


def piece(r):
    kind = r.randrange(14)
    if kind < 4:
        pool, most = [(CODES, 5), (ASSIGNED, 8), (MARKS, 8), (LATER, 4)][kind]
    elif kind < 9:
        pool, most = [(COMPOSED, 4), (PARTS, 8), (HANGUL, 8), (SPACES, 5), (range(128), 12)][kind - 4]
    elif kind == 9:
        return " " * r.choice([1, 1, 2, 3, 4, 23, 24, 25, 26, 49])
    elif kind == 10:
        pool, most = [0x300, 0x301, 0x323, 0x327, 0x345, 0x338, 0x41, 0x65, 0x20, 0x3B1, 0x1FBF], 8
    else:
        return r.choice(WORDS)
    return "".join(chr(r.choice(pool)) for _ in range(r.randrange(1, most + 1)))


def texts(n):
    r = random.Random(3)
    out = ["", " ", "  ", "\0", "Hi, how are you?", "I'm good", "Yes"]
    while len(out) < n:
        out.append("".join(piece(r) + " " * (r.random() < 0.3) for _ in range(r.choice([1, 2, 3, 5, 8, 20]))))
    return out


# --- tokenizers ----------------------------------------------------------------------

def small():
    """Every kind of added token that is supported: special or not, raw or normalized, one that begins another, one
    that NFC changes, one of a single byte, one with a space in it, and a token of the vocabulary."""
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    rows = [json.loads(line) for line in open(ROOT / "examples/nxtools.jsonl", encoding="utf-8")]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<|endoftext|>", "<|padding|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator([r["question"] + r["answer"] for r in rows], trainer)
    t.add_tokens([AddedToken("<|tool|>", normalized=False), AddedToken("<|tool", normalized=False),
                  AddedToken("cafe\u0301", normalized=True), AddedToken("[", normalized=True),
                  AddedToken("a token", normalized=True), AddedToken("token", normalized=True),
                  AddedToken("\u0323\u0301", normalized=False), AddedToken("\n\n", normalized=True, special=True),
                  *[AddedToken(" " * n, normalized=True) for n in (4, 2, 3)]])
    return t


def golden_of(t, name, records):
    special = sorted(i for i, a in t.get_added_tokens_decoder().items() if a.special)
    vocab = t.get_vocab_size()
    known = [t.id_to_token(i) is not None for i in range(vocab)]
    assert all(known), "an id without a token"
    draw = Draw(7)
    lists = [e.ids for e in t.encode_batch(records, add_special_tokens=False)]
    lists += [[draw.below(vocab) for _ in range(i % 40)] for i in range(200)]
    with open(GOLDEN / name, "w") as f:
        f.write(f"# ids text text-without-special: {len(records)} records of bpe-texts.jsonl, 200 lists of drawn ids\n")
        for ids in lists:
            whole, plain = t.decode(ids, skip_special_tokens=False), t.decode(ids, skip_special_tokens=True)
            f.write(f"{hash_words(ids):016x} {hash_text(whole):016x} {hash_text(plain):016x}\n")
    print(name, vocab, "tokens, special", special)


# --- characters -----------------------------------------------------------------------

def unicode_golden():
    everything = "".join(map(chr, CODES))
    kind = dict.fromkeys(CODES, 0)
    for value, regex in ((1, r"\p{L}"), (2, r"\p{N}"), (3, r"\s")):
        for run, _ in pre_tokenizers.Split(Regex(regex), "removed", invert=True).pre_tokenize_str(everything):
            for c in run:
                kind[ord(c)] = value
    nfc = normalizers.NFC().normalize_str
    pools = [PARTS, MARKS[:200], HANGUL, COMPOSED[:1200], LATER, [0x41, 0x65, 0x20, 0x301, 0x323]]
    with open(GOLDEN / "unicode.txt", "w") as f:
        f.write("# plane, hash of the classes, hash of the NFC of c, of c with U+0323 U+0301 behind it, all code points c\n")
        for plane in range(17):
            codes = [c for c in CODES if c >> 16 == plane]
            h = SEED
            for c in codes:
                h = hash_text(nfc(chr(c) + "\u0323\u0301"), hash_text(nfc(chr(c)), h))
            f.write(f"plane {plane} {hash_words(kind[c] for c in codes):016x} {h:016x}\n")
        for number, pool in enumerate(pools):
            f.write(f"pool {number} {len(pool)} {' '.join(f'{c:x}' for c in pool)}\n")
        draw = Draw(11)
        f.write("# hash of the NFC of 1000 texts, each of up to 12 characters from drawn pools\n")
        for _ in range(20):
            h = SEED
            for _ in range(1000):
                s = ""
                for _ in range(1 + draw.below(12)):
                    pool = pools[draw.below(len(pools))]
                    s += chr(pool[draw.below(len(pool))])
                h = hash_text(nfc(s), h)
            f.write(f"drawn {h:016x}\n")


def pretok_golden(records):
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with open(GOLDEN / "pretok.txt", "w") as f:
        f.write("# hash of the ends of the pieces, in bytes, of each record of bpe-texts.jsonl\n")
        for s in records:
            ends = [0]
            for p, _ in level.pre_tokenize_str(s):
                ends.append(ends[-1] + len(p)) # a piece has a character a byte
            f.write(f"{hash_words(ends[1:]):016x}\n")


records = texts(1500)
with open(GOLDEN / "bpe-texts.jsonl", "w", encoding="utf-8") as f:
    for s in records:
        f.write(json.dumps({"text": s}, ensure_ascii=False) + "\n")
t = small()
t.save(str(GOLDEN / "bpe-small.json"))
golden_of(t, "bpe-small.txt", records)
pythia = Tokenizer.from_file(str(DATA / "pythia.tokenizer.json"))
golden_of(pythia, "bpe-pythia.txt", records)
pretok_golden(records)
unicode_golden()

digest = hashlib.sha256()
for line in open(DATA / "lamini_docs.jsonl", encoding="utf-8"):
    row = json.loads(line)
    ids = pythia.encode(row["question"] + row["answer"], add_special_tokens=False).ids
    digest.update((" ".join(map(str, ids)) + "\n").encode())
(GOLDEN / "lamini-ids.sha256").write_text(digest.hexdigest() + "  -\n")
