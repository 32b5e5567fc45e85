"""The page for campaign managers has what the tables say, within bounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sqlalchemy import text

from cli import main
from greenroom.campaign_page import render
from greenroom.reasons import ADVICE, Reason
from models import item_reports
from models.campaign_page_data import FILES_OF_A_REASON, MOST_IMAGES, campaign_page
from models.item_reports import ItemReport, campaign_items
from tasks.prepare import prepare
from tests.support.world import CHANNEL, World
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


@pytest.mark.parametrize("further", [False, True])
def test_of_many_files_those_that_are_shown_are_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, further: bool
) -> None:
    """All of them are counted, by the database; on all channels."""
    other = world.add_channel("4930901820")
    channels = [CHANNEL, other] if further else [CHANNEL]
    files = {"none.jpg": b"", "text.pdf": b"%PDF-broken", "plain.txt": b"text"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    plan: dict[str, Any] = world.campaign()
    del plan["channel"]
    items = [
        {"ref": f"{number:05}", "source": str(tmp_path / name)}
        for number, name in enumerate([name for name in files for _ in range(FILES_OF_A_REASON + 20)])
    ]
    prepare(world.context, {**plan, "channels": channels}, items)
    while inspect_all(world)["accepted"]:
        pass
    with world.database.write() as connection:
        connection.execute(
            text("UPDATE assets SET state = 'failed', reason = 'upload_failed' WHERE channel_id = :channel"),
            {"channel": channels[-1]},
        )
    read: list[str] = []
    monkeypatch.setattr(item_reports, "PAGE", 10)
    reported = item_reports._report

    def noted(row: Any) -> ItemReport:
        read.append(row.ref)
        return reported(row)

    monkeypatch.setattr(item_reports, "_report", noted)
    with world.database.read() as connection:
        page = campaign_page(
            connection, "spring", world.context.settings, now=world.clock.now(), thumbnail=lambda _item: ""
        )
        lines = list(campaign_items(connection, "spring", now=world.clock.now(), channels=channels))
    bad = [one for one in lines if one.status in ("rejected", "failed")]
    assert {group.reason: group.count for group in page.bad} == Counter(one.reason for one in bad)
    assert len(page.bad) == 3
    for group in page.bad:
        first = [one.ref for one in bad if one.reason == group.reason][:FILES_OF_A_REASON]
        assert [one.ref for one in group.files] == first
    # Some more of the last look at each reason, and none of what is left.
    assert len(read) - len(lines) <= 3 * (FILES_OF_A_REASON + 10)
