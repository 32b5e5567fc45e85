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
    "Allow folders with GREENROOM_MEDIA_ROOTS, web servers with GREENROOM_SOURCE_HOSTS and stores with "
    "GREENROOM_SOURCE_STORES; see docs/how-to/sources.md."
)


def say_what_is_refused(items: Collection[ManifestItem], sources: Sources) -> int:
    """Tell which items will be rejected unopened; returns how many.

    Raises:
        Misuse: all of them will.
    """
    count, not_allowed = 0, False
    lines: list[str] = []
    for item in items:
        if refusal := sources.refusal(item.source):
            count += 1
            not_allowed = not_allowed or refusal.reason == Reason.NOT_ALLOWED
            if count <= MOST_SHOWN:
                lines.append(f"{item.ref}: {refusal}")
    if not count:
        return 0
    if count > MOST_SHOWN:
        lines.append(f"... and {count - MOST_SHOWN:,} more")
    if not_allowed:
        lines.append(_ALLOW)
    if count == len(items):
        raise Misuse("None of these files may be opened.\n" + "\n".join(lines))
    remarks.print(f"[yellow]{counted(count, 'file')} will be rejected unopened:[/yellow]")
    for line in lines:
        remarks.print(f"  {plain(line)}", soft_wrap=True)
    return count
