"""How far a command is with many files: a line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from cli.formats import remarks
from greenroom.untrusted_text import printable

Thing = TypeVar("Thing")
#: Columns of the bar: with all that stands beside it, 80 are enough for a hundred thousand files.
_BAR = 24
#: The same of a run, which has more beside it: 80 columns are enough for some thousand files.
_RUN_BAR = 12
#: Files a second from which nobody asks for tenths.
_FAST = 10


#: A cell of a bar, also where a terminal shows nothing but ASCII.
_CELL, _ASCII_CELL = "\N{BOX DRAWINGS HEAVY HORIZONTAL}", "-"


class SettledBar:
    """A bar of what is settled: what is ready in green, what is bad in red behind it.

    Args:
        ready: how many can be sent.
        bad: how many cannot; with any, one cell at least is red.
        total: of how many.
        width: columns.
    """

    def __init__(self, *, ready: int, bad: int, total: int, width: int) -> None:
        self._width = width
        settled = width * (ready + bad) // max(total, 1)
        red = min(settled, -(-width * bad // max(total, 1)))
        self._parts = (("green", settled - red), ("red", red), ("bright_black", width - settled))

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        cell = _ASCII_CELL if options.ascii_only else _CELL
        for colour, cells in self._parts:
            if cells:
                yield Segment(cell * cells, Style.parse(colour))

    def __rich_measure__(self, _: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self._width, self._width).with_maximum(options.max_width)


class _SettledColumn(BarColumn):
    """The same of a task with a field `bad_files`; before anything is known of it, a bar that moves."""

    def render(self, task: Task) -> RenderableType:  # type: ignore[override] # Rich's own says ProgressBar
        """A bar for the task."""
        if task.total is None:
            return super().render(task)
        bad = int(task.fields.get("bad_files", 0))
        ready = int(task.completed) - bad
        return SettledBar(ready=ready, bad=bad, total=int(task.total), width=self.bar_width or _RUN_BAR)


class Rate(ProgressColumn):
    """Files a second, over the last half minute."""

    def render(self, task: Task) -> RenderableType:
        """Nothing before there is anything to count."""
        return Text(f"{task.speed:,.{0 if task.speed >= _FAST else 1}f} files/s" if task.speed else "")


def watched(things: Iterable[Thing], *, total: int, what: str, beside_lines: bool = False) -> Iterator[Thing]:
    """The things, each as it comes, with a line on how many came, how fast, and how long the rest takes.

    It is shown on standard error where that is a terminal, and gone in the end.

    Args:
        things: what comes.
        total: how many will come.
        what: what is done with them.
        beside_lines: whether lines are written to standard output meanwhile: where that is a terminal, too,
            they would be mixed, and nothing is shown.
    """
    # Not what Rich takes for a terminal, which is also a pipe where FORCE_COLOR is set.
    if not sys.stderr.isatty() or (beside_lines and sys.stdout.isatty()):
        yield from things
        return
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR, complete_style="green", finished_style="green"),
        TextColumn("{task.completed:,} of {task.total:,}"),
        Rate(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=remarks,
        transient=True,
    )
    with progress:
        yield from progress.track(things, total=total, description=what)


class RunProgress(Progress):
    """How far a run is; below its line, why some file has to wait.

    Attributes:
        remark: the reason, in others' words; empty if there is none.
    """

    remark = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        """The line, and the remark in a line of its own."""
        yield from super().get_renderables()
        if self.remark:
            yield Text(printable(self.remark), style="yellow", no_wrap=True, overflow="ellipsis")


def run_progress() -> RunProgress:
    """A line with what is settled, what of it is bad, how fast it goes, how long it took, and what is left.

    Its one task has three fields: `settled` and `bad`, what is said of these files, and how many are bad
    as `bad_files`.
    """
    return RunProgress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        _SettledColumn(bar_width=_RUN_BAR, pulse_style="green"),
        TextColumn("{task.fields[settled]}"),
        TextColumn("[red]{task.fields[bad]}[/red]"),
        Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=remarks,
        transient=True,
        # As above.
        disable=not sys.stderr.isatty(),
    )
