"""Lines of a manifest that their campaign has as they are: found by one look, and nothing is written of them.

Of an item that stands, nothing has to be done: it has the line's file, and neither it nor its upload was
given up. It is not locked either. Whoever gives it another file, or removes it, holds the campaign alone; and
what becomes of it a moment later might as well have come a moment after the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, literal_column, select, true
from sqlalchemy.orm import aliased

from greenroom.manifest import ManifestItem
from models.asset import Asset
from models.bulk import collected, given_rows, on_postgresql, parameters_alike, parameters_of
from models.campaign import CampaignRow
from models.item import Item, ItemState
from models.item_asset import ItemAsset, holds
from models.manifest_items import columns_given, known_refs
from models.references import WITHOUT_AN_ID
from models.states import in_state


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a look at some lines found.

    Attributes:
        standing: how many of them stand.
        elsewhere: IDs of those that stand, and were written in another submission than the campaign's.
        others: the other lines, in the order in which they were given.
        known: the refs of those for which there is an item.
    """

    standing: int
    elsewhere: Sequence[int]
    others: Sequence[ManifestItem]
    known: Sequence[str]


def look_at(
    connection: Connection, campaign: CampaignRow, items: Sequence[ManifestItem], *, written: bool
) -> Looked:
    """Find which lines stand already, as far as others have committed what there is.

    Args:
        connection: an open transaction.
        campaign: whose.
        items: each ref once.
        written: whether what stands has to have been written in the campaign's submission.
    """
    if not items or campaign.created:
        return Looked(standing=0, elsewhere=(), others=items, known=())
    postgresql = on_postgresql(connection)
    columns, alike = columns_given(items)
    statement = _look(
        tuple(columns),
        begun=campaign.upload_from is None,
        several=bool(campaign.further_channels),
        written=written,
        postgresql=postgresql,
    )
    of_campaign = {"campaign_id": campaign.id, "number": campaign.submission}
    given = parameters_of(columns, postgresql=postgresql)
    asked = {**of_campaign, **parameters_alike(alike), **given}
    standing, elsewhere, known = connection.execute(statement, asked).one()
    return Looked(
        standing=standing,
        elsewhere=elsewhere or (),
        others=_others(connection, campaign.id, items, standing=standing, known=known or ()),
        known=known or (),
    )


def _others(
    connection: Connection,
    campaign_id: str,
    items: Sequence[ManifestItem],
    *,
    standing: int,
    known: Sequence[str],
) -> Sequence[ManifestItem]:
    if standing in (0, len(items)):
        return () if standing else items
    refs = [item.ref for item in items]
    has_new = standing + len(known) < len(items)
    there = known_refs(connection, campaign_id=campaign_id, refs=refs) if has_new else refs
    stand = set(there).difference(known)
    return [item for item in items if item.ref not in stand]


@cache
def _look(
    names: tuple[str, ...], *, begun: bool, several: bool, written: bool, postgresql: bool
) -> Select[int, list[int], list[str]]:
    """How many items stand, the IDs of those of another submission, and the refs of those that do not.

    Once the campaign's uploads have begun, what has an asset without an upload does not stand; nor, where it
    has several channels, what has such a one on a further channel.
    """
    lines = given_rows(Item, names, postgresql=postgresql)
    given = lines.c
    kind, fix = (
        given[name] if name in names else bindparam(f"same_{name}", type_=Item.__table__.c[name].type)
        for name in ("kind", "fix")
    )
    mine = (Item.campaign_id == bindparam("campaign_id")) & (Item.ref == given.ref)
    # One look at the index for each line. What the planner would do with a join depends on how many rows
    # there were when it looked last: of a table that fills up, it would read all.
    item = (
        aliased(Item, select(Item).where(mine).limit(literal_column("1")).lateral()) if postgresql else Item
    )
    # Not EXISTS, for which it may read all assets.
    without_id = select(Asset.id).where(Asset.id == item.asset_id, WITHOUT_AN_ID).scalar_subquery()
    further = (
        select(Asset.id).join(ItemAsset, ItemAsset.asset_id == Asset.id).where(holds(item), WITHOUT_AN_ID)
    )
    number: BindParameter[int] = bindparam("number")
    stands = and_(
        item.source == given.source,
        item.kind.is_not_distinct_from(kind),
        item.fix == fix,
        ~in_state(item.state, ItemState.REJECTED),
        *([without_id.is_(None)] if begun else []),
        *([further.limit(1).correlate(item).scalar_subquery().is_(None)] if begun and several else []),
        *([item.submission == number] if written else []),
    )
    return (
        select(
            func.count().filter(stands),
            collected(item.id, stands & (item.submission != number)),
            collected(item.ref, ~stands & item.id.is_not(None)),
        )
        .select_from(lines)
        # Outer, for SQLite then looks each line up by its ref: else it takes a campaign for a few items, and
        # goes through all lines for each of them.
        .join(item, true() if postgresql else mine, isouter=not postgresql)
    )
