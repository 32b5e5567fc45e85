"""The claims under which items are inspected: handed out, begun, renewed, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select, update

from greenroom.reasons import Reason
from greenroom.rules import Category
from models.bulk import among, among_bound
from models.campaign import Campaign
from models.claim import Claim, lock_lapsed, renew
from models.fair_shares import fair_shares
from models.item import Item, ItemState
from models.item_asset import Holding, on_all_channels
from models.item_queue import put_items_back, reject_tried
from models.locks import lock_rows
from models.states import in_state

_IS_WITH_A_WORKER = in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)


@dataclass(frozen=True, kw_only=True)
class ItemClaim:
    """A claim handed out for inspection.

    Attributes:
        claim: the claim.
        suspect: whether inspecting it failed before; it may be what brings its worker down.
    """

    claim: Claim
    suspect: bool


@dataclass(frozen=True, kw_only=True)
class ItemUnderInspection:
    """An item that this worker has taken, with all that its inspection needs."""

    claim: Claim
    campaign_id: str
    #: The first of its campaign's channels, and the others.
    channel_id: str
    further_channels: tuple[str, ...]
    ref: str
    source: str
    kind: Category | None
    fix: bool
    due_at: datetime
    attempts: int
    #: When its campaign's uploads begin; None if they have.
    upload_from: datetime | None

    @property
    def channels(self) -> tuple[str, ...]:
        """All on which it is to be uploaded."""
        return (self.channel_id, *self.further_channels)


def claim_items(connection: Connection, *, limit: int, now: datetime, lease: timedelta) -> list[ItemClaim]:
    """Claim up to `limit` items, to be handed out for inspection: fair shares of all channels' items."""
    chosen = fair_shares(connection, limit=limit, now=now, also_suspect=True)
    result = connection.execute(
        update(Item)
        .where(among(Item.id, chosen))
        .values(state=ItemState.CLAIMED, token=Item.token + 1, lease_until=now + lease)
        .returning(Item.id, Item.token, Item.attempts)
    )
    claims = {
        row.id: ItemClaim(claim=Claim(id=row.id, token=row.token), suspect=row.attempts > 0) for row in result
    }
    return [claims[item_id] for item_id in chosen]


def count_items_handed_out(connection: Connection, *, now: datetime) -> int:
    """How many items are with workers, or on their way to one."""
    statement = select(func.count()).where(_IS_WITH_A_WORKER, Item.lease_until > now)
    return connection.execute(statement).scalar_one()


def take_items(
    connection: Connection,
    claims: Sequence[Claim],
    *,
    now: datetime,
    lease: timedelta,
    worker: str | None = None,
) -> list[ItemUnderInspection]:
    """Begin work on claims that were handed out; those that somebody else has meanwhile are left out.

    Taking is a claim of its own: the token grows, so a message delivered twice finds nothing to do.
    """
    tokens = {claim.id: claim.token for claim in claims}
    rows = connection.execute(
        select(Item.id, Item.token)
        .where(among(Item.id, tokens), in_state(Item.state, ItemState.CLAIMED))
        .order_by(Item.id)
        .with_for_update()
    )
    mine = [row.id for row in rows if row.token == tokens[row.id]]
    return _begun(connection, mine, until=now + lease, worker=worker)


def claim_and_take_items(
    connection: Connection, *, limit: int, now: datetime, lease: timedelta, worker: str | None = None
) -> list[ItemUnderInspection]:
    """Claim up to `limit` items and begin work on them, in fair shares; none whose inspection failed before.

    For a worker that continues by itself: nothing is handed out, so nothing can come twice.
    """
    chosen = fair_shares(connection, limit=limit, now=now, also_suspect=False)
    return _begun(connection, chosen, until=now + lease, worker=worker)


