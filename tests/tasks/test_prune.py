"""Pruning drops what is long over, and never what is alive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import func, select

from models import Asset, Campaign, Item, Media
from models.cancellation import cancel_campaign
from tasks import prune as prune_module
from tasks.prepare import prepare
from tasks.prune import prune
from tasks.refresh import refresh
from tasks.resolve import resolve
from tasks.retire import retire
from tests.support.rows import media_rows
from tests.support.world import CANARY_KEY, MakeWorld, World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

DAY = timedelta(days=1)


def counts(world: World) -> tuple[int, int, int, int]:
    """Rows of campaigns, items, assets and media."""
    with world.database.read() as connection:
        campaigns, items, assets, media = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Campaign, Item, Asset, Media)
        )
    return campaigns, items, assets, media


def test_what_is_long_over_is_dropped(
    world: World, make_image: MakeImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Campaign, items, media and assets; in chunks, and not before its time."""
    monkeypatch.setattr(prune_module, "PRUNE_CHUNK", 2)
    hand_over(world, *(make_image(f"{number}.jpg", number) for number in range(5)))
    inspect_all(world)
    while counts(world)[3] < 5:
        upload_all(world)
    world.clock.advance(9 * DAY)
    assert retire(world.context) == {"retired": 5, "deleted": 5}
    world.clock.advance(88 * DAY)
    assert prune(world.context) == 0
    assert counts(world) == (1, 5, 5, 5)
    world.clock.advance(3 * DAY)
    prune(world.context)
    assert counts(world) == (0, 0, 0, 0)
    assert prune(world.context) == 0


def test_what_another_campaign_holds_stays(world: World, make_image: MakeImage) -> None:
    """The row of a live ID, its asset and the other campaign's item."""
    path = make_image()
    hand_over(world, path)
    inspect_all(world)
    upload_all(world)
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())
    hand_over(world, path, campaign="summer")
    inspect_all(world)
    (media_id,) = resolve(world.context, "summer", ["hero.jpg"]).values()
    world.clock.advance(91 * DAY)
    prune(world.context)
    assert counts(world) == (1, 1, 1, 1)
    assert media_rows(world)[0].media_id == media_id
    assert media_rows(world)[0].is_current
    assert world.sandbox.live_media_ids(CANARY_KEY) == [media_id]


def test_a_live_id_is_kept_however_old_its_rows_are(world: World, make_image: MakeImage) -> None:
    """A campaign that runs for a year finds its media at the end of it."""
    path = make_image()
    prepare(world.context, world.campaign(days=400), [{"ref": path.name, "source": str(path)}])
    inspect_all(world)
    upload_all(world)
    for _ in range(14):
        world.clock.advance(27 * DAY)
        refresh(world.context)
        assert upload_all(world)["uploaded"] == 1
        retire(world.context)
        prune(world.context)
        assert resolve(world.context, "spring", [path.name])
    # The last ID, and those whose deletion is not long ago.
    assert len(media_rows(world)) <= 6


def test_a_fixed_copy_goes_with_its_asset(make_world: MakeWorld, tmp_path: Path) -> None:
    """The originals are people's own, and stay."""
    folder = tmp_path / "fixed"
    world = make_world(fixed_folder=folder)
    world.add_channel()
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (64, 64)).save(path)
    hand_over(world, path, fix=True)
    inspect_all(world)
    upload_all(world)
    assert len(list(folder.rglob("fixed.json"))) == 1
    world.clock.advance(9 * DAY)
    retire(world.context)
    world.clock.advance(91 * DAY)
    prune(world.context)
    assert counts(world) == (0, 0, 0, 0)
    assert list(folder.rglob("fixed.json")) == []
    assert path.exists()


def test_originals_below_the_fixed_folder_stay(make_world: MakeWorld, tmp_path: Path) -> None:
    """The folder set to the media root, or a path that only begins with it: nobody's files are removed."""
    world = make_world(fixed_folder=tmp_path)
    world.add_channel()
    folder = tmp_path / "originals"
    folder.mkdir()
    paths = [folder / "hero.jpg", tmp_path / "ab" / ".." / "originals" / "teaser.jpg"]
    (tmp_path / "ab").mkdir()
    for number, path in enumerate(paths):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(path, "JPEG")
    of_no_campaign = folder / "notes.txt"
    of_no_campaign.write_text("Precious.", encoding="utf-8")
    hand_over(world, *paths)
    inspect_all(world)
    upload_all(world)
    world.clock.advance(9 * DAY)
    retire(world.context)
    world.clock.advance(91 * DAY)
    prune(world.context)
    assert counts(world) == (0, 0, 0, 0)
    assert all(path.exists() for path in (*paths, of_no_campaign))
