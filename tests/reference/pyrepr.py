"""Table of lib/text/pyrepr.c: the code points that Python's repr writes as escapes.

Ran under Python 3.11 (Unicode 14.0).
usage: pyrepr.py LIB_TEXT_DIR
Writes pyrepr_table.h: the ranges, above U+007E, of what str.isprintable() denies.
"""
import sys
import unicodedata

ranges = []
for cp in range(0x7F, 0x110000):
    if not chr(cp).isprintable():
        if ranges and ranges[-1][1] == cp - 1:
            ranges[-1][1] = cp
        else:
            ranges.append([cp, cp])
with open(f"{sys.argv[1]}/pyrepr_table.h", "w") as f:
    f.write("/* Made by tests/reference/pyrepr.py: first and last of each range of code points from U+007F on\n"
            f" * that Python {sys.version_info[0]}.{sys.version_info[1]} (Unicode {unicodedata.unidata_version}) does not print. */\n")
    f.write("static const uint32_t escaped[][2] = {\n")
    cells = [f"{{0x{a:X}, 0x{b:X}}}," for a, b in ranges]
    for i in range(0, len(cells), 6):
        f.write("\t" + " ".join(cells[i:i + 6]) + "\n")
    f.write("};\n")
