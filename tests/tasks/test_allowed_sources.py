"""Campaigns name files and addresses; what the operator does not allow costs nobody else anything."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import event

from greenroom.reasons import Reason
from greenroom.sources import Sources
from models.item import ItemState
from tasks.prepare import prepare
from tests.support.rows import asset_row, item_rows, media_rows
from tests.support.world import CANARY_KEY, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import inspect_all
from tests.tasks.test_upload import upload_all

REFUSED = {
    "key": "/etc/passwd",
    "environment": "/proc/self/environ",
    "inside": "http://169.254.169.254/latest/meta-data?canary",
    "loopback": "https://127.0.0.1/?canary",
    "elsewhere": "https://user:canary@other.example/",
}
IMPOSSIBLE = {
    "nowhere": "http://",
    "port": "https://cdn.example:99999/canary",
    "odd": "https://0x7f.1/canary",
}


def hand_over(world: World, sources: dict[str, str]) -> None:
    """A campaign of these sources, by ref."""
    items: list[dict[str, Any]] = [{"ref": ref, "source": source} for ref, source in sources.items()]
    assert prepare(world.context, world.campaign(), items) == len(items)


def allow(world: World, root: Path) -> None:
    """As after a restart with another setting."""
    vars(world.context)["sources"] = Sources(roots=[root])


@pytest.mark.parametrize("way", ["new", "known"])
def test_what_may_not_be_opened_is_rejected_when_it_is_handed_over(
    make_world: MakeWorld, make_image: MakeImage, tmp_path: Path, way: str
) -> None:
    """At once, with a sentence, and for good; all other items of the message are looked at."""
    world = make_world(media_roots=[tmp_path], source_hosts="cdn.example")
    world.add_channel()
    if way == "known":
        hand_over(world, {"first": str(make_image("first.jpg", 1))})
    hand_over(world, {"hero": str(make_image("hero.jpg", 2)), **REFUSED, **IMPOSSIBLE})
    rows = {row.ref: row for row in item_rows(world)}
    assert {ref: (rows[ref].state, rows[ref].reason) for ref in REFUSED | IMPOSSIBLE} == {
        **dict.fromkeys(REFUSED, (ItemState.REJECTED, Reason.NOT_ALLOWED)),
        **dict.fromkeys(IMPOSSIBLE, (ItemState.REJECTED, Reason.NOT_AN_ADDRESS)),
    }
    assert "GREENROOM_MEDIA_ROOTS" in rows["key"].detail
    assert "GREENROOM_SOURCE_HOSTS" in rows["elsewhere"].detail
    assert not any("canary" in row.detail for row in rows.values())
    assert inspect_all(world)["accepted"] == (2 if way == "known" else 1)


def test_many_that_may_not_be_opened_are_rejected_at_once(make_world: MakeWorld, tmp_path: Path) -> None:
    """A manifest of a hundred thousand takes no statement for each of its lines."""
    world = make_world(media_roots=[tmp_path])
    world.add_channel()
    hand_over(world, {"first": "/etc/passwd"})
    asked = []
    for count in (2, 200):
        statements: list[str] = []

        def note(*event_of: Any, into: list[str] = statements) -> None:
            into.append(event_of[2])

        event.listen(world.database.engine, "before_cursor_execute", note)
        hand_over(world, {f"{count}-{number}": "/etc/passwd" for number in range(count)})
        event.remove(world.database.engine, "before_cursor_execute", note)
        asked.append([text for text in statements if text.startswith("UPDATE")])
    few, many = asked
    assert few
    assert len(few) == len(many)
    assert {row.state for row in item_rows(world)} == {ItemState.REJECTED}


def test_what_is_allowed_later_is_looked_at_once_more(
    make_world: MakeWorld, make_image: MakeImage, tmp_path: Path
) -> None:
    """With other settings, the same campaign handed over again is got ready."""
    world = make_world(media_roots=[tmp_path / "elsewhere"])
    world.add_channel()
    hero = {"hero": str(make_image("hero.jpg", 1))}
    hand_over(world, hero)
    assert item_rows(world)[0].reason == Reason.NOT_ALLOWED
    allow(world, tmp_path)
    hand_over(world, hero)
    assert inspect_all(world)["accepted"] == 1


def test_what_leads_elsewhere_is_rejected_when_it_is_opened(
    make_world: MakeWorld, make_image: MakeImage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Links are not followed at the door: the machine there may not have the folders."""
    media = tmp_path / "media"
    media.mkdir()
    world = make_world(media_roots=[media])
    world.add_channel()
    (media / "link.jpg").symlink_to(make_image("private.jpg", 1))
    make_image("media/hero.jpg", 2)
    with caplog.at_level(logging.DEBUG):
        hand_over(world, {ref: str(media / ref) for ref in ("link.jpg", "hero.jpg")})
        assert inspect_all(world) == {"accepted": 1, "rejected": 1, "postponed": 0}
    rejected = next(row for row in item_rows(world) if row.ref == "link.jpg")
    assert (rejected.reason, rejected.attempts) == (Reason.NOT_ALLOWED, 0)
    assert "does not lie in the folders" in rejected.detail


def test_a_source_that_is_not_allowed_any_more_is_had_from_elsewhere(
    make_world: MakeWorld, make_image: MakeImage, tmp_path: Path
) -> None:
    """Narrowed roots cost no media ID: like a source that is gone, it is renewed from another place."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    world = make_world(media_roots=[tmp_path])
    world.add_channel()
    old, new = make_image("old/hero.jpg", 1), tmp_path / "new" / "hero.jpg"
    new.write_bytes(old.read_bytes())
    hand_over(world, {"1": str(old), "2": str(new)})
    inspect_all(world)
    assert asset_row(world, item_rows(world)[0].asset_id).source == str(old)
    allow(world, tmp_path / "new")
    assert upload_all(world)["uploaded"] == 1
    assert len(world.sandbox.live_media_ids(CANARY_KEY)) == 1


def test_a_fixed_copy_is_sent_for_its_original_and_for_nobody_who_names_it(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    """It lies in no folder that is allowed, and is Greenroom's own all the same."""
    media = tmp_path / "media"
    media.mkdir()
    Image.new("CMYK", (64, 64)).save(media / "flyer.jpg", "JPEG")
    world = make_world(media_roots=[media], fixed_folder=tmp_path / "fixed")
    world.add_channel()
    items = [{"ref": "flyer", "source": str(media / "flyer.jpg"), "fix": True}]
    prepare(world.context, world.campaign(), items)
    assert inspect_all(world)["accepted"] == 1
    copy = asset_row(world, item_rows(world)[0].asset_id).source
    assert copy.startswith(str(tmp_path / "fixed"))
    assert upload_all(world)["uploaded"] == 1
    hand_over(world, {"copy": copy})
    assert next(row for row in item_rows(world) if row.ref == "copy").reason == Reason.NOT_ALLOWED
    assert len(media_rows(world)) == 1
