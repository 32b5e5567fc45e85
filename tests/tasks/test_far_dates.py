"""A row with a date far away, from before there were bounds, costs no other row anything."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import update

from greenroom.clock import LATEST
from migrations import configuration
from models import Campaign
from models.campaign import get_campaign
from tasks.retire import retire
from tests.support.rows import media_rows, ready_item
from tests.support.world import CANARY_KEY, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def keep_for_ever(world: World, campaign_id: str) -> None:
    """As an older version would have taken it."""
    with world.database.write() as connection:
        connection.execute(update(Campaign).where(Campaign.id == campaign_id).values(keep_until=FOR_EVER))


def test_an_upload_for_a_campaign_without_an_end_is_recorded(world: World, make_image: MakeImage) -> None:
    """Not sent again and again, each time an orphan at the provider."""
    hand_over(world, make_image())
    inspect_all(world)
    keep_for_ever(world, "spring")
    assert upload_all(world)["uploaded"] == 1
    assert media_rows(world)[0].retire_at == LATEST
    assert world.sandbox.stats()[CANARY_KEY]["uploads"] == 1


def test_retire_goes_on_with_the_others(world: World) -> None:
    """One ID is kept for ever, and another, on another channel, is taken out of service all the same."""
    ready_item(world, "kept", media_id="kept")
    world.add_channel("4930", "another-key")
    ready_item(world, "over", media_id="over", campaign="summer", channel="4930")
    keep_for_ever(world, "spring")
    with world.database.write() as connection:
        connection.execute(
            update(Campaign).where(Campaign.id == "summer").values(cancelled_at=world.clock.now())
        )
    assert retire(world.context)["retired"] == 1
    moments = {row.media_id: (row.is_current, row.retire_at) for row in media_rows(world)}
    assert moments["kept"] == (True, LATEST)
    assert moments["over"][0] is False


@pytest.mark.parametrize("field", ["send_at", "keep_until"])
def test_the_migration_brings_old_dates_within_bounds(world: World, field: str) -> None:
    """On both databases."""
    ready_item(world, "a", media_id="m1")
    command.downgrade(configuration(world.database.engine), "0005")
    with world.database.write() as connection:
        connection.execute(update(Campaign).values({field: FOR_EVER}))
    command.upgrade(configuration(world.database.engine), "head")
    with world.database.read() as connection:
        assert getattr(get_campaign(connection, "spring"), field) == LATEST
