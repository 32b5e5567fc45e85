"""Tables on a terminal of 80 columns: dates, names and figures stay whole."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.console import RenderableType

from cli.campaign_list import counts_table
from cli.formats import console, moment, short_moment
from cli.report import accepted_table
from models.campaign import CampaignRow
from models.item_reports import ItemReport
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
    assert f" {short_moment(NOON)} " in lines[1]
    assert lines[1].startswith("spring-sale")
    assert lines[-1].strip() == CHANNEL
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
