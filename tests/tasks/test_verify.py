"""Verification looks up what is due, and never uses up the look-ups that may fail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from greenroom.task_names import TaskName
from models.cancellation import cancel_campaign
from models.channel import get_channel, pause_channel
from models.lookups import FAILURES_ALLOWED, LookupFailure
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.verify import verify
from tests.support.rows import asset_row, item_rows, media_rows
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

DAY = timedelta(days=1)


@pytest.fixture
def media_ids(world: World, make_image: MakeImage) -> list[str]:
    """The IDs of a campaign's eight files, ready since seven days: due for a look-up."""
    items = [
        {"ref": f"{number}.jpg", "source": str(make_image(f"{number}.jpg", number))} for number in range(8)
    ]
    prepare(world.context, world.campaign(days=25), items)
    inspect_all(world)
    while len(media_rows(world)) < 8:
        upload_all(world)
    found = resolve(world.context, "spring", [item["ref"] for item in items])
    world.clock.advance(7 * DAY)
    return [found[item["ref"]] for item in items]


def failures(world: World) -> int:
    """How many failed look-ups are counted."""
    with world.database.read() as connection:
        return connection.execute(select(func.count(LookupFailure.id))).scalar_one()


def look_ups(world: World) -> tuple[int, int, int]:
    """As the provider counts them: look-ups, errors, and those that it blocked."""
    stats = world.sandbox.stats()[CANARY_KEY]
    return stats["lookups"], stats["lookup_errors"], stats["lookups_blocked"]


def test_a_task_for_each_number_that_has_something_due(world: World, media_ids: list[str]) -> None:
    """Beat asks once; a number whose look-ups are slow holds up no other."""
    world.add_channel("4930", "another-key")
    world.published.clear()
    verify(world.context)
    (message,) = world.published
    assert (message.name, message.args) == (TaskName.VERIFY, [CHANNEL])
    world.clock.advance(-DAY)
    world.published.clear()
    verify(world.context)
    assert world.published == []
    assert media_ids


def test_what_is_alive_costs_nothing_and_is_looked_up_again_later(world: World, media_ids: list[str]) -> None:
    """Two days later, by the setting; and the age at which an ID was seen alive is a figure."""
    assert verify(world.context, CHANNEL) == {"alive": 8, "dead": 0}
    assert look_ups(world) == (8, 0, 0)
    assert failures(world) == 0
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    world.clock.advance(2 * DAY)
    assert verify(world.context, CHANNEL) == {"alive": 8, "dead": 0}
    with world.database.read() as connection:
        channel = get_channel(connection, CHANNEL)
    assert channel.longest_life_seconds == 9 * 86_400
    assert channel.early_deaths == 0
    assert media_ids


def test_a_dead_id_is_found_and_replaced(world: World, media_ids: list[str]) -> None:
    """It is answered no more, and its file is uploaded before all others."""
    world.sandbox.faults({"forget_media": [media_ids[3]]})
    assert verify(world.context, CHANNEL) == {"alive": 7, "dead": 1}
    refs = resolve(world.context, "spring", [f"{number}.jpg" for number in range(8)])
    assert sorted(refs.values()) == sorted(set(media_ids) - {media_ids[3]})
    assert upload_all(world)["uploaded"] == 1
    refs = resolve(world.context, "spring", ["3.jpg"])
    assert refs["3.jpg"] not in media_ids
    with world.database.read() as connection:
        channel = get_channel(connection, CHANNEL)
    assert (channel.early_deaths, channel.shortest_life_seconds) == (1, 7 * 86_400)


def test_the_fifth_failure_of_an_hour_is_never_risked(world: World, media_ids: list[str]) -> None:
    """Verification waits, and no ID is asked for twice that was answered with an error."""
    world.sandbox.faults({"forget_media": media_ids})
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 4}
    for _ in range(3):
        assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    assert look_ups(world) == (4, 4, 0)
    world.clock.advance(timedelta(minutes=59))
    world.sandbox.advance(59 * 60)
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    world.clock.advance(timedelta(minutes=2))
    world.sandbox.advance(2 * 60)
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 4}
    assert look_ups(world) == (8, 8, 0)


def test_a_block_that_somebody_else_caused_is_waited_out(world: World, media_ids: list[str]) -> None:
    """Another program on the same number may have used up its failures."""
    answer = {"status": 429, "code": 80007, "message": "Rate limit hit"}
    world.sandbox.faults({"on": "media_url", "times": 20, "answer": answer})
    verify(world.context, CHANNEL)
    asked = look_ups(world)[0]
    assert asked == 1
    verify(world.context, CHANNEL)
    world.clock.advance(timedelta(minutes=59))
    verify(world.context, CHANNEL)
    assert look_ups(world)[0] == asked
    world.sandbox.faults({"clear": True})
    world.clock.advance(timedelta(minutes=2))
    assert verify(world.context, CHANNEL) == {"alive": 8, "dead": 0}
    assert media_ids


