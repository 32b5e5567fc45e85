"""Uploads begin when the campaign says, or as long ahead as no ID has to be renewed before it is sent."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from greenroom.inspection import inspect_file
from models.asset import Asset, AssetState
from models.campaign import CampaignRow, get_campaign
from models.cancellation import cancel_campaign
from models.channel import set_media_life
from models.item_claims import claim_and_take_items
from models.progress import Progress, campaign_progress
from models.upload_start import begin_uploads
from tasks.inspecting.verdict_writer import JudgedItem, write_surely
from tasks.prepare import prepare
from tasks.refresh import refresh
from tasks.retire import retire
from tasks.start_uploads import start_uploads
from tests.support.rows import media_rows
from tests.support.world import CHANNEL, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def plan(world: World, *, days: float, name: str = "spring", **more: datetime) -> dict[str, Any]:
    """A campaign that is sent in so many days, and kept for a week from then."""
    send_at = world.clock.now() + days * DAY
    dates = {"send_at": send_at, "keep_until": send_at + 7 * DAY, **more}
    return {"id": name, "channel": CHANNEL, **{key: moment.isoformat() for key, moment in dates.items()}}


def items(*paths: Path) -> list[dict[str, str]]:
    """Items of these files."""
    return [{"ref": path.name, "source": str(path)} for path in paths]


def campaign(world: World, name: str = "spring") -> CampaignRow:
    """The campaign's row."""
    with world.database.read() as connection:
        return get_campaign(connection, name)


def progress(world: World, name: str = "spring") -> Progress:
    """How far it is."""
    with world.database.read() as connection:
        return campaign_progress(connection, name, now=world.clock.now())


def states(world: World) -> list[str]:
    """Of all assets."""
    with world.database.read() as connection:
        return list(connection.execute(select(Asset.state).order_by(Asset.id)).scalars())


def test_files_are_inspected_at_once_and_uploaded_later(world: World, make_image: MakeImage) -> None:
    """A bad file is known months ahead, and no ID is renewed before it was ever sent."""
    bad = make_image("bad.jpg")
    bad.write_bytes(b"")
    prepare(world.context, plan(world, days=100), items(make_image(), bad))
    inspect_all(world)
    assert progress(world) == Progress(scheduled=1, rejected=1)
    assert campaign(world).upload_from == world.clock.now() + 86 * DAY
    upload_all(world)
    assert (start_uploads(world.context), media_rows(world)) == (0, [])
    world.clock.advance(86 * DAY)
    assert (start_uploads(world.context), start_uploads(world.context)) == (1, 0)
    assert (states(world), campaign(world).upload_from) == ([AssetState.WAITING], None)
    upload_all(world)
    assert progress(world) == Progress(ready=1, rejected=1)


def test_what_is_sent_soon_begins_at_once(world: World, make_image: MakeImage) -> None:
    """Within the days of the setting there is nothing to wait for."""
    prepare(world.context, plan(world, days=14), items(make_image()))
    assert campaign(world).upload_from is None
    inspect_all(world)
    assert states(world) == [AssetState.CLAIMED]


@pytest.mark.parametrize(
    ("life", "hours"),
    [(timedelta(hours=1), 0.5), (timedelta(hours=12), 6.0), (8 * DAY, 96.0), (None, 14 * 24.0)],
)
def test_short_lives_begin_later(world: World, life: timedelta | None, hours: float) -> None:
    """An ID that would have to be renewed before its first use is not asked for yet."""
    with world.database.write() as connection:
        set_media_life(connection, CHANNEL, life)
    prepare(world.context, plan(world, days=100), [])
    assert campaign(world).upload_from == world.clock.now() + 100 * DAY - hours * HOUR


def test_a_campaign_may_say_when(world: World, make_image: MakeImage) -> None:
    """Sooner or later than the setting; what is past is now."""
    now = world.clock.now()
    prepare(world.context, plan(world, days=5, upload_from=now + 4 * DAY), items(make_image()))
    assert campaign(world).upload_from == now + 4 * DAY
    prepare(world.context, plan(world, name="at-once", days=100, upload_from=now - DAY), [])
    assert campaign(world, "at-once").upload_from is None


