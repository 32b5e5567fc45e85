"""`greenroom check`: judge files, with nothing running and no network."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.measure import Measurement
from rich.progress import track
from rich.table import Table
from rich.text import Text

from cli.mending import Mending, mend_all
from cli.verdicts import MOST_LINES, mend, verdict_as_json
from cli.words import console, count, remarks, size
from greenroom.isolation.crew import judge_all
from greenroom.text import printable
from greenroom.verdict import Verdict

Row = tuple[Path, Verdict]
#: Columns of a terminal on which every table fits.
_ENDLESS = 100_000


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a file, instead of a table.")
@click.option(
    "--mend",
    "mend_into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Put mended copies of what can be mended into this folder; the originals stay as they are.",
)
@click.pass_context
def check(context: click.Context, *, paths: tuple[Path, ...], as_lines: bool, mend_into: Path | None) -> None:
    """Judge PATHS (files and folders) by WhatsApp's rules.

    Exit code 0: all are accepted, or mended with --mend. 1: some are rejected. 2: it could not be done.
    """
    files = [file for path in paths for file in files_to_judge(path)]
    if not files:
        raise click.UsageError("There are no files there.")
    rows = zip(files, judge_all(files), strict=True)
    watched = track(
        rows,
        total=len(files),
        description="Checking",
        console=remarks,
        transient=True,
        disable=not remarks.is_terminal,
    )
    if mend_into is not None:
        rejected = _mend(list(watched), mend_into, as_lines=as_lines)
    else:
        rejected = _write_lines(watched) if as_lines else _show(list(watched))
    context.exit(1 if rejected else 0)


def _mend(rows: Sequence[Row], into: Path, *, as_lines: bool) -> bool:
    """Mend what can be, and show verdicts and mendings; answers whether any file stays rejected."""
    mendings = list(
        track(
            mend_all(rows, into),
            total=len(rows),
            description="Mending",
            console=remarks,
            transient=True,
            disable=not remarks.is_terminal,
        )
    )
    if as_lines:
        for (file, verdict), mending in zip(rows, mendings, strict=True):
            _write(verdict_as_json(file, verdict, mending))
    else:
        _show(rows)
        _show_mendings(rows, mendings)
    return any(
        not verdict.accepted and mending.path is None
        for (_, verdict), mending in zip(rows, mendings, strict=True)
    )


def _show_mendings(rows: Sequence[Row], mendings: Sequence[Mending]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("File", overflow="fold", ratio=3)
    table.add_column("Mended copy", overflow="fold", ratio=3)
    table.add_column("What was done", overflow="fold", ratio=6)
    touched = [
        (file, mending)
        for (file, _), mending in zip(rows, mendings, strict=True)
        if mending.path is not None or mending.problem
    ]
    for file, mending in touched[:MOST_LINES]:
        steps = "\n".join(printable(step) for step in mending.steps)
        done = Text(steps, "cyan") if mending.path else Text(printable(mending.problem), "red")
        copy = printable(mending.path) if mending.path else "none"
        table.add_row(Text(printable(file)), Text(copy), done)
    console.print()
    console.print(_shared(table))
    if len(touched) > MOST_LINES:
        console.print(f"... and {len(touched) - MOST_LINES:,} more; all of them with --json.")
    copies = sum(mending.path is not None for mending in mendings)
    console.print(f"\n[bold]{count(copies, 'mended copy', 'mended copies')}[/bold]")


def files_to_judge(path: Path) -> Iterator[Path]:
    """The path itself where it is no folder, else every file below it in order of name; no hidden ones.

    A link to a folder is not followed, so that no loop of links is walked. A folder that cannot be opened
    stands for the files in it: it is judged, and rejected, as a file that cannot be read.
    """
    if not path.is_dir():
        yield path
        return
    closed: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=lambda error: closed.append(Path(error.filename))):
        yield from _emptied(closed)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))
    yield from _emptied(closed)


def _emptied(paths: list[Path]) -> Iterator[Path]:
    while paths:
        yield paths.pop(0)


def _write_lines(rows: Iterable[Row]) -> bool:
    """Write each verdict as soon as it is known; answers whether any file is rejected."""
    rejected = False
    for file, verdict in rows:
        _write(verdict_as_json(file, verdict))
        rejected = rejected or not verdict.accepted
    return rejected


def _write(line: str) -> None:
    # A name that is no UTF-8 keeps its bytes as JSON escapes: Python reads them back as the same path.
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _show(rows: Sequence[Row]) -> bool:
    """Show the table and the summary; answers whether any file is rejected."""
    rejected = [row for row in rows if not row[1].accepted]
    shown = rows if len(rows) <= MOST_LINES else _most_important(rows)
    console.print(_table(shown))
    if len(rows) > len(shown):
        console.print(f"... and {len(rows) - len(shown):,} more; all of them with --json.")
    console.print()
    accepted = len(rows) - len(rejected)
    console.print(f"[bold]{accepted:,} of {count(len(rows), 'file')} accepted[/bold]")
    for reason, number in Counter(verdict.reason for _, verdict in rejected).most_common():
        console.print(f"  {number:>5,}  {reason}: {mend(reason)}")
    return bool(rejected)


def _most_important(rows: Sequence[Row]) -> Sequence[Row]:
    """As many as a screen takes: what is rejected before what has a notice, and both before all else."""
    return sorted(rows, key=lambda row: row[1].accepted + (row[1].accepted and not row[1].notices))[
        :MOST_LINES
    ]


def _table(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("", width=1)
    table.add_column("File", overflow="fold", ratio=4)
    table.add_column("What it really is", overflow="fold", ratio=4)
    table.add_column("Size", justify="right", no_wrap=True, width=8)
    table.add_column("Verdict", overflow="fold", ratio=6)
    for file, verdict in rows:
        table.add_row(
            Text("✓", "green") if verdict.accepted else Text("✗", "red"),
            Text(printable(file)),
            Text(printable(verdict.label)),
            size(verdict.size),
            _words(verdict),
        )
    return _shared(table)


def _shared(table: Table) -> Table:
    """The table, with a fair share of the terminal for each column where not everything fits.

    Rich goes by the shares only then: otherwise long names would squeeze the sentences beside them.
    """
    wanted = Measurement.get(console, console.options.update_width(_ENDLESS), table).maximum
    table.expand = wanted > console.width
    return table


def _words(verdict: Verdict) -> Text:
    if not verdict.accepted:
        return Text(printable(verdict.detail), "red")
    notices = [("\n" + printable(notice.detail), "yellow") for notice in verdict.notices]
    return Text.assemble(str(verdict.category), *notices)
