"""`greenroom check --summary`: how many files have which verdict, the most frequent reason first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from cli.fixing import FileFix
from cli.formats import console, counted
from cli.json_lines import json_line
from cli.tables import end_of
from greenroom.reasons import Reason, advice_on
from greenroom.untrusted_text import printable
from greenroom.verdict import Verdict

_HEADER = "Verdict"


@dataclass(kw_only=True)
class Group:
    """Files with one verdict.

    Attributes:
        reason: why they are rejected; None of those that are accepted.
        example: the first of them.
        detail: what was said of it.
        files: how many they are.
        with_notices: how many of them have remarks.
        fixed: how many of them have a fixed copy.
    """

    reason: Reason | None
    example: Path
    detail: str
    files: int = 0
    with_notices: int = 0
    fixed: int = 0

    @property
    def name(self) -> str:
        """The reason's code, or that there is none."""
        return str(self.reason or "accepted")


class CheckSummary:
    """Counts verdicts as they come, and keeps none of them."""

    def __init__(self) -> None:
        self._groups: dict[Reason | None, Group] = {}

    def add(self, file: Path, verdict: Verdict, fixing: FileFix | None = None) -> None:
        """Count a file."""
        group = self._groups.get(verdict.reason)
        if group is None:
            group = Group(reason=verdict.reason, example=file, detail=verdict.detail)
            self._groups[verdict.reason] = group
        group.files += 1
        group.with_notices += bool(verdict.notices)
        group.fixed += fixing is not None and fixing.path is not None

    @property
    def groups(self) -> list[Group]:
        """The reason that most files are rejected for first; what is accepted last."""
        return sorted(self._groups.values(), key=lambda group: (group.reason is None, -group.files))

    @property
    def stay_rejected(self) -> bool:
        """Whether any file is neither accepted nor fixed."""
        return any(group.reason is not None and group.fixed < group.files for group in self.groups)

    def headline(self) -> str:
        """How many files are accepted."""
        accepted = self._groups[None].files if None in self._groups else 0
        return f"{accepted:,} of {counted(sum(group.files for group in self.groups), 'file')} accepted"

    def as_json(self, *, fixed: bool) -> Iterator[str]:
        """One object a verdict; with `--fix`, how many files have a fixed copy, too."""
        for group in self.groups:
            yield json_line(
                {
                    "verdict": "rejected" if group.reason else "accepted",
                    "reason": group.reason,
                    "files": group.files,
                    "with_notices": group.with_notices,
                    "example": str(group.example),
                    "detail": group.detail,
                    **({"fixed": group.fixed} if fixed else {}),
                }
            )

    def show(self, *, fixed: bool) -> None:
        """Print two lines a verdict, each of which fits the terminal: so no table, whose cells would wrap."""
        groups = self.groups
        number = max(len("Files"), *(len(f"{group.files:,}") for group in groups))
        name = max(len(_HEADER), *(len(group.name) for group in groups))
        _print_line(f"{'Files':>{number}}  {_HEADER:{name}}  Example", style="bold")
        for group in groups:
            colour = "red" if group.reason else "green"
            head = Text.assemble(f"{group.files:>{number},}  ", (f"{group.name:{name}}", colour), "  ")
            _print_line(head.append(end_of(printable(group.example), console.width - head.cell_len)))
            for line in _remarks(group, fixed=fixed):
                _print_line(" " * (number + 2) + line, style="dim")
        console.print(f"\n[bold]{self.headline()}[/bold]")


def _remarks(group: Group, *, fixed: bool) -> Iterator[str]:
    """What to do about them; of those that are accepted, how many somebody might want to look at."""
    if group.reason is None:
        if group.with_notices:
            yield f"{group.with_notices:,} of them with a remark."
        return
    if group.fixed < group.files:
        yield advice_on(group.reason)
    if fixed:
        yield f"{group.fixed:,} of them have a fixed copy."


def _print_line(line: str | Text, *, style: str = "") -> None:
    """One line, whatever the terminal's width."""
    console.print(
        line if isinstance(line, Text) else Text(line), style=style, no_wrap=True, overflow="ellipsis"
    )
