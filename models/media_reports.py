"""Media IDs as schedulers and operators read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from models.asset import Asset
from models.bulk import among
from models.item_asset import item_on
from models.media import Media, alive


def live_media_ids(
    connection: Connection,
    campaign_id: str,
    *,
    refs: Sequence[str] | None,
    now: datetime,
    channel: str | None = None,
) -> dict[str, str]:
    """The live media ID of each of a campaign's refs; those without one are left out.

    Args:
        connection: an open transaction.
        campaign_id: whose.
        refs: the scheduler's own references; None for all.
        now: the moment at which the IDs are to be alive.
        channel: on which further channel; None for the campaign's first.
    """
    item = item_on(channel)
    statement = (
        select(item.ref, Media.media_id)
        .join(Media, Media.asset_id == item.asset_id)
        .where(item.campaign_id == campaign_id, alive(now))
    )
    if refs is not None:
        statement = statement.where(among(item.ref, refs))
    return {row.ref: row.media_id for row in connection.execute(statement)}


@dataclass(frozen=True, kw_only=True)
class MediaReport:
    """All that there is to say of one media ID."""

    id: int
    asset_id: int
    media_id: str
    channel_id: str
    file_name: str
    sha256: str
    mime_type: str
    uploaded_at: datetime
    last_used_at: datetime | None
    expires_at: datetime
    deleted_at: datetime | None
    is_current: bool


_REPORTS = select(
    Media.id,
    Media.asset_id,
    Media.media_id,
    Media.channel_id,
    Asset.file_name,
    Media.sha256,
    Media.mime_type,
    Media.uploaded_at,
    Media.last_used_at,
    Media.expires_at,
    Media.deleted_at,
    Media.is_current,
).join(Asset, Asset.id == Media.asset_id)


def media_named(connection: Connection, media_id: str, *, channel_id: str | None = None) -> list[MediaReport]:
    """What is known of a media ID: on this channel, or on each that has such a one."""
    statement = _REPORTS.where(Media.media_id == media_id).order_by(Media.channel_id)
    if channel_id is not None:
        statement = statement.where(Media.channel_id == channel_id)
    return [MediaReport(**row) for row in connection.execute(statement).mappings()]


def list_media(
    connection: Connection, *, now: datetime, channel_id: str | None, also_gone: bool, limit: int
) -> list[MediaReport]:
    """Media IDs, the next to expire first; those that are gone only where asked for."""
    statement = _REPORTS.order_by(Media.expires_at, Media.id).limit(limit)
    if channel_id is not None:
        statement = statement.where(Media.channel_id == channel_id)
    if not also_gone:
        statement = statement.where(Media.deleted_at.is_(None), Media.expires_at > now)
    return [MediaReport(**row) for row in connection.execute(statement).mappings()]
