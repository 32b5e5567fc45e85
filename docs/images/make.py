# ruff: noqa: INP001 - a script, not a package
"""Makes ``demo.svg`` and ``check.svg``: runs the real commands and draws what they wrote on the terminal.

``python docs/images/make.py [demo | check]``, from the checkout. A picture refers to nothing outside itself.
``check.svg`` is of the tests' corpus: every line of the provider's table and every refusal.
"""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import chdir
from functools import partial
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from cli import report, words
from cli.check import check
from cli.demo import demo
from tests.inspection.corpus import AUDIO, DOCUMENT, IMAGE, STICKER, VIDEO

HERE = Path(__file__).resolve().parent
COLUMNS = 110
#: Lines of each table; the demo itself says how many more there are.
LINES = 9
CHECK_LINES = 15
#: Rich names fonts on a web server; without them the reader's own monospaced font is used.
WEB_FONTS = re.compile(r"\s*@font-face\s*\{[^}]*\}")


def recorder(lines: int) -> Console:
    """A console that every command writes to from now on, with tables of so many lines."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    replacements = {
        id(words.console): console,
        id(words.remarks): console,
        id(report.accepted_table): partial(report.accepted_table, most=lines),
    }
    for module in [module for name, module in sys.modules.items() if name.startswith("cli.")]:
        for name, value in vars(module).copy().items():
            setattr(module, name, replacements.get(id(value), value))
        if "MOST_LINES" in vars(module):
            vars(module)["MOST_LINES"] = lines
    return console


def record_demo() -> Console:
    """Run the demo in a folder that is removed afterwards; answers the console with what it wrote."""
    console = recorder(LINES)
    console.print("[bold]$ make demo[/bold]")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        demo.main([], standalone_mode=False)
    return console


def record_check() -> Console:
    """Check the stickers of the corpus, then all of it; answers the console with what was written."""
    console = recorder(CHECK_LINES)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_corpus(Path("corpus"))
        for path in ("corpus/stickers", "corpus"):
            console.print(f"[bold]$ greenroom check {path}[/bold]")
            check.main([path], standalone_mode=False)
            console.print()
    return console


def write_corpus(folder: Path) -> None:
    """Every case as a file, by category; of those with one name, one."""
    groups = {"audio": AUDIO, "documents": DOCUMENT, "images": IMAGE, "stickers": STICKER, "videos": VIDEO}
    for name, cases in groups.items():
        (folder / name).mkdir(parents=True)
        for case in cases:
            (folder / name / case.name).write_bytes(case.make())


def picture(console: Console) -> str:
    """The console as an SVG, on its own."""
    lines = console.export_svg(title="greenroom", theme=MONOKAI).splitlines()
    svg = "\n".join(line.rstrip() for line in lines if "textualize.io" not in line)
    return WEB_FONTS.sub("", svg) + "\n"


RECORDS = {"demo": record_demo, "check": record_check}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or RECORDS:
        (HERE / f"{wanted}.svg").write_text(picture(RECORDS[wanted]()), encoding="utf-8")
