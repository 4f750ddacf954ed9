"""Golden of tests/corpora.bats: HF's ids of whole corpora, line by line.

Ran under Python 3.11, tokenizers 0.23.3, on what corpora.sh made of Debian 12's packages.
usage: corpora.py TOKENIZER_JSON CORPORA_DIR > tests/golden/corpora.sha256
A line a corpus: NAME, lines, tokens, sha256 of the text, sha256 of the ids: those of
a line of text on a line, separated by blanks. Lines lose their \\n or \\r\\n.
"""
import hashlib
import pathlib
import sys

from tokenizers import Tokenizer

tok = Tokenizer.from_file(sys.argv[1])
print("# manpages-ja 0.5.0.0.20221215+dfsg-1, manpages-ru and manpages-de 4.18.1-1, manpages-zh 1.6.4.0-1, fortunes-ru 1.52-3.1, "
      "linux-source-6.1 6.1.192-2")
for path in sorted(pathlib.Path(sys.argv[2]).glob("*.txt")):
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    if not lines[-1]:
        lines.pop()
    lines = [line.removesuffix(b"\r").decode() for line in lines]
    ids, tokens = hashlib.sha256(), 0
    for i in range(0, len(lines), 5000):
        for e in tok.encode_batch_fast(lines[i:i + 5000], add_special_tokens=False):
            ids.update((" ".join(map(str, e.ids)) + "\n").encode())
            tokens += len(e.ids)
    print(path.stem, len(lines), tokens, hashlib.sha256(raw).hexdigest(), ids.hexdigest(), flush=True)
