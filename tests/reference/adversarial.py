"""Golden of tests/unit/adversarial.c: HF's ids of texts made to break a tokenizer.

Ran under Python 3.11, tokenizers 0.23.3.
usage: adversarial.py TOKENIZER_JSON > tests/golden/adversarial.jsonl
A line a text: {"t": TEXT} or {"t": BEFORE, "r": UNIT, "n": TIMES, "u": AFTER}, with
"h", the hash_words (lib/base/hash.h) of its ids, in hexadecimal.
"""
import json
import random
import sys

from tokenizers import Tokenizer

tok = Tokenizer.from_file(sys.argv[1])
M64 = (1 << 64) - 1
random.seed(20)
lines, seen = [], set()


def hash_ids(ids):
    h = 0x6E78746F6F6C7331
    for w in ids:
        h = ((h ^ w) * 0x9E3779B97F4A7C15) & M64
        h ^= h >> 32
    return f"{h:016x}"


def add(t, r="", n=0, u=""):
    key = (t, r, n, u)
    if key in seen:
        return
    seen.add(key)
    ids = tok.encode(t + r * n + u, add_special_tokens=False).ids
    rule = {"t": t, "r": r, "n": n, "u": u} if n else {"t": t}
    lines.append(json.dumps({**rule, "h": hash_ids(ids)}, ensure_ascii=False))


def pick(pool, least, most):
    return "".join(random.choice(pool) for _ in range(random.randint(least, most)))


SPACES = [chr(c) for c in [9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]]
NOT_SPACES = [chr(c) for c in (0x1C, 0x1D, 0x1E, 0x1F, 0x180E, 0x200B, 0x2060, 0xFEFF)]
MARKS = [chr(c) for c in [*range(0x300, 0x370), 0x591, 0x5B0, 0x5BF, 0x64B, 0x651, 0x670, 0x93C, 0x94D, 0xE38, 0xF71, 0x1DC0, 0x20D0, 0x302A, 0x3099, 0x309A,
                          0x1D165, 0x1D16D, 0x898, 0x1ABF, 0x1E130, 0x10EFD]]
EXCLUDED = [chr(c) for c in [*range(0x958, 0x960), 0x9DC, 0x9DD, 0x9DF, 0xA33, 0xA36, 0xA59, 0xA5A, 0xA5B, 0xA5E, 0xB5C, 0xB5D, 0xF43, 0xF4D, 0xF52, 0xF57,
                             0xF5C, 0xF69, 0x2ADC, *range(0xFB1D, 0xFB4F), *range(0x1D15E, 0x1D165), *range(0x1D1BB, 0x1D1C1), 0x340, 0x341, 0x343, 0x344,
                             0x374, 0x37E, 0x387, 0x1F71, 0x1FBE, 0x2126, 0x212A, 0x212B, 0x2000, 0x2001, 0xF900, 0xFA10, 0x2F800, 0x2FA1D]]
HANGUL = [chr(c) for c in (0x1100, 0x1112, 0x1113, 0x115F, 0x1160, 0x1161, 0x1175, 0x1176, 0x11A7, 0x11A8, 0x11C2, 0x11C3, 0xAC00, 0xAC01, 0xAC1C, 0xD7A3,
                           0xA960, 0xD7B0, 0xD7CB, 0x3131)]
INDIC = [chr(c) for c in (0x9C7, 0x9BE, 0x9D7, 0xB47, 0xB3E, 0xB56, 0xB57, 0xBC6, 0xBBE, 0xBD7, 0xCC6, 0xCC2, 0xCD5, 0xDD9, 0xDCF, 0xDCA, 0x1025, 0x102E,
                          0x11131, 0x11127, 0x11347, 0x1133E, 0x114B9, 0x114BA, 0x11935, 0x11930, 0x115B8, 0x115AF)]
EMOJI = ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001f1eb\U0001f1f7", "\U0001f1eb", "1\ufe0f\u20e3", "\U0001f44d\U0001f3fd", "\u2764\ufe0f",
         "\U0001fae8", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
