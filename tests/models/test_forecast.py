"""The coming weeks of a campaign: renewals by week, and what is at risk."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console
from sqlalchemy import update

from cli import forecast as screen
from models import Asset, Campaign, Media
from models.campaign import get_campaign
from models.cancellation import cancel_campaign
from models.channel import set_media_life
from models.forecast import at_risk, campaigns_at_risk, renewals
from tests.support.rows import media_rows, ready_item
from tests.support.world import World

DAY = timedelta(days=1)


@pytest.fixture
def ready(world: World) -> list[int]:
    """Ten ready files of a campaign that keeps them for 60 days; returns their assets."""
    assets = [ready_item(world, f"file-{number}", media_id=str(number)) for number in range(10)]
    with world.database.write() as connection:
        campaign = get_campaign(connection, "spring")
        connection.execute(update(Campaign).values(keep_until=campaign.send_at + 60 * DAY))
    return assets


def test_each_id_is_renewed_in_its_week_and_again_as_long_after(world: World, ready: list[int]) -> None:
    """NOON is a Monday: 25 to 27 days after an upload, and 25 to 27 days after that."""
    now = world.clock.now()
    with world.database.read() as connection:
        weeks = renewals(connection, "spring", now=now, until=now + 60 * DAY)
    moments = {row.refresh_at.date() for row in media_rows(world)}
    assert moments <= {(now + 26 * DAY).date(), (now + 27 * DAY).date()}
    assert sum(week.files for week in weeks) == 20
    assert all(week.monday.weekday() == 0 for week in weeks)
    assert weeks[0].monday == (now + 21 * DAY).date()
    assert ready


def test_what_is_overdue_is_renewed_this_week(world: World, ready: list[int]) -> None:
    """Nothing is shown in the past."""
    world.clock.advance(29 * DAY)
    now = world.clock.now()
    with world.database.read() as connection:
        weeks = renewals(connection, "spring", now=now, until=now + DAY)
    assert [(week.monday <= now.date(), week.files) for week in weeks] == [(True, 10)]
    assert ready


def test_at_risk_is_what_ends_soon_or_could_not_be_renewed(world: World, ready: list[int]) -> None:
    """With the reason; and nothing of a campaign that was cancelled."""
    now, rules_of = world.clock.now(), world.context.settings.life_rules
    with world.database.write() as connection:
        for asset_id, state, detail in (
            (ready[0], "failed", "There is no file."),
            (ready[1], "waiting", "The provider is away."),
        ):
            connection.execute(update(Asset).where(Asset.id == asset_id).values(state=state, detail=detail))
    with world.database.read() as connection:
        (one,) = at_risk(connection, now=now, rules_of=rules_of)
    assert (one.campaign_id, one.ref, one.why) == ("spring", "file-0", "There is no file.")
    assert one.ends_at == now + 30 * DAY
    later = now + 28 * DAY
    with world.database.read() as connection:
        assert [
            risk.ref for risk in at_risk(connection, now=later, rules_of=rules_of, campaign_id="spring")
        ] == [
            "file-0",
            "file-1",
        ]
        assert at_risk(connection, now=later, rules_of=rules_of, campaign_id="autumn") == []
        assert campaigns_at_risk(connection, ready[0], now=now) == ["spring"]
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=now)
        assert at_risk(connection, now=later, rules_of=rules_of) == []
        assert campaigns_at_risk(connection, ready[0], now=now) == []


def test_a_use_hides_that_an_id_ends_only_where_it_is_trusted(world: World, ready: list[int]) -> None:
    """A life after the upload, as Meta's page counts; after the last use, if the operator says so."""
    now, rules_of = world.clock.now(), world.context.settings.life_rules
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == ready[0]).values(state="waiting"))
        connection.execute(
            update(Media)
            .where(Media.asset_id == ready[0])
            .values(last_used_at=now + 20 * DAY, expires_at=now + 50 * DAY)
        )
    with world.database.read() as connection:
        (one,) = at_risk(connection, now=now + 29 * DAY, rules_of=rules_of)
    assert one.ends_at == now + 30 * DAY
    trusting = world.context.settings.model_copy(update={"trust_last_use": True}).life_rules
    with world.database.read() as connection:
        assert at_risk(connection, now=now + 29 * DAY, rules_of=trusting) == []
        (one,) = at_risk(connection, now=now + 49 * DAY, rules_of=trusting)
    assert one.ends_at == now + 50 * DAY


def test_each_channels_own_life_is_forecast(world: World, ready: list[int]) -> None:
    """As it is by now, and not as it was when the ID's moments were worked out."""
    now, rules_of = world.clock.now(), world.context.settings.life_rules
    world.add_channel("4930", "another-key")
    other = ready_item(world, "other", media_id="other", campaign="autumn", channel="4930")
    with world.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id.in_([ready[0], other])).values(state="waiting"))
        set_media_life(connection, "4930", 4 * DAY)
    with world.database.read() as connection:
        (one,) = at_risk(connection, now=now + 3 * DAY, rules_of=rules_of)
        both = at_risk(connection, now=now + 8 * DAY, rules_of=rules_of, campaign_id="autumn")
    assert (one.ref, one.ends_at) == ("other", now + 4 * DAY)
    assert both == []


def test_weeks_without_anything_are_a_sentence(
    world: World, ready: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table of dashes, where the campaign is over before anything is to be renewed."""
    console = Console(width=100, file=StringIO(), record=True, highlight=False)
    monkeypatch.setattr(screen, "console", console)
    now, rules_of = world.clock.now(), world.context.settings.life_rules
    with world.database.write() as connection:
        connection.execute(update(Campaign).values(keep_until=now + 7 * DAY))
        screen.show_forecast(connection, get_campaign(connection, "spring"), now=now, rules_of=rules_of)
    shown = console.export_text()
    assert ready
    assert "No media ID has to be renewed." in shown
    assert "Week of" not in shown


def test_the_screen(world: World, ready: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeks as bars, files at risk in words; silence for a campaign that is over."""
    console = Console(width=100, file=StringIO(), record=True, highlight=False)
    monkeypatch.setattr(screen, "console", console)
    now, rules_of = world.clock.now(), world.context.settings.life_rules
    with world.database.write() as connection:
        screen.show_forecast(connection, get_campaign(connection, "spring"), now=now, rules_of=rules_of)
    shown = console.export_text()
    assert "The coming weeks" in shown
    assert "22 Jun 2026" in shown
    assert "No media ID ends too soon." in shown
    with world.database.write() as connection:
        connection.execute(
            update(Asset).where(Asset.id == ready[0]).values(state="failed", detail="There is no file.")
        )
        screen.show_forecast(
            connection, get_campaign(connection, "spring"), now=now + 31 * DAY, rules_of=rules_of
        )
    shown = console.export_text()
    assert "There is no file." in shown
    assert "ended" in shown
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=now)
        screen.show_forecast(connection, get_campaign(connection, "spring"), now=now, rules_of=rules_of)
    assert console.export_text() == ""
