"""Submissions: a whole manifest that comes in parts, and in place of what the campaign had before.

The campaign has the number of its latest submission, and each item that of the one in which it stood last.
When all parts have come in, what has another number is no longer in the manifest. A submission that breaks
off removes nothing; the next one has a higher number, and does all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from greenroom.errors import ManifestError, SubmissionSuperseded
from greenroom.manifest import ManifestItem
from models.bulk import among
from models.callback import note_submission_begun, note_submission_ended
from models.campaign import Campaign, CampaignRow, hold_campaign
from models.item import Item
from models.manifest_items import lock_items
from models.references import check_references_again, lock_assets_of


@dataclass(frozen=True, kw_only=True)
class ItemChanges:
    """How many items a part of a submission added, changed and left as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


def next_submission(connection: Connection, campaign_id: str, *, key: str) -> int:
    """Begin a submission; returns its number, and the same for the same key. Earlier ones are over."""
    hold_campaign(connection, campaign_id, shared=False)
    mine = Campaign.id == campaign_id
    before = connection.execute(select(Campaign.submission, Campaign.submission_key).where(mine)).one()
    if before.submission_key == key:
        return int(before.submission)
    number = int(before.submission) + 1
    connection.execute(update(Campaign).where(mine).values(submission=number, submission_key=key))
    note_submission_begun(connection, campaign_id, number)
    return number


def require_submission(campaign: CampaignRow, number: int) -> None:
    """Let nothing of an earlier submission be written into a later one; the campaign was held when read.

    Raises:
        SubmissionSuperseded: another one began since.
    """
    if campaign.submission != number:
        raise SubmissionSuperseded(
            f"Another submission of campaign {campaign.id} began since; what this one brought until then may "
            "be replaced. Submit once more, and from one place at a time."
        )


def note_submission(
    connection: Connection, campaign_id: str, items: Sequence[ManifestItem], *, number: int
) -> ItemChanges:
    """Say of items that they stand in a submission, before they are written; returns what will change.

    Those that the campaign has are to be locked.

    Raises:
        ManifestError: a ref stood in it before, with another file.
    """
    known = _known(connection, campaign_id, items)
    for item in items:
        row = known.get(item.ref)
        if row is not None and row.submission == number and _is_changed(row, item):
            raise ManifestError(
                f"The ref {item.ref!r} stands twice in this submission, with two files; each item needs "
                "one of its own."
            )
    mine = (Item.campaign_id == campaign_id, among(Item.ref, [item.ref for item in items]))
    connection.execute(update(Item).where(*mine, Item.submission != number).values(submission=number))
    return _changes(known, items)


def compare_items(connection: Connection, campaign_id: str, items: Sequence[ManifestItem]) -> ItemChanges:
    """What handing these items over would change, as far as others have committed what there is."""
    return _changes(_known(connection, campaign_id, items), items)


def _known(
    connection: Connection, campaign_id: str, items: Sequence[ManifestItem]
) -> dict[str, Row[*tuple[Any, ...]]]:
    """What the campaign has of these items' refs."""
    columns = (Item.ref, Item.source, Item.kind, Item.fix, Item.submission)
    mine = (Item.campaign_id == campaign_id, among(Item.ref, [item.ref for item in items]))
    return {row.ref: row for row in connection.execute(select(*columns).where(*mine))}


def _changes(known: Mapping[str, Row[*tuple[Any, ...]]], items: Sequence[ManifestItem]) -> ItemChanges:
    changed = sum(item.ref in known and _is_changed(known[item.ref], item) for item in items)
    return ItemChanges(added=len(items) - len(known), changed=changed, unchanged=len(known) - changed)


def _is_changed(row: Row[*tuple[Any, ...]], item: ManifestItem) -> bool:
    return bool((row.source, row.kind, row.fix) != (item.source, item.kind, item.fix))


def remove_others(
    connection: Connection, campaign_id: str, *, number: int, after: str, limit: int, now: datetime
) -> tuple[int, str | None]:
    """Remove some of the items that do not stand in a submission; what only they needed is looked at again.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        number: the submission's.
        after: the ref that the last call ended with; empty for the first.
        limit: items at most.
        now: the present.

    Returns:
        How many it removed, and where the next begin: None where there are no more.
    """
    others = (Item.campaign_id == campaign_id, Item.submission != number)
    following = select(Item.ref).where(*others, Item.ref > after).order_by(Item.ref).limit(limit)
    refs = list(connection.execute(following).scalars())
    if not refs:
        note_submission_ended(connection, campaign_id, number)
        return 0, None
    check_references_again(connection, lock_assets_of(connection, campaign_id, refs=refs), now=now)
    lock_items(connection, campaign_id=campaign_id, refs=refs)
    gone = connection.execute(delete(Item).where(*others, among(Item.ref, refs)))
    if len(refs) == limit:
        return gone.rowcount, refs[-1]
    note_submission_ended(connection, campaign_id, number)
    return gone.rowcount, None
