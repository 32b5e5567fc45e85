"""Rows that tests of the tables and of the tasks begin with."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select

from greenroom.manifest import ManifestItem
from greenroom.rules import Category
from greenroom.verdict import Verdict
from models import Asset, Item, Media
from models.campaign import save_campaign
from models.item_claims import claim_items, take_items
from models.manifest_items import save_items
from models.media_records import GivenId, record_media
from models.verdict_records import Judged, record_verdicts
from models.wanted_assets import NewAsset, queue_uploads, want_assets
from tests.support.world import CHANNEL, World

LEASE = timedelta(seconds=60)


def sha256(content: str) -> str:
    """A hash, for contents that nobody reads."""
    return hashlib.sha256(content.encode()).hexdigest()


def accepted_item(
    world: World, content: str, *, campaign: str = "spring", hours: float = 1, channel: str = CHANNEL
) -> int:
    """An item that inspection accepted, its asset waiting for upload; returns the asset's ID."""
    now = world.clock.now()
    send_at = now + timedelta(hours=hours)
    verdict = Verdict(
        label="JPEG image",
        size=1000,
        sha256=sha256(content),
        category=Category.IMAGE,
        mime_type="image/jpeg",
    )
    with world.database.write() as connection:
        save_campaign(
            connection,
            campaign_id=campaign,
            channel_id=channel,
            send_at=send_at,
            keep_until=send_at + timedelta(days=7),
            now=now,
        )
        new = ManifestItem(ref=content, source=f"/media/{content}.jpg")
        save_items(connection, campaign_id=campaign, due_at=send_at, items=[new])
        claims = claim_items(connection, limit=1, now=now, lease=LEASE)
        (item,) = take_items(connection, [one.claim for one in claims], now=now, lease=LEASE)
        (asset_id,) = want_assets(
            connection, [new_asset(world, content, hours=hours, channel=channel)]
        ).values()
        record_verdicts(connection, [Judged(claim=item.claim, verdict=verdict, asset_id=asset_id)])
        queue_uploads(connection, [asset_id])
    return asset_id


def new_asset(world: World, content: str, *, hours: float = 1, channel: str = CHANNEL) -> NewAsset:
    """A content as inspection found it."""
    return NewAsset(
        channel_id=channel,
        sha256=sha256(content),
        mime_type="image/jpeg",
        category=Category.IMAGE,
        size=1000,
        file_name=f"{content}.jpg",
        source=f"/media/{content}.jpg",
        due_at=world.clock.now() + timedelta(hours=hours),
    )


def ready_item(world: World, content: str, *, media_id: str, **where: Any) -> int:
    """An item whose asset has a media ID; returns the asset's ID."""
    asset_id = accepted_item(world, content, **where)
    settings = world.context.settings
    with world.database.write() as connection:
        connection.execute(Asset.__table__.update().where(Asset.id == asset_id).values(state="ready"))  # type: ignore[attr-defined] # declarative tables are Table objects
        given = GivenId(
            asset_id=asset_id,
            channel_id=where.get("channel", CHANNEL),
            rules=settings.life_rules(None),
            sha256=sha256(content),
            mime_type="image/jpeg",
            media_id=media_id,
            at=world.clock.now(),
            look_at=world.clock.now(),
            current=True,
        )
        record_media(connection, [given], grace=settings.grace)
    return asset_id


def asset_row(world: World, asset_id: int) -> Row[Any]:
    """All of an asset's columns."""
    with world.database.read() as connection:
        return connection.execute(select(*Asset.__table__.columns).where(Asset.id == asset_id)).one()


def media_rows(world: World) -> list[Row[Any]]:
    """All media, in the order of their coming."""
    with world.database.read() as connection:
        return list(connection.execute(select(*Media.__table__.columns).order_by(Media.id)))


def item_rows(world: World) -> list[Row[Any]]:
    """All items, by ref."""
    with world.database.read() as connection:
        return list(connection.execute(select(*Item.__table__.columns).order_by(Item.ref)))
