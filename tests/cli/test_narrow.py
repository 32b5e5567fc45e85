"""Tables on a terminal of 80 columns: dates, names and figures stay whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.console import RenderableType

from cli.campaign_list import counts_table
from cli.channel import keys_table
from cli.formats import console, moment
from cli.media import media_table
from cli.progress_bar import SettledBar
from cli.report import accepted_table
from models.campaign import CampaignRow
from models.channel import ChannelRow
from models.item_reports import ItemReport
from models.media_reports import MediaReport
from models.progress import ItemStatus, Progress
from tests.support.world import CHANNEL, NOON


def lines_of(table: RenderableType, monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    """What a terminal of this width shows."""
    monkeypatch.setattr(console, "width", width)
    with console.capture() as shown:
        console.print(table)
    return [line.rstrip() for line in shown.get().splitlines()]


def campaign(name: str) -> CampaignRow:
    """One that is at risk."""
    return CampaignRow(
        id=name,
        channel_id=CHANNEL,
        send_at=NOON,
        keep_until=NOON + timedelta(days=7),
        created_at=NOON,
        cancelled_at=None,
        upload_from=None,
        at_risk_since=NOON,
        submission=0,
    )


@pytest.mark.parametrize("scheduled", [0, 12])
def test_counts_fit_with_their_dates(monkeypatch: pytest.MonkeyPatch, scheduled: int) -> None:
    """The channel stands below its campaign where there is no room beside it."""
    row = campaign("spring-sale")
    progress = Progress(ready=100_000, scheduled=scheduled)
    monkeypatch.setattr(console, "width", 80)
    lines = lines_of(counts_table([row], {row.id: progress}), monkeypatch, 80)
    assert all(len(line) <= 80 for line in lines)
    assert f" {moment(NOON).rpartition(' ')[0]} " in lines[1]
    assert lines[1].startswith("spring-sale")
    # The campaign's remark may take a line of its own; the zone stands below the moment.
    assert lines[2].endswith(moment(NOON).rpartition(" ")[2])
    assert lines[-1].split()[0] == CHANNEL
    monkeypatch.setattr(console, "width", 130)
    wide = lines_of(counts_table([row], {row.id: progress}), monkeypatch, 130)
    assert [word in wide[1] for word in ("spring-sale (at risk)", CHANNEL, moment(NOON))] == [True] * 3


def test_what_a_file_is_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the name where it has none beside it."""
    item = ItemReport(
        ref="sticker-countdown.webp",
        source="/media/sticker-countdown.webp",
        status=ItemStatus.READY,
        label="WebP sticker, 512 x 512, animated",
        category="sticker",
        mime_type="image/webp",
        sha256="0" * 64,
        original_sha256=None,
        fixed=(),
        reason=None,
        detail="",
        notices=(),
        uploaded_at=NOON,
        last_used_at=None,
        size=18_600,
        media_id="7029603024233039",
        expires_at=NOON,
    )
    monkeypatch.setattr(console, "width", 80)
    narrow = lines_of(accepted_table([item]), monkeypatch, 80)
    assert narrow[1].startswith("sticker-countdown.webp ")
    assert narrow[1].endswith(" 18.2 KB  7029603024233039  01 Jun 2026")
    assert narrow[2] == "  WebP sticker, 512 x 512, animated"
    monkeypatch.setattr(console, "width", 120)
    _, line = lines_of(accepted_table([item]), monkeypatch, 120)
    assert line.startswith("sticker-countdown.webp  WebP sticker, 512 x 512, animated ")


def test_of_an_id_nothing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its channel nor a moment."""
    row = MediaReport(
        id=1,
        media_id="7029603024233039",
        channel_id=CHANNEL,
        asset_id=1,
        file_name="sticker-countdown.webp",
        sha256="0" * 64,
        mime_type="image/webp",
        uploaded_at=NOON,
        last_used_at=None,
        expires_at=NOON,
        deleted_at=None,
        is_current=True,
    )
    monkeypatch.setattr(console, "width", 80)
    lines = lines_of(media_table([row], NOON - timedelta(days=1), narrow=True), monkeypatch, 80)
    at = moment(NOON)
    assert [line.split() for line in lines[1:]] == [
        ["7029603024233039", *at.split(), *at.split(), "live"],
        [CHANNEL, "never"],
        ["sticker-countdown.webp"],
    ]


def test_of_a_channel_no_digit_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is below it, and the reason for its pause has the rest of the line."""
    row = ChannelRow(
        id=CHANNEL,
        api_base_url="https://waba-v2.360dialog.io",
        api_key="",
        paused_at=NOON,
        paused_reason="The key was refused.",
        media_life_seconds=None,
        early_deaths=0,
        shortest_life_seconds=None,
        longest_life_seconds=None,
    )
    lines = lines_of(keys_table([row], narrow=True), monkeypatch, 80)
    assert [line.split()[0] for line in lines[1:3]] == [CHANNEL, "https://waba-v2.360dialog.io"]


@pytest.mark.parametrize(
    ("ready", "bad", "cells"),
    [
        (0, 0, "_" * 10),
        (5, 0, "G" * 5 + "_" * 5),
        (3, 2, "GGGRR_____"),
        (99, 1, "G" * 9 + "R"),
        (0, 100, "R" * 10),
    ],
)
def test_a_bar_is_red_where_files_are_bad(ready: int, bad: int, cells: str) -> None:
    """And green where they are ready, however much waits."""
    total = 100 if ready + bad > 10 else 10
    bar = SettledBar(ready=ready, bad=bad, total=total, width=10)
    shown = {"green": "G", "red": "R", "bright_black": "_"}
    parts = list(console.render(bar))
    assert "".join(shown[str(part.style)] * len(part.text) for part in parts if part.style) == cells
