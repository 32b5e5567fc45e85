"""Campaigns whose files lie in a store: read once, sent as inspected, waited for where nobody may read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from greenroom.reasons import Reason
from models.item import ItemState
from tests.support.relay import Relay
from tests.support.rows import item_rows, media_rows
from tests.support.stores import BUCKET, S3Server
from tests.support.world import MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_allowed_sources import hand_over
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

pytestmark = pytest.mark.xdist_group("stores")


def close(world: World) -> None:
    """End what reads its stores."""
    world.context.sources.close()


def test_a_file_is_read_once_for_inspection_and_upload(
    make_world: MakeWorld, make_image: MakeImage, s3: S3Server, tmp_path: Path
) -> None:
    """And what was replaced in between is sent as it was inspected."""
    with Relay(urlsplit(s3.endpoint).port or 0).running() as relay:
        world = make_world(
            source_stores=f"s3://{BUCKET}/spring/={relay.address}", source_cache_folder=tmp_path / "fetched"
        )
        world.add_channel()
        image = make_image().read_bytes()
        hand_over(world, {"hero": s3.put("spring/hero.jpg", image), "other": f"s3://{BUCKET}/other.jpg"})
        assert inspect_all(world)["accepted"] == 1
        connections = relay.connections
        s3.put("spring/hero.jpg", b"something else")
        assert upload_all(world)["uploaded"] == 1
        assert relay.connections == connections
        close(world)
    assert len(media_rows(world)) == 1
    rows = {row.ref: row for row in item_rows(world)}
    assert rows["hero"].size == len(image)
    refused = rows["other"]
    assert (refused.state, refused.reason) == (ItemState.REJECTED, Reason.NOT_ALLOWED)
    assert "GREENROOM_SOURCE_STORES" in refused.detail


def test_without_a_folder_for_it_a_file_is_read_twice(
    make_world: MakeWorld, make_image: MakeImage, s3: S3Server
) -> None:
    """One that was replaced in between is inspected again."""
    world = make_world(source_stores=f"s3://{BUCKET}/={s3.endpoint}")
    world.add_channel()
    hand_over(world, {"hero": s3.put("hero.jpg", make_image("a.jpg", 1).read_bytes())})
    assert inspect_all(world)["accepted"] == 1
    replaced = make_image("b.jpg", 2).read_bytes()
    s3.put("hero.jpg", replaced)
    assert upload_all(world)["uploaded"] == 0
    world.clock.advance(timedelta(minutes=10))
    assert inspect_all(world)["accepted"] == 1
    assert upload_all(world)["uploaded"] == 1
    assert [row.size for row in item_rows(world)] == [len(replaced)]
    close(world)


def test_credentials_that_are_none_make_files_wait_and_pause_nothing(
    make_world: MakeWorld,
    make_image: MakeImage,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each says what to set; once it is set, nobody has to do more."""
    world = make_world(source_stores=f"s3://{BUCKET}/={s3.endpoint}", media_roots=[tmp_path])
    world.add_channel()
    stored = s3.put("hero.jpg", make_image("a.jpg", 1).read_bytes())
    hand_over(world, {"stored": stored, "local": str(make_image("b.jpg", 2))})
    with monkeypatch.context() as environment:
        environment.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert inspect_all(world) == {"accepted": 1, "rejected": 0, "postponed": 1}
        assert upload_all(world)["uploaded"] == 1
        close(world)
    waiting = {row.ref: row for row in item_rows(world)}["stored"]
    assert waiting.state == ItemState.WAITING
    assert "AWS_ACCESS_KEY_ID" in waiting.detail
    world.clock.advance(timedelta(minutes=10))
    assert inspect_all(world)["accepted"] == 1
    assert upload_all(world)["uploaded"] == 1
    close(world)
