"""What senders report of media IDs: that they were used, are dead, or have a file that cannot be sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.orm import aliased

from greenroom.reasons import Reason
from models.asset import Asset, Priority
from models.asset_locks import lock_assets
from models.bulk import columns_of, given_rows, on_postgresql, update_rows
from models.channel import lock_channels, note_early_death
from models.life_rules import RulesOf, rules_by_channel
from models.media import Media, lock_media
from models.references import needed_now
from models.wanted_assets import give_up, put_aside, put_back

#: Webhooks tell whole seconds: what failed right after its upload seems to have failed before it.
WHOLE = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class UsageReport:
    """What happened to a media ID, and when: a message was sent with it, or it was found dead."""

    channel_id: str
    media_id: str
    at: datetime


def record_uses(connection: Connection, uses: Iterable[UsageReport], *, rules_of: RulesOf) -> None:
    """Record uses, in any order and as often as they are reported: the last use never goes back."""
    latest: dict[tuple[str, str], datetime] = {}
    for use in uses:
        key = (use.channel_id, use.media_id)
        latest[key] = max(use.at, latest.get(key, use.at))
    rules = rules_by_channel(connection, {channel_id for channel_id, _ in latest}, rules_of)
    changes: list[dict[str, Any]] = []
    lock_media(connection, named=latest)
    for row in _rows(connection, latest):
        at, its_rules = latest[row.channel_id, row.media_id], rules[row.channel_id]
        # An ID lives on from its upload; a use reported from before it says nothing.
        if at < row.uploaded_at or (row.last_used_at is not None and at <= row.last_used_at):
            continue
        refresh = row.refresh_at
        if its_rules.trust_last_use:
            refresh = its_rules.refresh_at(row.uploaded_at, at, lot=row.asset_id)
        changes.append(
            {
                "id": row.id,
                "last_used_at": at,
                "expires_at": its_rules.expires_at(row.uploaded_at, at),
                "refresh_at": refresh,
            }
        )
    update_rows(connection, Media, changes)


@dataclass(frozen=True, kw_only=True)
class FileFault(UsageReport):
    """A media ID whose file the provider cannot send, and why, in a sentence for a campaign manager."""

    detail: str


def record_dead(connection: Connection, reports: Iterable[UsageReport], *, now: datetime) -> int:
    """Take IDs that were found dead out of service, and send what is needed round again at once.

    Returns how many were in service until now. An ID that is already known to be dead, or that was deleted,
    changes nothing; reports of IDs that nobody here knows are left out, and so are those from before the
    upload: they are of the ID's life before, which the provider ended, or of another clock.
    """
    dead = _locked(connection, reports)
    early = [(row, died_at) for row, died_at in dead if died_at < row.expires_at]
    lock_channels(connection, {row.channel_id for row, _ in early})
    for row, died_at in early:
        note_early_death(connection, row.channel_id, died_at - row.uploaded_at)
    out_of_service = _end(connection, dead, now=now)
    # What is needed goes before everything that has an ID, or time for one.
    needed = needed_now(connection, out_of_service, now=now)
    first = {"due_at": now, "priority": Priority.CAMPAIGN}
    put_back(connection, [{"id": asset_id} for asset_id in sorted(needed)], same=first)
    put_aside(connection, [asset_id for asset_id in out_of_service if asset_id not in needed])
    return len(out_of_service)


def record_unsendable(connection: Connection, faults: Iterable[FileFault], *, now: datetime) -> int:
    """Give files up that the provider took and cannot send; whoever hands one over again has it tried again.

    Their IDs are taken out of service, for each message with one would fail. Returns how many were in service
    until now; what is left out is as for :func:`record_dead`.
    """
    faults = list(faults)
    details = {(fault.channel_id, fault.media_id): fault.detail for fault in reversed(faults)}
    found = _locked(connection, faults)
    out_of_service = set(_end(connection, found, now=now))
    rows = [
        {"id": row.asset_id, "detail": details[row.channel_id, row.media_id]}
        for row, _ in found
        if row.asset_id in out_of_service and row.is_current
    ]
    give_up(connection, rows, reason=Reason.REFUSED_BY_PROVIDER)
    return len(out_of_service)


def _locked(connection: Connection, reports: Iterable[UsageReport]) -> list[tuple[Row[Any], datetime]]:
    """The IDs that are reported and have not ended, locked with their assets; and since when it is said."""
    said: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for report in reports:
        said[report.channel_id, report.media_id].append(report.at)
    # First all locks, in the order of `models.locks`, then a look at what is to be written.
    lock_assets(connection, {row.asset_id for row in _rows(connection, said)})
    lock_media(connection, named=said)
    return [
        (row, max(min(since), row.uploaded_at))
        for row in _rows(connection, said)
        if (since := [at for at in said[row.channel_id, row.media_id] if at > row.uploaded_at - WHOLE])
        and row.died_at is None
        and row.deleted_at is None
    ]


def _end(connection: Connection, ended: Collection[tuple[Row[Any], datetime]], *, now: datetime) -> list[int]:
    """Take IDs out of service; returns the assets that have none any more."""
    # It is deleted too: a report may be wrong, and what is gone already counts as deleted.
    gone = {"is_current": False, "delete_after": now}
    update_rows(connection, Media, [{"id": row.id, "died_at": died_at, **gone} for row, died_at in ended])
    return [row.asset_id for row, _ in ended if row.is_current]


def categories_of(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What the files of these channels' media IDs are to WhatsApp; unknown IDs are left out."""
    statement = select(Media.channel_id, Media.media_id, Asset.category).join(Asset)
    return {(row.channel_id, row.media_id): row.category for row in _named(connection, statement, keys)}


def replaced_since(
    connection: Connection, keys: Collection[tuple[str, str]], *, since: datetime
) -> set[tuple[str, str]]:
    """Those of these channels' media IDs whose asset has lost another ID since then, by a report."""
    other = aliased(Media)
    statement = (
        select(Media.channel_id, Media.media_id)
        .join(other, (other.asset_id == Media.asset_id) & (other.id != Media.id))
        .where(other.died_at >= since)
    )
    return {(row.channel_id, row.media_id) for row in _named(connection, statement, keys)}


def _rows(connection: Connection, keys: Collection[tuple[str, str]]) -> Sequence[Row[Any]]:
    """The media of these channels and IDs."""
    statement = select(
        Media.id,
        Media.channel_id,
        Media.media_id,
        Media.asset_id,
        Media.uploaded_at,
        Media.last_used_at,
        Media.expires_at,
        Media.refresh_at,
        Media.died_at,
        Media.deleted_at,
        Media.is_current,
    )
    return _named(connection, statement, keys)


def _named(
    connection: Connection, statement: Select[*tuple[Any, ...]], keys: Collection[tuple[str, str]]
) -> Sequence[Row[Any]]:
    """What a statement on media finds, of these channels and IDs."""
    if not keys:
        return []
    postgresql = on_postgresql(connection)
    rows = [{"channel_id": channel_id, "media_id": media_id} for channel_id, media_id in keys]
    given = given_rows(Media, ["channel_id", "media_id"], postgresql=postgresql)
    both = (Media.channel_id == given.c.channel_id) & (Media.media_id == given.c.media_id)
    return connection.execute(statement.join(given, both), columns_of(rows, postgresql=postgresql)).all()
