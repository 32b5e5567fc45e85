"""The life of media IDs in the tables: renewed while a campaign needs them, taken out of service after that.

Every current ID has a moment at which it is looked at for renewal (`refresh_at`) and one at which it is
looked at whether anything needs it still (`retire_at`). A tick reads the IDs whose moment has come, through
an index, and gives each another moment or an end: what it costs grows with what is due. Each look locks the
assets first and asks what needs them afterwards, in a statement of its own, so that it knows all that was
committed until it had the lock; a campaign that comes, moves or goes after that finds the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, false, select, update
from sqlalchemy.orm import InstrumentedAttribute

from greenroom.clock import later
from greenroom.lifecycle import LifeRules
from models.asset import Asset, AssetState, Priority
from models.bulk import among, update_rows
from models.channel import Channel
from models.life_rules import RulesOf, rules_by_channel
from models.media import Media
from models.references import needed_now, needed_until
from models.wanted_assets import put_aside, put_back, put_before_refreshes

WITH_WORKERS = (AssetState.CLAIMED, AssetState.UPLOADING)
#: What is with a worker is looked at again so much later: its end decides.
WITH_A_WORKER = timedelta(minutes=1)
#: IDs whose moments are worked out anew in one transaction.
REWRITE_CHUNK = 1_000


def queue_refreshes(
    connection: Connection, *, now: datetime, rules_of: RulesOf, limit: int
) -> dict[str, int]:
    """Look at IDs that are due for renewal, those that end first; the old ID serves until the swap.

    One that nothing needs is taken out of service here, however long media are to be kept: it is deleted
    before it would expire by itself. Returns how many were looked at, and how many of their assets were
    ``queued`` for upload.
    """
    due = _lock_due(connection, Media.refresh_at, now=now, limit=limit)
    wanted = needed_now(connection, {row.asset_id for row in due}, now=now)
    rules = rules_by_channel(connection, {row.channel_id for row in due}, rules_of)
    again: list[dict[str, Any]] = []
    over: list[int] = []
    renewals: list[dict[str, Any]] = []
    hurrying: list[int] = []
    for row in due:
        its_rules = rules[row.channel_id]
        if row.asset_id not in wanted and row.state not in WITH_WORKERS:
            over.append(row.asset_id)
            continue
        end = its_rules.end(row.uploaded_at, row.last_used_at)
        priority = Priority.CAMPAIGN if its_rules.hurries(end, now) else Priority.REFRESH
        if row.state in (AssetState.READY, AssetState.FAILED):
            renewals.append({"id": row.asset_id, "due_at": end, "priority": priority})
        elif row.state == AssetState.WAITING and priority == Priority.CAMPAIGN:
            hurrying.append(row.asset_id)
        again.append({"row": row.id, "refresh": now + its_rules.look_every, "retire": row.retire_at})
    _set_moments(connection, again)
    put_back(connection, renewals)
    put_before_refreshes(connection, hurrying)
    _take_out_of_service(connection, over, now=now)
    return {"looked": len(due), "queued": len(renewals)}


def retire_unneeded(
    connection: Connection, *, now: datetime, keep_after: timedelta, limit: int
) -> dict[str, int]:
    """Look at IDs whose need may have ended, and take those that nothing needs out of service.

    Returns how many were looked at, and how many ``retired``.
    """
    due = _lock_due(connection, Media.retire_at, now=now, limit=limit)
    until = needed_until(connection, {row.asset_id for row in due})
    again: list[dict[str, Any]] = []
    over: list[int] = []
    for row in due:
        end = until.get(row.asset_id)
        kept_until = None if end is None else later(end, keep_after)
        if kept_until is not None and kept_until > now:
            again.append({"row": row.id, "refresh": row.refresh_at, "retire": kept_until})
        elif row.state in WITH_WORKERS:
            again.append({"row": row.id, "refresh": row.refresh_at, "retire": now + WITH_A_WORKER})
        else:
            over.append(row.asset_id)
    _set_moments(connection, again)
    _take_out_of_service(connection, over, now=now)
    return {"looked": len(due), "retired": len(over)}


def _take_out_of_service(connection: Connection, asset_ids: Sequence[int], *, now: datetime) -> None:
    """Say of assets, locked and found to be needed by nothing, that their IDs are to be deleted."""
    if not asset_ids:
        return
    put_aside(connection, asset_ids)
    connection.execute(
        update(Media)
        .where(among(Media.asset_id, asset_ids), Media.is_current)
        .values(is_current=false(), delete_after=now)
    )


def _lock_due(
    connection: Connection, moment: InstrumentedAttribute[datetime | None], *, now: datetime, limit: int
) -> Sequence[Row[Any]]:
    """The current IDs whose moment has come, locked with their assets; what others have locked waits.

    Both, for only what is locked is looked at again once another run has release it.
    """
    statement = (
        select(
            Media.id,
            Media.asset_id,
            Media.channel_id,
            Media.uploaded_at,
            Media.last_used_at,
            Media.refresh_at,
            Media.retire_at,
            Asset.state,
        )
        .join(Asset, Asset.id == Media.asset_id)
        .where(Media.is_current, moment <= now)
        .order_by(moment)
        .limit(limit)
        .with_for_update(skip_locked=True, of=(Asset, Media))
    )
    return list(connection.execute(statement))


def _set_moments(connection: Connection, again: list[dict[str, Any]]) -> None:
    """Give IDs other moments; by ID, as `work_out_anew` locks them, so that nobody waits crosswise."""
    rows = [{"id": one["row"], "refresh_at": one["refresh"], "retire_at": one["retire"]} for one in again]
    update_rows(connection, Media, sorted(rows, key=lambda row: int(row["id"])))


def channels_with_other_rules(connection: Connection, *, rules_of: RulesOf) -> dict[str, LifeRules]:
    """The channels whose media have their moments by rules that no longer hold, with those that do."""
    found = {}
    for row in connection.execute(select(Channel.id, Channel.media_life_seconds, Channel.life_rules)):
        life = None if row.media_life_seconds is None else timedelta(seconds=row.media_life_seconds)
        rules = rules_of(life)
        if row.life_rules != rules.fingerprint:
            found[row.id] = rules
    return found


def work_out_anew(
    connection: Connection, channel_id: str, rules: LifeRules, *, after: int, now: datetime
) -> int | None:
    """Give a part of a channel's IDs the moments that its rules say.

    Args:
        connection: an open transaction.
        channel_id: which channel.
        rules: that hold for it now.
        after: the row up to which it was done before; 0 to begin.
        now: the present.

    Returns:
        The row up to which it is done; None when it is done, which is then remembered.
    """
    rows: Sequence[Row[Any]] = list(
        connection.execute(
            select(
                Media.id,
                Media.asset_id,
                Media.uploaded_at,
                Media.last_used_at,
                Media.seen_alive_at,
                Media.doubted_at,
                Media.refresh_at,
                Media.retire_at,
            )
            .where(Media.channel_id == channel_id, Media.is_current, Media.id > after)
            .order_by(Media.id)
            .limit(REWRITE_CHUNK)
            .with_for_update()
        )
    )
    update_rows(connection, Media, [_moments(row, rules, now=now) for row in rows])
    if len(rows) == REWRITE_CHUNK:
        last: int = rows[-1].id
        return last
    connection.execute(update(Channel).where(Channel.id == channel_id).values(life_rules=rules.fingerprint))
    return None


def _moments(row: Row[Any], rules: LifeRules, *, now: datetime) -> dict[str, Any]:
    refresh = rules.refresh_at(row.uploaded_at, row.last_used_at, lot=row.asset_id)
    doubted = row.doubted_at is not None
    return {
        "id": row.id,
        "expires_at": rules.expires_at(row.uploaded_at, row.last_used_at),
        "refresh_at": min(refresh, row.refresh_at or refresh) if doubted else refresh,
        "retire_at": row.retire_at or now,
        "verify_at": None if doubted else rules.verify_at(row.uploaded_at, row.seen_alive_at),
    }
