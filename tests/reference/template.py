"""Golden of lib/text/template: what Python's str.format makes of templates.

Ran under Python 3.11.
usage: template.py GOLDEN_DIR
Writes template.jsonl: {"template": ..., "record": {...}, "want": TEXT or null}, null
where Python raises. The classes below are the few rules of template.h that are
not Python's: attributes and elements of an object are its members, an object of
one member prints as that member, an array as JSON, numbers as they were written.
"""
import json
import random
import sys

OUT = sys.argv[1]


class Text(str):
    def __getitem__(self, key):
        raise TypeError("a text has no elements")

    def __getattribute__(self, name):
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise AttributeError(name)


class Object(dict):
    def __getattribute__(self, name):
        if name.startswith("__"):
            return super().__getattribute__(name)
        if name in self:
            return self[name]
        raise AttributeError(name)

    def __getitem__(self, key):
        return super().__getitem__(str(key))

    def __format__(self, spec):
        (value,) = dict.values(self)
        if isinstance(value, Object):
            raise TypeError("an object")
        return format(value, spec)


class Array(list):
    def __getattribute__(self, name):
        if name.startswith("__"):
            return super().__getattribute__(name)
        raise AttributeError(name)

    def __getitem__(self, key):
        if not isinstance(key, int):
            raise TypeError(key)
        return super().__getitem__(key)

    def __format__(self, spec):
        return json.dumps(unwrap(self), ensure_ascii=False)


def wrap(v):
    if isinstance(v, dict):
        return Object((k, wrap(x)) for k, x in v.items())
    if isinstance(v, list):
        return Array(wrap(x) for x in v)
    return Text(v) if isinstance(v, str) else v


def unwrap(v):
    if isinstance(v, Object):
        return {k: unwrap(x) for k, x in dict.items(v)}
    if isinstance(v, Array):
        return [unwrap(x) for x in v]
    return str(v) if isinstance(v, Text) else v


def render(template, record):
    try:
        return template.format(**wrap(record))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        return None


RECORD = {
    "a": "text {b} }{", "b": {"a": "in b", "k": {"0": "deep"}, "x y": "space", "a.b": "dotted", "{": "brace", "}": "close"},
    "k": {"0": "first"}, "l": ["zero", {"a": "in l"}, ["nested", 2], 3, True, None], "n": 5, "t": True, "f": False,
    "z": None, "e": "", "empty": {}, "many": {"0": "x", "1": "y"}, "ü": "ünï ✓", "a b": "blank", "arr": [], "0": "zero key",
}
FIXED = ["", "plain", "{a}", "{a}{a}", "{{a}}", "{{{a}}}", "{{{{", "}}}}", "{{}}", "{", "}", "{a", "a}", "{}", "{a}}", "{{a}", "{b.a}",
         "{b[a]}", "{b[x y]}", "{b[a.b]}", "{b[{]}", "{b[}]}", "{b.k.0}", "{b.k[0]}", "{b.k}", "{b[k][0]}", "{k}", "{k[0]}", "{k[1]}", "{l[0]}",
         "{l[1]}", "{l[1].a}", "{l[1][a]}", "{l[2][0]}", "{l[2]}", "{l[6]}", "{l[-1]}", "{l[99999999999999999999]}", "{l[a]}", "{l.a}", "{l[4]}{l[5]}{l[3]}",
         "{n}{t}{f}{z}{e}", "{empty}", "{many}", "{many[1]}", "{ü}", "{a b}", "{ a}", "{a }", "{arr}", "{l[2]}", "{missing}", "{b.missing}", "{b[missing]}",
         "{a.b}", "{b.}", "{b[]}", "{.a}", "{[0]}", "{b[a}", "{b[a]x}", "{b[a]]}", "{b]}", "{a{b}}", "{a{b}", "{n.a}", "{z.a}", "{t[0]}", "{b..a}", "{b.a.}",
         "{b[a][b]}", "x{{y}}z{{{k}}}", "}}{{", "}{", "{{}", "{}}", "\n{a}\n\t", "\u0000{k}\u0000"]

random.seed(7)
BITS = ["{", "}", "{{", "}}", "a", "b", "k", "l", ".", "[", "]", "[0]", "[1]", ".a", ".k", "{a}", "{k}", "{b", "{l", "{many", " ", "x"]
MADE = ["".join(random.choice(BITS) for _ in range(random.randint(1, 8))) for _ in range(1200)]

seen = set()
with open(f"{OUT}/template.jsonl", "w", encoding="utf-8") as f:
    f.write(json.dumps({"record": RECORD}, ensure_ascii=False) + "\n")
    for template in FIXED + MADE:
        if template in seen:
            continue
        seen.add(template)
        f.write(json.dumps({"template": template, "want": render(template, RECORD)}, ensure_ascii=False) + "\n")
