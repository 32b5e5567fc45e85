"""What came of a campaign's items: as a table, as JSON lines, as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from rich.console import Group
from rich.padding import Padding
from rich.table import Table

from cli.formats import below, console, day, plain
from cli.json_lines import json_line
from cli.tables import NARROW, FileName, fitted, plain_table
from cli.verdicts import MOST_LINES
from greenroom.figures import human_size
from greenroom.reasons import advice_on
from greenroom.sources import unsigned
from greenroom.untrusted_text import printable
from models.item_reports import ItemReport
from models.progress import ItemStatus

COLUMNS = (
    "ref",
    "source",
    "verdict",
    "category",
    "mime_type",
    "size",
    "sha256",
    "original_sha256",
    "fixed",
    "reason",
    "detail",
    "media_id",
    "uploaded_at",
    "expires_at",
)


def accepted_table(items: Sequence[ItemReport], *, most: int = MOST_LINES) -> Table:
    """The files that can be sent: what each really is, its media ID, and when that ends.

    On a narrow terminal, what it is stands below its name: beside it there would be room for a word.
    """
    narrow = console.width < NARROW
    table = plain_table()
    if narrow:
        table.add_column("File, and what it really is", overflow="fold")
    else:
        table.add_column("File", ratio=3)
        table.add_column("What it really is", overflow="fold", ratio=4)
    table.add_column("Size", justify="right", no_wrap=True)
    table.add_column("Media ID", no_wrap=True)
    table.add_column("Expires", no_wrap=True)
    for item in items[:most]:
        steps = (f"[cyan]{plain(step)}[/cyan]" for step in item.fixed)
        notices = (f"[yellow]{plain(notice.detail)}[/yellow]" for notice in item.notices)
        label = below().join([plain(item.label), *steps, *notices])
        name = FileName(item.ref)
        table.add_row(
            *([Group(name, Padding(label, (0, 0, 0, 2)))] if narrow else [name, label]),
            "" if item.size is None else human_size(item.size),
            plain(item.media_id or ""),
            day(item.expires_at),
        )
    return fitted(table)


def rejected_table(items: Sequence[ItemReport], *, most: int = MOST_LINES) -> Table:
    """The files that cannot be sent: why, and what to do."""
    table = plain_table()
    table.add_column("File", ratio=2)
    table.add_column("Why it cannot be sent, and what to do", overflow="fold", ratio=5)
    for item in items[:most]:
        detail = plain(item.detail or item.reason)
        if item.channel_id is not None:
            detail = f"On {plain(item.channel_id)}: {detail}"
        table.add_row(FileName(item.ref), below().join([f"[red]{detail}[/red]", advice_on(item.reason)]))
    return fitted(table)


_NUMBER = r"[+-]?[0-9]{1,30}"
#: What a spreadsheet takes for the beginning of a formula, in the widths that East Asian ones take too.
_FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20"
#: A cell, or what becomes one where another separator is expected than the comma, or a line feed ends a row.
_RUN_AS_FORMULA = re.compile(rf"(^|[;\t\r\n])([ \"']*)(?=[{_FORMULA}])(?!{_NUMBER}(?:$|[;\t\r\n]))")


def inert(cell: str) -> str:
    """The cell as no spreadsheet runs it: an apostrophe before what would begin a formula.

    Whole numbers with a sign, like telephone numbers, begin none. Source: OWASP, CSV Injection.
    """
    return _RUN_AS_FORMULA.sub(r"\1\2'", cell)


def item_as_json(item: ItemReport) -> str:
    """One line of `greenroom run --json`."""
    return json_line(
        {
            "path": unsigned(item.source),
            "verdict": verdict(item.status),
            "category": item.category,
            "mime_type": item.mime_type,
            "size": item.size,
            "sha256": item.sha256,
            "reason": item.reason if item.status is not ItemStatus.READY else None,
            "detail": item.detail if item.status is not ItemStatus.READY else "",
            "media_id": item.media_id,
            "expires_at": item.expires_at.isoformat() if item.expires_at else None,
            # Only where there is something to say: the other lines keep the contract's fields.
            **({"original_sha256": item.original_sha256, "fixed": item.fixed} if item.fixed else {}),
        }
    )


def verdict(status: ItemStatus) -> str:
    """The contract's `verdict`: what inspection said, whatever came of the upload."""
    return "rejected" if status is ItemStatus.REJECTED else "accepted"


def write_csv(items: Iterable[ItemReport], file: TextIO, *, channels: bool = False) -> int:
    """Write the mapping from a scheduler's refs to media IDs; returns how many lines.

    No cell is one that a spreadsheet would run, and to a terminal nothing is written that could drive it.

    Args:
        items: of one campaign.
        file: to write to.
        channels: whether it has several, and a column says which one a line is of.
    """
    columns = (*COLUMNS, "channel_id") if channels else COLUMNS
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    on_terminal = file.isatty()
    lines = 0
    for item in items:
        cells = {column: inert(_cell(item, column)) for column in columns}
        writer.writerow({column: printable(cell) for column, cell in cells.items()} if on_terminal else cells)
        lines += 1
    return lines


def _cell(item: ItemReport, column: str) -> str:
    if column == "verdict":
        return verdict(item.status) if item.status is not ItemStatus.FAILED else "failed"
    value: Any = getattr(item, column)
    if column == "source":
        return unsigned(value)
    if column == "fixed":
        return " ".join(value)
    if value is None:
        return ""
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
