"""What is refused before it is handed over: sources that the workers will never open."""

from __future__ import annotations

from collections.abc import Collection

from cli.formats import counted, plain, remarks
from greenroom.errors import Misuse
from greenroom.manifest import ManifestItem
from greenroom.reasons import Reason
from greenroom.sources import Sources

#: Refusals that are shown; all of them stand in the campaign's status.
MOST_SHOWN = 5
_ALLOW = (
    "Allow folders with GREENROOM_MEDIA_ROOTS and web servers with GREENROOM_SOURCE_HOSTS; see "
    "docs/how-to/sources.md."
)


def say_what_is_refused(items: Collection[ManifestItem], sources: Sources) -> int:
    """Tell which items will be rejected unopened; returns how many.

    Raises:
        Misuse: all of them will.
    """
    refused = [(item, refusal) for item in items if (refusal := sources.refusal(item.source))]
    if not refused:
        return 0
    lines = [f"{item.ref}: {refusal}" for item, refusal in refused[:MOST_SHOWN]]
    if len(refused) > MOST_SHOWN:
        lines.append(f"... and {len(refused) - MOST_SHOWN:,} more")
    if any(refusal.reason == Reason.NOT_ALLOWED for _, refusal in refused):
        lines.append(_ALLOW)
    if len(refused) == len(items):
        raise Misuse("None of these files may be opened.\n" + "\n".join(lines))
    remarks.print(f"[yellow]{counted(len(refused), 'file')} will be rejected unopened:[/yellow]")
    for line in lines:
        remarks.print(f"  {plain(line)}", soft_wrap=True)
    return len(refused)


def require_files(items: Collection[ManifestItem]) -> None:
    """Refuse a campaign without files.

    Raises:
        Misuse: there are none.
    """
    if not items:
        raise Misuse("There are no files there. Give files, or folders with files in them.")
