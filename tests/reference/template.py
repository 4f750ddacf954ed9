"""Golden of lib/text/template: what Python's str.format makes of templates.

Ran under Python 3.11.
usage: template.py GOLDEN_DIR
Writes template.jsonl, templates of all forms over one record, and
template_values.jsonl, {"json": RECORD AS JSON, "template": ..., "want": TEXT or
null}: values of all kinds under conversions and format specifications. null where
Python raises or template.h says that a form is refused. The classes below are the
few rules of template.h that are not Python's: attributes and elements of an object
are its members, and an object of one member with a number for a name is that member.
"""
import json
import random
import sys

OUT = sys.argv[1]


class Text(str):
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
        return format(unwrap(cell(self)), spec)

    def __str__(self):
        return str(unwrap(cell(self)))

    def __repr__(self):
        return repr(unwrap(cell(self)))


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
        return format(unwrap(self), spec)

    def __repr__(self):
        return repr(unwrap(self))


def cell(v):
    keys = list(dict.keys(v))
    return v[keys[0]] if len(keys) == 1 and keys[0].isascii() and keys[0].isdigit() else v


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
    return str.__str__(v) if isinstance(v, Text) else v


def render(template, record):
    try:
        return template.format(**wrap(record))
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError):
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

NUMBERS = ["0", "-0", "1", "-1", "7", "42", "-999", "1000", "1234567", "123456789012345678901234567890", "-9007199254740993", "1" + "0" * 400,
           "0.0", "-0.0", "1.0", "1.50", "-2.50", "0.1", "1e5", "1E+5", "1e16", "1e15", "123456789012345680.0", "1e22", "1e-4", "1e-5", "0.00012345",
           "5e-324", "1.7976931348623157e308", "1E400", "-1E400", "1e-400", "2.2250738585072014e-308", "3.14159265358979", "0.30000000000000004",
           "5.684341886080802e-14", "9007199254740993.0", "100.0", "99999.95", "0.5", "1.5", "2.5", "1e23", "123456.789", "4.35", "0.045", "9.995",
           "1.1e-310", "12345678.0", "999999.5", "1e6"] + [repr(2.0 ** k) for k in range(-1074, 1024, 37)]
TEXTS = ["", "a", "text", "h\u00e9llo w\u00f6rld", "it's", 'say "hi"', "both ' and \"", "back\\slash", "tab\tnew\nret\r", "\u0000\u0001\u001f\u007f\u0080\u00a0\u00ad",
         "\u200b\u200d\u2028\u3000\ufeff\ufffd\ue000", "\U0001f600\U0001f469\u200d\U0001f680", "\U000e0001\U0010ffff\U0010fffe\ud7ff\ufffe", "\u0378\u0301e\u0301", "\u65e5\u672c\u8a9e",
         "\U0001fae8\U0001f774", "'", '"', "{}", "12"]
OTHERS = ["true", "false", "null", "[]", "{}", "[1, 2.50, \"x'y\", null, true, [], {}]", '{"a": {"b": [1e5, "\\u00e9\\n"]}, "c": false}',
          '{"k": 1, "j": 2, "k": 3, "k": 4.0}', '{"": 1}', '{"0": "cell"}', '{"12": 1.50}', '{"x": "one"}', '{"0": {"0": "deep"}}', '{"0": 1, "1": 2}',
          '{"it\'s": "\\"", "\\u0000": "\\ud83d\\ude00"}', "[[[[1]]]]", '{"0": [1, {"0": 2}]}']
CONVERSIONS = ["", "!r", "!s", "!a"]
SPECS = ["", ">10", "<10", "^11", "=12", "*^9", "\u00e9>8", "08", "<08", "x=8", "0=9", ".2", ".0", ".3s", "s", "5s", ">6.2", "d", "5d", "+d", " d", "-d", "010d", ",", "_", "012,", "011,d",
         "015,.2f", "f", ".2f", "+.1f", " .0f", "#.0f", "e", ".3e", "E", "g", ".3g", "G", "#g", ".10g", "%", ".1%", "+08.2f", ".17", ".1", ".5", ",.3f", "_d", "012_d",
         ",e", ",g", ",%", "F", "016,", "1", "001", "<,", "^+12,.1f", "{>5", ".20f", "#d", "#.3e", "#.0e", "#.0%", "+", " ", ",.4", "09,.4", "013,f"]
WRONG = [">", "5.", "x", "b", "c", "n", "o", "X", "z", "z.1f", "#", "ss", "5 ", "..2", ",,", ",_", ",s", "d5", "{n}", "{}", "q", "10x", "=s", "+s", "#s", "99999999999999999999", "[x", "!r"]
OURS = {"x", "b", "c", "n", "o", "X", "z", "z.1f", "#", "{n}", "{}", "10x", ">", "[x"}  # refused here, or said otherwise
random.seed(8)


def texts(record, template, spec):
    value = json.loads(record)
    want = None if spec in OURS and spec not in (">",) else render(template, value)
    return json.dumps({"json": record, "template": template, "want": want}, ensure_ascii=True) + "\n"


with open(f"{OUT}/template_values.jsonl", "w", encoding="utf-8") as f:
    seen = set()
    values = NUMBERS + [json.dumps(t) for t in TEXTS] + OTHERS
    for i, v in enumerate(values):
        record = '{"v": ' + v + ', "n": 5}'
        picked = [("", ""), ("!r", ""), ("!a", "")]
        picked += [(random.choice(CONVERSIONS) if random.random() < 0.25 else "", s) for s in random.sample(SPECS, 14)]
        picked += [("", s) for s in random.sample(WRONG, 1)]
        for conversion, spec in picked:
            template = "{v" + conversion + (":" + spec if spec else "") + "}"
            if (v, template) not in seen:
                seen.add((v, template))
                f.write(texts(record, template, spec))
    for template in ["{v[0]}", "{v[1]}", "{v[9]}", "{v[x]}", "{v.x}", "{v[-1]}", "{v!}", "{v!x}", "{v!r", "{v!rr}", "{v!r:", "{v!r }", "{v:", "{v:>5", "{v!r}{n:>3}", "{w!r}", "{w:>3}"]:
        for v in ["\"h\\u00e9\\ud83d\\ude00x\"", "[1, 2]", "7", "{\"0\": \"cell\", \"1\": 1}"]:
            f.write(texts('{"v": ' + v + ', "n": 5}', template, ""))
    # rounding that makes the number a digit longer
    for v in ["999.95", "-99.96", "9.5", "0.00009996", "999999.95", "1E400", "-0.0", "7"]:
        for spec in ["#.3g", "#.3G", "#.0g", "#g", "+#12,.1g"]:
            f.write(texts('{"v": ' + v + ', "n": 5}', "{v:" + spec + "}", ""))
