"""Submissions: a whole manifest that comes in parts, and in place of what the campaign had before.

The campaign has the number of its latest submission. An item stands in it if it was written in it, which it
says itself, or if a part of it found the item as it is, which `models.submission_part` says. When all parts
have come in, what does not stand in it is no longer in the manifest. A submission that breaks off removes
nothing; the next one has a higher number, and does all of it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from models.standing_items import Looked, look_at
from models.submission_part import count_parts, drop_parts, note_part, noted_among, noted_ids


@dataclass(frozen=True, kw_only=True)
class ItemChanges:
    """How many items a part of a submission added, changed and left as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: ItemChanges) -> ItemChanges:
        return ItemChanges(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


#: Added to the number of a submission whose parts are noted. Workers of the version before would remove what
#: is noted there alone; they find no such number, and refuse it. One that they began has a plain number, and
#: so has a campaign's first, in which nothing is to be noted: what stands in it says so itself, as they know.
PARTS_ARE_NOTED = 2**40


def next_submission(connection: Connection, campaign_id: str, *, key: str) -> int:
    """Begin a submission; returns its number, and the same for the same key. Earlier ones are over."""
    hold_campaign(connection, campaign_id, shared=False)
    mine = Campaign.id == campaign_id
    before = connection.execute(select(Campaign.submission, Campaign.submission_key).where(mine)).one()
    has_items = connection.execute(select(Item.id).where(Item.campaign_id == campaign_id).limit(1)).first()
    added = 0 if has_items is None else PARTS_ARE_NOTED
    if before.submission_key == key:
        return int(before.submission) + added
    number = int(before.submission) + 1
    connection.execute(update(Campaign).where(mine).values(submission=number, submission_key=key))
    note_submission_begun(connection, campaign_id, number)
    drop_parts(connection, campaign_id)
    return number + added


def require_submission(campaign: CampaignRow, number: int) -> None:
    """Let nothing of an earlier submission be written into a later one; the campaign was held when read.

    Raises:
        SubmissionSuperseded: another one began since.
    """
    if campaign.submission != number % PARTS_ARE_NOTED:
        raise SubmissionSuperseded(
            f"Another submission of campaign {campaign.id} began since; what this one brought until then may "
            "be replaced. Submit once more, and from one place at a time."
        )


def pass_over_standing(
    connection: Connection, campaign: CampaignRow, items: Sequence[ManifestItem], *, submission: int | None
) -> Looked:
    """Find which lines the campaign has as they are; in a submission that suffices for them to stand in it.

    Args:
        connection: an open transaction, which holds the campaign.
        campaign: whose.
        items: each ref once.
        submission: its number; None for items that are only added.
    """
    noted = submission is not None and submission >= PARTS_ARE_NOTED
    looked = look_at(connection, campaign, items, written=submission is not None and not noted)
    if noted:
        note_part(connection, campaign.id, campaign.submission, looked.elsewhere)
    return looked


def note_submission(
    connection: Connection, campaign: CampaignRow, items: Sequence[ManifestItem]
) -> ItemChanges:
    """Say of items that they stand in a submission, before they are written; returns what will change.

    Those that the campaign has are to be locked.

    Raises:
        ManifestError: a ref stood in it before, with another file.
    """
    number, known = campaign.submission, _known(connection, campaign.id, items)
    changed = {row.id: row for item in items if (row := known.get(item.ref)) and _is_changed(row, item)}
    noted = noted_among(connection, campaign.id, number, changed)
    for row in changed.values():
        if row.submission == number or row.id in noted:
            raise ManifestError(
                f"The ref {row.ref!r} stands twice in this submission, with two files; each item needs "
                "one of its own."
            )
    mine = (Item.campaign_id == campaign.id, among(Item.ref, list(known)))
    connection.execute(update(Item).where(*mine, Item.submission != number).values(submission=number))
    return _changes(known, items)


def compare_items(
    connection: Connection, campaign: CampaignRow, items: Sequence[ManifestItem]
) -> ItemChanges:
    """What handing these items over would change, as far as others have committed what there is."""
    looked = look_at(connection, campaign, items, written=False)
    found = _changes(_known(connection, campaign.id, looked.others), looked.others)
    return replace(found, unchanged=found.unchanged + looked.standing)


def _known(
    connection: Connection, campaign_id: str, items: Sequence[ManifestItem]
) -> dict[str, Row[*tuple[Any, ...]]]:
    """What the campaign has of these items' refs."""
    columns = (Item.id, Item.ref, Item.source, Item.kind, Item.fix, Item.submission)
    mine = (Item.campaign_id == campaign_id, among(Item.ref, [item.ref for item in items]))
    return {row.ref: row for row in connection.execute(select(*columns).where(*mine))}


def _changes(known: Mapping[str, Row[*tuple[Any, ...]]], items: Sequence[ManifestItem]) -> ItemChanges:
    changed = sum(item.ref in known and _is_changed(known[item.ref], item) for item in items)
    return ItemChanges(added=len(items) - len(known), changed=changed, unchanged=len(known) - changed)


def _is_changed(row: Row[*tuple[Any, ...]], item: ManifestItem) -> bool:
    return bool((row.source, row.kind, row.fix) != (item.source, item.kind, item.fix))


@dataclass(frozen=True, kw_only=True)
class OtherItems:
    """Refs of items that did not stand in a submission, when so many of its parts had noted what does."""

    refs: Sequence[str]
    parts: int


def others_of(connection: Connection, campaign_id: str, *, number: int, after: str, limit: int) -> OtherItems:
    """Find items that do not stand in a submission, in the order that the database has of their refs.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        number: the submission's.
        after: the ref that the last call ended with; empty for the first.
        limit: refs at most.
    """
    number %= PARTS_ARE_NOTED
    # First: a part that comes between the two statements is then one more.
    parts = count_parts(connection, campaign_id, number)
    of_campaign = (Item.campaign_id == campaign_id, Item.ref > after)
    # As a difference of two lists: what the database takes for a few rows may be a million, and whatever else
    # it might do with those would take hours.
    noted = noted_ids(connection, campaign_id, number)
    others = select(Item.id).where(*of_campaign, Item.submission != number).except_(noted)
    statement = select(Item.ref).where(*of_campaign, Item.id.in_(others)).order_by(Item.ref).limit(limit)
    return OtherItems(refs=list(connection.execute(statement).scalars()), parts=parts)


def remove_others(
    connection: Connection, campaign_id: str, *, number: int, refs: Sequence[str], parts: int, now: datetime
) -> int:
    """Remove items that :func:`others_of` found, unless a part that came later has them.

    What only they needed is looked at again.

    Args:
        connection: an open transaction, which holds the campaign.
        campaign_id: whose.
        number: the submission's.
        refs: of the items.
        parts: how many had noted what stands in it by then.
        now: the present.

    Returns:
        How many it removed.
    """
    number %= PARTS_ARE_NOTED
    check_references_again(connection, lock_assets_of(connection, campaign_id, refs=refs), now=now)
    lock_items(connection, campaign_id=campaign_id, refs=refs)
    mine = (Item.campaign_id == campaign_id, among(Item.ref, refs))
    goes = [*mine, Item.submission != number]
    if count_parts(connection, campaign_id, number) != parts:
        ids = connection.execute(select(Item.id).where(*mine)).scalars().all()
        goes.append(~among(Item.id, noted_among(connection, campaign_id, number, ids)))
    return connection.execute(delete(Item).where(*goes)).rowcount


def close_submission(connection: Connection, campaign_id: str, *, number: int) -> None:
    """All that does not stand in a submission is gone: what hangs on its end may be told."""
    note_submission_ended(connection, campaign_id, number % PARTS_ARE_NOTED)