BIDI = ["\u202e", "\u202a", "\u202c", "\u2066", "\u2069", "\u200e", "\u200f", "\u061c", "\u05d0\u05d1", "\u0627\u0644", "12", "abc", " "]
ODD = ["\x00", "\x01", "\x7f", "\x80", "\x9f", "\ufffd", "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff", "\ud7ff", "\ue000", "\uf8ff", "\U000f0000", "\U00100000", "\u0378",
       "\U000e0fff", "\U0003fffd", "\u2fe0", "\U0001d7ff", "\u1c89", "\ua7cb", "\U00013460", "\U0002ebf0", "\U00010d40", "\U0001e5d0", "\U00016d70"]
WORDS = ["a", "A", "word", "Word", "the", "\u00e9", "e\u0301", "\u0416\u0443\u043a", "\u65e5\u672c", "\uac00", "7", "42", "\u0663", "\u216b", "\u00b2", "!", "...", "_", "\u2014", "don't", "x'", "\U0001d400"]
TAILS = ["s", "t", "re", "ve", "m", "ll", "d"]
TOKENS = ["<|endoftext|>", "<|padding|>", "<|endoftext", "|endoftext|>", "<|", "|>", "<|padding|", "<", ">", "|", "<|endoftext|", "<|PADDING|>", "<<|endoftext|>>", "  ", "   ", " ", " " * 24,
          " " * 25, "a", "\u0301", "e", "\n"]

for n in range(1, 61):  # runs of spaces, alone, around words, before other white space
    for form in ("{}", "{}a", "a{}", "a{}b", "{}\n", "\n{}x", "{}1", "{}!", "{}\t{}", "a{}<|endoftext|>{}b"):
        add(form.replace("{}", " " * n))
for s in SPACES + NOT_SPACES:
    for form in ("{}", "a{}b", "a{}{}b", " {}a", "{} a", "a{}", "{}1 {}!", "a {}\u0301", "{}\r\n{}", "x{}   y"):
        add(form.replace("{}", s))
for tail in TAILS + ["S", "LL", "x", "rE", "\u017f"]:
    for quote in ("'", "\u2019", "''", "' ", " '"):
        for t in {tail, tail.upper(), tail.title()}:
            add(f"I{quote}{t}")
            add(f"I{quote}{t}x {quote}{t}' {quote}{t}1")
for a in HANGUL:
    for b in random.sample(HANGUL, 6):
        add(a + b + random.choice(HANGUL) + random.choice(["", "a", "\u0301", " "]))
for c in EXCLUDED:
    add(c + random.choice(["", "\u0301", "\u0323\u0301", "a", " "]))
for pool, count, most in ((MARKS, 60, 30), (MARKS + ["a", "o", "\u01b7", "\u00e5", " "], 100, 20), (INDIC, 80, 6), (EMOJI + [" ", "a", "\u200d", "\ufe0f"], 60, 6),
                          (BIDI, 60, 8), (ODD, 80, 6), (ODD + WORDS + SPACES, 120, 10), (TOKENS, 260, 8), (WORDS + SPACES, 160, 12), (WORDS + ["'" + t for t in TAILS], 60, 10),
                          (EXCLUDED + MARKS + WORDS, 60, 8), (HANGUL + MARKS + [" "], 60, 10), (WORDS + TOKENS + MARKS + ODD + EMOJI, 120, 12)):
    for _ in range(count):
        add(pick(pool, 1, most))
for _ in range(150):  # any code point
    add("".join(chr(random.choice([random.randrange(0x80), random.randrange(0x800), random.randrange(0xD800), random.randrange(0xE000, 0x110000)]))
                for _ in range(random.randint(1, 12))))
for unit in ("\u0301", "\u0323\u0301", "\u0301\u0323", "\u0315\u0300\u05b0\u0327", "a\u0301", "\u1100\u1161\u11a8", "\u1100", "\u1161", "\u11a8", "\u09c7\u09be", "\U0001d165", "\u0345\u0301",
             "\u0344", "\ufb2c", "\U0001f469\u200d", "\u200d", "\x00", "\n", "\t", " ", "\u3000", "\u00a0 ", "'s", "<|", "<|endoftext|>", "<|endoftext|> ", "  \n", "\u65e5", "1", "!", "ab", "_", "\U0010ffff"):
    for n, t, u in ((3, "e", "x"), (31, "e", " x"), (1000 + random.randrange(99), "e", "\u0301"), (4000, " ", "")):
        add(t, unit, n, u)
print("\n".join(lines))
