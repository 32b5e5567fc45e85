"""What the commands tell of a campaign on several channels: the whole of it, and of each."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import main
from cli.campaign_watch import as_line, views
from models.channel import pause_channel
from tests.support.several_channels import BERLIN, PARIS, ROME, hand_over, key_of, plan, work
from tests.support.world import MakeWorld, World
from worker.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")


def text_file(folder: Path, name: str) -> Path:
    """A document, of a content of its own."""
    path = folder / name
    path.write_text(f"This is {name}.\n", encoding="utf-8")
    return path


@pytest.fixture
def shown(make_world: MakeWorld, tmp_path: Path) -> World:
    """A campaign on two channels: one file ready on both, one ready on the first, and one that is bad."""
    world = make_world()
    for channel in (BERLIN, PARIS, ROME):
        world.add_channel(channel, key=key_of(channel))
    world.clock.advance(datetime.now(UTC) - world.clock.now())
    bad = tmp_path / "bad.jpg"
    bad.touch()
    one, two = text_file(tmp_path, "one.txt"), text_file(tmp_path, "two.txt")
    hand_over(world, plan(world, BERLIN, PARIS), one, bad, key="1")
    work(world)
    with world.database.write() as connection:
        pause_channel(connection, PARIS, reason="The key was refused.", now=world.clock.now())
    hand_over(world, plan(world, BERLIN, PARIS), one, two, bad, key="2")
    work(world)
    return world


def said(world: World, *words: str) -> str:
    """What a command prints, without the terminal's line ends."""
    settings = world.context.settings
    result = CliRunner().invoke(
        main,
        words,
        env={
            "GREENROOM_DATABASE_URL": settings.database_url.get_secret_value(),
            "GREENROOM_REDIS_URL": settings.redis_url.get_secret_value(),
            "GREENROOM_SECRET_KEY": settings.secret_key.get_secret_value(),
            "COLUMNS": "200",
        },
    )
    assert result.exit_code == 0, result.output
    return result.output


def document(world: World, *words: str) -> dict[str, Any]:
    """The one document that it prints."""
    read: dict[str, Any] = json.loads(said(world, *words, "--json"))
    return read


def test_status_has_a_line_for_each_channel(shown: World) -> None:
    """A file counts once in all; what keeps one channel is said with its name."""
    text = said(shown, "campaign", "status", "spring")
    assert f"Channel {PARIS} is paused: The key was refused." in text
    assert f"On channel {PARIS}: At risk: 1 upload left" in text
    assert f"On channel {BERLIN}" not in text
    assert text.count("bad.jpg") == 1
    lines = {
        line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith((BERLIN, PARIS))
    }
    assert lines[BERLIN][-3:] == ["0", "2", "0"]
    assert lines[PARIS][-3:] == ["1", "1", "0"]


def test_programs_are_told_of_each_channel(shown: World) -> None:
    """In keys that the reference has."""
    found = document(shown, "campaign", "status", "spring")
    assert (found["total"], found["ready"], found["waiting"], found["rejected"]) == (3, 1, 1, 1)
    assert found["channels"] == [BERLIN, PARIS]
    berlin, paris = found["by_channel"]
    assert (berlin["channel"], berlin["ready"], berlin["paused_reason"]) == (BERLIN, 2, None)
    assert (paris["channel"], paris["ready"], paris["paused_reason"]) == (PARIS, 1, "The key was refused.")
    assert paris["readiness"]["at_risk"]
    listed = document(shown, "campaign", "list")["campaigns"][0]
    assert listed["channels"] == [BERLIN, PARIS]
    story = document(shown, "campaign", "explain", "spring", "two.txt")
    assert [one["status"] for one in story["channels"]] == ["ready", "waiting"]
    for key in (*listed, *paris, *story, *story["channels"][0]):
        assert f"`{key}`" in PAGE, key


def test_a_files_story_is_told_of_each_channel(shown: World) -> None:
    """Its inspection once, its upload for each."""
    text = " ".join(said(shown, "campaign", "explain", "spring", "two.txt").split())
    assert f"two.txt ready on channel {BERLIN} waiting on channel {PARIS} Campaign" in text
    assert f"for channels {BERLIN}, {PARIS}." in text
    assert text.count("Inspection accepted it") == 1
    assert f"On channel {BERLIN}: It was uploaded" in text
    assert f"On channel {PARIS}: Its upload waits, for channel {PARIS} is paused" in text


def test_the_export_has_a_line_for_each_file_and_channel(shown: World) -> None:
    """And one for a file that is bad on all."""
    rows = list(csv.DictReader(io.StringIO(said(shown, "campaign", "export", "spring"))))
    assert [(row["ref"], row["channel_id"], bool(row["media_id"])) for row in rows] == [
        ("bad.jpg", "", False),
        ("one.txt", BERLIN, True),
        ("one.txt", PARIS, True),
        ("two.txt", BERLIN, True),
        ("two.txt", PARIS, False),
    ]


def test_the_page_has_its_numbers(shown: World, tmp_path: Path) -> None:
    """With how many files are ready on each."""
    page = tmp_path / "spring.html"
    said(shown, "campaign", "report", "spring", "--html", str(page))
    html = page.read_text(encoding="utf-8")
    assert f"From numbers</dt><dd>{BERLIN}, {PARIS}" in html
    assert f"Number {PARIS} is paused: The key was refused." in html
    assert "1 file waits" in html
    assert "2 ready, 1 cannot be sent" in html
    assert "1 ready, 1 to go, 1 cannot be sent" in html
    assert "The coming weeks" in html


def test_watching_counts_what_is_left_on_each(shown: World) -> None:
    """What is ready on one channel is not waited for there."""
    view = next(views(shown.database, "spring", shown.context.settings))
    assert (view.progress.total, view.progress.settled, view.readiness.left) == (3, 2, 1)
    assert f"Channel {PARIS} is paused: The key was refused." in as_line(view)


def test_a_campaign_on_one_channel_is_told_of_as_before(shown: World, tmp_path: Path) -> None:
    """No key more, and no column."""
    hand_over(shown, plan(shown, ROME, id="autumn"), text_file(tmp_path, "one.txt"), key="1")
    work(shown)
    assert not {"channels", "by_channel"} & document(shown, "campaign", "status", "autumn").keys()
    assert "channels" not in document(shown, "campaign", "explain", "autumn", "one.txt")
    assert "channel_id" not in said(shown, "campaign", "export", "autumn").splitlines()[0]
