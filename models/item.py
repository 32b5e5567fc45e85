"""Items: one line of a campaign's manifest each, and the claims under which they are inspected."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    Select,
    String,
    Text,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    case,
    false,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import Mapped, mapped_column

from greenroom.errors import SourceRefused
from greenroom.manifest import ManifestItem
from greenroom.reasons import Reason
from greenroom.rules import Category
from greenroom.untrusted_text import LONGEST_SENTENCE, storable
from greenroom.verdict import Verdict
from models.base import Base, BigKey, OutsideText, Sentence, UtcDateTime
from models.bulk import (
    add_rows,
    among,
    among_bound,
    columns_of,
    given_rows,
    insert_rows,
    on_postgresql,
    update_rows,
)
from models.campaign import Campaign
from models.claim import Claim
from models.locks import lock_rows
from models.states import in_state


class ItemState(StrEnum):
    """How far inspection has come."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    INSPECTING = "inspecting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Item(Base):
    """One line of a manifest: the scheduler's own reference, and where the file comes from."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("campaign_id", "ref"),
        Index(
            "ix_items_waiting",
            "campaign_id",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_items_claimed",
            "lease_until",
            postgresql_where=text("state IN ('claimed', 'inspecting')"),
            sqlite_where=text("state IN ('claimed', 'inspecting')"),
        ),
        Index(
            "ix_items_asset_id",
            "asset_id",
            postgresql_where=text("asset_id IS NOT NULL"),
            sqlite_where=text("asset_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.id"))
    ref: Mapped[str] = mapped_column(OutsideText(255))
    source: Mapped[str] = mapped_column(OutsideText)
    kind: Mapped[str | None] = mapped_column(String(16))
    #: Whether a file that WhatsApp does not take is to be fixed.
    fix: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: The campaign's send time, kept here so that one index gives the order of inspection.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default=ItemState.WAITING)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Whose claim it is or was: see `tasks.runtime.heartbeat`.
    worker: Mapped[str | None] = mapped_column(String(64))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    asset_id: Mapped[int | None] = mapped_column(ForeignKey("assets.id"))
    label: Mapped[str] = mapped_column(Sentence, default="")
    category: Mapped[str | None] = mapped_column(String(16))
    mime_type: Mapped[str | None] = mapped_column(String(128))
    size: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Sentence, default="")
    #: Of the source, where what is sent was fixed from it.
    original_sha256: Mapped[str | None] = mapped_column(String(64))
    #: JSON: what fixing did, a list of sentences.
    fixed: Mapped[str] = mapped_column(Text, default="[]", server_default="[]")
    #: JSON: a list of {"code", "detail"}.
    notices: Mapped[str] = mapped_column(Text, default="[]")


_IS_WAITING = in_state(Item.state, ItemState.WAITING)
_IS_INSPECTING = in_state(Item.state, ItemState.INSPECTING)
_IS_WITH_A_WORKER = in_state(Item.state, ItemState.CLAIMED, ItemState.INSPECTING)
#: Items of one channel that are handed out at a time, however many channels wait.
SMALLEST_SHARE = 5


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


def lock_items(connection: Connection, *, campaign_id: str, refs: Sequence[str] | None) -> None:
    """Lock a campaign's items, in the one order; see `models.locks`.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        refs: these alone; None for all.
    """
    statement = select(Item.id).where(Item.campaign_id == campaign_id)
    if refs is not None:
        statement = statement.where(Item.ref.in_(refs))
    connection.execute(statement.order_by(Item.id).with_for_update()).all()


def known_refs(connection: Connection, *, campaign_id: str, refs: Sequence[str]) -> list[str]:
    """Those of the refs that the campaign has items of already, as far as others have committed them."""
    statement = select(Item.ref).where(Item.campaign_id == campaign_id, among(connection, Item.ref, refs))
    return list(connection.execute(statement).scalars())


def add_items(
    connection: Connection, *, campaign_id: str, due_at: datetime, items: Sequence[ManifestItem]
) -> bool:
    """Write items that the campaign does not have; where it has one of them after all, write none.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        due_at: the campaign's send time.
        items: each ref once; they are written in this order.

    Returns:
        Whether they were written.
    """
    return add_rows(
        connection,
        Item,
        [_as_given(item) for item in items],
        same={"campaign_id": campaign_id, "due_at": due_at},
    )


def save_items(
    connection: Connection, *, campaign_id: str, due_at: datetime, items: Iterable[ManifestItem]
) -> None:
    """Write items in bulk; known ones stay as they are, unless their source changed or they were rejected.

    Those are inspected anew: who hands a rejected file over again has fixed it, or would like to know.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        due_at: the campaign's send time.
        items: each ref once; they are written, and so locked, in this order.
    """
    rows = list(items)
    if not rows:
        return
    insert_rows(
        connection,
        Item,
        [_as_given(item) for item in rows],
        same={"campaign_id": campaign_id, "due_at": due_at},
        more=_or_inspect_anew,
    )


def _or_inspect_anew(statement: Insert) -> Insert:
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[Item.campaign_id, Item.ref],
        set_={
            "source": new.source,
            "kind": new.kind,
            "fix": new.fix,
            "state": ItemState.WAITING,
            "asset_id": None,
            "attempts": 0,
            "not_before": None,
            "reason": None,
            "detail": "",
            # A worker that still inspects the old source must not record what it finds.
            "token": Item.token + 1,
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
    for ref, error in refused.items():
        connection.execute(
            update(Item)
            .where(Item.campaign_id == campaign_id, Item.ref == ref, Item.state == ItemState.WAITING)
            .values(state=ItemState.REJECTED, token=Item.token + 1, reason=error.reason, detail=str(error))
        )


def _as_given(item: ManifestItem) -> dict[str, Any]:
    return {"ref": item.ref, "source": item.source, "kind": item.kind, "fix": item.fix}


def move_items(connection: Connection, *, campaign_id: str, due_at: datetime) -> None:
    """Give a campaign's items its new send time."""
    connection.execute(
        update(Item).where(Item.campaign_id == campaign_id, Item.due_at != due_at).values(due_at=due_at)
    )