def _begun(
    connection: Connection, ids: Sequence[int], *, until: datetime, worker: str | None
) -> list[ItemUnderInspection]:
    """Begin work on items that are locked."""
    connection.execute(_BEGIN, {"ids": list(ids), "until": until, "by": worker})
    rows = connection.execute(_BEGUN, {"ids": list(ids)}).all()
    return [
        ItemUnderInspection(
            claim=Claim(id=item_id, token=token),
            campaign_id=campaign_id,
            channel_id=channel_id,
            further_channels=further,
            ref=ref,
            source=source,
            kind=Category(kind) if kind else None,
            fix=fix,
            due_at=due_at,
            attempts=attempts,
            upload_from=start,
        )
        for (
            item_id,
            token,
            campaign_id,
            channel_id,
            further,
            ref,
            source,
            kind,
            fix,
            due_at,
            attempts,
            start,
        ) in rows
    ]


_MINE = among_bound(Item.id, "ids")
_BEGIN = (
    update(Item)
    .where(_MINE)
    .values(
        state=ItemState.INSPECTING,
        token=Item.token + 1,
        lease_until=bindparam("until"),
        worker=bindparam("by"),
    )
)
_BEGUN = (
    select(
        Item.id,
        Item.token,
        Item.campaign_id,
        Campaign.channel_id,
        Campaign.further_channels,
        Item.ref,
        Item.source,
        Item.kind,
        Item.fix,
        Item.due_at,
        Item.attempts,
        Campaign.upload_from,
    )
    .join(Campaign, Campaign.id == Item.campaign_id)
    .where(_MINE)
    .order_by(Item.due_at, Item.id)
)


def renew_items(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> list[Claim]:
    """Keep the claims of a living worker from lapsing; returns those that it has lost; see `models.claim`."""
    return renew(connection, Item, claims, until=until)


def postpone_item(
    connection: Connection, claim: Claim, *, until: datetime, detail: str, counts: bool = True
) -> None:
    """Give a claim back, to be inspected not before `until`; whether it counts as an attempt is said."""
    mine = and_(Item.id == claim.id, Item.token == claim.token)
    put_items_back(connection, mine, counts=counts, detail=detail, until=until)


def lock_items_of(connection: Connection, asset_ids: Collection[int]) -> None:
    """Lock the items that share these assets, in the one order; see `models.locks`."""
    lock_rows(connection, Item, _shares(asset_ids))


def _shares(asset_ids: Collection[int]) -> ColumnElement[bool]:
    """A condition on :class:`Item`: on some channel it has one of these assets."""

    def sharing(held: Holding) -> Select[*tuple[Any, ...]]:
        return select(Item.id).select_from(held.items).where(among(held.asset_id, asset_ids))

    found = on_all_channels(sharing).subquery()
    return Item.id.in_(select(found.c.id))


def inspect_again(connection: Connection, *, asset_id: int, until: datetime, max_attempts: int) -> None:
    """Send all items that share an asset back to inspection: its source holds other bytes now.

    Not at once, and it counts as an attempt: a file that is written to all the time has its end, too.
    """
    lock_items_of(connection, [asset_id])
    mine = and_(_shares([asset_id]), Item.state == ItemState.ACCEPTED)
    detail = "The file was changed while it was being sent."
    reject_tried(connection, mine, max_attempts=max_attempts, reason=Reason.UNREADABLE, detail=detail)
    put_items_back(connection, mine, counts=True, detail=detail, until=until)


def sweep_items(
    connection: Connection, *, now: datetime, max_attempts: int, limit: int, silent: Collection[str] = ()
) -> int:
    """Put back items whose lease is over, or whose worker is one of the `silent`; returns how many.

    Those that silenced their workers too often are rejected as broken.
    """
    ids = lock_lapsed(connection, Item, _IS_WITH_A_WORKER, now=now, limit=limit, silent=silent)
    begun = and_(among(Item.id, ids), Item.state == ItemState.INSPECTING)
    silence = "The worker that was looking at this file went silent."
    last = f"{silence} It was the last of {max_attempts} attempts."
    reject_tried(connection, begun, max_attempts=max_attempts, reason=Reason.BROKEN, detail=last)
    put_items_back(connection, begun, counts=True, detail=silence)
    on_its_way = and_(among(Item.id, ids), Item.state == ItemState.CLAIMED)
    put_items_back(connection, on_its_way, counts=False, detail=None)
    return len(ids)
