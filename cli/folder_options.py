"""Which files of a folder a command takes, and what it says of those that it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.formats import counted, plain, remarks
from greenroom.folder_walk import FolderWalk

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
#: Files and folders that are named as unusable.
_MOST_SHOWN = 20


def pattern_options(command: CommandT) -> CommandT:
    """`--include` and `--exclude`, for commands that walk folders."""
    exclude = click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out what matches in folders, like 'drafts' or '*.psd'. Can be repeated.",
    )
    include = click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Take only what matches in folders, like '*.jpg' or 'spring/*'. Can be repeated.",
    )
    return include(exclude(command))


def say_what_was_passed_over(walk: FolderWalk) -> None:
    """Tell how many files of the system are in the folders."""
    if walk.system_files:
        names = ", ".join(walk.system_names)
        more = ", ..." if walk.system_files > len(walk.system_names) else ""
        were = "was" if walk.system_files == 1 else "were"
        found = counted(walk.system_files, "system file")
        remarks.print(f"{found} {were} passed over: {plain(names)}{more}", soft_wrap=True)


def say_what_is_unusable(walk: FolderWalk) -> int:
    """Tell which files and folders cannot be taken, and why; returns how many."""
    if walk.unusable:
        count = len(walk.unusable)
        remarks.print(f"[yellow]{counted(count, 'path')} cannot be taken:[/yellow]")
        for path, problem in list(walk.unusable.items())[:_MOST_SHOWN]:
            remarks.print(f"  {plain(path)}: {plain(problem)}", soft_wrap=True)
        if count > _MOST_SHOWN:
            remarks.print(f"  ... and {count - _MOST_SHOWN:,} more")
    return len(walk.unusable)
