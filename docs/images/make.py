# ruff: noqa: INP001 - a script, not a package
"""Makes ``demo.svg``: runs the real `greenroom demo` and draws what it wrote on the terminal.

``python docs/images/make.py``, from the checkout. The picture refers to nothing outside itself.
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
from cli.demo import demo

PICTURE = Path(__file__).resolve().with_name("demo.svg")
COLUMNS = 110
#: Lines of each table; the demo itself says how many more there are.
LINES = 9
#: Rich names fonts on a web server; without them the reader's own monospaced font is used.
WEB_FONTS = re.compile(r"\s*@font-face\s*\{[^}]*\}")


def record() -> Console:
    """Run the demo in a folder that is removed afterwards; answers the console with what it wrote."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    replacements = {
        id(words.console): console,
        id(words.remarks): console,
        id(report.accepted_table): partial(report.accepted_table, most=LINES),
    }
    for module in [module for name, module in sys.modules.items() if name.startswith("cli.")]:
        for name, value in vars(module).copy().items():
            setattr(module, name, replacements.get(id(value), value))
        if "MOST_LINES" in vars(module):
            vars(module)["MOST_LINES"] = LINES
    console.print("[bold]$ make demo[/bold]")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        demo.main([], standalone_mode=False)
    return console


def picture(console: Console) -> str:
    """The console as an SVG, on its own."""
    lines = console.export_svg(title="greenroom", theme=MONOKAI).splitlines()
    svg = "\n".join(line.rstrip() for line in lines if "textualize.io" not in line)
    return WEB_FONTS.sub("", svg) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(record()), encoding="utf-8")
