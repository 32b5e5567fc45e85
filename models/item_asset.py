"""Which asset an item has on each channel of its campaign: the one place that knows where that is kept.

On the campaign's first channel it is ``Item.asset_id``, and most campaigns have no other one. On each further
channel it is a row here, which holds for the verdict of one token: whoever sends the item back to inspection
makes the token grow, and so takes from it what it had on all channels at once.

What looks for items by their assets asks by :func:`on_all_channels`; what looks at a campaign's items on one
channel, by :func:`item_on`. Of a campaign with one channel, neither reads more than before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Connection,
    ForeignKey,
    Select,
    UniqueConstraint,
    and_,
    delete,
    exists,
    select,
    union_all,
)
from sqlalchemy.orm import Mapped, aliased, join, mapped_column

from models.base import Base, BigKey
from models.bulk import among, insert_rows
from models.campaign import Campaign
from models.item import Item
from models.locks import lock_rows


class ItemAsset(Base):
    """The asset that an item has on a further channel of its campaign."""

    __tablename__ = "item_assets"
    __table_args__ = (UniqueConstraint("item_id", "channel_id"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    #: With the item, this goes, whoever removes it: workers of before know nothing of it.
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"))
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    asset_id: Mapped[int] = mapped_column(ForeignKey("assets.id"), index=True)
    #: The item's, under which it was judged.
    token: Mapped[int] = mapped_column(BigInteger)


def holds(item: type[Item] = Item) -> ColumnElement[bool]:
    """A condition on :class:`ItemAsset`: it is of this item, and of its present verdict."""
    return and_(ItemAsset.item_id == item.id, ItemAsset.token == item.token)


class Holding(NamedTuple):
    """Items, and the assets that they have.

    Attributes:
        items: to select from; :class:`Item`'s columns are there.
        asset_id: the column that says which asset one has.
        is_further: whether that is on a further channel.
    """

    items: Any
    asset_id: Any
    is_further: bool


_ON_FIRST = Holding(Item, Item.asset_id, is_further=False)
_ON_FURTHER = Holding(join(Item, ItemAsset, holds()), ItemAsset.asset_id, is_further=True)
#: Makes a statement on items and the assets that they have.
OfHolding = Callable[[Holding], Select[*tuple[Any, ...]]]


def on_all_channels(of: OfHolding, *, campaign_id: str | None = None) -> CompoundSelect[*tuple[Any, ...]]:
    """What a statement finds of items on their campaigns' first channels, and then on the further ones.

    Args:
        of: makes it; without an order.
        campaign_id: the campaign to which it is limited by itself, where it is: of one without further
            channels, nothing more is read.
    """
    further = of(_ON_FURTHER)
    if campaign_id is not None:
        # Of its own, beside what the statement may have of campaigns: the database asks it once, beforehand.
        mine = aliased(Campaign)
        further = further.where(exists().where(mine.id == campaign_id, mine.further_channels.is_not(None)))
    return union_all(of(_ON_FIRST), further)


def item_on(channel_id: str | None, item: type[Item] = Item) -> type[Item]:
    """Items as they are on one channel: each with the asset that it has there, or none.

    Args:
        channel_id: a further channel of the items' campaign; None for the first.
        item: which items; an alias of some.
    """
    if channel_id is None:
        return item
    names = [column.name for column in Item.__table__.columns if column.name != "asset_id"]
    mine = and_(holds(item), ItemAsset.channel_id == channel_id)
    columns = [getattr(item, name) for name in names]
    statement = select(*columns, ItemAsset.asset_id.label("asset_id")).select_from(item)
    return aliased(Item, statement.outerjoin(ItemAsset, mine).subquery(), adapt_on_names=True)


def set_assets(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write which assets items, locked by this transaction, have on further channels from now on.

    Args:
        connection: an open transaction.
        rows: ``item_id``, ``channel_id``, ``asset_id`` and ``token`` each.
    """
    if not rows:
        return
    _remove(connection, among(ItemAsset.item_id, {row["item_id"] for row in rows}))
    insert_rows(connection, ItemAsset, rows)


def remove_assets(connection: Connection, campaign_id: str, channel_ids: Collection[str]) -> None:
    """Take from a campaign's items, locked by this transaction, what they have on these further channels."""
    items = select(Item.id).where(Item.campaign_id == campaign_id)
    _remove(connection, among(ItemAsset.channel_id, channel_ids) & ItemAsset.item_id.in_(items))


def _remove(connection: Connection, which: ColumnElement[bool]) -> None:
    lock_rows(connection, ItemAsset, which)
    connection.execute(delete(ItemAsset).where(which))


def further_assets(connection: Connection, item_ids: Collection[int]) -> set[int]:
    """All assets that these items have or had on further channels."""
    statement = select(ItemAsset.asset_id).where(among(ItemAsset.item_id, item_ids))
    return set(connection.execute(statement).scalars())
