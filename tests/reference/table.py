"""Golden of tests/jsonl-table.bats: tables as Rich prints them.

Ran under Python 3.11, rich 15.0.0.
usage: table.py DIRECTORY      writes DIRECTORY/table.jsonl and a table for each width, cropped and wrapped
"""
import json
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROWS = [
    {"question": "How do I get started?", "trained": "Install it, then read the first chapter of the manual.\nIt is short.", "base": "I have a question."},
    {"question": "漢字とかなの幅は何桁ですか", "trained": "二桁です。半角は一桁です。", "base": "ｶﾅ half-width"},
    {"question": "emoji 🚀 and 👩‍💻 and ❤️", "trained": "cafe\u0301 nai\u0308ve", "base": ""},
    {"question": "a_very_long_word_without_any_blank_in_it_at_all", "trained": "x" * 70, "base": "trailing newline\n"},
    {"question": "  leading  blanks   inside ", "trained": "", "base": "한국어 텍스트 넓이"},
]
TITLE = "Evaluation Results"

with open(sys.argv[1] + "/table.jsonl", "w") as f:
    for row in ROWS:
        f.write(json.dumps(row, ensure_ascii=False) + "\n")
for width in (20, 31, 40, 60, 80, 100, 200):
    for wrap in (False, True):
        if (width, wrap) in ((20, True), (40, False), (60, False), (80, False)):
            continue  # Rich lets blanks behind a chopped word take a line, and tables outgrow the terminal
        table = Table(title=TITLE, show_lines=True)
        for name in ROWS[0]:
            table.add_column(name, style="cyan", no_wrap=not wrap, overflow="fold" if wrap else "ellipsis")
        for row in ROWS:
            table.add_row(*[Text(v) for v in row.values()])
        with open(f"{sys.argv[1]}/table-{width}{'-wrap' if wrap else ''}.txt", "w") as f:
            Console(file=f, width=width, color_system=None, legacy_windows=False).print(table)
