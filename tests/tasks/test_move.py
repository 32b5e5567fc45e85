"""A campaign is sent at another time, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest

from greenroom.errors import ManifestError, Misuse, UnknownName
from greenroom.task_names import TaskName
from models.campaign import get_campaign
from tasks.move import cancel, move
from tasks.prepare import prepare
from tests.support.rows import accepted_item, asset_row, item_rows, media_rows, ready_item
from tests.support.world import World


def dates(world: World, hours: float = 2) -> tuple[str, str]:
    """A campaign's, that many hours from now."""
    send_at = world.clock.now() + timedelta(hours=hours)
    return send_at.isoformat(), (send_at + timedelta(days=30)).isoformat()


def test_items_and_what_they_wait_for_follow(world: World) -> None:
    """All that an earlier send time decides, decides the new one."""
    asset_id = accepted_item(world, "a", hours=5)
    move(world.context, "spring", *dates(world))
    send_at = world.clock.now() + timedelta(hours=2)
    assert [row.due_at for row in item_rows(world)] == [send_at]
    assert asset_row(world, asset_id).due_at == send_at
    with world.database.read() as connection:
        campaign = get_campaign(connection, "spring")
    assert (campaign.send_at, campaign.keep_until) == (send_at, send_at + timedelta(days=30))
    assert [message.name for message in world.published] == [TaskName.DISPATCH]


def test_uploads_begin_when_it_is_said_or_by_the_setting(world: World) -> None:
    """A campaign that is sent much later waits until then; once begun, they have begun."""
    prepare(world.context, world.campaign(), [])
    begin = world.clock.now() + timedelta(days=2)
    prepare(world.context, {**world.campaign("autumn"), "upload_from": begin.isoformat()}, [])
    later = begin + timedelta(days=1)
    for campaign_id, given, expected in (("autumn", later.isoformat(), later), ("spring", None, None)):
        move(world.context, campaign_id, *dates(world, 24 * 20), given)
        with world.database.read() as connection:
            assert get_campaign(connection, campaign_id).upload_from == expected


def test_the_same_dates_change_nothing(world: World) -> None:
    """So that a message that comes twice does no harm."""
    accepted_item(world, "a", hours=5)
    move(world.context, "spring", *dates(world))
    before = item_rows(world)
    move(world.context, "spring", *dates(world))
    assert item_rows(world) == before


def test_a_campaign_that_cannot_be_moved_says_why(world: World) -> None:
    """It stays as it is."""
    with pytest.raises(UnknownName):
        move(world.context, "nobody", *dates(world))
    prepare(world.context, world.campaign(), [])
    later, earlier = dates(world)[1], dates(world)[0]
    with pytest.raises(Misuse, match="before it is sent"):
        move(world.context, "spring", later, earlier)
    with pytest.raises(ManifestError, match="no point in time"):
        move(world.context, "spring", "soon", earlier)
    cancel(world.context, "spring")
    with pytest.raises(Misuse, match="was cancelled"):
        move(world.context, "spring", *dates(world))


def test_what_a_cancelled_campaign_alone_needed_is_looked_at_again(world: World) -> None:
    """Cancelled twice is cancelled once."""
    ready_item(world, "a", media_id="id-a")
    cancel(world.context, "spring")
    (media,) = media_rows(world)
    assert media.retire_at == world.clock.now()
    with world.database.read() as connection:
        first = get_campaign(connection, "spring").cancelled_at
    world.clock.advance(timedelta(hours=1))
    cancel(world.context, "spring")
    with world.database.read() as connection:
        assert get_campaign(connection, "spring").cancelled_at == first
    with pytest.raises(UnknownName):
        cancel(world.context, "nobody")
