"""The table of faults, as a page and line by line."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.chaos.run import RECOVERY_SECONDS, Row
from benchmarks.chaos.stack import LEASE_SECONDS
from benchmarks.host import host

HEADER = (
    *("fault", "stack", "accepted", "ready", "lost", "seen twice", "in flight"),
    *("429s", "orphans", "recovered after", "verdict"),
)


def cells(row: Row) -> list[str]:
    """A line of the table."""
    return [
        f"{row.fault.group}: {row.fault.name}",
        row.stack,
        *map(str, (row.accepted, row.counted.ready, row.lost, row.counted.twice, row.in_flight)),
        *map(str, (row.throttled, row.counted.orphans)),
        f"{row.recovered:.1f} s",
        "; ".join([*(row.problems or ("held",)), *row.notes]),
    ]


def line(row: Row) -> str:
    """For a terminal."""
    mark = "✗" if row.problems else "✓"
    counts = (
        f"{row.counted.ready}/{row.accepted} ready, {row.counted.twice} twice of {row.in_flight} in flight, "
        f"{row.throttled} throttled, {row.counted.orphans} orphans, {row.recovered:.1f} s"
    )
    name = f"{row.fault.group}: {row.fault.name} ({row.stack})"
    return f"{mark} {name:<70} {counts}" + "".join(
        f"\n    {problem}" for problem in (*row.problems, *row.notes)
    )


def page(rows: Sequence[Row], *, of: int, seed: int, command: str) -> str:
    """The whole page, so far.

    Args:
        rows: of the faults that were tried.
        of: how many there are.
        seed: of what was left to chance.
        command: by which they were tried.
    """
    held = sum(not row.problems for row in rows)
    summary = (
        f"{len(rows)} of {of} faults were tried, {held} held; "
        f"{sum(row.accepted for row in rows):,} files were accepted, "
        f"{sum(row.lost for row in rows)} lost. The lease is {LEASE_SECONDS} s; recovering may take "
        f"{RECOVERY_SECONDS:.0f} s."
    )
    lines = [
        "# Faults",
        "",
        f"`{command}`, seed {seed}; {host()}.",
        "",
        summary,
        "",
        "| " + " | ".join(HEADER) + " |",
        "|---|---|" + "---:|" * 8 + "---|",
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
        "",
    ]
    return "\n".join(lines)
