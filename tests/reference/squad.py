"""Golden of nx-eval --text: exact match and token F1 of transformers' SQuAD metrics.

Ran under Python 3.11 with data/metrics/squad_metrics.py of transformers 4.46.3, which
version 5 has no more: it is loaded by itself, without what else that version needs.
usage: squad.py GOLDEN_DIR squad_metrics.py
Writes squad.jsonl: "generated", "answer" (a text, or a list of which the best
counts) and what nx-eval --each should add to them, rounded to 9 digits.
"""
import importlib.util
import json
import logging
import random
import sys
import types


def load(path):
    for name in ("t", "t.data", "t.data.metrics", "t.models", "t.models.bert", "t.utils"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    sys.modules["t.models.bert"].BasicTokenizer = None
    sys.modules["t.utils"].logging = types.SimpleNamespace(get_logger=logging.getLogger)
    spec = importlib.util.spec_from_file_location("t.data.metrics.squad_metrics", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.compute_exact, module.compute_f1


compute_exact, compute_f1 = load(sys.argv[2])

PAIRS = [
    ("Paris", "Paris"), ("paris", "Paris."), ("the city of Paris", "Paris"), ("", ""), ("", "x"), ("x", ""),
    ("the", "a"), ("The an A", ""), ("...", "!?"), ("...", ""), ("the cat sat on the mat", "a cat sat on a mat"),
    ("cat cat cat", "cat cat dog"), ("a b a b", "b b b b"), ("theory of an athe", "theory of athe"),
    ("can't  stop\t\n", "cant stop"), ("a-b", "ab"), ("the-end", "theend"), ("a_b", "ab"), ("$1,000.00", "100000"),
    ("ÉCOLE", "école"), ("É\u0301COLE", "é\u0301cole"), ("İstanbul", "i̇stanbul"), ("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ ΣΑΣ", "οδοσ σασ"),
    ("ΑΣ.", "ας"), ("ΑΣ'Β", "ασβ"), ("Σ", "σ"), ("ǅ", "ǆ"), ("STRASSE", "straße"), ("Ⅷ", "ⅷ"), ("Ꭰ", "ꭰ"), ("ẞ", "ß"),
    ("a\u00a0b", "b"), ("b\u2003c\u3000d", "b c d"), ("b\x1cc", "b c"), ("b\u200bc", "b c"), ("b\x85c", "b c"),
    ("á", "á"), ("a\u0301 b", "b"), ("an\u0301other", "another"), ("aé", "é"), ("the日本", "日本"), ("the 日本", "日本"),
    ("日本語", "日本"), ("“the” quote", "“” quote"), ("¿the?", "¿"), ("a.m. the", "am"), ("²a", "²"), ("a½", "½"),
    ("🙂 the 🙂", "🙂🙂"), ("🙂a🙂", "🙂 🙂"), ("x" * 500 + " the " + "y" * 500, "y" * 500), ("w " * 300, "w " * 299),
    ("{\"0\": 1}", "0 1"), ("answer", ["no", "the answer is", "Answer!"]), ("b c", ["b", "b c d", "e"]), ("z", [""]),
    ("Nothing here", ["something else", "other"]),
]
WORDS = ["the", "a", "an", "The", "cat", "Cat.", "dog", "is", "was", "not", "42", "4,2", "naïve", "É", "-", "_", "ΣΟΣ", "ok!"]


def rows():
    yield from PAIRS
    rng = random.Random(6)
    for _ in range(200):
        draw = lambda: "".join(rng.choice(WORDS) + rng.choice([" ", " ", "  ", "", "\n", ", "]) for _ in range(rng.randrange(8)))
        yield draw(), draw() if rng.random() < 0.8 else [draw() for _ in range(rng.randrange(1, 4))]


with open(f"{sys.argv[1]}/squad.jsonl", "w") as f:
    for text, want in rows():
        wants = [want] if isinstance(want, str) else want
        row = {"generated": text, "answer": want, "exact_match": max(compute_exact(w, text) for w in wants),
               "f1": float(f"{max(float(compute_f1(w, text)) for w in wants):.9g}")}
        row["f1"] = int(row["f1"]) if row["f1"] in (0, 1) else row["f1"]
        f.write(json.dumps(row, ensure_ascii=False) + "\n")
