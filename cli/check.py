"""`greenroom check`: judge files, with nothing running and no network."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from cli.fixing import FileFix, fix_all
from cli.folder_options import pattern_options, say_what_was_passed_over
from cli.formats import below, console, counted
from cli.progress_bar import watched
from cli.summary import CheckSummary
from cli.tables import NARROW, FileName, fitted, plain_table
from cli.verdicts import MOST_LINES, verdict_as_json
from greenroom.figures import human_size
from greenroom.folder_walk import FolderWalk
from greenroom.isolation.parallel import judge_all
from greenroom.reasons import advice_on
from greenroom.untrusted_text import printable
from greenroom.verdict import Verdict

#: A file, what was said of it, and what came of fixing it; None where that was not asked for.
Result = tuple[Path, Verdict, FileFix | None]


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
    "--fix",
    "fix_into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Put fixed copies of what can be fixed into this folder; the originals stay as they are.",
)
@pattern_options
@click.pass_context
def check(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    as_lines: bool,
    summed_up: bool,
    fix_into: Path | None,
) -> None:
    """Judge PATHS (files and folders) by WhatsApp's rules.

    Hidden files and those of the system (desktop.ini, ~$report.docx) are taken only if they are named here. A
    folder that cannot be opened is rejected like a file.

    Exit code 0: all are accepted, or fixed with --fix. 1: some are rejected. 2: it could not be done.
    """
    walk = FolderWalk(include=include, exclude=exclude)
    files = [file for path in paths for file in walk.files(path)]
    say_what_was_passed_over(walk)
    if not files:
        raise click.UsageError("There are no files there.")
    beside_lines = as_lines and not summed_up
    results = _judged(files, beside_lines=beside_lines and fix_into is None)
    if fix_into is not None:
        results = _fixed(list(results), fix_into, beside_lines=beside_lines)
    if summed_up:
        summary = _sum_up(results, as_lines=as_lines, fixed=fix_into is not None)
    else:
        summary = _write_lines(results) if as_lines else _show(list(results))
    context.exit(1 if summary.stay_rejected else 0)


def _judged(files: Sequence[Path], *, beside_lines: bool) -> Iterator[Result]:
    verdicts = watched(judge_all(files), total=len(files), what="Checking", beside_lines=beside_lines)
    for file, verdict in zip(files, verdicts, strict=True):
        yield file, verdict, None


def _fixed(results: Sequence[Result], into: Path, *, beside_lines: bool) -> Iterator[Result]:
    """Fix what can be."""
    rows = [(file, verdict) for file, verdict, _ in results]
    fixes = watched(fix_all(rows, into), total=len(rows), what="Fixing", beside_lines=beside_lines)
    for (file, verdict), fixing in zip(rows, fixes, strict=True):
        yield file, verdict, fixing


def _sum_up(results: Iterable[Result], *, as_lines: bool, fixed: bool) -> CheckSummary:
    """Write how many files have which verdict."""
    summary = CheckSummary()
    for file, verdict, fixing in results:
        summary.add(file, verdict, fixing)
    if as_lines:
        for line in summary.as_json(fixed=fixed):
            _write(line)
    else:
        summary.show(fixed=fixed)
    return summary


def _write_lines(results: Iterable[Result]) -> CheckSummary:
    """Write each verdict as soon as it is known."""
    summary = CheckSummary()
    for file, verdict, fixing in results:
        _write(verdict_as_json(file, verdict, fixing))
        summary.add(file, verdict, fixing)
    return summary


def _write(line: str) -> None:
    # A name that is no UTF-8 keeps its bytes as JSON escapes: Python reads them back as the same path.
    sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def _show(results: Sequence[Result]) -> CheckSummary:
    """Show what a screen takes of the files, and how many have which verdict."""
    summary = CheckSummary()
    for result in results:
        summary.add(*result)
    by_importance = sorted(results, key=_importance)
    console.print(_table(by_importance[:MOST_LINES]))
    if hidden := by_importance[MOST_LINES:]:
        accepted = sum(verdict.accepted for _, verdict, _ in hidden)
        kinds = {"rejected": len(hidden) - accepted, "accepted": accepted}
        told = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
        console.print(f"... and {len(hidden):,} more ({told}); all of them with --json.")
    console.print(f"\n[bold]{summary.headline()}[/bold]")
    reasons = Table.grid(padding=(0, 2, 0, 0))
    reasons.add_column(justify="right", min_width=7)
    for group in summary.groups:
        if group.reason:
            reasons.add_row(f"{group.files:,}", f"{group.reason}: {advice_on(group.reason)}")
    if reasons.row_count:
        console.print(reasons)
    if any(fixing is not None for _, _, fixing in results):
        _show_fixes(results)
    return summary


def _importance(result: Result) -> int:
    """What is rejected comes before what has a notice, and both before all else."""
    _, verdict, _ = result
    return verdict.accepted + (verdict.accepted and not verdict.notices)


def _table(results: Iterable[Result]) -> Table:
    table = plain_table()
    narrow = console.width < NARROW
    table.add_column("", width=1)
    table.add_column("File", ratio=4)
    if not narrow:
        table.add_column("What it really is", overflow="fold", ratio=4)
    table.add_column("Size", justify="right", no_wrap=True, width=10)
    table.add_column("What it really is" if narrow else "Verdict", overflow="fold", ratio=6)
    for file, verdict, _ in results:
        mark = Text("✓", "green") if verdict.accepted else Text("✗", "red")
        label, words = Text(printable(verdict.label)), _words(verdict)
        if narrow:
            table.add_row(mark, FileName(file), human_size(verdict.size), Text("\n").join([label, words]))
        else:
            table.add_row(mark, FileName(file), label, human_size(verdict.size), words)
    return fitted(table)


def _words(verdict: Verdict) -> Text:
    if not verdict.accepted:
        return Text(printable(verdict.detail), "red")
    notices = [(below() + printable(notice.detail), "yellow") for notice in verdict.notices]
    return Text.assemble(str(verdict.category), *notices)


def _show_fixes(results: Sequence[Result]) -> None:
    table = plain_table()
    table.add_column("File", ratio=3)
    table.add_column("Fixed copy", ratio=3)
    table.add_column("What was done", overflow="fold", ratio=6)
    fixes = [(file, fixing) for file, _, fixing in results if fixing is not None]
    touched = [(file, fixing) for file, fixing in fixes if fixing.path or fixing.problem]
    for file, fixing in touched[:MOST_LINES]:
        steps = below().join(printable(step) for step in fixing.steps)
        done = Text(steps, "cyan") if fixing.path else Text(printable(fixing.problem), "red")
        table.add_row(FileName(file), FileName(fixing.path or "none"), done)
    console.print()
    console.print(fitted(table))
    if len(touched) > MOST_LINES:
        console.print(f"... and {len(touched) - MOST_LINES:,} more; all of them with --json.")
    copies = sum(fixing.path is not None for _, fixing in fixes)
    console.print(f"\n[bold]{counted(copies, 'fixed copy', 'fixed copies')}[/bold]")
