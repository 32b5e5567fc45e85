"""The claims to upload assets: in which order they are handed out, begun, renewed, swept.

Of one channel, uploads for campaigns come before renewals (but for those whose ID ends soon), then the
earliest send time, then the oldest row (:func:`claim_assets`). What failed waits for its back-off. Nothing of
a paused channel is handed out. Of many channels, the one whose next file is most urgent comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from greenroom.reasons import Reason
from models.asset import Asset, AssetState
from models.asset_locks import IN_LOCK_ORDER
from models.bulk import among, among_bound, given_rows, on_postgresql
from models.channel import Channel
from models.claim import Claim, lock_lapsed, renew
from models.states import in_state

_IS_WAITING = in_state(Asset.state, AssetState.WAITING)
_IS_CLAIMED = in_state(Asset.state, AssetState.CLAIMED)
_IS_WITH_A_WORKER = in_state(Asset.state, AssetState.CLAIMED, AssetState.UPLOADING)


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
    connection: Connection, *, now: datetime, channel_ids: Collection[str] | None = None
) -> list[str]:
    """The running channels that have something to upload now, and nothing on its way to a worker.

    Who has the most urgent file comes first: where there are more channels than threads, others wait.

    Args:
        connection: an open transaction.
        now: the present.
        channel_ids: of these alone.
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
    if channel_ids is not None:
        statement = statement.where(among(Channel.id, channel_ids))
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
    return update(Asset).where(Asset.id.in_(select(chosen.c.id))).values(_CLAIMING).returning(*_UNDER_UPLOAD)


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
    if not channel_ids:
        return {}
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


_CLAIMING: dict[str, Any] = {
    "state": bindparam("new_state"),
    "lease_until": bindparam("until"),
    "worker": bindparam("by"),
    "token": Asset.token + 1,
}


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
    claims: Sequence[Claim],
    *,
    now: datetime,
    lease: timedelta,
    worker: str | None = None,
) -> dict[str, list[AssetUnderUpload]]:
    """Begin work on claims that were handed out; those that somebody else has meanwhile are left out.

    Taking is a claim of its own: the token grows, so a message delivered twice finds nothing to do. That is
    what keeps one file from being uploaded by two runs of one task.

    Returns:
        By channel, the most urgent first.
    """
    tokens = {claim.id: claim.token for claim in claims}
    rows = connection.execute(_LOCK_CLAIMED, {"ids": list(tokens)}).all()
    mine = [row.id for row in rows if row.token == tokens[row.id]]
    values = {"ids": mine, "new_state": AssetState.UPLOADING, "until": now + lease, "by": worker}
    taken: dict[str, list[AssetUnderUpload]] = {}
    for row in sorted(connection.execute(_BEGIN, values).all(), key=_urgency):
        taken.setdefault(row.channel_id, []).append(_under_upload(row))
    return taken


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
_MINE = among_bound(Asset.id, "ids")
_LOCK_CLAIMED = (
    select(Asset.id, Asset.token).where(_MINE, _IS_CLAIMED).order_by(*IN_LOCK_ORDER).with_for_update()
)
_BEGIN = update(Asset).where(_MINE).values(_CLAIMING).returning(*_UNDER_UPLOAD)


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
    """Keep the claims of a living worker from lapsing; returns those that it has lost; see `models.claim`."""
    return renew(connection, Asset, claims, until=until)


def sweep_assets(
    connection: Connection, *, now: datetime, max_attempts: int, limit: int, silent: Collection[str] = ()
) -> int:
    """Put back assets whose lease is over, or whose worker is one of the `silent`; returns how many.

    One that was being uploaded may have arrived: it is counted as a possible orphan, and as an attempt, so
    that a file which brings its worker down each time is given up in the end; not before its campaign is
    sent, though, for its other attempts may have been the provider's fault.
    """
    ids = lock_lapsed(connection, Asset, _IS_WITH_A_WORKER, now=now, limit=limit, silent=silent)
    given_up = and_(Asset.attempts + 1 >= max_attempts, Asset.due_at <= now)
    connection.execute(
        update(Asset)
        .where(among(Asset.id, ids), Asset.state == AssetState.UPLOADING)
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
        .where(among(Asset.id, ids), Asset.state == AssetState.CLAIMED)
        .values(state=AssetState.WAITING, token=Asset.token + 1, lease_until=None)
    )
    return len(ids)
