"""Which campaigns will not be ready in time, by what the tables hold."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from sqlalchemy import update

from greenroom.answers import ANSWERS
from greenroom.errors import UnknownName
from greenroom.readiness import Readiness
from greenroom.task_names import TaskName
from models import Campaign, Item
from models.campaign import get_campaign
from models.campaign_readiness import campaigns_in_danger, readiness_of, upload_rates
from models.cancellation import cancel_campaign
from models.channel import pause_channel, resume_channel
from tasks.estimate import estimate
from tasks.foresee import foresee
from tasks.prepare import prepare
from tests.support.rows import accepted_item, ready_item
from tests.support.world import CHANNEL, World

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
ALLOWED = 25.0


def readiness(world: World, campaign_id: str = "spring") -> Readiness:
    """Of a campaign, now."""
    with world.database.read() as connection:
        return readiness_of(connection, campaign_id, now=world.clock.now(), allowed=ALLOWED)


def in_danger(world: World) -> list[str]:
    """Campaigns."""
    with world.database.read() as connection:
        found = campaigns_in_danger(connection, now=world.clock.now(), allowed=ALLOWED)
    return [one.campaign_id for one in found]


def unseen(world: World, number: int, *, campaign: str = "spring", send_in: timedelta) -> None:
    """Files that nobody has looked at yet."""
    now = world.clock.now()
    plan = {
        "id": campaign,
        "channel": CHANNEL,
        "send_at": (now + send_in).isoformat(),
        "keep_until": (now + send_in + 7 * DAY).isoformat(),
    }
    items = [{"ref": str(number), "source": f"/media/{number}.jpg"} for number in range(number)]
    prepare(world.context, plan, items)


def test_arithmetic_that_cannot_come_out_shows_at_once(world: World) -> None:
    """3,000 files need 120 s at 25 a second."""
    unseen(world, 3000, send_in=40 * SECOND)
    found = readiness(world)
    assert (found.left, found.ready_at) == (3000, world.clock.now() + 120 * SECOND)
    assert found.at_risk
    assert in_danger(world) == ["spring"]
    unseen(world, 3000, campaign="later", send_in=241 * SECOND)
    assert readiness(world, "later").ready_at == world.clock.now() + 240 * SECOND
    assert in_danger(world) == ["spring"]


def test_what_waits_for_upload_counts_as_well(world: World) -> None:
    """Until it has its ID; and what is cancelled waits for nothing."""
    for number in range(3):
        accepted_item(world, f"file-{number}", hours=0)
    ready_item(world, "ready", media_id="1", hours=0)
    assert readiness(world).left == 3
    assert in_danger(world) == ["spring"]
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert not readiness(world).at_risk
    assert in_danger(world) == []


def test_a_campaign_that_is_ready_is_in_no_danger(world: World) -> None:
    """However late it is, and whatever others at the same time wait for."""
    ready_item(world, "ready", media_id="1", campaign="done", hours=0)
    accepted_item(world, "waiting", campaign="late", hours=0)
    world.clock.advance(SECOND)
    assert in_danger(world) == ["late"]


def test_what_begins_later_is_foreseen_where_it_is_asked_for(world: World) -> None:
    """100 files that begin two seconds before they are sent."""
    unseen(world, 100, send_in=100 * DAY)
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(upload_from=Campaign.send_at))
    found = readiness(world)
    assert found.at_risk
    assert found.ready_at == found.send_at + 4 * SECOND
    assert "sooner" in found.what_helps(now=world.clock.now())[0]
    assert in_danger(world) == []


def test_a_paused_channel_keeps_a_campaign_from_its_hour(world: World) -> None:
    """Nobody knows when it ends; a day ahead it is said."""
    accepted_item(world, "file", hours=25)
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was revoked.", now=world.clock.now())
    assert (readiness(world).ready_at, readiness(world).paused) == (None, "The key was revoked.")
    assert in_danger(world) == []
    world.clock.advance(2 * 3600 * SECOND)
    assert in_danger(world) == ["spring"]


def test_the_rate_is_what_was_seen(world: World) -> None:
    """Of the last minute, where uploads go on; else what is allowed."""
    for number in range(40):
        ready_item(world, f"file-{number}", media_id=str(number))
        world.clock.advance(SECOND / 4)
    with world.database.read() as connection:
        rates = upload_rates(connection, now=world.clock.now(), allowed=ALLOWED)
        assert (rates[CHANNEL].per_second, rates[CHANNEL].observed) == (4.0, True)
        assert upload_rates(connection, now=world.clock.now() + 6 * SECOND, allowed=ALLOWED) == {}
        assert upload_rates(connection, now=world.clock.now(), allowed=3.0)[CHANNEL].per_second == 3.0
    accepted_item(world, "one-more", hours=0)
    world.clock.advance(SECOND)
    (sentence, _) = readiness(world).what_helps(now=world.clock.now())
    assert "3.6 files a second of the 25" in sentence


def test_a_risk_is_said_once_and_taken_back_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """With what is late, by how much, and what helps; a line when it begins and one when it is over."""
    caplog.set_level(logging.INFO, logger="tasks.foresee")
    unseen(world, 3000, send_in=40 * SECOND)
    assert [len(foresee(world.context).at_risk) for _ in range(2)] == [1, 1]
    (line,) = caplog.messages
    assert "spring is at risk: 3,000 files" in line
    assert "4:20 too long" in line
    assert "another number" in line
    with world.database.write() as connection:
        connection.execute(update(Item).values(state="rejected", reason="missing"))
    assert [len(foresee(world.context).at_risk) for _ in range(2)] == [0, 0]
    assert caplog.messages[1:] == ["Campaign spring is at risk no more."]


def test_a_scheduler_may_ask_before_it_hands_over(world: World) -> None:
    """3,000 files at 10 a second, after what the number has to do already; nothing is written."""
    now = world.clock.now()
    plan = {
        "id": "thought-of",
        "channel": CHANNEL,
        "send_at": (now + 40 * SECOND).isoformat(),
        "keep_until": (now + DAY).isoformat(),
    }
    assert estimate(world.context, plan, 300).ready_at == now + 30 * SECOND
    unseen(world, 100, send_in=20 * SECOND)
    found = estimate(world.context, plan, 3000)
    assert (found.left, found.ready_at, found.at_risk) == (3000, now + 310 * SECOND, True)
    assert "another number" in found.what_helps[0]
    assert ANSWERS[TaskName.ESTIMATE].validate_python(found.model_dump(mode="json")) == found
    known = {**plan, "id": "spring", "send_at": (now + 20 * SECOND).isoformat()}
    assert estimate(world.context, known, 0).left == 100
    with pytest.raises(UnknownName):
        estimate(world.context, {**plan, "channel": "nobody"}, 1)
    with world.database.read() as connection, pytest.raises(UnknownName):
        get_campaign(connection, "thought-of")


def test_a_paused_number_is_named(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """And once it is resumed, the arithmetic counts again."""
    accepted_item(world, "file", hours=1)
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was revoked.", now=world.clock.now())
    assert len(foresee(world.context).at_risk) == 1
    assert f"channel {CHANNEL} is paused" in caplog.text
    with world.database.write() as connection:
        resume_channel(connection, CHANNEL)
    assert foresee(world.context).at_risk == []
