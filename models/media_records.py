"""Media IDs that the provider gave, written down; those that they replace stay for a grace period."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, false, true, update

from greenroom.lifecycle import LifeRules
from models.bulk import among_bound, insert_rows
from models.media import Media, lock_media
from models.upsert import Insert


@dataclass(frozen=True, kw_only=True)
class GivenId:
    """A media ID that the provider gave.

    Attributes:
        asset_id: whose it is.
        channel_id: on which channel.
        rules: of the channel's media IDs.
        sha256: of the content that was sent.
        mime_type: that it was sent with.
        media_id: the provider's ID.
        at: when it was given.
        look_at: when it is looked at whether anything needs it still.
        current: False for an upload whose claim was lost meanwhile: nobody will use it, so it is deleted at
            the next chance instead of being forgotten at the provider.
    """

    asset_id: int
    channel_id: str
    rules: LifeRules
    sha256: str
    mime_type: str
    media_id: str
    at: datetime
    look_at: datetime
    current: bool


def record_media(
    connection: Connection,
    given: Sequence[GivenId],
    *,
    grace: timedelta,
    current_of: Collection[int] = (),
    named: Collection[tuple[str, str]] = (),
) -> None:
    """Write IDs that the provider gave; those that they replace stay for a grace period.

    Args:
        connection: an open transaction, in which each claim was proved to be held (or lost), and its asset
            locked by that.
        given: the IDs, of different assets.
        grace: how long an ID that is replaced stays, for messages in flight.
        current_of: assets whose IDs are written afterwards, and are locked with the others; see `lock_media`.
        named: IDs that are written afterwards.
    """
    taken = {one.asset_id: one for one in given if one.current}
    lock_media(
        connection,
        current_of={*taken, *current_of},
        # A provider may answer an ID that it gave before.
        named={*((one.channel_id, one.media_id) for one in given), *named},
    )
    if taken:
        connection.execute(
            _REPLACED,
            {
                "assets": list(taken),
                "ids": [one.media_id for one in taken.values()],
                "ends_at": max(one.at for one in taken.values()) + grace,
            },
        )
    for current in (True, False):
        for rows in _each_id_once([_row(one) for one in given if one.current is current]):
            _insert(connection, rows, current=current)


_REPLACED = (
    update(Media)
    .where(among_bound(Media.asset_id, "assets"), Media.is_current, ~among_bound(Media.media_id, "ids"))
    .values(is_current=false(), delete_after=bindparam("ends_at"))
)


def _each_id_once(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in parts such that one statement has each ID once: a provider may answer one ID twice."""
    while rows:
        part = {(row["channel_id"], row["media_id"]): row for row in reversed(rows)}
        yield [row for row in rows if part[row["channel_id"], row["media_id"]] is row]
        rows = [row for row in rows if part[row["channel_id"], row["media_id"]] is not row]


def _row(one: GivenId) -> dict[str, Any]:
    return {
        "media_id": one.media_id,
        "channel_id": one.channel_id,
        "asset_id": one.asset_id,
        "sha256": one.sha256,
        "mime_type": one.mime_type,
        "delete_after": None if one.current else one.at,
        "uploaded_at": one.at,
        "expires_at": one.rules.expires_at(one.at, None),
        "refresh_at": one.rules.refresh_at(one.at, None, lot=one.asset_id),
        "retire_at": one.look_at,
        "verify_at": one.rules.verify_at(one.at, None),
    }


#: What a provider that answers the same content with the same ID again has renewed.
_RENEWED = ("uploaded_at", "expires_at", "refresh_at", "retire_at", "verify_at")
_FORGOTTEN = {"died_at": None, "seen_alive_at": None, "doubted_at": None}
_NAME = (Media.channel_id, Media.media_id)
_BACK_IN_SERVICE = {"is_current": true(), "delete_after": None, "deleted_at": None}


def _insert(connection: Connection, rows: list[dict[str, Any]], *, current: bool) -> None:
    same = {"is_current": current, "delete_attempts": 0}
    insert_rows(connection, Media, rows, same=same, more=_or_serve_again if current else _or_renew)


def _or_serve_again(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(index_elements=_NAME, set_=_renewed(statement) | _BACK_IN_SERVICE)


def _or_renew(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(index_elements=_NAME, set_=_renewed(statement))


def _renewed(statement: Insert) -> dict[str, Any]:
    return {name: statement.excluded[name] for name in _RENEWED} | _FORGOTTEN
