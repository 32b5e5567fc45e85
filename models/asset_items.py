"""Which items an asset serves: by their names an operator knows a file, and by their sources it is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, false, select, text, true

from models.bulk import among_bound
from models.item import Item
from models.item_asset import Holding, on_all_channels

#: Rows read for one look: what thousands of items share is named by some of them.
MOST_SERVED = 2_000


class ServedItem(NamedTuple):
    """An item that an asset serves; and whether it does so on a further channel of its campaign."""

    item_id: int
    campaign_id: str
    ref: str
    source: str
    is_further: bool = False


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
    for asset_id, *item in connection.execute(_ITEMS, {"ids": list(asset_ids), "most": limit}):
        if asset_id is not None:
            found[asset_id].append(ServedItem(*item))
    return found


def _items(held: Holding) -> Select[*tuple[Any, ...]]:
    is_further = true() if held.is_further else false()
    columns = (held.asset_id, Item.id, Item.campaign_id, Item.ref, Item.source)
    return select(*columns, is_further).select_from(held.items).where(among_bound(held.asset_id, "ids"))


_ITEMS = on_all_channels(_items).order_by(text("id DESC")).limit(bindparam("most"))


def other_sources(connection: Connection, asset_id: int, *, but: str, limit: int) -> tuple[str, ...]:
    """Where else an asset's content may be had: sources of other items that hold it.

    Args:
        connection: an open transaction.
        asset_id: of which content.
        but: the source that is known.
        limit: sources at most.
    """

    def sources(held: Holding) -> Select[*tuple[Any, ...]]:
        # The source of a fixed file holds what it was before.
        others = (Item.source != but, Item.original_sha256.is_(None))
        return select(Item.source).select_from(held.items).where(held.asset_id == asset_id, *others)

    found = on_all_channels(sources).subquery()
    return tuple(connection.execute(select(found.c.source).distinct().limit(limit)).scalars())
