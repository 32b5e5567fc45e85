"""What a database knows of files before they are handed over: whether all of them came before."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, or_, select

from models.asset import Asset, AssetState
from models.bulk import among
from models.item import Item, ItemState
from models.media import Media, alive
from models.states import in_state


def nothing_waits(connection: Connection) -> bool:
    """Whether there is no file, of any campaign, to be looked at or uploaded now."""
    unseen = in_state(Item.state, ItemState.WAITING, ItemState.CLAIMED, ItemState.INSPECTING)
    unsent = in_state(Asset.state, AssetState.WAITING, AssetState.CLAIMED, AssetState.UPLOADING)
    waiting = (select(Item.id).where(unseen), select(Asset.id).where(unsent))
    return all(connection.execute(some.limit(1)).first() is None for some in waiting)


def live_contents(
    connection: Connection, channel_id: str, hashes: Collection[str], *, now: datetime
) -> set[str]:
    """Those of the contents that the channel has a live media ID of, which is not to be renewed yet."""
    not_yet = or_(Media.refresh_at.is_(None), Media.refresh_at > now)
    statement = select(Media.sha256).where(
        Media.channel_id == channel_id, among(Media.sha256, hashes), alive(now), not_yet
    )
    return set(connection.execute(statement).scalars())


def rejected_sources(connection: Connection, sources: Collection[str]) -> set[str]:
    """Those of the sources whose file was rejected, in some campaign."""
    rejected = Item.state == ItemState.REJECTED
    return set(connection.execute(select(Item.source).where(rejected, among(Item.source, sources))).scalars())
