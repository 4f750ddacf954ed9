"""Goldens of tests/unit/variants.c: tokenizer.json files as GPT-2, Llama 3, Qwen 2, OLMo and StarCoder have them,
small, and what HF tokenizers makes of hard texts with each.

Ran under Python 3.11, tokenizers 0.23.3.
usage: variants.py GOLDEN_DIR
Writes to GOLDEN_DIR/variants:
  NAME.json   a tokenizer trained on the sentences below under the settings of NAME
  NAME.txt    a line a record of texts.jsonl: hash of its ids, of its ids with special tokens, of the text they decode to
  texts.jsonl records {"text": ...}
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOLDEN = pathlib.Path(sys.argv[1]) / "variants"
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
    b = s.encode()
    h = hash_word(hash_word(h, len(b) & 0xFFFFFFFF), len(b) >> 32)
    b += bytes(-len(b) % 4)
    return hash_words((int.from_bytes(b[i:i + 4], "little") for i in range(0, len(b), 4)), h)


# --- texts --------------------------------------------------------------------------

SENTENCES = [
    "The quick brown fox doesn't jump over 1234 lazy dogs, and it's 56.78 degrees; we'll see what they've got.",
    "I'M SURE YOU'RE RIGHT: HE'D SAID THAT IT'S 2024-11-24, 100000 times.",
    "for (int i = 0; i < 100; i++) {\n\tprintf(\"%d\\n\", x[i]);\n\n\treturn 0x1F;\n}\r\n\r\n",
    "def main():\n    print('hello world')\n        # a comment\n    return 12345\n\n\n",
    "Der schnelle braune Fuchs springt über den faulen Hund, naïve café cafe\u0301 façade.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. 2024 год.",
    "日本語のテキストは、単語の間に空白がありません。二〇二四年十一月。",
    "한국어 텍스트는 낱말 사이에 빈칸이 있습니다. ١٢٣٤٥ أرقام عربية २०२४",
    "    four spaces        eight\t\ttabs   \n  \n \u3000wide\u00a0hard\u2003em",
    "http://example.org/path?query=1&x=[1,2,3]#frag ... !!! ??? --- === *** ///",
]
WORDS = [*" ".join(SENTENCES).split(" "), "'S", "'T", "'RE", "'Ve", "'lL", "'\u017f", "'\u017fs", "'d", "'D", "'x", "''s", "'",
         "<|endoftext|>", "<|im_end|>", "<|begin_of_text|>", "<|end", "<|tool|>", "cafe\u0301", "\n", "\r\n", "\n\n", " \n", "\n ",
         "\t", "  ", "   ", " ", "1", "12", "123", "1234", "1234567", "½", "²", "Ⅷ", "٣", "\U00011de1", "\U00016ff5", "!\n", "!!\r\n\n",
         "\u0301", "\u200d", "😀", "ﬁ", "\0", "\u2028", "\x85", "\u1680", "ſt", "ß", "İ",
         "<mask>", " <mask> ", "word", "word ", " word", "tok", "Tok", "e\u0301t", "_", "<left>", "<right>", "  \u2003", "\u00b2"]
POOLS = [range(32, 127), range(0xA0, 0x250), range(0x300, 0x340), [*range(9, 14), 32, 32, 0x85, 0xA0, 0x2028, 0x3000],
         [*range(48, 58), 0xB2, 0xBD, 0x660, 0x663, 0x966, 0x2167, 0x3007, 0x11DE0, 0x11DE9, 0x16FF4, 0x16FF6, 0x1D7CE],
         [*b"'sStTdDmMrReEvVlL", 0x17F], range(0x400, 0x460), range(0x4E00, 0x4E80), range(0xAC00, 0xAC40), range(0x1F600, 0x1F640)]


def text(r):
    out = ""
    for _ in range(r.choice([1, 1, 2, 3, 5, 8, 16])):
        if r.random() < 0.5:
            out += r.choice(WORDS)
        elif r.random() < 0.97:
            pool = r.choice(POOLS)
            out += "".join(chr(r.choice(pool)) for _ in range(r.randrange(1, 7)))
        else:
            c = r.randrange(0x110000)
            out += chr(c) if not 0xD800 <= c < 0xE000 else ""
        out += r.choice(["", "", " ", "\n", "  "]) if r.random() < 0.4 else ""
    return out


def texts(n):
    r = random.Random(5)
    return ["", " ", "  ", "\n", "a", "'s", "1", *SENTENCES, *(text(r) for _ in range(n - 7 - len(SENTENCES)))]


# --- tokenizers ------------------------------------------------------------------------

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = GPT4.replace("{1,3}", "")
level, digits, split, sequence = (pre_tokenizers.ByteLevel, pre_tokenizers.Digits, pre_tokenizers.Split, pre_tokenizers.Sequence)
trim = processors.ByteLevel(trim_offsets=True)


def special(name, normalized=False):
    return AddedToken(name, normalized=normalized, special=True)


BARE = level(add_prefix_space=False, use_regex=False)
END = special("<|endoftext|>")
# name: normalizer, pre-tokenizer, special tokens, other added tokens, post-processor(tokenizer), ignore_merges
KINDS = {
    "gpt2": (None, level(add_prefix_space=False), [special("<|endoftext|>", True)], [], lambda t: trim, False),
    "prefix": (None, level(add_prefix_space=True), [END], [], lambda t: trim, False),
    "whole": (None, BARE, [END], [], lambda t: None, False),
    "whole-prefix": (None, level(add_prefix_space=True, use_regex=False), [END], [], lambda t: None, True),
    "llama3": (None, sequence([split(Regex(GPT4), "isolated", invert=False), BARE]), [],
               [special("<|begin_of_text|>"), special("<|end_of_text|>"), special("<|eot_id|>")],
               lambda t: processors.Sequence([trim, processors.TemplateProcessing(
                   single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                   special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))])]), True),
    "qwen2": (normalizers.NFC(), sequence([split(Regex(QWEN), "isolated", invert=False), BARE]), [],
              [END, special("<|im_start|>"), special("<|im_end|>")], lambda t: processors.ByteLevel(trim_offsets=False), False),
    "olmo1": (normalizers.NFC(), level(add_prefix_space=False), [END, special("<|padding|>")],
              [AddedToken(" " * n, normalized=True) for n in (4, 3, 2)],
              lambda t: processors.TemplateProcessing(single="$A <|endoftext|>", pair="$A $B:1",
                                                      special_tokens=[("<|endoftext|>", 0)]), False),
    "olmo2": (None, sequence([split(Regex(GPT4), "removed", invert=True), BARE]), [], [END, AddedToken("<|tool|>", normalized=False)],
              lambda t: None, False),
    "starcoder": (None, sequence([digits(individual_digits=True), level(add_prefix_space=False)]), [END, special("<fim_prefix>")], [],
                  lambda t: trim, False),
    "digits": (normalizers.Sequence([normalizers.NFC()]), sequence([digits(individual_digits=False), level(add_prefix_space=True)]), [END],
               [], lambda t: trim, False),
    "strip": (normalizers.NFC(), level(add_prefix_space=False), [END],
              [AddedToken("<mask>", lstrip=True, normalized=False, special=True),
               AddedToken("word", single_word=True, normalized=False), AddedToken("e\u0301t", single_word=True, normalized=False),
               AddedToken("<left>", lstrip=True, rstrip=True, normalized=False),
               AddedToken("\n", normalized=False), AddedToken("\n!", rstrip=True, normalized=False),
               AddedToken("tok", single_word=True, lstrip=True, normalized=True), AddedToken("tokt", normalized=True),
               AddedToken("<right>", rstrip=True, normalized=True), AddedToken("[", single_word=True, rstrip=True, normalized=True),
               AddedToken("  ", normalized=True)], lambda t: trim, False),
    "strip-prefix": (None, sequence([digits(individual_digits=True), level(add_prefix_space=True)]), [END],
                     [AddedToken("<mask>", lstrip=True, normalized=True, special=True),
                      AddedToken("<right>", rstrip=True, normalized=False), AddedToken("  ", normalized=True)], lambda t: None, True),
    # a run of blanks that a token before has taken; a token that is another's byte once it is normalized
    "blanks": (normalizers.NFC(), level(add_prefix_space=False), [END],
               [AddedToken("  ", lstrip=True, rstrip=True, normalized=True), AddedToken("e\u0301", normalized=True)], lambda t: trim, False),
    "chain": (normalizers.NFC(), sequence([split(Regex(GPT2), "isolated", invert=True), digits(individual_digits=True),
                                           split(Regex(QWEN), "isolated"), level(add_prefix_space=True)]), [END, special("<s>")], [],
              lambda t: processors.TemplateProcessing(single="<s> <|endoftext|> $A <s>", pair="$A $B",
                                                      special_tokens=[("<s>", 1), ("<|endoftext|>", 0)]), True),
}


def train(name):
    norm, pre, first, later, post, ignore = KINDS[name]
    t = Tokenizer(models.BPE(ignore_merges=ignore))
    if norm:
        t.normalizer = norm
    t.pre_tokenizer = BARE # merges that reach over the pieces' ends: wrong ends show
    t.decoder = decoders.Sequence([decoders.ByteLevel()]) if name == "chain" else decoders.ByteLevel()
    t.train_from_iterator([*SENTENCES * 2, *WORDS, *["'\u017fs'\u017ft"] * 50, *map(text, [random.Random(8)] * 300)], trainers.BpeTrainer(vocab_size=700, special_tokens=first, show_progress=False,
                                                             initial_alphabet=level.alphabet()))
    t.pre_tokenizer = pre
    t.add_tokens(later)
    if post(t):
        t.post_processor = post(t)
    file = json.loads(t.to_str())
    if ignore: # tokens that no merge leads to
        r = random.Random(1)
        file["model"]["merges"] = [m for m in file["model"]["merges"] if r.random() < 0.8]
    if name in ("gpt2", "prefix"): # as older files have it
        file["model"]["merges"] = [" ".join(m) for m in file["model"]["merges"]]
        del file["pre_tokenizer"]["use_regex"]
        del file["model"]["type"], file["model"]["ignore_merges"], file["model"]["byte_fallback"]
    return json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n"


def main():
    GOLDEN.mkdir(exist_ok=True)
    records = texts(600)
    with open(GOLDEN / "texts.jsonl", "w", encoding="utf-8") as f:
        for s in records:
            f.write(json.dumps({"text": s}, ensure_ascii=False) + "\n")
    for name in KINDS:
        path = GOLDEN / (name + ".json")
        path.write_text(train(name), encoding="utf-8")
        t = Tokenizer.from_file(str(path))
        with open(GOLDEN / (name + ".txt"), "w") as f:
            for s in records:
                ids = t.encode(s, add_special_tokens=False).ids
                f.write(f"{hash_words(ids):016x} {hash_words(t.encode(s).ids):016x} "
                        f"{hash_text(t.decode(ids, skip_special_tokens=False)):016x}\n")
        print(name, t.get_vocab_size())


if __name__ == "__main__":
    main()
