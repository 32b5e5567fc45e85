"""Handing a manifest over, whole or in addition to what its campaign has; what that changes is told."""

from __future__ import annotations

import sys
from collections.abc import Collection
from enum import Enum, auto

import click

from cli.formats import counted, plain, remarks, say
from greenroom.answers import SubmissionChanges
from greenroom.client import Greenroom
from greenroom.errors import Misuse, UnknownName
from greenroom.manifest import CampaignPlan, ManifestItem


class Others(Enum):
    """What becomes of files that a campaign has, and that are not among those handed over."""

    #: They stay, unless somebody at a terminal says otherwise.
    ASKED = auto()
    REMOVED = auto()
    KEPT = auto()


def what_of_others(*, add: bool, remove: bool, left_out: int) -> Others:
    """What the options `--add` and `--remove` say.

    Args:
        add: whether the one was given.
        remove: whether the other was given.
        left_out: lines and paths that cannot be taken. They may be in the campaign already, so that nothing
            is removed where there are any.
    """
    if add and remove:
        raise click.UsageError("Give --add or --remove: files that are not handed over stay, or they do not.")
    if left_out and remove:
        remarks.print("[yellow]Nothing is removed, because of what cannot be taken.[/yellow]")
    if add or left_out:
        return Others.KEPT
    return Others.REMOVED if remove else Others.ASKED


def hand_over(
    client: Greenroom, plan: CampaignPlan, items: Collection[ManifestItem], others: Others, *, can_ask: bool
) -> SubmissionChanges | None:
    """Hand the items over.

    Args:
        client: by which.
        plan: the campaign.
        items: all of them.
        others: what becomes of others that it has.
        can_ask: whether standard input is free for an answer.

    Returns:
        What that changed; None where others stay, for then nobody counts it.

    Raises:
        Misuse: somebody was asked, and said no; or as of the client.
    """
    if others is Others.ASKED:
        others = _asked(client, plan, items, can_ask=can_ask)
    if others is Others.KEPT:
        client.add_items(plan, items)
        return None
    return client.submit(plan, items)


def say_what_was_handed_over(plan: CampaignPlan, files: int, changes: SubmissionChanges | None) -> None:
    """Say how many files that were, and what it changed."""
    known = changes or SubmissionChanges()
    removed = f", {known.removed:,} removed" if known.removed else ""
    say(f"Campaign {plan.id}: {counted(files, 'file')} handed over{in_words(known)}{removed}.")


def changes_as_json(changes: SubmissionChanges | None) -> dict[str, int | None]:
    """The same for programs."""
    if changes is None:
        return {"added": None, "changed": None, "unchanged": None, "removed": 0}
    return changes.model_dump()


def in_words(changes: SubmissionChanges) -> str:
    """How many of the items are new, changed or as before, behind their number; empty if all are new."""
    if not changes.changed and not changes.unchanged:
        return ""
    counts = {"added": changes.added, "changed": changes.changed, "unchanged": changes.unchanged}
    return ": " + ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _asked(
    client: Greenroom, plan: CampaignPlan, items: Collection[ManifestItem], *, can_ask: bool
) -> Others:
    try:
        removed = client.compare(plan.id, items).removed
    except UnknownName:
        # It is new, or its channel is not known either, which is said when it is handed over.
        return Others.REMOVED
    if not removed:
        return Others.REMOVED
    which = (
        f"{counted(removed, 'file')} of campaign {plan.id} {'is' if removed == 1 else 'are'} not among them"
    )
    if not (can_ask and sys.stdin.isatty() and sys.stderr.isatty()):
        remarks.print(f"{plain(which)}; with --remove, what is not handed over any more is removed.")
        return Others.KEPT
    try:
        if click.confirm(f"{which}. Remove from the campaign what is not handed over any more?", err=True):
            return Others.REMOVED
    except click.Abort:
        raise KeyboardInterrupt("Nothing was handed over.") from None
    raise Misuse("Nothing was handed over. With --add, the campaign keeps what it has.")
