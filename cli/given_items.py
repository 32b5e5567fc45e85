"""The items of a campaign that a command line gives, by paths or by a manifest."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.folder_options import say_what_is_unusable, say_what_was_passed_over
from greenroom.folder_items import items_of_paths
from greenroom.folder_walk import FolderWalk
from greenroom.manifest import ManifestItem
from greenroom.manifest_file import read_manifest


@dataclass(frozen=True, kw_only=True)
class GivenItems:
    """What is taken.

    Attributes:
        items: each pass over them may read a file anew.
        left_out: how many paths could not be taken; that was said.
    """

    items: Collection[ManifestItem]
    left_out: int


def given_items(
    paths: Sequence[Path],
    manifest: Path | None,
    *,
    include: Sequence[str],
    exclude: Sequence[str],
    fix: bool,
) -> GivenItems:
    """The items; what cannot be one is told on standard error.

    Raises:
        ManifestError: the manifest cannot be used.
    """
    if manifest:
        return GivenItems(items=read_manifest(manifest, fix=fix), left_out=0)
    walk = FolderWalk(include=include, exclude=exclude)
    items = items_of_paths(paths, walk)
    say_what_was_passed_over(walk)
    left_out = say_what_is_unusable(walk)
    if fix:
        items = [item.model_copy(update={"fix": True}) for item in items]
    return GivenItems(items=items, left_out=left_out)
