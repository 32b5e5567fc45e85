"""A campaign whose files are to be fixed sends the fixed copies, and never touches the originals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from greenroom.reasons import Reason
from tasks.refresh import refresh
from tests.support.rows import asset_row, item_rows
from tests.support.world import CANARY_KEY, MakeWorld, World
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_lifecycle import DAY
from tests.tasks.test_upload import upload_all


@pytest.fixture
def print_shop(tmp_path: Path) -> Path:
    """An image in the colours of a print shop."""
    path = tmp_path / "flyer.jpg"
    Image.new("CMYK", (64, 64), (10, 200, 30, 5)).save(path, "JPEG")
    return path


@pytest.fixture
def fixing(make_world: MakeWorld, tmp_path: Path) -> World:
    """A world with a folder for fixed files."""
    world = make_world(fixed_folder=tmp_path / "fixed")
    world.add_channel()
    return world


def test_nothing_is_fixed_unless_it_is_asked_for(fixing: World, print_shop: Path) -> None:
    """Off by default."""
    hand_over(fixing, print_shop)
    assert inspect_all(fixing)["rejected"] == 1
    assert item_rows(fixing)[0].reason == Reason.COLOUR_NOT_SUPPORTED


def test_a_fixed_copy_is_sent_and_both_hashes_are_kept(fixing: World, print_shop: Path) -> None:
    """The item says what was done; the original is as it was."""
    before = hashlib.sha256(print_shop.read_bytes()).hexdigest()
    hand_over(fixing, print_shop, fix=True)
    assert inspect_all(fixing)["accepted"] == 1
    assert upload_all(fixing)["uploaded"] == 1
    (item,) = item_rows(fixing)
    assert hashlib.sha256(print_shop.read_bytes()).hexdigest() == before == item.original_sha256
    assert item.sha256 != before
    assert json.loads(item.fixed)
    sent = Path(asset_row(fixing, item.asset_id).source)
    assert hashlib.sha256(sent.read_bytes()).hexdigest() == item.sha256
    with Image.open(sent) as image:
        assert image.mode == "RGB"


def test_the_same_original_again_is_fixed_once_and_uploaded_once(fixing: World, print_shop: Path) -> None:
    """Encoders may give other bytes each time: what was made is kept."""
    hand_over(fixing, print_shop, fix=True)
    inspect_all(fixing)
    upload_all(fixing)
    hand_over(fixing, print_shop, campaign="summer", fix=True)
    inspect_all(fixing)
    assert upload_all(fixing)["uploaded"] == 0
    assert len({row.asset_id for row in item_rows(fixing)}) == 1
    assert len(fixing.sandbox.live_media_ids(CANARY_KEY)) == 1


def test_a_refresh_sends_the_fixed_copy_again(fixing: World, print_shop: Path) -> None:
    """It stays where it is kept, whatever becomes of the original."""
    from tasks.prepare import prepare  # noqa: PLC0415 - for this test alone

    items = [{"ref": "flyer", "source": str(print_shop), "fix": True}]
    prepare(fixing.context, fixing.campaign(days=60), items)
    inspect_all(fixing)
    upload_all(fixing)
    print_shop.unlink()
    fixing.clock.advance(28 * DAY)
    assert refresh(fixing.context) == 1
    assert upload_all(fixing)["uploaded"] == 1


def test_what_cannot_be_fixed_says_so(fixing: World, tmp_path: Path) -> None:
    """Beside what is wrong with it."""
    empty = tmp_path / "empty.jpg"
    empty.touch()
    hand_over(fixing, empty, fix=True)
    assert inspect_all(fixing)["rejected"] == 1
    assert "Not fixed:" in item_rows(fixing)[0].detail


def test_without_a_folder_nothing_is_fixed_and_the_setting_is_named(world: World, print_shop: Path) -> None:
    """The operator reads what to set."""
    hand_over(world, print_shop, fix=True)
    assert inspect_all(world)["rejected"] == 1
    assert "GREENROOM_FIXED_FOLDER is not set" in item_rows(world)[0].detail