def claim_items(connection: Connection, *, limit: int, now: datetime, lease: timedelta) -> list[ItemClaim]:
    """Claim up to `limit` items, to be handed out for inspection: fair shares of all channels' items."""
    chosen = _fair_shares(connection, limit=limit, now=now, also_suspect=True)
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


def _fair_shares(connection: Connection, *, limit: int, now: datetime, also_suspect: bool) -> list[int]:
    """Lock and return up to `limit` items that may be inspected now.

    Each channel that has such items gets the same share, so that a campaign of 100,000 files on one number
    keeps nobody else's waiting; what some do not need, the others get. Within a channel, the earliest send
    time comes first.
    """
    queues = _campaigns_with_waiting_items(connection)
    # Where there are more channels than room, others come first each time.
    order = sorted(queues)
    first = int(now.timestamp() * 1000) % max(1, len(order))
    queues = {channel_id: queues[channel_id] for channel_id in order[first:] + order[:first]}
    chosen: list[int] = []
    after: dict[str, int] = {}
    while queues and len(chosen) < limit:
        share = max(SMALLEST_SHARE, (limit - len(chosen)) // len(queues))
        turn = list(queues.items())[: -(-(limit - len(chosen)) // share)]
        first_of = [(campaign_ids[0], after.get(campaign_ids[0], 0)) for _, campaign_ids in turn]
        found = _lock_waiting(connection, first_of, limit=share, now=now, also_suspect=also_suspect)
        for channel_id, campaign_ids in turn:
            of_this = found[campaign_ids[0]]
            chosen += of_this
            if len(of_this) < share:
                del campaign_ids[0]
            else:
                after[campaign_ids[0]] = of_this[-1]
            if not campaign_ids:
                del queues[channel_id]
    # Of the last channels' shares, what is more than was asked for stays where it is.
    return chosen[:limit]


def _campaigns_with_waiting_items(connection: Connection) -> dict[str, list[str]]:
    """By channel, those of the earliest send time first; one step through the index for each campaign."""
    queues: dict[str, list[str]] = {}
    for row in connection.execute(_queues()):
        queues.setdefault(row.channel_id, []).append(row.id)
    return queues


@cache
def _queues() -> Select[str, str]:
    walk = select(func.min(Item.campaign_id).label("id")).where(_IS_WAITING).cte("walk", recursive=True)
    following = (
        select(func.min(Item.campaign_id)).where(_IS_WAITING, Item.campaign_id > walk.c.id).scalar_subquery()
    )
    walk = walk.union_all(select(following).where(walk.c.id.is_not(None)))
    return (
        select(Campaign.channel_id, Campaign.id)
        .join(walk, walk.c.id == Campaign.id)
        .where(Campaign.cancelled_at.is_(None))
        .order_by(Campaign.send_at, Campaign.id)
    )


def _lock_waiting(
    connection: Connection,
    campaigns: Sequence[tuple[str, int]],
    *,
    limit: int,
    now: datetime,
    also_suspect: bool,
) -> dict[str, list[int]]:
    """Lock up to `limit` items of each campaign, those after the given ID; returns them by campaign."""
    postgresql = on_postgresql(connection)
    values = {"now": now, "most": limit}
    asked: list[dict[str, Any]]
    if postgresql:
        asked = [columns_of([{"campaign_id": campaign_id, "id": after} for campaign_id, after in campaigns])]
    else:
        asked = [{"campaign": campaign_id, "after": after} for campaign_id, after in campaigns]
    statement = _waiting(postgresql=postgresql, also_suspect=also_suspect)
    found: dict[str, list[int]] = {campaign_id: [] for campaign_id, _ in campaigns}
    for one in asked:
        for campaign_id, item_id in connection.execute(statement, {**values, **one}).all():
            found[campaign_id].append(item_id)
    return found


@cache
def _waiting(*, postgresql: bool, also_suspect: bool) -> Select[str, int]:
    """The first items of campaigns that may be inspected now; on SQLite of one campaign."""

    def first_of(campaign_id: Any, after: Any) -> Select[str, int]:
        statement = (
            select(Item.campaign_id, Item.id)
            .where(
                Item.campaign_id == campaign_id,
                _IS_WAITING,
                Item.id > after,
                or_(Item.not_before.is_(None), Item.not_before <= bindparam("now")),
            )
            .order_by(Item.id)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True)
        )
        return statement if also_suspect else statement.where(Item.attempts == 0)

    if not postgresql:
        return first_of(bindparam("campaign"), bindparam("after"))
    asked = given_rows(Item, ["campaign_id", "id"])
    of_each = first_of(asked.c.campaign_id, asked.c.id).correlate(asked).lateral("of_each")
    return (
        select(of_each.c.campaign_id, of_each.c.id)
        .select_from(asked)
        .join(of_each, true())
        .order_by(of_each.c.id)
    )


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
    chosen = _fair_shares(connection, limit=limit, now=now, also_suspect=False)
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
        )
        for item_id, token, campaign_id, channel_id, ref, source, kind, fix, due_at, attempts in rows
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
        )
        .join(Campaign, Campaign.id == Item.campaign_id)
        .where(mine)
        .order_by(Item.due_at, Item.id),
    )


