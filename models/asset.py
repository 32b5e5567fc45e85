"""Assets: one content with one MIME type on one channel each, and the claims to upload them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    ScalarSelect,
    Select,
    SmallInteger,
    String,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from greenroom.reasons import Reason
from models.base import Base, BigKey, OutsideText, Sentence, UtcDateTime
from models.bulk import among, among_bound, given_rows, insert_rows, on_postgresql
from models.channel import Channel
from models.claim import Claim
from models.states import in_state


class AssetState(StrEnum):
    """Where an asset is on its way to the provider.

    A refresh sends a READY asset round again while its old media ID keeps serving: whether an asset can
    be sent is decided by its media, not by this.
    """

    WAITING = "waiting"
    CLAIMED = "claimed"
    UPLOADING = "uploading"
    READY = "ready"
    FAILED = "failed"
    #: Nothing needs it, and it has no media ID.
    IDLE = "idle"


class Priority:
    """What is uploaded first on a channel; the smaller number wins."""

    CAMPAIGN = 0
    REFRESH = 1


class Asset(Base):
    """One content (SHA-256) with one MIME type on one channel, however many items want it."""

    __tablename__ = "assets"
    __table_args__ = (
        UniqueConstraint("channel_id", "sha256", "mime_type"),
        Index(
            "ix_assets_waiting",
            "channel_id",
            "priority",
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_assets_claimed",
            "channel_id",
            "lease_until",
            postgresql_where=text("state IN ('claimed', 'uploading')"),
            sqlite_where=text("state IN ('claimed', 'uploading')"),
        ),
        Index(
            "ix_assets_failed",
            "channel_id",
            postgresql_where=text("state = 'failed'"),
            sqlite_where=text("state = 'failed'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channels.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    mime_type: Mapped[str] = mapped_column(String(128))
    category: Mapped[str] = mapped_column(String(16))
    size: Mapped[int] = mapped_column(BigInteger)
    file_name: Mapped[str] = mapped_column(OutsideText(255))
    source: Mapped[str] = mapped_column(OutsideText)
    state: Mapped[str] = mapped_column(String(16), default=AssetState.WAITING)
    priority: Mapped[int] = mapped_column(SmallInteger, default=Priority.CAMPAIGN)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    #: Whose claim it is or was: see `tasks.runtime.heartbeat`.
    worker: Mapped[str | None] = mapped_column(String(64))
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    #: Uploads that may have succeeded without an answer: each is a possible orphan at the provider.
    lost_answers: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Sentence, default="")


_IS_WAITING = in_state(Asset.state, AssetState.WAITING)
_IS_CLAIMED = in_state(Asset.state, AssetState.CLAIMED)
_IS_WITH_A_WORKER = in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING)


@dataclass(frozen=True, kw_only=True)
class NewAsset:
    """An accepted content, as inspection found it."""

    channel_id: str
    sha256: str
    mime_type: str
    category: str
    size: int
    file_name: str
    source: str
    due_at: datetime


@dataclass(frozen=True, kw_only=True)
class AssetClaim:
    """A claim handed out by the dispatcher, with what an operator wants to read about it."""

    claim: Claim
    file_name: str
    size: int


@dataclass(frozen=True, kw_only=True)
class AssetUnderUpload:
    """An asset that this worker has taken, with all that its upload needs."""

    claim: Claim
    sha256: str
    mime_type: str
    size: int
    file_name: str
    source: str
    due_at: datetime
    attempts: int


def channels_with_uploads(
    connection: Connection, *, now: datetime, channel_id: str | None = None
) -> list[str]:
    """The running channels that have something to upload now, and nothing on its way to a worker.

    Who has the most urgent file comes first: where there are more channels than threads, others wait.

    Args:
        connection: an open transaction.
        now: the present.
        channel_id: of this one alone.
    """
    waiting = (
        Asset.channel_id == Channel.id,
        _IS_WAITING,
        or_(Asset.not_before.is_(None), Asset.not_before <= now),
    )

    def of_the_most_urgent(column: InstrumentedAttribute[Any]) -> ScalarSelect[Any]:
        by_urgency = select(column).where(*waiting).order_by(Asset.priority, Asset.due_at, Asset.id)
        return by_urgency.limit(1).correlate(Channel).scalar_subquery()

    handed_out = exists().where(Asset.channel_id == Channel.id, _IS_CLAIMED, Asset.lease_until > now)
    statement = (
        select(Channel.id)
        .where(Channel.paused_at.is_(None), exists().where(*waiting), ~handed_out)
        .order_by(of_the_most_urgent(Asset.priority), of_the_most_urgent(Asset.due_at), Channel.id)
    )
    if channel_id is not None:
        statement = statement.where(Channel.id == channel_id)
    return list(connection.execute(statement).scalars())


@cache
def _claiming(*, postgresql: bool) -> Any:
    """Claim waiting assets of channels, up to `most` of each; on SQLite of one channel.

    Campaigns come before refreshes, and the earliest send time first.
    """

    def first_of(channel_id: Any) -> Select[int]:
        return (
            select(Asset.id)
            .where(
                Asset.channel_id == channel_id,
                _IS_WAITING,
                or_(Asset.not_before.is_(None), Asset.not_before <= bindparam("now")),
            )
            .order_by(Asset.priority, Asset.due_at, Asset.id)
            .limit(bindparam("most"))
            .with_for_update(skip_locked=True)
        )

    if postgresql:
        asked = given_rows(Channel, ["id"])
        of_each = first_of(asked.c.id).correlate(asked).lateral("of_each")
        # A CTE: PostgreSQL may run a subquery with LIMIT more than once, and would then lock too many.
        chosen = select(of_each.c.id).select_from(asked).join(of_each, true()).cte("chosen")
    else:
        chosen = first_of(bindparam("channel")).cte("chosen")
    values: dict[str, Any] = {
        "state": bindparam("new_state"),
        "lease_until": bindparam("until"),
        "worker": bindparam("by"),
    }
    return (
        update(Asset)
        .where(Asset.id.in_(select(chosen.c.id)))
        .values(values | {"token": Asset.token + 1})
        .returning(*_UNDER_UPLOAD)
    )


def _claim(
    connection: Connection,
    channel_ids: Sequence[str],
    state: AssetState,
    *,
    limit: int,
    now: datetime,
    lease: timedelta,
    worker: str | None = None,
) -> dict[str, list[Any]]:
    """Claim the most urgent assets of channels, up to `limit` of each; returns their rows by channel."""
    postgresql = on_postgresql(connection)
    # One statement for all, where the database can look at each channel's beginning in one.
    asked = [{"each_id": list(channel_ids)}] if postgresql else [{"channel": each} for each in channel_ids]
    values = {"new_state": state, "until": now + lease, "by": worker, "now": now, "most": limit}
    statement = _claiming(postgresql=postgresql)
    rows = [row for one in asked for row in connection.execute(statement, {**values, **one}).all()]
    by_channel: dict[str, list[Any]] = {channel_id: [] for channel_id in channel_ids}
    for row in sorted(rows, key=_urgency):
        by_channel[row.channel_id].append(row)
    return by_channel


def _urgency(row: Any) -> tuple[int, datetime, int]:
    return row.priority, row.due_at, row.id


def claim_assets(
    connection: Connection, channel_ids: Sequence[str], *, limit: int, now: datetime, lease: timedelta
) -> dict[str, list[AssetClaim]]:
    """Claim up to `limit` uploads on each channel, to be handed out: the most urgent first."""
    claimed = _claim(connection, channel_ids, AssetState.CLAIMED, limit=limit, now=now, lease=lease)
    return {
        channel_id: [
            AssetClaim(claim=Claim(id=row.id, token=row.token), file_name=row.file_name, size=row.size)
            for row in rows
        ]
        for channel_id, rows in claimed.items()
    }


def take_assets(
    connection: Connection,
    channel_id: str,
    claims: Sequence[Claim],
    *,
    now: datetime,
    lease: timedelta,
    worker: str | None = None,
) -> list[AssetUnderUpload]:
    """Begin work on claims that were handed out; those that somebody else has meanwhile are left out.

    Taking is a claim of its own: the token grows, so a message delivered twice finds nothing to do. That is
    what keeps one file from being uploaded by two runs of one task.
    """
    tokens = {claim.id: claim.token for claim in claims}
    rows = connection.execute(
        select(Asset.id, Asset.token)
        .where(
            among(connection, Asset.id, tokens),
            Asset.channel_id == channel_id,
            _IS_CLAIMED,
        )
        .order_by(*in_lock_order(connection))
        .with_for_update()
    )
    mine = [row.id for row in rows if row.token == tokens[row.id]]
    connection.execute(
        update(Asset)
        .where(among(connection, Asset.id, mine))
        .values(state=AssetState.UPLOADING, token=Asset.token + 1, lease_until=now + lease, worker=worker)
    )
    rows_now = connection.execute(select(*_UNDER_UPLOAD).where(among(connection, Asset.id, mine)))
    return [_under_upload(row) for row in sorted(rows_now, key=_urgency)]


def claim_and_take_assets(
    connection: Connection,
    channel_ids: Sequence[str],
    *,
    limit: int,
    now: datetime,
    lease: timedelta,
    worker: str | None = None,
) -> dict[str, list[AssetUnderUpload]]:
    """Claim up to `limit` uploads on each channel and begin work on them, the most urgent first.

    For the channels' owner, who continues by itself: nothing is handed out, so nothing can come twice.
    """
    claimed = _claim(
        connection, channel_ids, AssetState.UPLOADING, limit=limit, now=now, lease=lease, worker=worker
    )
    return {channel_id: [_under_upload(row) for row in rows] for channel_id, rows in claimed.items()}


_UNDER_UPLOAD = (
    Asset.id,
    Asset.token,
    Asset.channel_id,
    Asset.sha256,
    Asset.mime_type,
    Asset.size,
    Asset.file_name,
    Asset.source,
    Asset.due_at,
    Asset.attempts,
    Asset.priority,
)


def _under_upload(row: Any) -> AssetUnderUpload:
    # By place: by name each would be looked up three times.
    row_id, token, _, sha256, mime_type, size, file_name, source, due_at, attempts, _ = row
    return AssetUnderUpload(
        claim=Claim(id=row_id, token=token),
        sha256=sha256,
        mime_type=mime_type,
        size=size,
        file_name=file_name,
        source=source,
        due_at=due_at,
        attempts=attempts,
    )


def renew_assets(connection: Connection, claims: Sequence[Claim], *, until: datetime) -> list[Claim]:
    """Keep the claims of a living worker from lapsing; returns those that it has lost all the same.

    Rows that somebody has locked are left for the next time, and are no loss yet: most often it is their own
    worker that writes down what came of them, and nobody puts back what is locked.
    """
    seen, renewed = _renewal(postgresql=on_postgresql(connection))
    tokens: dict[int, int] = dict(connection.execute(seen, {"ids": [claim.id for claim in claims]}).all())
    held = [claim.id for claim in claims if tokens.get(claim.id) == claim.token]
    connection.execute(renewed, {"ids": held, "until": until})
    return [claim for claim in claims if tokens.get(claim.id, claim.token) != claim.token]


@cache
def _renewal(*, postgresql: bool) -> tuple[Select[int, int], Update]:
    mine = among_bound(Asset.id, "ids", postgresql=postgresql)
    return (
        select(Asset.id, Asset.token).where(mine).with_for_update(skip_locked=True),
        update(Asset).where(mine, _IS_WITH_A_WORKER).values(lease_until=bindparam("until")),
    )


#: What a claim leaves behind when it ends.
_AT_REST: dict[str, Any] = {
    "lease_until": None,
    "not_before": None,
    "attempts": 0,
    "priority": Priority.CAMPAIGN,
    "reason": None,
    "detail": "",
}


def finish_asset(
    connection: Connection,
    claim: Claim,
    *,
    state: AssetState,
    reason: Reason | None = None,
    detail: str = "",
) -> bool:
    """End a claim with its outcome; returns False where it was lost and nothing was written."""
    result = connection.execute(
        update(Asset)
        .where(Asset.id == claim.id, Asset.token == claim.token)
        .values(state=state, **_AT_REST | {"reason": reason, "detail": detail})
    )
    return result.rowcount == 1


def lock_held(connection: Connection, claims: Sequence[Claim]) -> set[Claim]:
    """Lock assets, and return the claims that are still held."""
    tokens = _lock(connection, {claim.id for claim in claims})
    return {claim for claim in claims if tokens.get(claim.id) == claim.token}


def in_lock_order(connection: Connection) -> list[ColumnElement[Any]]:
    """In which order assets are locked: that of :func:`want_assets`, whose rows are sorted by Python."""
    return _in_lock_order(postgresql=on_postgresql(connection))


def _in_lock_order(*, postgresql: bool) -> list[ColumnElement[Any]]:
    columns: list[ColumnElement[Any]] = [
        column.expression for column in (Asset.channel_id, Asset.sha256, Asset.mime_type)
    ]
    # By their letters' numbers, and not as people of the database's country sort names.
    return [column.collate("C") for column in columns] if postgresql else columns


def lock_assets(connection: Connection, asset_ids: Collection[int]) -> None:
    """Lock assets that are to be written, in the one order; see `models.locks`."""
    _lock(connection, asset_ids)


def _lock(connection: Connection, asset_ids: Collection[int]) -> dict[int, int]:
    """Lock assets, in the order in which everybody does (see `models.locks`); returns their tokens."""
    statement = _locked_in_order(postgresql=on_postgresql(connection))
    return dict(connection.execute(statement, {"ids": list(asset_ids)}).all())


@cache
def _locked_in_order(*, postgresql: bool) -> Select[int, int]:
    return (
        select(Asset.id, Asset.token)
        .where(among_bound(Asset.id, "ids", postgresql=postgresql))
        .order_by(*_in_lock_order(postgresql=postgresql))
        .with_for_update()
    )


def finish_uploads(connection: Connection, asset_ids: Collection[int]) -> None:
    """End claims, proved to be held by :func:`lock_held`, whose files were uploaded."""
    connection.execute(_finished(postgresql=on_postgresql(connection)), {"ids": list(asset_ids)})


@cache
def _finished(*, postgresql: bool) -> Update:
    mine = among_bound(Asset.id, "ids", postgresql=postgresql)
    return update(Asset).where(mine).values(state=AssetState.READY, **_AT_REST)


def postpone_asset(
    connection: Connection,
    claim: Claim,
    *,
    until: datetime | None,
    detail: str,
    counts: bool,
    answer_lost: bool = False,
) -> bool:
    """Give a claim back to the backlog.

    Args:
        connection: an open transaction.
        claim: what is given back.
        until: not to be handed out before this moment; None for at once.
        detail: why, for the operator.
        counts: whether this was an attempt of the file's (a throttled or paused channel is not).
        answer_lost: whether the upload may have succeeded unseen.
    """
    result = connection.execute(
        update(Asset)
        .where(Asset.id == claim.id, Asset.token == claim.token)
        .values(
            state=AssetState.WAITING,
            lease_until=None,
            not_before=until,
            attempts=Asset.attempts + int(counts),
            lost_answers=Asset.lost_answers + int(answer_lost),
            detail=detail,
        )
    )
    return result.rowcount == 1


def sweep_assets(
    connection: Connection, *, now: datetime, max_attempts: int, limit: int, silent: Collection[str] = ()
) -> int:
    """Put back assets whose lease is over, or whose worker is one of the `silent`; returns how many.

    One that was being uploaded may have arrived: it is counted as a possible orphan, and as an attempt, so
    that a file which brings its worker down each time is given up in the end; not before its campaign is
    sent, though, for its other attempts may have been the provider's fault.
    """
    lapsed = (
        select(Asset.id)
        .where(_IS_WITH_A_WORKER, or_(Asset.lease_until <= now, Asset.worker.in_(silent)))
        .order_by(Asset.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(lapsed).scalars())
    given_up = and_(Asset.attempts + 1 >= max_attempts, Asset.due_at <= now)
    connection.execute(
        update(Asset)
        .where(Asset.id.in_(ids), Asset.state == AssetState.UPLOADING)
        .values(
            state=case((given_up, AssetState.FAILED), else_=AssetState.WAITING),
            reason=case((given_up, Reason.UPLOAD_FAILED)),
            detail="The worker that was uploading this file went silent.",
            token=Asset.token + 1,
            attempts=Asset.attempts + 1,
            lost_answers=Asset.lost_answers + 1,
            lease_until=None,
        )
    )
    connection.execute(
        update(Asset)
        .where(Asset.id.in_(ids), Asset.state == AssetState.CLAIMED)
        .values(state=AssetState.WAITING, token=Asset.token + 1, lease_until=None)
    )
    return len(ids)


def want_assets(connection: Connection, new: Sequence[NewAsset]) -> dict[tuple[str, str, str], int]:
    """The IDs of the assets for these contents, made if need be, their rows locked by this transaction.

    A new one goes into the backlog. The locks are what makes linking an item and retiring an unneeded asset
    exclude each other. They are had in the order that `models.locks` says.

    Returns:
        By channel, SHA-256 and MIME type.
    """
    latest: dict[tuple[str, str, str], NewAsset] = {}
    for one in new:
        known = latest.setdefault((one.channel_id, one.sha256, one.mime_type), one)
        if one.due_at < known.due_at:
            latest[one.channel_id, one.sha256, one.mime_type] = one
    if not latest:
        return {}
    rows = [
        {
            "channel_id": one.channel_id,
            "sha256": one.sha256,
            "mime_type": one.mime_type,
            "category": one.category,
            "size": one.size,
            "file_name": one.file_name,
            "source": one.source,
            "due_at": one.due_at,
        }
        for _, one in sorted(latest.items())
    ]
    locked = insert_rows(connection, Asset, rows, same={"state": AssetState.WAITING}, more=_or_want)
    return {(row.channel_id, row.sha256, row.mime_type): row.id for row in locked}


def _or_want(statement: Insert) -> Any:
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[Asset.channel_id, Asset.sha256, Asset.mime_type],
        set_={
            # The newest source is the likeliest to be there still when a refresh needs it.
            "source": given.source,
            "due_at": case(
                # Not NOT IN: its list could not be given once for many rows.
                (
                    and_(Asset.state != AssetState.WAITING, Asset.state != AssetState.CLAIMED),
                    given.due_at,
                ),
                (Asset.due_at > given.due_at, given.due_at),
                else_=Asset.due_at,
            ),
        },
    ).returning(Asset.id, Asset.channel_id, Asset.sha256, Asset.mime_type)


def queue_uploads(connection: Connection, asset_ids: Collection[int]) -> None:
    """Put assets that have no media ID into the backlog, unless they are there or with a worker already.

    A refresh in progress becomes the campaign's own upload.
    """
    for statement in _queued(postgresql=on_postgresql(connection)):
        connection.execute(statement, {"ids": list(asset_ids)})


@cache
def _queued(*, postgresql: bool) -> tuple[Update, Update]:
    mine = among_bound(Asset.id, "ids", postgresql=postgresql)
    at_rest = (AssetState.IDLE, AssetState.FAILED, AssetState.READY)
    return (
        update(Asset)
        .where(mine, Asset.state.in_(at_rest))
        .values(state=AssetState.WAITING, attempts=0, not_before=None, reason=None, detail=""),
        update(Asset).where(mine, Asset.priority != Priority.CAMPAIGN).values(priority=Priority.CAMPAIGN),
    )
