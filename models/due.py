"""Whether there is anything to do now: what each of beat's ticks asks first, in one statement.

Each part is one step into an index that is empty when nothing is to be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, select

from models.asset import Asset, AssetState
from models.campaign import Campaign
from models.fair_shares import anything_to_inspect
from models.item import Item, ItemState
from models.outbox import OutboxRow
from models.settling import anything_to_look_at
from models.states import in_state


@dataclass(frozen=True, kw_only=True)
class Due:
    """What there is.

    Attributes:
        inspections: items wait for inspection; some of them perhaps for a later moment.
        uploads: assets wait for upload; some perhaps for a later moment, or for a channel that is paused.
        claims: some worker has claimed something, or had when it died.
        starts: campaigns whose uploads are to begin.
        callbacks: call-backs to be written, or delivered.
    """

    inspections: bool
    uploads: bool
    claims: bool
    starts: bool
    callbacks: bool


def what_is_due(connection: Connection, *, now: datetime) -> Due:
    """Look at everything that a tick may find."""
    items = exists().where(in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING))
    assets = exists().where(in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING))
    starting = exists().where(Campaign.upload_from <= now, Campaign.cancelled_at.is_(None))
    undelivered = exists().where(OutboxRow.due_at <= now)
    found = connection.execute(
        select(
            anything_to_inspect().label("inspections"),
            exists().where(in_state(Asset.state, AssetState.WAITING)).label("uploads"),
            (items | assets).label("claims"),
            starting.label("starts"),
            (undelivered | anything_to_look_at(now)).label("callbacks"),
        )
    ).one()
    return Due(**{name: bool(value) for name, value in found._mapping.items()})  # noqa: SLF001 - SQLAlchemy's own name for it
