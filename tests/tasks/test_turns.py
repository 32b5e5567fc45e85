"""What ends an upload turn, and what is nothing to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.channel import ChannelRow, note_early_death, note_life
from tasks.dispatch import claims_from_json
from tasks.upload import upload
from tests.support.world import CHANNEL, NOON, MakeWorld
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
    assert upload(world.context, CHANNEL, claims_from_json(claims))["uploaded"] == 10
