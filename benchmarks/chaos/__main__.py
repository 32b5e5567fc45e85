"""``python -m benchmarks.chaos``: break the stacks in every way, print a line for each, write the table.

``--list`` says what there is, ``--only TEXT`` runs those that have the text in their name. The same
``--seed`` makes the same random choices; when each falls in the work of other processes is left to those.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

from benchmarks.chaos import faults
from benchmarks.chaos.campaign import File, make_files
from benchmarks.chaos.run import FAULTS, Fault, Row, Run
from benchmarks.chaos.serving import received, served
from benchmarks.chaos.stack import CALLBACK_SECRET, EMBEDDED, PRODUCTION, Stack, embedded, production
from benchmarks.chaos.table import line, page

__all__ = ["faults", "main"]

RESULTS = Path(__file__).parent.parent / "results" / "chaos.md"
COMMAND = "python -m benchmarks.chaos"
SEED = 15


class Files:
    """Pictures of each size that is asked for, made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[int, list[File]] = {}

    def of(self, fault: Fault) -> list[File]:
        """As many as the fault needs."""
        count = fault.first + fault.second
        if len(self._made.get(fault.size, [])) < count:
            self._made[fault.size] = make_files(self.folder_of(fault), count, fault.size)
        return self._made[fault.size]

    def folder_of(self, fault: Fault) -> Path:
        """Where they are."""
        return self._folder / str(fault.size)


def run_all(
    chosen: Sequence[tuple[str, Fault]], folder: Path, *, seed: int, tell: Callable[[Row], None]
) -> None:
    """Run faults, each on its stack; a stack on which one did not hold is not used again."""
    files = Files(folder / "files")
    kinds = list(dict.fromkeys((stack, fault.tls) for stack, fault in chosen))
    for name, tls in sorted(kinds, key=lambda kind: (kind[0] == EMBEDDED, kind[1])):
        left = [fault for stack, fault in chosen if (stack, fault.tls) == (name, tls)]
        turn = 0
        while left:
            turn += 1
            state_dir = folder / f"{name}{'-tls' if tls else ''}-{turn}"
            state_dir.mkdir(parents=True)
            with _stack(name, state_dir, tls=tls) as stack:
                while left:
                    row = one(stack, left.pop(0), files, seed)
                    tell(row)
                    if row.unsettling:
                        break


def _stack(name: str, folder: Path, *, tls: bool) -> AbstractContextManager[Stack]:
    return embedded(folder) if name == EMBEDDED else production(folder, tls=tls)


def one(stack: Stack, fault: Fault, files: Files, seed: int) -> Row:
    """Run one fault."""
    chance = random.Random(f"{seed} {fault.slug}")  # noqa: S311 - to be the same again, not to be secret
    made = files.of(fault)
    with (
        served(files.folder_of(fault)) if fault.fetched else nullcontext() as source,
        received(CALLBACK_SECRET) if fault.told else nullcontext() as receiver,
    ):
        run = Run(
            stack=stack,
            fault=fault,
            chance=chance,
            files=made,
            source_server=source,
            receiver_server=receiver,
        )
        try:
            return run.go()
        except Exception as error:  # noqa: BLE001 - whatever it is stands in the table, and others are tried
            traceback.print_exc()
            return run.given_up(error)


def main() -> int:
    """Run what was asked for; returns 1 where something did not hold."""
    given = _parser().parse_args()
    # Whoever ends us shall find nothing of the stacks left.
    signal.signal(signal.SIGTERM, _asked_to_end)
    chosen = [
        (stack, each)
        for each in FAULTS
        for stack in each.on
        if given.stack in (None, stack)
        and (not given.only or any(text in f"{each.group}: {each.name}" for text in given.only))
    ]
    if given.list:
        for stack, each in chosen:
            print(f"{each.group}: {each.name} ({stack})")
        return 0
    rows: list[Row] = []
    whole = not given.only and given.stack is None

    def tell(row: Row) -> None:
        rows.append(row)
        print(line(row), flush=True)
        if whole:
            text = page(rows, of=len(chosen), seed=given.seed, command=COMMAND)
            RESULTS.write_text(text, encoding="utf-8")

    began_at = time.monotonic()
    if given.keep:
        run_all(chosen, given.keep, seed=given.seed, tell=tell)
    else:
        with tempfile.TemporaryDirectory(prefix="greenroom-chaos-") as folder:
            run_all(chosen, Path(folder), seed=given.seed, tell=tell)
    print(f"{len(rows)} faults in {(time.monotonic() - began_at) / 60:.1f} minutes", flush=True)
    return 1 if any(row.problems for row in rows) else 0


def _asked_to_end(*_: object) -> NoReturn:
    raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=COMMAND, description="Break the stacks, and count what is lost.")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="faults with this in their name; repeated"
    )
    parser.add_argument("--stack", choices=(PRODUCTION, EMBEDDED), help="on this stack alone")
    parser.add_argument("--seed", type=int, default=SEED, help="of what is left to chance (%(default)s)")
    parser.add_argument("--list", action="store_true", help="say which faults there are, and run none")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave logs and data there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
