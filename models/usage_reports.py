"""What senders report of media IDs: that they were used, and that they were found dead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, tuple_

from greenroom.chunks import chunks
from models.asset import Priority
from models.asset_locks import lock_assets
from models.bulk import STATEMENT_IDS, update_rows
from models.channel import lock_channels, note_early_death
from models.life_rules import RulesOf, rules_by_channel
from models.media import Media, lock_media
from models.references import needed_now
from models.wanted_assets import put_aside, put_back


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


def record_dead(connection: Connection, reports: Iterable[UsageReport], *, now: datetime) -> int:
    """Take IDs that were found dead out of service, and send what is needed round again at once.

    Returns how many were in service until now. An ID that is already known to be dead, or that was deleted,
    changes nothing; reports of IDs that nobody here knows are left out, and so are those from before the
    upload: they are of the ID's life before, which the provider ended, or of another clock.
    """
    said: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for report in reports:
        said[report.channel_id, report.media_id].append(report.at)
    # First all locks, in the order of `models.locks`, then a look at what is to be written.
    lock_assets(connection, {row.asset_id for row in _rows(connection, said)})
    lock_media(connection, named=said)
    dead = [
        (row, min(since))
        for row in _rows(connection, said)
        if (since := [at for at in said[row.channel_id, row.media_id] if at >= row.uploaded_at])
        and row.died_at is None
        and row.deleted_at is None
    ]
    early = [(row, died_at) for row, died_at in dead if died_at < row.expires_at]
    lock_channels(connection, {row.channel_id for row, _ in early})
    for row, died_at in early:
        note_early_death(connection, row.channel_id, died_at - row.uploaded_at)
    # It is deleted too: a report may be wrong, and what is gone already counts as deleted.
    gone = {"is_current": False, "delete_after": now}
    update_rows(connection, Media, [{"id": row.id, "died_at": died_at, **gone} for row, died_at in dead])
    out_of_service = [row.asset_id for row, _ in dead if row.is_current]
    # What is needed goes before everything that has an ID, or time for one.
    needed = needed_now(connection, out_of_service, now=now)
    first = {"due_at": now, "priority": Priority.CAMPAIGN}
    put_back(connection, [{"id": asset_id} for asset_id in sorted(needed)], same=first)
    put_aside(connection, [asset_id for asset_id in out_of_service if asset_id not in needed])
    return len(out_of_service)


def _rows(connection: Connection, keys: Collection[tuple[str, str]]) -> list[Row[Any]]:
    """The media of these channels and IDs."""
    found: list[Row[Any]] = []
    for part in chunks(keys, STATEMENT_IDS):
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
        ).where(tuple_(Media.channel_id, Media.media_id).in_(part))
        found.extend(connection.execute(statement))
    return found
