"""`greenroom check`: judge files, with nothing running and no network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from cli.mending import Mending, mend_all
from cli.progress import watched
from cli.summary import Summary
from cli.tables import FileName, fitted, plain_table
from cli.verdicts import MOST_LINES, mend, verdict_as_json
from cli.words import console, count, size
from greenroom.isolation.crew import judge_all
from greenroom.text import printable
from greenroom.verdict import Verdict

#: A file, what was said of it, and what came of mending it; None where that was not asked for.
Result = tuple[Path, Verdict, Mending | None]
#: Columns of a terminal below which what a file is and what was said of it share one.
_NARROW = 100


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a file, instead of a table.")
@click.option(
    "--summary",
    "summed_up",
    is_flag=True,
    help="One line a reason, the most frequent first, instead of files.",
)
@click.option(
    "--mend",
    "mend_into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Put mended copies of what can be mended into this folder; the originals stay as they are.",
)
@click.pass_context
def check(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    as_lines: bool,
    summed_up: bool,
    mend_into: Path | None,
) -> None:
    """Judge PATHS (files and folders) by WhatsApp's rules.

    Exit code 0: all are accepted, or mended with --mend. 1: some are rejected. 2: it could not be done.
    """
    files = [file for path in paths for file in files_to_judge(path)]
    if not files:
        raise click.UsageError("There are no files there.")
    beside_lines = as_lines and not summed_up
    results = _judged(files, beside_lines=beside_lines and mend_into is None)
    if mend_into is not None:
        results = _mended(list(results), mend_into, beside_lines=beside_lines)
    if summed_up:
        summary = _sum_up(results, as_lines=as_lines, mended=mend_into is not None)
    else:
        summary = _write_lines(results) if as_lines else _show(list(results))
    context.exit(1 if summary.stay_rejected else 0)


def _judged(files: Sequence[Path], *, beside_lines: bool) -> Iterator[Result]:
    verdicts = watched(judge_all(files), total=len(files), what="Checking", beside_lines=beside_lines)
    for file, verdict in zip(files, verdicts, strict=True):
        yield file, verdict, None


def _mended(results: Sequence[Result], into: Path, *, beside_lines: bool) -> Iterator[Result]:
    """Mend what can be."""
    rows = [(file, verdict) for file, verdict, _ in results]
    mendings = watched(mend_all(rows, into), total=len(rows), what="Mending", beside_lines=beside_lines)
    for (file, verdict), mending in zip(rows, mendings, strict=True):
        yield file, verdict, mending


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


def _sum_up(results: Iterable[Result], *, as_lines: bool, mended: bool) -> Summary:
    """Write how many files have which verdict."""
    summary = Summary()
    for file, verdict, mending in results:
        summary.add(file, verdict, mending)
    if as_lines:
        for line in summary.as_json(mended=mended):
            _write(line)
    else:
        summary.show(mended=mended)
    return summary


def _write_lines(results: Iterable[Result]) -> Summary:
    """Write each verdict as soon as it is known."""
    summary = Summary()
    for file, verdict, mending in results:
        _write(verdict_as_json(file, verdict, mending))
        summary.add(file, verdict, mending)
    return summary


def _write(line: str) -> None:
    # A name that is no UTF-8 keeps its bytes as JSON escapes: Python reads them back as the same path.
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _show(results: Sequence[Result]) -> Summary:
    """Show what a screen takes of the files, and how many have which verdict."""
    summary = Summary()
    for result in results:
        summary.add(*result)
    shown = results if len(results) <= MOST_LINES else sorted(results, key=_importance)[:MOST_LINES]
    console.print(_table(shown))
    if len(results) > len(shown):
        console.print(f"... and {len(results) - len(shown):,} more; all of them with --json.")
    console.print(f"\n[bold]{summary.headline()}[/bold]")
    for group in summary.groups:
        if group.reason:
            console.print(f"  {group.files:>5,}  {group.reason}: {mend(group.reason)}")
    if any(mending is not None for _, _, mending in results):
        _show_mendings(results)
    return summary


def _importance(result: Result) -> int:
    """What is rejected comes before what has a notice, and both before all else."""
    _, verdict, _ = result
    return verdict.accepted + (verdict.accepted and not verdict.notices)


def _table(results: Iterable[Result]) -> Table:
    table = plain_table()
    narrow = console.width < _NARROW
    table.add_column("", width=1)
    table.add_column("File", ratio=4)
    if not narrow:
        table.add_column("What it really is", overflow="fold", ratio=4)
    table.add_column("Size", justify="right", no_wrap=True, width=8)
    table.add_column("What it really is" if narrow else "Verdict", overflow="fold", ratio=6)
    for file, verdict, _ in results:
        mark = Text("✓", "green") if verdict.accepted else Text("✗", "red")
        label, words = Text(printable(verdict.label)), _words(verdict)
        if narrow:
            table.add_row(mark, FileName(file), size(verdict.size), Text("\n").join([label, words]))
        else:
            table.add_row(mark, FileName(file), label, size(verdict.size), words)
    return fitted(table)


def _words(verdict: Verdict) -> Text:
    if not verdict.accepted:
        return Text(printable(verdict.detail), "red")
    notices = [("\n" + printable(notice.detail), "yellow") for notice in verdict.notices]
    return Text.assemble(str(verdict.category), *notices)


def _show_mendings(results: Sequence[Result]) -> None:
    table = plain_table()
    table.add_column("File", ratio=3)
    table.add_column("Mended copy", ratio=3)
    table.add_column("What was done", overflow="fold", ratio=6)
    mendings = [(file, mending) for file, _, mending in results if mending is not None]
    touched = [(file, mending) for file, mending in mendings if mending.path or mending.problem]
    for file, mending in touched[:MOST_LINES]:
        steps = "\n".join(printable(step) for step in mending.steps)
        done = Text(steps, "cyan") if mending.path else Text(printable(mending.problem), "red")
        table.add_row(FileName(file), FileName(mending.path or "none"), done)
    console.print()
    console.print(fitted(table))
    if len(touched) > MOST_LINES:
        console.print(f"... and {len(touched) - MOST_LINES:,} more; all of them with --json.")
    copies = sum(mending.path is not None for _, mending in mendings)
    console.print(f"\n[bold]{count(copies, 'mended copy', 'mended copies')}[/bold]")
