"""Which items an asset serves: by their names an operator knows a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from models.bulk import among_bound
from models.item import Item

#: Rows read for one look: what thousands of items share is named by some of them.
MOST_SERVED = 2_000


class ServedItem(NamedTuple):
    """An item that an asset serves."""

    item_id: int
    campaign_id: str
    ref: str
    source: str


def items_of_assets(
    connection: Connection, asset_ids: Collection[int], *, limit: int = MOST_SERVED
) -> dict[int, list[ServedItem]]:
    """The items of each asset, the newest first.

    Args:
        connection: an open transaction.
        asset_ids: of these; one that no item names any more is left out.
        limit: items at most, of all of them together.
    """
    found: dict[int, list[ServedItem]] = defaultdict(list)
    for asset_id, item_id, campaign_id, ref, source in connection.execute(
        _ITEMS, {"ids": list(asset_ids), "most": limit}
    ):
        if asset_id is not None:
            found[asset_id].append(ServedItem(item_id, campaign_id, ref, source))
    return found


_ITEMS = (
    select(Item.asset_id, Item.id, Item.campaign_id, Item.ref, Item.source)
    .where(among_bound(Item.asset_id, "ids"))
    .order_by(Item.id.desc())
    .limit(bindparam("most"))
)
