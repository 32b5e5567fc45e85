"""What ends an upload turn, and what is nothing to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from greenroom.rate_limit.ownership import OwnedChannel
from greenroom.task_names import TaskName
from models.channel import ChannelRow, note_early_death, note_life, pause_channel
from tasks.dispatch import batches_from_json, claims_from_json
from tasks.prepare import prepare
from tasks.runtime.batcher import Batcher
from tasks.upload import upload
from tests.support.rows import media_rows
from tests.support.world import CANARY_KEY, CHANNEL, NOON, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out

ROW = ChannelRow(
    id=CHANNEL,
    api_base_url="sandbox",
    api_key="encrypted",
    paused_at=None,
    paused_reason=None,
    media_life_seconds=None,
    early_deaths=0,
    shortest_life_seconds=None,
    longest_life_seconds=None,
)


@pytest.mark.parametrize("field", ["early_deaths", "shortest_life_seconds", "longest_life_seconds"])
def test_what_is_observed_of_a_number_is_nothing_to_its_uploads(field: str) -> None:
    """Look-ups and reports raise these at any time."""
    changed: dict[str, Any] = {field: 7}
    assert replace(ROW, **changed).uploads_as(ROW)


@pytest.mark.parametrize(
    "changed", [{"api_base_url": "x"}, {"api_key": "x"}, {"media_life_seconds": 7}, {"paused_at": NOON}]
)
def test_what_uploads_go_by_is_read_anew(changed: dict[str, Any]) -> None:
    """Whoever begins anew reads it all."""
    assert not replace(ROW, **changed).uploads_as(ROW)


def test_a_look_up_does_not_end_a_turn(
    make_world: MakeWorld, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One turn sends all, while verify and a report write down what they saw of the number."""
    world = make_world(batch_size=2)
    world.add_channel()
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(10)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    send = world.context.provider.upload_later

    def noting(*args: Any, **more: Any) -> None:
        with world.database.write() as connection:
            note_life(connection, CHANNEL, timedelta(days=1))
            note_early_death(connection, CHANNEL, timedelta(days=1))
        send(*args, **more)

    monkeypatch.setattr(world.context.provider, "upload_later", noting)
    assert upload(world.context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 10


def test_one_message_works_on_several_channels(world: World, make_image: MakeImage) -> None:
    """Each with its own key; one that was paused meanwhile holds up nobody, and its files wait."""
    for channel in ("4930", "4940"):
        world.add_channel(channel, f"key-{channel}")
    for number, channel in enumerate((CHANNEL, "4930", "4940")):
        plan = world.campaign(f"campaign-{channel}", channel)
        path = make_image(f"{number}.jpg", number)
        prepare(world.context, plan, [{"ref": "a", "source": str(path)}])
    inspect_all(world)
    (message,) = [one for one in world.published if one.name is TaskName.UPLOAD]
    with world.database.write() as connection:
        pause_channel(connection, "4940", reason="Moves house", now=world.clock.now())
    counts = upload(world.context, batches_from_json(message.args[0]))
    assert counts == {"uploaded": 2, "postponed": 1, "failed": 0}
    stats = world.sandbox.stats()
    assert [stats[key]["uploads"] for key in (CANARY_KEY, "key-4930")] == [1, 1]
    assert "key-4940" not in stats
    assert {row.channel_id for row in media_rows(world)} == {CHANNEL, "4930"}


def test_a_channel_that_fails_fails_alone(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours on one channel of a message is told, after the others have their media IDs."""
    world.add_channel("4930", "key-4930")
    for number, channel in enumerate((CHANNEL, "4930")):
        plan = world.campaign(f"campaign-{channel}", channel)
        path = make_image(f"{number}.jpg", number)
        prepare(world.context, plan, [{"ref": "a", "source": str(path)}])
    inspect_all(world)
    (message,) = [one for one in world.published if one.name is TaskName.UPLOAD]
    acquire = world.context.limiter.acquire

    def failing(channel_id: str, **more: Any) -> OwnedChannel:
        if channel_id == CHANNEL:
            raise RuntimeError("a fault")
        return acquire(channel_id, **more)

    monkeypatch.setattr(world.context.limiter, "acquire", failing)
    with pytest.raises(RuntimeError, match="a fault"):
        upload(world.context, batches_from_json(message.args[0]))
    assert [row.channel_id for row in media_rows(world)] == ["4930"]


class Noted(Batcher[Any, Any]):
    """Notes that it was asked."""

    def __init__(self, name: str, notes: list[str]) -> None:
        super().__init__()
        self._name, self._notes = name, notes

    def submit(self, entry: Any, work: Callable[[Sequence[Any]], Sequence[Any]]) -> Any:
        """As any other."""
        self._notes.append(self._name)
        return super().submit(entry, work)


def test_more_is_claimed_before_anything_is_written_down(world: World, make_image: MakeImage) -> None:
    """At the moment at which all channels look: those that have nothing to write down claim with them."""
    hand_over(world, make_image("photo.jpg"))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    asked: list[str] = []
    context = replace(world.context, taking=Noted("claim", asked), recording=Noted("write down", asked))
    assert upload(context, {CHANNEL: claims_from_json(claims)})["uploaded"] == 1
    assert asked[: asked.index("write down")].count("claim") >= 1
