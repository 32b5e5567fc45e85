"""`make hostile`: each case with what happened."""

from __future__ import annotations

import sys

from tests.hostile.measure import measured


def main() -> int:
    """Print the table; returns 1 where a case went otherwise than it should."""
    print("| | | what happened | memory, MB | processor, s | |")
    print("| --- | --- | --- | --- | --- | --- |")
    well = True
    for row in measured(["--large"]):
        happened = row.happened if len(row.happened) <= 110 else row.happened[:109] + "…"
        mark = "" if row.well else "NOT AS IT SHOULD"
        columns = (
            row.kind,
            row.name,
            happened.replace("|", "\\|"),
            f"{row.memory:.0f}",
            f"{row.seconds:.2f}",
            mark,
        )
        print("| " + " | ".join(columns) + " |", flush=True)
        well = well and row.well
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
