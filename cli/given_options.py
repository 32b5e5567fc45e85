"""The options by which a command is given the items of a campaign: by paths or by a manifest."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cli.folder_options import pattern_options
from greenroom.is_url import is_remote

#: The manifest that comes on standard input.
STANDARD_INPUT = Path("-")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What these options say; their names are the command line's.

    Attributes:
        addresses: paths that are none: files of web servers and stores.
    """

    paths: tuple[Path, ...]
    addresses: tuple[str, ...] = ()
    manifest: Path | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    strict: bool
    fix: bool

    def __post_init__(self) -> None:
        if bool(self.paths or self.addresses) == bool(self.manifest):
            raise click.UsageError("Give paths, or a --manifest.")
        if self.manifest and (self.include or self.exclude):
            raise click.UsageError("--include and --exclude are for folders; a manifest says what it takes.")


class _PathOrAddress(click.Path):
    """A path that is there, or an address, which stays a text."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | str | bytes | os.PathLike[str]:
        """What was given; called by click."""
        if isinstance(value, str) and is_remote(value):
            return value
        return super().convert(value, param, ctx)


def given_options(command: Callable[..., None]) -> Callable[..., None]:
    """Paths, `--manifest`, `--include`, `--exclude`, `--strict` and `--fix`; the command gets a `Given`."""

    @wraps(command)
    def with_given(
        *words: Any,
        paths: tuple[Path | str, ...],
        manifest: Path | None,
        include: tuple[str, ...],
        exclude: tuple[str, ...],
        strict: bool,
        fix: bool,
        **options: Any,
    ) -> None:
        given = Given(
            paths=tuple(path for path in paths if isinstance(path, Path)),
            addresses=tuple(path for path in paths if isinstance(path, str)),
            manifest=manifest,
            include=include,
            exclude=exclude,
            strict=strict,
            fix=fix,
        )
        command(*words, given=given, **options)

    paths_argument = click.argument("paths", nargs=-1, type=_PathOrAddress(path_type=Path, exists=True))
    manifest_option = click.option(
        "--manifest",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        help="A .csv, .json or .jsonl file with ref, source and perhaps kind, instead of paths; - for "
        "standard input.",
    )
    strict_option = click.option(
        "--strict", is_flag=True, help="Take nothing if a line of the manifest, or a path, cannot be taken."
    )
    fix_option = click.option(
        "--fix",
        is_flag=True,
        help="Send fixed copies of files that WhatsApp does not take; the originals stay.",
    )
    return paths_argument(manifest_option(pattern_options(strict_option(fix_option(with_given)))))
