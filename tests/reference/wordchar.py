"""Makes lib/text/wordchar_tables.h: the characters that HF's added tokens take for parts of a word (single_word).

Ran under Python 3.11, tokenizers 0.23.3.
usage: wordchar.py > lib/text/wordchar_tables.h
"""
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
t = Tokenizer(models.BPE(vocab={"x": 0}, merges=[]))
t.add_tokens([AddedToken("Q", single_word=True, normalized=False)])
word = {c for c, e in zip(CODES, t.encode_batch(["Q" + chr(c) for c in CODES])) if t.token_to_id("Q") not in e.ids}
before = {c for c, e in zip(CODES, t.encode_batch([chr(c) + "Q" for c in CODES])) if t.token_to_id("Q") not in e.ids}
assert word == before
letters = {ord(c) for run, _ in pre_tokenizers.Split(Regex(r"\p{L}"), "removed", invert=True).pre_tokenize_str("".join(map(chr, CODES)))
           for c in run}
assert letters <= word

rows = []
for c in sorted(word - letters):
    if rows and rows[-1][1] == c - 1:
        rows[-1][1] = c
    else:
        rows.append([c, c])
print(f"""/* wordchar_tables.h - made by tests/reference/wordchar.py from HF tokenizers 0.23.3: do not edit.
 * {len(word - letters)} characters that are no letters and yet parts of words, as first and last of each run. */
#ifndef TEXT_WORDCHAR_TABLES_H
#define TEXT_WORDCHAR_TABLES_H

#include <stdint.h>

static const uint32_t wordchar_runs[{len(rows)}][2] = {{""")
for i in range(0, len(rows), 6):
    print("\t" + " ".join("{0x%X, 0x%X}," % tuple(r) for r in rows[i:i + 6]))
print("};\n\n#endif")
