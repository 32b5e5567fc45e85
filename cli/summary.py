"""`greenroom check --summary`: how many files have which verdict, the most frequent reason first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from cli.mending import Mending
from cli.tables import end_of
from cli.verdicts import json_line, mend
from cli.words import console, count
from greenroom.reasons import Reason
from greenroom.text import printable
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
        mended: how many of them have a mended copy.
    """

    reason: Reason | None
    example: Path
    detail: str
    files: int = 0
    with_notices: int = 0
    mended: int = 0

    @property
    def name(self) -> str:
        """The reason's code, or that there is none."""
        return str(self.reason or "accepted")


class Summary:
    """Counts verdicts as they come, and keeps none of them."""

    def __init__(self) -> None:
        self._groups: dict[Reason | None, Group] = {}

    def add(self, file: Path, verdict: Verdict, mending: Mending | None = None) -> None:
        """Count a file."""
        group = self._groups.get(verdict.reason)
        if group is None:
            group = Group(reason=verdict.reason, example=file, detail=verdict.detail)
            self._groups[verdict.reason] = group
        group.files += 1
        group.with_notices += bool(verdict.notices)
        group.mended += mending is not None and mending.path is not None

    @property
    def groups(self) -> list[Group]:
        """The reason that most files are rejected for first; what is accepted last."""
        return sorted(self._groups.values(), key=lambda group: (group.reason is None, -group.files))

    @property
    def stay_rejected(self) -> bool:
        """Whether any file is neither accepted nor mended."""
        return any(group.reason is not None and group.mended < group.files for group in self.groups)

    def headline(self) -> str:
        """How many files are accepted."""
        accepted = self._groups[None].files if None in self._groups else 0
        return f"{accepted:,} of {count(sum(group.files for group in self.groups), 'file')} accepted"

    def as_json(self, *, mended: bool) -> Iterator[str]:
        """One object a verdict; with `--mend`, how many files have a mended copy, too."""
        for group in self.groups:
            yield json_line(
                {
                    "verdict": "rejected" if group.reason else "accepted",
                    "reason": group.reason,
                    "files": group.files,
                    "with_notices": group.with_notices,
                    "example": str(group.example),
                    "detail": group.detail,
                    **({"mended": group.mended} if mended else {}),
                }
            )

    def show(self, *, mended: bool) -> None:
        """Print two lines a verdict, each of which fits the terminal: so no table, whose cells would wrap."""
        groups = self.groups
        number = max(len("Files"), *(len(f"{group.files:,}") for group in groups))
        name = max(len(_HEADER), *(len(group.name) for group in groups))
        _print_line(f"{'Files':>{number}}  {_HEADER:{name}}  Example", style="bold")
        for group in groups:
            colour = "red" if group.reason else "green"
            head = Text.assemble(f"{group.files:>{number},}  ", (f"{group.name:{name}}", colour), "  ")
            _print_line(head.append(end_of(printable(group.example), console.width - head.cell_len)))
            for line in _remarks(group, mended=mended):
                _print_line(" " * (number + 2) + line, style="dim")
        console.print(f"\n[bold]{self.headline()}[/bold]")


def _remarks(group: Group, *, mended: bool) -> Iterator[str]:
    """What to do about them; of those that are accepted, how many somebody might want to look at."""
    if group.reason is None:
        if group.with_notices:
            yield f"{group.with_notices:,} of them with a remark."
        return
    if group.mended < group.files:
        yield mend(group.reason)
    if mended:
        yield f"{group.mended:,} of them have a mended copy."


def _print_line(line: str | Text, *, style: str = "") -> None:
    """One line, whatever the terminal's width."""
    console.print(
        line if isinstance(line, Text) else Text(line), style=style, no_wrap=True, overflow="ellipsis"
    )
