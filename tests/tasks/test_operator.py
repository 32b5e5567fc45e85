"""What an operator does to a channel while a worker uploads on it: pause it, replace or rotate its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from cli.channel import encrypt_anew
from greenroom.vault import Vault, new_secret_key
from models.channel import get_channel, pause_channel, resume_channel
from tasks.dispatch import claims_from_json
from tasks.runtime.batcher import Batcher
from tasks.upload import upload
from tests.support.world import CANARY_KEY, CHANNEL, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import claims_handed_out, upload_all

FILES, BATCH = 6, 2


class Interrupted(Batcher[Any, Any]):
    """Lets something happen right before a worker claims more files, or writes down what came of some."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens: Callable[[], object] | None = happens

    def submit(self, entry: Any, work: Callable[[Sequence[Any]], Sequence[Any]]) -> Any:
        """Claim, after it has happened once."""
        happens, self._happens = self._happens, None
        if happens is not None:
            happens()
        return super().submit(entry, work)


def a_turn(
    world: World, make_image: MakeImage, happens: Callable[[], object], *, before: str = "taking"
) -> dict[str, int]:
    """One upload task that has handled its first files when something happens; more wait for it."""
    hand_over(world, *(make_image(f"{shade}.jpg", shade) for shade in range(FILES)))
    inspect_all(world)
    (claims,) = claims_handed_out(world)
    interrupted: Any = {before: Interrupted(happens)}
    return upload(replace(world.context, **interrupted), {CHANNEL: claims_from_json(claims[:BATCH])})


def test_a_pause_by_hand_ends_the_turn_of_whoever_uploads(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """What was begun is recorded, nothing more is begun, and all of it goes on afterwards."""
    world = make_world(batch_size=BATCH)
    world.add_channel()

    def pause() -> None:
        with world.database.write() as connection:
            pause_channel(connection, CHANNEL, reason="Moves house", now=world.clock.now())

    assert a_turn(world, make_image, pause)["uploaded"] == BATCH
    assert upload_all(world) == {"uploaded": 0, "postponed": 0, "failed": 0}
    assert len(world.sandbox.live_media_ids(CANARY_KEY)) == BATCH
    with world.database.write() as connection:
        resume_channel(connection, CHANNEL)
    while upload_all(world)["uploaded"]:
        pass
    assert len(set(world.sandbox.live_media_ids(CANARY_KEY))) == FILES


def test_a_rotation_of_the_secret_key_loses_no_upload(make_world: MakeWorld, make_image: MakeImage) -> None:
    """Workers have both keys; the turn in which it happens goes on, or the next one does."""
    world = make_world(batch_size=BATCH)
    world.add_channel()
    new = new_secret_key().get_secret_value()
    old = world.context.settings.secret_key.get_secret_value()
    both = Vault(SecretStr(f"{new},{old}"))
    world.context = replace(world.context, vault=both)
    a_turn(world, make_image, lambda: encrypt_anew(world.database, both))
    world.context = replace(world.context, vault=Vault(SecretStr(new)))
    while upload_all(world)["uploaded"]:
        pass
    assert len(world.sandbox.live_media_ids(CANARY_KEY)) == FILES
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at is None


def test_answers_to_a_key_that_was_replaced_do_not_pause_the_channel(
    make_world: MakeWorld, make_image: MakeImage
) -> None:
    """A key is revoked, its refusals are arriving, and the operator gives the channel a new one."""
    world = make_world(batch_size=BATCH)
    world.add_channel()
    refused = {"status": 401, "code": 190, "message": "Invalid api_key"}
    world.sandbox.faults({"on": "upload", "api_key": CANARY_KEY, "answer": refused})
    a_turn(world, make_image, lambda: world.add_channel(key="the-new-key"), before="recording")
    while upload_all(world)["uploaded"]:
        pass
    assert len(world.sandbox.live_media_ids("the-new-key")) == FILES
    with world.database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at is None


def test_a_pause_for_a_key_that_is_not_the_channels_any_more_is_none(world: World) -> None:
    """However the failure came: by an upload, a look-up, a deletion, or a secret key that is not there."""
    with world.database.write() as connection:
        now = world.clock.now()
        tried = get_channel(connection, CHANNEL).api_key
        assert not pause_channel(connection, CHANNEL, reason="Refused", now=now, tried="an earlier one")
        assert pause_channel(connection, CHANNEL, reason="Refused", now=now, tried=tried)
