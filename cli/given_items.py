"""The items that a command line gives; what of it cannot be one is told on standard error."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import click

from cli.folder_options import say_what_is_unusable, say_what_was_passed_over
from cli.formats import counted, plain, remarks
from cli.given_options import STANDARD_INPUT, Given
from greenroom.errors import ManifestError, Misuse
from greenroom.folder_items import items_of_paths
from greenroom.folder_walk import FolderWalk
from greenroom.manifest import ManifestItem, parse_items
from greenroom.manifest_file import ManifestFile
from greenroom.rules import MIB
from greenroom.sources import source_name, unsigned
from greenroom.spool import spooled

#: Bytes of a manifest that comes on standard input: ten million lines of a hundred characters.
MOST_SPOOLED: Final = 1024 * MIB


@dataclass(frozen=True, kw_only=True)
class GivenItems:
    """What is taken.

    Attributes:
        items: at least one; each pass over them may read a file anew.
        left_out: how many lines or paths cannot be taken.
    """

    items: Collection[ManifestItem]
    left_out: int


def given_items(given: Given) -> GivenItems:
    """The items that can be taken.

    Raises:
        ManifestError: the manifest cannot be used.
        Misuse: there are none, or some cannot be taken and `--strict` was given.
    """
    taken = _of_manifest(given.manifest, fix=given.fix) if given.manifest else _of_paths(given)
    if taken.left_out and (given.strict or not taken.items):
        why = "--strict takes all or nothing" if given.strict else "none of it can be used"
        raise Misuse(f"Nothing was taken: {why}. Put right what is named above, and start again.")
    if not taken.items:
        raise Misuse("There are no files there. Give files, or folders with files in them.")
    return taken


def _of_paths(given: Given) -> GivenItems:
    walk = FolderWalk(include=given.include, exclude=given.exclude)
    items = items_of_paths(given.paths, walk)
    items += _of_addresses(given.addresses, {item.ref for item in items})
    say_what_was_passed_over(walk)
    left_out = say_what_is_unusable(walk)
    if given.fix:
        items = [item.model_copy(update={"fix": True}) for item in items]
    return GivenItems(items=items, left_out=left_out)


def _of_addresses(addresses: Collection[str], refs: set[str]) -> list[ManifestItem]:
    """An item for each: its ref is the file's name, or the address where another file has that name."""
    sources: dict[str, str] = {}
    for address in dict.fromkeys(addresses):
        name = source_name(address)
        sources[unsigned(address) if name in sources or name in refs else name] = address
    return parse_items([{"ref": ref, "source": source} for ref, source in sources.items()], where="address")


def _of_manifest(path: Path, *, fix: bool) -> GivenItems:
    if path == STANDARD_INPUT:
        # It is kept for as long as the command runs.
        file, copy = click.get_current_context().with_resource(spooled())
        spool_manifest(sys.stdin.buffer if sys.stdin else None, file)
        manifest = ManifestFile(copy, fix=fix, spooled_for=Path.cwd())
    else:
        manifest = ManifestFile(path, fix=fix)
    if manifest.bad_count:
        lines = counted(manifest.bad_count, "line")
        remarks.print(f"[yellow]{lines} of {plain(manifest.name)} cannot be taken:[/yellow]", soft_wrap=True)
        for line in manifest.bad_lines:
            remarks.print(f"  {plain(line)}", soft_wrap=True)
        if manifest.bad_count > len(manifest.bad_lines):
            remarks.print(f"  ... and {manifest.bad_count - len(manifest.bad_lines):,} more")
    return GivenItems(items=manifest, left_out=manifest.bad_count)


def spool_manifest(stream: IO[bytes] | None, into: IO[bytes], *, most: int = MOST_SPOOLED) -> None:
    """Copy a manifest to a file, from where it can be read twice.

    Raises:
        ManifestError: it is too long, cannot be read, or there is no room for it.
    """
    if stream is None:
        raise ManifestError("Standard input is closed, and --manifest - reads from it.")
    length = 0
    try:
        while piece := stream.read(MIB):
            length += len(piece)
            if length > most:
                raise ManifestError(
                    f"The manifest on standard input has more than {most // MIB:,} MB. Write it into a file, "
                    "and give that."
                )
            into.write(piece)
        into.flush()
    except OSError as error:
        raise ManifestError(f"The manifest on standard input cannot be kept: {error.strerror}.") from error
