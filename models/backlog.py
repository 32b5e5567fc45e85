"""The work of all campaigns together."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from models.asset import Asset, AssetState
from models.gauges import possible_orphans
from models.item import Item, ItemState
from models.states import in_state


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """How much work there is, and how much of it went wrong."""

    inspections: int
    uploads: int
    failed: int
    lost_answers: int


def backlog(connection: Connection) -> Backlog:
    """The work of all campaigns together."""
    items = select(func.count()).where(
        or_(
            in_state(Item.state, ItemState.WAITING),
            in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING),
        )
    )
    uploads = select(func.count()).where(
        or_(
            in_state(Asset.state, AssetState.WAITING),
            in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING),
        )
    )
    failed = select(func.count()).where(in_state(Asset.state, AssetState.FAILED))
    return Backlog(
        inspections=connection.execute(items).scalar_one(),
        uploads=connection.execute(uploads).scalar_one(),
        failed=connection.execute(failed).scalar_one(),
        lost_answers=possible_orphans(connection),
    )
