"""Further channels cost nothing where there are none: the statements are those of one channel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.dialects import postgresql

from models import Database
from models.asset_items import items_of_assets
from models.campaign import get_campaign
from models.campaign_readiness import readiness_of
from models.item_asset import ItemAsset
from models.item_claims import claim_and_take_items
from models.item_pages import media_ids_by_ref, unsendable_items
from models.item_reports import campaign_items
from models.media_reports import live_media_ids
from models.progress import FollowedCampaign, campaign_progress, progress_by_channel
from models.references import held_by, needed_now, needed_until
from models.settling import find_unsettled
from tests.support.rows import LEASE, ready_item
from tests.support.world import CHANNEL, World

FURTHER = ItemAsset.__tablename__


@contextmanager
def recorded(database: Database) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    found: list[str] = []

    def note(*given: Any) -> None:
        found.append(given[2])

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_what_goes_from_a_campaign_to_its_assets_reads_nothing_of_them(world: World) -> None:
    """Progress, reports, media IDs, call-backs, and the claims of inspection."""
    ready_item(world, "one", media_id="1")
    now, channels = world.clock.now(), (CHANNEL,)
    with recorded(world.database) as statements, world.database.write() as connection:
        campaign_progress(connection, "spring", now=now)
        FollowedCampaign("spring").look(connection, now=now)
        readiness_of(connection, "spring", now=now, allowed=25.0)
        list(campaign_items(connection, "spring", now=now, channels=channels))
        unsendable_items(connection, "spring", channels, after="", now=now)
        media_ids_by_ref(connection, "spring", after="", now=now)
        live_media_ids(connection, "spring", refs=None, now=now)
        find_unsettled(connection, "spring", now=now)
        claim_and_take_items(connection, limit=9, now=now, lease=LEASE)
    assert statements
    assert [statement for statement in statements if FURTHER in statement] == []


def test_what_goes_from_assets_to_items_is_one_statement_still(world: World) -> None:
    """Who needs them, until when, and whom they serve."""
    asset_id = ready_item(world, "one", media_id="1")
    now = world.clock.now()
    with recorded(world.database) as statements, world.database.read() as connection:
        assert needed_now(connection, [asset_id], now=now) == {asset_id}
        assert set(needed_until(connection, [asset_id])) == {asset_id}
        (item,) = items_of_assets(connection, [asset_id])[asset_id]
    assert item.is_further is False
    assert len([statement for statement in statements if FURTHER in statement]) == 3


def test_further_assets_of_a_campaign_without_any_are_not_looked_for(world: World) -> None:
    """PostgreSQL asks once whether the campaign has further channels, and does not begin to look."""
    if world.database.dialect != "postgresql":
        pytest.skip("SQLite does not tell what it executed")
    ready_item(world, "one", media_id="1")
    with world.database.read() as connection:
        plan = _plan(connection)
    looks = re.findall(rf"on {FURTHER}.*", plan)
    assert looks
    assert all("never executed" in look for look in looks), plan


def _plan(connection: Connection) -> str:
    asked = held_by("spring").compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call] # of SQLAlchemy's
        compile_kwargs={"literal_binds": True},
    )
    return "\n".join(connection.execute(text(f"EXPLAIN ANALYZE {asked}")).scalars())


def test_a_campaign_without_further_channels_has_one_progress(world: World) -> None:
    """By channel it is what it is."""
    ready_item(world, "one", media_id="1")
    now = world.clock.now()
    with world.database.read() as connection:
        row = get_campaign(connection, "spring")
        whole = campaign_progress(connection, "spring", now=now)
        assert progress_by_channel(connection, row, now=now) == {CHANNEL: whole}
