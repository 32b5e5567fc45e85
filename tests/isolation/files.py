"""Small files for processes that look at the name alone."""

from __future__ import annotations

from pathlib import Path


def files_named(folder: Path, *names: str) -> list[Path]:
    """A text of each name."""
    for name in names:
        (folder / name).write_text(f"This is {name}.\n", encoding="utf-8")
    return [folder / name for name in names]
