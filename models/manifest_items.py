"""A campaign's items as its manifest has them: written, changed, moved and rejected in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from greenroom.errors import SourceRefused
from greenroom.manifest import ManifestItem
from models.bulk import add_columns, among, insert_columns, update_rows
from models.item import Item, ItemState
from models.item_queue import waiting_anew
from models.locks import lock_rows
from models.upsert import Insert

#: Refs of a part that are looked for before all are taken for new.
REFS_TRIED = 20


def lock_items(connection: Connection, *, campaign_id: str, refs: Sequence[str] | None) -> None:
    """Lock a campaign's items, in the one order; see `models.locks`.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        refs: these alone; None for all.
    """
    of_campaign = Item.campaign_id == campaign_id
    lock_rows(connection, Item, of_campaign if refs is None else of_campaign & among(Item.ref, refs))


def known_refs(connection: Connection, *, campaign_id: str, refs: Sequence[str]) -> list[str]:
    """Those of the refs that the campaign has items of already, as far as others have committed them."""
    statement = select(Item.ref).where(Item.campaign_id == campaign_id, among(Item.ref, refs))
    return list(connection.execute(statement).scalars())


def seem_new(connection: Connection, campaign_id: str, items: Sequence[ManifestItem]) -> bool:
    """Whether the campaign has none of a few of these items; where it has, all are worth a look."""
    step = max(len(items) // REFS_TRIED, 1)
    return not known_refs(connection, campaign_id=campaign_id, refs=[item.ref for item in items[::step]])


def add_items(
    connection: Connection,
    *,
    campaign_id: str,
    due_at: datetime,
    items: Sequence[ManifestItem],
    submission: int = 0,
) -> bool:
    """Write items that the campaign does not have; where it has one of them after all, write none.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        due_at: the campaign's send time.
        items: each ref once; they are written in this order.
        submission: in which they stand.

    Returns:
        Whether they were written.
    """
    if not items:
        return True
    columns, alike = columns_given(items)
    of_campaign = {"campaign_id": campaign_id, "due_at": due_at, "submission": submission}
    return add_columns(connection, Item, columns, same={**of_campaign, **alike})


def save_items(
    connection: Connection,
    *,
    campaign_id: str,
    due_at: datetime,
    items: Iterable[ManifestItem],
    submission: int = 0,
    known: bool = True,
) -> int:
    """Write items in bulk; known ones stay as they are, unless their source changed or they were rejected.

    Those are inspected anew: who hands a rejected file over again has fixed it, or would like to know.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        due_at: the campaign's send time.
        items: each ref once; they are written, and so locked, in this order.
        submission: in which the new ones stand.
        known: whether the campaign may have some of them already.

    Returns:
        How many were written.
    """
    rows = list(items)
    if not rows:
        return 0
    columns, alike = columns_given(rows)
    written = insert_columns(
        connection,
        Item,
        columns,
        same={"campaign_id": campaign_id, "due_at": due_at, "submission": submission, **alike},
        more=_or_inspect_anew if known else None,
    )
    return written.rowcount


def _or_inspect_anew(statement: Insert) -> Insert:
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[Item.campaign_id, Item.ref],
        set_={
            "source": new.source,
            "kind": new.kind,
            "fix": new.fix,
            # A worker that still inspects the old source must not record what it finds.
            **waiting_anew(),
        },
        where=or_(
            Item.source != new.source,
            Item.kind.is_distinct_from(new.kind),
            Item.fix != new.fix,
            Item.state == ItemState.REJECTED,
        ),
    )


def reject_items(connection: Connection, *, campaign_id: str, refused: Mapping[str, SourceRefused]) -> None:
    """Reject items that were just written, and wait to be inspected: their sources are never opened.

    Args:
        connection: the transaction that wrote them.
        campaign_id: whose.
        refused: why, by ref.
    """
    if not refused:
        return
    statement = (
        select(Item.id, Item.ref, Item.token)
        .where(Item.campaign_id == campaign_id, among(Item.ref, refused))
        .where(Item.state == ItemState.WAITING)
        .order_by(Item.id)
    )
    rows = [
        {
            "id": item_id,
            "state": ItemState.REJECTED,
            "token": token + 1,
            "reason": refused[ref].reason,
            "detail": str(refused[ref]),
        }
        for item_id, ref, token in connection.execute(statement).all()
    ]
    update_rows(connection, Item, rows)


def columns_given(items: Sequence[ManifestItem]) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    """What lines say of items: values by column, and the value of each column that is the same for all.

    Most often all have one kind, or none, and are fixed or are not: that is said once.
    """
    columns: dict[str, Sequence[Any]] = {
        "ref": [item.ref for item in items],
        "source": [item.source for item in items],
    }
    alike: dict[str, Any] = {}
    perhaps_alike: dict[str, list[Any]] = {
        "kind": [item.kind for item in items],
        "fix": [item.fix for item in items],
    }
    for name, values in perhaps_alike.items():
        if values.count(values[0]) == len(values):
            alike[name] = values[0]
        else:
            columns[name] = values
    return columns, alike


def move_items(connection: Connection, *, campaign_id: str, due_at: datetime) -> None:
    """Give a campaign's items its new send time."""
    connection.execute(
        update(Item).where(Item.campaign_id == campaign_id, Item.due_at != due_at).values(due_at=due_at)
    )
