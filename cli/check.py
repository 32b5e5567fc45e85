"""`greenroom check`: judge files, with nothing running and no network."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import click
from rich.progress import track
from rich.table import Table

from cli.report import MOST_LINES, mend, verdict_as_json
from cli.words import console, count, plain, remarks, size
from greenroom.inspection import inspect_file
from greenroom.manifest import files_below
from greenroom.reasons import Reason
from greenroom.verdict import Verdict

#: Fewer files than this are judged here: starting processes would take longer.
WORTH_PROCESSES = 16
FILES_A_JOB = 8


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--json", "as_lines", is_flag=True, help="One JSON object a file, instead of a table.")
@click.pass_context
def check(context: click.Context, *, paths: tuple[Path, ...], as_lines: bool) -> None:
    """Judge PATHS (files and folders) by WhatsApp's rules.

    Exit code 0: all are accepted. 1: some are rejected. 2: it could not be done.
    """
    files = [file for path in paths for file in files_below(path)]
    if not files:
        raise click.UsageError("There are no files there.")
    judged: list[tuple[Path, Verdict]] = []
    for file, verdict in track(
        judge_all(files), total=len(files), description="Checking", console=remarks, transient=True
    ):
        if as_lines:
            click.echo(verdict_as_json(file, verdict))
        judged.append((file, verdict))
    rejected = [row for row in judged if not row[1].accepted]
    if not as_lines:
        _show(judged, rejected)
    context.exit(1 if rejected else 0)


def judge_all(files: Sequence[Path]) -> Iterator[tuple[Path, Verdict]]:
    """Each file with its verdict, in the order given, judged on all cores.

    A parser that brings its process down takes only its own file with it.
    """
    if len(files) < WORTH_PROCESSES:
        yield from ((file, inspect_file(file)) for file in files)
        return
    position = 0
    pool = ProcessPoolExecutor(os.cpu_count(), initializer=_leave_interrupts_to_us)
    try:
        for verdict in pool.map(inspect_file, files, chunksize=FILES_A_JOB):
            yield files[position], verdict
            position += 1
    except BrokenProcessPool:
        remarks.print("[yellow]A file brought a process down; going on one file a process.[/yellow]")
        yield from ((file, _judge_alone(file)) for file in files[position:])
    finally:
        # Whoever stops asking, by Ctrl-C or like `head`, does not wait for the files that are left.
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_us() -> None:
    """Ctrl-C reaches every process at the terminal; one of them saying so is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _judge_alone(file: Path) -> Verdict:
    try:
        with ProcessPoolExecutor(1) as pool:
            return pool.submit(inspect_file, file).result()
    except BrokenProcessPool:
        return Verdict(
            label="",
            size=file.stat().st_size,
            sha256=None,
            category=None,
            mime_type=None,
            reason=Reason.BROKEN,
            detail="This file is so damaged that reading it ends the program that tries.",
        )


def _show(judged: Sequence[tuple[Path, Verdict]], rejected: Sequence[tuple[Path, Verdict]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("File", overflow="fold", ratio=3)
    table.add_column("What it really is", overflow="fold", ratio=3)
    table.add_column("Size", justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold", ratio=5)
    for file, verdict in judged[:MOST_LINES]:
        table.add_row(
            "[green]✓[/green]" if verdict.accepted else "[red]✗[/red]",
            plain(file),
            plain(verdict.label),
            size(verdict.size),
            _words(verdict),
        )
    console.print(table)
    if len(judged) > MOST_LINES:
        console.print(f"... and {len(judged) - MOST_LINES:,} more; all of them with --json.")
    console.print()
    accepted = len(judged) - len(rejected)
    console.print(f"[bold]{accepted} of {count(len(judged), 'file')} accepted[/bold]")
    for reason, number in Counter(verdict.reason for _, verdict in rejected).most_common():
        console.print(f"  {number:>5}  {reason}: {mend(reason)}")


def _words(verdict: Verdict) -> str:
    if not verdict.accepted:
        return f"[red]{plain(verdict.detail)}[/red]"
    notices = "\n".join(f"[yellow]{plain(notice.detail)}[/yellow]" for notice in verdict.notices)
    return f"{verdict.category}" + (f"\n{notices}" if notices else "")
