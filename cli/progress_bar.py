"""How far a command is with many files: a line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import RenderableType
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
        BarColumn(bar_width=_BAR),
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

    Its one task has two fields: `settled` and `bad`, what is said of these files.
    """
    return RunProgress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=_RUN_BAR),
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
