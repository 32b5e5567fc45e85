"""`make eye CORPUS=folder`: what Greenroom and other readers disagree about."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from cli.progress_bar import watched
from greenroom.folder_walk import FolderWalk
from greenroom.isolation.parallel import judge_all
from greenroom.isolation.resource_limits import cores
from greenroom.untrusted_text import printable
from greenroom.verdict import Verdict
from tests.eye.companion import Companions
from tests.eye.comparison import Compared, compare
from tests.eye.readers import Reader, all_readers, how_to_install

Judge = Callable[[Sequence[Path]], Iterable[Verdict]]


def main(words: Sequence[str] | None = None, judge: Judge = judge_all) -> int:
    """Print the disagreements; returns 1 where there are any, 2 where there is nothing to judge."""
    options = _options(words)
    files = list(FolderWalk().files(options.folder)) if options.folder.exists() else []
    if not files:
        print(f"There are no files in {printable(options.folder)}.", file=sys.stderr)
        return 2
    with Companions() as companions:
        readers = all_readers(companions)
        say_who_is_missing(readers)
        verdicts = list(watched(judge(files), total=len(files), what="Judging"))
        there = [reader for reader in readers if reader.is_there]
        compared = list(_compared(files, verdicts, there, seconds=options.seconds))
    show(compared)
    say_who_is_missing(readers)
    return 1 if any(each.against for each in compared) else 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.eye", description=__doc__)
    parser.add_argument("folder", type=Path, help="Whose files are judged, and those of all folders below.")
    parser.add_argument("--seconds", type=float, default=30.0, help="That a reader may take for a file.")
    return parser.parse_args(words)


def _compared(
    files: Sequence[Path], verdicts: Sequence[Verdict], readers: Sequence[Reader], *, seconds: float
) -> Iterator[Compared]:
    ask = partial(compare, readers=readers, seconds=seconds)
    with ThreadPoolExecutor(cores()) as threads:
        yield from watched(threads.map(ask, files, verdicts), total=len(files), what="Asking")


def show(compared: Sequence[Compared]) -> None:
    """Print the table, and what it was made of."""
    against = [each for each in compared if each.against]
    if against:
        print("| file | Greenroom says | others say |")
        print("| --- | --- | --- |")
    for each in against:
        print("| " + " | ".join(map(_cell, (each.file, each.ours, "; ".join(each.against)))) + " |")
    asked = Counter(name for each in compared for name in each.asked)
    counts = ", ".join(f"{name} {number:,}" for name, number in asked.most_common()) or "nobody"
    print(f"\n{len(compared):,} files, {len(against):,} of them in question. Asked: {counts}.")
    for each in compared:
        if each.silent:
            print(f"Ended, as it took too long with {printable(each.file)}: {', '.join(each.silent)}.")
    unseen = Counter(each.verdict.mime_type for each in compared if each.is_unseen)
    for mime_type, number in unseen.most_common():
        print(f"ACCEPTED AND LOOKED AT BY NOBODY ELSE: {number:,} of {mime_type}")


def _cell(content: object) -> str:
    return printable(content).replace("|", "\\|")


def say_who_is_missing(readers: Iterable[Reader]) -> None:
    """Say on standard error which readers are not installed, and how they would be."""
    missing = [reader for reader in readers if not reader.is_there]
    if missing:
        names = ", ".join(reader.name for reader in missing)
        print(f"NOT INSTALLED, AND SO NOT ASKED: {names}. All of them come with:", file=sys.stderr)
        print(f"  {how_to_install(missing)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
