"""The claims under which items are inspected: handed out, begun, renewed, given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    tuple_,
    update,
)

from greenroom.reasons import Reason
from greenroom.rules import Category
from models.bulk import (
    among,
    among_bound,
    on_postgresql,
)
from models.campaign import Campaign
from models.claim import Claim
from models.fair_shares import fair_shares
from models.item import Item, ItemState
from models.locks import lock_rows
from models.states import in_state

_IS_INSPECTING = in_state(Item.state, ItemState.INSPECTING)
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
    channel_id: str
    ref: str
    source: str
    kind: Category | None
    fix: bool
    due_at: datetime
    attempts: int
    #: When its campaign's uploads begin; None if they have.
    upload_from: datetime | None


def claim_items(connection: Connection, *, limit: int, now: datetime, lease: timedelta) -> list[ItemClaim]:
    """Claim up to `limit` items, to be handed out for inspection: fair shares of all channels' items."""
    chosen = fair_shares(connection, limit=limit, now=now, also_suspect=True)
    result = connection.execute(
        update(Item)
        .where(among(connection, Item.id, chosen))
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
        .where(among(connection, Item.id, tokens), in_state(Item.state, ItemState.CLAIMED))
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
    begin, read = _beginning(postgresql=on_postgresql(connection))
    connection.execute(begin, {"ids": list(ids), "until": until, "by": worker})
    rows = connection.execute(read, {"ids": list(ids)}).all()
    return [
        ItemUnderInspection(
            claim=Claim(id=item_id, token=token),
            campaign_id=campaign_id,
            channel_id=channel_id,
            ref=ref,
            source=source,
            kind=Category(kind) if kind else None,
            fix=fix,
            due_at=due_at,
            attempts=attempts,
            upload_from=start,
        )
        for item_id, token, campaign_id, channel_id, ref, source, kind, fix, due_at, attempts, start in rows
    ]


@cache
def _beginning(*, postgresql: bool) -> tuple[Update, Select[*tuple[Any, ...]]]:
    mine = among_bound(Item.id, "ids", postgresql=postgresql)
    values: dict[str, Any] = {"lease_until": bindparam("until"), "worker": bindparam("by")}
    return (
        update(Item).where(mine).values(values | {"state": ItemState.INSPECTING, "token": Item.token + 1}),
        select(
            Item.id,
            Item.token,
            Item.campaign_id,
            Campaign.channel_id,
            Item.ref,
            Item.source,
            Item.kind,
            Item.fix,
            Item.due_at,
            Item.attempts,
            Campaign.upload_from,
        )
        .join(Campaign, Campaign.id == Item.campaign_id)
        .where(mine)
        .order_by(Item.due_at, Item.id),
    )


def renew_items(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> Sequence[Claim]:
    """Keep the claims of a living worker from lapsing, as far as they are still being worked on.

    Rows that somebody has locked are left for the next time: a renewal waits for nobody, least of all for
    the verdicts of its own worker. Returns nothing: what was lost shows when its verdict is written.
    """
    held = (
        select(Item.id)
        .where(
            tuple_(Item.id, Item.token).in_([(claim.id, claim.token) for claim in claims]),
            Item.state == ItemState.INSPECTING,
        )
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(held).scalars())
    connection.execute(update(Item).where(Item.id.in_(ids)).values(lease_until=until))
    return ()


def postpone_item(
    connection: Connection, claim: Claim, *, until: datetime, detail: str, counts: bool = True
) -> None:
    """Give a claim back, to be inspected not before `until`; whether it counts as an attempt is said."""
    connection.execute(
        update(Item)
        .where(Item.id == claim.id, Item.token == claim.token)
        .values(
            state=ItemState.WAITING,
            lease_until=None,
            not_before=until,
            attempts=Item.attempts + int(counts),
            detail=detail,
        )
    )


def lock_items_of(connection: Connection, asset_ids: Collection[int]) -> None:
    """Lock the items that share these assets, in the one order; see `models.locks`."""
    lock_rows(connection, Item, among(connection, Item.asset_id, asset_ids))


def inspect_again(connection: Connection, *, asset_id: int, until: datetime, max_attempts: int) -> None:
    """Send all items that share an asset back to inspection: its source holds other bytes now.

    Not at once, and it counts as an attempt: a file that is written to all the time has its end, too.
    """
    lock_items_of(connection, [asset_id])
    connection.execute(
        update(Item)
        .where(Item.asset_id == asset_id, Item.state == ItemState.ACCEPTED)
        .values(
            state=case((Item.attempts + 1 >= max_attempts, ItemState.REJECTED), else_=ItemState.WAITING),
            reason=case((Item.attempts + 1 >= max_attempts, Reason.UNREADABLE)),
            detail="The file was changed while it was being sent.",
            asset_id=None,
            token=Item.token + 1,
            attempts=Item.attempts + 1,
            not_before=until,
        )
    )


def sweep_items(
    connection: Connection, *, now: datetime, max_attempts: int, limit: int, silent: Collection[str] = ()
) -> int:
    """Put back items whose lease is over, or whose worker is one of the `silent`.

    Those that silenced their workers too often are rejected as broken.
    """
    lapsed = (
        select(Item.id)
        .where(_IS_WITH_A_WORKER, or_(Item.lease_until <= now, and_(_IS_INSPECTING, Item.worker.in_(silent))))
        .order_by(Item.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(lapsed).scalars())
    connection.execute(
        update(Item)
        .where(Item.id.in_(ids), Item.state == ItemState.INSPECTING, Item.attempts + 1 >= max_attempts)
        .values(
            state=ItemState.REJECTED,
            token=Item.token + 1,
            attempts=Item.attempts + 1,
            lease_until=None,
            reason=Reason.BROKEN,
            detail=f"Inspecting this file stopped the worker {max_attempts} times.",
        )
    )
    connection.execute(
        update(Item)
        .where(Item.id.in_(ids), Item.state == ItemState.INSPECTING)
        .values(state=ItemState.WAITING, token=Item.token + 1, attempts=Item.attempts + 1, lease_until=None)
    )
    connection.execute(
        update(Item)
        .where(Item.id.in_(ids), Item.state == ItemState.CLAIMED)
        .values(state=ItemState.WAITING, token=Item.token + 1, lease_until=None)
    )
    return len(ids)
