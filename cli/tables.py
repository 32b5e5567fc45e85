"""Tables of files on terminals of any width: names stay whole, and sentences have room beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table

from cli.formats import ENDLESS, console
from greenroom.untrusted_text import printable

_CUT = "\N{HORIZONTAL ELLIPSIS}"
#: Columns of a terminal on which a table of five columns has room for sentences in one of them.
NARROW = 100


class FileName:
    """A file's path in a table: broken behind folders only, and cut in front where a name is too long.

    Args:
        path: what to show; spelt out so that it cannot drive a terminal.
    """

    def __init__(self, path: object) -> None:
        self.text = printable(path)

    @property
    def longest_part(self) -> int:
        """Columns that the longest folder or name of it takes."""
        return max(map(cell_len, _parts(self.text)), default=0)

    def lines(self, width: int) -> list[str]:
        """The path in lines of so many columns."""
        lines = [""]
        for part in _parts(self.text):
            if cell_len(lines[-1]) + cell_len(part) > width and lines[-1]:
                lines.append("")
            lines[-1] += end_of(part, width)
        return lines

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.lines(options.max_width):
            yield Segment(line)
            yield Segment.line()

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.longest_part, cell_len(self.text)).with_maximum(options.max_width)


def _parts(path: str) -> list[str]:
    """Folders, each with its slash, and the name."""
    return [part for part in path.replace("/", "/\0").split("\0") if part]


def end_of(text: str, width: int) -> str:
    """The text in so many columns: where it is too long, its end, which tells most of a file's name."""
    if cell_len(text) <= width:
        return text
    reversed_end = next(iter(chop_cells(text[::-1], max(width - 1, 1))), "")
    return _CUT + reversed_end[::-1]


def plain_table(*, gap: int = 2) -> Table:
    """A table without lines, as all of them are, with so many columns of the terminal between its own."""
    return Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap, 0, 0))


def wide_or_narrow(make: Callable[..., Table], *, enough: float = math.inf) -> Table:
    """A table as it is where there is room, else as it is where there is little.

    Args:
        make: makes it; is told `narrow`.
        enough: columns of a terminal that are room enough, whether or not each line is one of its own there.
    """
    table = make(narrow=False)
    return table if console.width >= enough or fits(table) else make(narrow=True)


def fits(table: Table) -> bool:
    """Whether each of its lines is one of the terminal's."""
    endless = console.options.update_width(ENDLESS)
    return Measurement.get(console, endless, table).maximum <= console.width


def fitted(table: Table) -> Table:
    """The table, with a fair share of the terminal for each column where not everything fits.

    Rich goes by the columns' ratios only then: otherwise long names would squeeze the sentences beside them.
    No share is too small for the longest name, as long as the names leave half of the terminal.
    """
    if fits(table):
        return table
    table.expand = True
    named = [(column, longest) for column in table.columns if (longest := _longest_part(column.cells))]
    for column, longest in named:
        column.width = min(longest, console.width // (2 * len(named)))
    return table


def _longest_part(cells: Iterable[object]) -> int:
    """Columns that the longest part of the paths among a column's cells takes; 0 where there are none."""
    return max((cell.longest_part for cell in cells if isinstance(cell, FileName)), default=0)
