"""Makes lib/text/unicode_tables.h: what HF tokenizers takes for a letter, a
number and a space, and which code points its NFC touches.

Ran under Python 3.11, tokenizers 0.23.3.
usage: unicode.py > lib/text/unicode_tables.h

Nothing is taken from a Unicode data file: every code point is put through the
regular expressions and the normalizers of HF, and their answers are written down.
"""
import sys

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
EVERYTHING = "".join(map(chr, CODES))
nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str


def matching(regex):
    """The code points that a regular expression for one character matches."""
    split = pre_tokenizers.Split(Regex(regex), "removed", invert=True)
    return {ord(c) for piece, _ in split.pre_tokenize_str(EVERYTHING) for c in piece}


def moves(c):
    """Canonical ordering moves c: it goes before a mark of a higher class or behind one of a lower."""
    return nfd("a\u0301" + c) != "a\u0301" + c or nfd(c + "\u0334") != c + "\u0334"


letters, numbers, spaces = matching(r"\p{L}"), matching(r"\p{N}"), matching(r"\s")
assert not (letters & numbers or letters & spaces or numbers & spaces)

decomposition = {c: nfd(chr(c)) for c in CODES if nfd(chr(c)) != chr(c)}
marks = {c for c in CODES if c not in decomposition and moves(chr(c))}
# A pair composes if it is the last step of some character's composition.
first, second = set(), set()
for c, d in decomposition.items():
    for k in range(1, len(d)):
        a, b = nfc(d[:k]), d[k:]
        if len(a) == len(b) == 1 and nfc(a + b) == chr(c):
            first.add(ord(a))
            second.add(ord(b))


def loose(c):
    """What stands before c, or c alone, may change with c."""
    head = ord(decomposition.get(c, chr(c))[0])
    return nfc(chr(c)) != chr(c) or head in marks or head in second


def nibble(c):
    kind = 1 if c in letters else 2 if c in numbers else 3 if c in spaces else 0
    form = 2 if loose(c) else 1 if c in first or c in decomposition else 0
    return kind | form << 2


values = [0 if 0xD800 <= c < 0xE000 else nibble(c) for c in range(0x110000)]
end = max(c for c in range(0x110000) if values[c]) + 1


def blocks(bits):
    rows, index, size = {}, [], 1 << bits
    for at in range(0, end, size):
        row = tuple(values[at:at + size])
        index.append(rows.setdefault(row, len(rows)))
    return rows, index


bits = min(range(4, 9), key=lambda b: len(blocks(b)[0]) * (1 << b) // 2 + len(blocks(b)[1]) * (1 if len(blocks(b)[0]) <= 256 else 2))
rows, index = blocks(bits)
words = [sum(v << 4 * i for i, v in enumerate(row[at:at + 16])) for row in rows for at in range(0, 1 << bits, 16)]
form = [sum(v >> 2 == f for v in values) for f in range(3)]

print(f"""/* unicode_tables.h - made by tests/reference/unicode.py from HF tokenizers {tokenizers.__version__}: do not edit.
 *
 * Four bits a code point: bits 0-1 its class (0 other, 1 one of {len(letters)} letters \\p{{L}},
 * 2 one of {len(numbers)} numbers \\p{{N}}, 3 one of {len(spaces)} spaces \\s), bits 2-3 its place in NFC
 * (0 nothing touches it; 1 one of {form[1]} that may change with what follows;
 * 2 one of {form[2]} that may change alone or with what precedes).
 * Code point c < UNICODE_END stands in word
 * unicode_words[unicode_rows[c >> UNICODE_BITS] * (UNICODE_SIZE / 16) + c % UNICODE_SIZE / 16]
 * at bit c % 16 * 4; all from UNICODE_END on are 0. */
#ifndef TEXT_UNICODE_TABLES_H
#define TEXT_UNICODE_TABLES_H

#include "text/unicode.h"

_Static_assert(UNICODE_BITS == {bits} && UNICODE_END == 0x{end:X}, "unicode.h reads these tables");
""")


def table(head, items, per_line):
    print(f"{head} = {{")
    for at in range(0, len(items), per_line):
        print("\t" + " ".join(f"{x}," for x in items[at:at + per_line]))
    print("};")


table(f"const {'uint8_t' if len(rows) <= 256 else 'uint16_t'} unicode_rows[{len(index)}]", index, 24)
print()
table(f"const uint64_t unicode_words[{len(words)}]", [f"0x{w:X}" if w else "0" for w in words], 6)
print("\n#endif")
print(f"{len(letters)} letters, {len(numbers)} numbers, {len(spaces)} spaces; {form} by NFC form; "
      f"{len(rows)} rows of {1 << bits}", file=sys.stderr)