def renew_items(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> Sequence[Claim]:
    """Keep the claims of a living worker from lapsing, as far as they are still being worked on.

    Rows that somebody has locked are left for the next time: a renewal waits for nobody, least of all for
    the verdicts of its own worker. Answers nothing: what was lost shows when its verdict is written.
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


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict on an item.

    Attributes:
        claim: under which the item was inspected.
        verdict: on what will be sent: on the fixed file, where there is one.
        asset_id: what it will be sent as; None where it is rejected.
        original_sha256: of the source, where it was fixed.
        fixed: what fixing did.
    """

    claim: Claim
    verdict: Verdict
    asset_id: int | None
    original_sha256: str | None = None
    fixed: Sequence[str] = ()


def record_verdicts(
    connection: Connection, judged: Sequence[Judged], *, also: Sequence[Claim] = ()
) -> set[int]:
    """Write what inspection said.

    Args:
        connection: an open transaction.
        judged: the verdicts.
        also: claims whose items are to be written afterwards, and are locked with the others, in one order.

    Returns:
        The items whose claims were held; of no others a verdict was written.
    """
    tokens = {one.claim.id: one.claim.token for one in judged}
    ids = [*tokens, *(claim.id for claim in also)]
    rows = connection.execute(_locked(postgresql=on_postgresql(connection)), {"ids": ids}).all()
    held = {item_id for item_id, token in rows if token == tokens.get(item_id)}
    update_rows(connection, Item, [_as_row(one) for one in judged if one.claim.id in held])
    return held


@cache
def _locked(*, postgresql: bool) -> Select[int, int]:
    mine = among_bound(Item.id, "ids", postgresql=postgresql)
    return select(Item.id, Item.token).where(mine).order_by(Item.id).with_for_update()


def _as_row(one: Judged) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "id": one.claim.id,
        "state": ItemState.REJECTED if verdict.reason else ItemState.ACCEPTED,
        "lease_until": None,
        "asset_id": one.asset_id,
        "label": verdict.label,
        "category": verdict.category,
        "mime_type": verdict.mime_type,
        "size": verdict.size,
        "sha256": verdict.sha256,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "original_sha256": one.original_sha256,
        # JSON writes what no database keeps in other letters, and whoever reads it has it again.
        "fixed": json.dumps([_sentence(step) for step in one.fixed]),
        "notices": json.dumps(
            [{"code": notice.code, "detail": _sentence(notice.detail)} for notice in verdict.notices]
        ),
    }


def _sentence(text: str) -> str:
    return storable(text, longest=LONGEST_SENTENCE)


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
