"""The page for campaign managers has what the tables say, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sqlalchemy import text

from cli import main
from greenroom.campaign_page import render
from greenroom.reasons import ADVICE, Reason
from models.campaign_page_data import FILES_OF_A_REASON, MOST_IMAGES, campaign_page
from models.item_reports import ItemReport
from tests.support.world import World
from tests.tasks.conftest import MakeImage
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all


def invoke(*words: str) -> Result:
    """What the command does."""
    return CliRunner().invoke(main, ["campaign", "report", *words])


@pytest.fixture
def installed(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """The command looks into the world's database; files below the test's folder may be opened."""
    settings = world.context.settings
    monkeypatch.setenv("GREENROOM_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("GREENROOM_REDIS_URL", settings.redis_url.get_secret_value())
    monkeypatch.setenv("GREENROOM_SECRET_KEY", settings.secret_key.get_secret_value())
    monkeypatch.setenv("GREENROOM_MEDIA_ROOTS", str(tmp_path))
    return world


def test_the_command_writes_the_page(installed: World, make_image: MakeImage, tmp_path: Path) -> None:
    """Thumbnails of what is ready, advice on what is bad; a file that is there is somebody's."""
    secretive = make_image("good.jpg")
    Image.new("RGB", (600, 300), "teal").save(secretive, exif=b"Exif\x00\x00where it was taken")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    hand_over(installed, secretive, empty)
    inspect_all(installed)
    upload_all(installed)
    # The command asks the machine's clock, and the world has one of its own.
    with installed.database.write() as connection:
        connection.execute(text("UPDATE media SET expires_at = '2999-01-01 00:00:00+00:00'"))
    page = tmp_path / "page.html"
    done = invoke("spring", "--html", str(page))
    assert done.exit_code == 0, done.output
    html = page.read_text(encoding="utf-8")
    assert "1 file of 2 can be sent. 1 file cannot be sent as it is." in html
    assert "This file is empty (0 bytes).</td>" in html
    assert ADVICE[Reason.EMPTY] in html
    assert html.count("data:image/webp;base64,") == 1
    assert str(tmp_path) not in html
    again = invoke("spring", "--html", str(page))
    assert (again.exit_code, "--force" in again.output) == (2, True)
    assert invoke("spring", "--html", str(page), "--force", "--no-thumbnails").exit_code == 0
    assert "data:image" not in page.read_text(encoding="utf-8")
    unknown = invoke("summer", "--html", str(tmp_path / "other.html"))
    assert (unknown.exit_code, (tmp_path / "other.html").exists()) == (2, False)


def test_the_page_is_bounded(world: World, tmp_path: Path) -> None:
    """However many files are bad, and however many images there are."""
    files = []
    for place in range(FILES_OF_A_REASON + 5):
        files.append(tmp_path / f"{place}.jpg")
        files[-1].touch()
    for place in range(MOST_IMAGES + 3):
        files.append(tmp_path / f"good-{place}.png")
        Image.new("RGB", (9, 9), (place, 0, 0)).save(files[-1])
    hand_over(world, *files)
    while inspect_all(world)["accepted"]:
        pass
    upload_all(world)
    asked: list[str] = []

    def thumbnail(item: ItemReport) -> str:
        asked.append(item.source)
        return "data:,"

    with world.database.read() as connection:
        page = campaign_page(
            connection, "spring", world.context.settings, now=world.clock.now(), thumbnail=thumbnail
        )
    (group,) = page.bad
    assert (group.count, len(group.files)) == (FILES_OF_A_REASON + 5, FILES_OF_A_REASON)
    assert len(page.images) <= MOST_IMAGES
    assert len(asked) <= 2 * MOST_IMAGES
    assert "And 5 more" in render(page)