def test_the_same_again_changes_nothing(world: World, make_image: MakeImage) -> None:
    """Neither before its uploads begin nor after; also where only the setting says when."""
    given, files = plan(world, days=100), items(make_image())
    for _ in range(2):
        prepare(world.context, given, files)
        inspect_all(world)
        assert states(world) == [AssetState.IDLE]
    world.clock.advance(90 * DAY)
    start_uploads(world.context)
    upload_all(world)
    prepare(world.context, given, files)
    assert (states(world), len(media_rows(world))) == ([AssetState.READY], 1)


def test_a_campaign_that_is_moved_begins_with_its_new_date(world: World, make_image: MakeImage) -> None:
    """To sooner: at once. To later, and begun already: what has an ID keeps it."""
    files = items(make_image())
    prepare(world.context, plan(world, days=100), files)
    inspect_all(world)
    prepare(world.context, plan(world, days=50), files)
    assert campaign(world).upload_from == world.clock.now() + 36 * DAY
    prepare(world.context, plan(world, days=2), files)
    assert (campaign(world).upload_from, states(world)) == (None, [AssetState.WAITING])
    prepare(world.context, plan(world, days=100), files)
    assert (campaign(world).upload_from, states(world)) == (None, [AssetState.WAITING])


def test_a_shared_file_is_uploaded_for_the_first_who_needs_it(world: World, make_image: MakeImage) -> None:
    """And kept for him alone, until the other one begins."""
    files = items(make_image())
    prepare(world.context, plan(world, days=100, name="later"), files)
    inspect_all(world)
    prepare(world.context, plan(world, days=1), files)
    inspect_all(world)
    upload_all(world)
    assert progress(world, "later") == Progress(ready=1)
    world.clock.advance(20 * DAY)
    retire(world.context)
    assert [row.is_current for row in media_rows(world)] == [False]
    assert progress(world, "later") == Progress(scheduled=1)
    world.clock.advance(70 * DAY)
    start_uploads(world.context)
    upload_all(world)
    assert progress(world, "later") == Progress(ready=1)


def test_an_id_that_lives_is_taken_over(world: World, make_image: MakeImage) -> None:
    """What the other campaign has ready when this one begins is kept and renewed for both."""
    files = items(make_image())
    prepare(world.context, plan(world, days=20, name="later"), files)
    prepare(world.context, plan(world, days=1), files)
    inspect_all(world)
    upload_all(world)
    world.clock.advance(7 * DAY)
    start_uploads(world.context)
    world.clock.advance(18 * DAY)
    retire(world.context)
    assert refresh(world.context) == 0
    assert [row.is_current for row in media_rows(world)] == [True]


def test_a_cancelled_campaign_never_begins(world: World, make_image: MakeImage) -> None:
    """Its date comes, and nothing is uploaded."""
    prepare(world.context, plan(world, days=100), items(make_image()))
    inspect_all(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    world.clock.advance(90 * DAY)
    assert start_uploads(world.context) == 0
    with world.database.write() as connection:
        assert not begin_uploads(connection, "spring", now=world.clock.now())
    assert states(world) == [AssetState.IDLE]


def test_what_is_accepted_while_uploads_begin_is_not_left_behind(world: World, make_image: MakeImage) -> None:
    """The worker read that they begin later, and writes its verdict when they have begun."""
    path = make_image()
    prepare(world.context, plan(world, days=15), items(path))
    now, lease = world.clock.now(), HOUR
    with world.database.write() as connection:
        (taken,) = claim_and_take_items(connection, limit=1, now=now, lease=lease)
    world.clock.advance(DAY)
    assert (taken.upload_from is not None, start_uploads(world.context)) == (True, 1)
    write_surely(world.context, [JudgedItem(item=taken, verdict=inspect_file(path))], Counter())
    assert states(world) == [AssetState.WAITING]