@pytest.mark.parametrize("sandbox", [{"count_failed_uploads": True}], indirect=True)
@pytest.mark.parametrize(("booked", "answered"), [(True, (0, 0, 0)), (False, (1, 0, 1))])
def test_uploads_that_fail_may_count_against_look_ups(
    make_world: MakeWorld, make_image: MakeImage, *, booked: bool, answered: tuple[int, int, int]
) -> None:
    """At a provider that reads its page's last line so; where they are not booked, look-ups get blocked."""
    world = make_world(failed_uploads_count=booked)
    world.add_channel()
    item = {"ref": "old.jpg", "source": str(make_image("old.jpg", 0))}
    prepare(world.context, world.campaign("winter", days=25), [item])
    inspect_all(world)
    assert upload_all(world)["uploaded"] == 1
    world.clock.advance(7 * DAY)
    world.sandbox.faults({"on": "upload", "answer": {"status": 400, "code": 131053, "message": "No"}})
    hand_over(world, *[make_image(f"{number}.jpg", number) for number in range(1, 7)])
    inspect_all(world)
    while upload_all(world)["failed"]:
        world.clock.advance(timedelta(seconds=1))
    assert world.sandbox.stats()[CANARY_KEY]["rejected"] == 6
    assert (failures(world) >= FAILURES_ALLOWED) is booked
    assert verify(world.context, CHANNEL)["alive"] == 0
    assert look_ups(world) == answered
    world.clock.advance(timedelta(minutes=61))
    world.sandbox.advance(61 * 60)
    # Who was blocked asks for nothing within an hour from then on.
    assert verify(world.context, CHANNEL)["alive"] == 1


def test_a_provider_that_is_away_is_asked_once_a_run(world: World, media_ids: list[str]) -> None:
    """Its errors count as failures, whatever their reason."""
    answer = {"status": 503, "code": 2, "message": "away"}
    world.sandbox.faults({"on": "media_url", "times": 20, "answer": answer})
    for _ in range(6):
        verify(world.context, CHANNEL)
    assert look_ups(world)[0] == 4
    assert failures(world) == 4
    assert resolve(world.context, "spring", ["0.jpg"]) == {"0.jpg": media_ids[0]}


def test_what_the_provider_will_not_talk_about_is_renewed_and_never_asked_for_again(
    world: World, media_ids: list[str]
) -> None:
    """The page: on a status code of 400, "do not retry it repeatedly"."""
    answer = {"status": 400, "code": 100, "message": "Invalid parameter"}
    world.sandbox.faults({"on": "media_url", "times": 1, "answer": answer})
    assert verify(world.context, CHANNEL) == {"alive": 7, "dead": 0}
    world.clock.advance(3 * DAY)
    assert verify(world.context, CHANNEL) == {"alive": 7, "dead": 0}
    assert refresh(world.context) == 1
    assert upload_all(world)["uploaded"] == 1
    now = resolve(world.context, "spring", [f"{number}.jpg" for number in range(8)])
    assert len(set(now.values()) - set(media_ids)) == 1


def test_a_refused_key_pauses_the_channel(world: World, media_ids: list[str]) -> None:
    """As it does everywhere."""
    world.sandbox.faults({"revoke_key": CANARY_KEY})
    verify(world.context, CHANNEL)
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at == world.clock.now()
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    assert media_ids


def test_what_nothing_needs_is_not_looked_up(world: World, media_ids: list[str]) -> None:
    """Nor is anything on a channel that is paused."""
    with world.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="a test", now=world.clock.now())
    world.published.clear()
    verify(world.context)
    assert world.published == []
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    assert asset_row(world, item_rows(world)[0].asset_id).state == "ready"
    assert verify(world.context, CHANNEL) == {"alive": 0, "dead": 0}
    assert look_ups(world) == (0, 0, 0)
    assert media_ids


def test_a_worker_that_died_has_counted_too_much_and_never_too_little(
    world: World, media_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is booked before the look-up; what nobody takes back counts for its hour."""

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(world.context.provider, "media_url", die)
        with pytest.raises(SystemExit):
            verify(world.context, CHANNEL)
    assert failures(world) == 1
    world.clock.advance(timedelta(minutes=61))
    assert verify(world.context, CHANNEL) == {"alive": 8, "dead": 0}
    world.clock.advance(timedelta(hours=2))
    prune(world.context)
    assert failures(world) == 0
    assert media_ids
