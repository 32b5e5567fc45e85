"""The page for campaign managers: right, readable by everybody, and harmless whatever files are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from greenroom.campaign_page import (
    BadGroup,
    CampaignPage,
    EndingFile,
    FileCounts,
    ShownFile,
    WeekAhead,
    render,
    verdict_on,
)
from greenroom.page_templates import with_zone
from greenroom.readiness import Readiness, UploadRate
from tests.support.browser import DESKTOP, PHONE, browser, missing_program, show_as
from tests.support.page_check import faults_of

NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
#: Names that would do something in a page that believed them.
HOSTILE = (
    "<script>document.title='owned'</script>.jpg",
    '"><img src=x onerror="document.title=\'owned\'">.png',
    "{{ 7 * 7 }}.jpg",
    "evil\u202egpj.exe",
    "line\nbreak\x1b[31m.jpg",
    "&lt;b&gt;.jpg",
)


def readiness(*, left: int, hours_early: float, paused: str = "") -> Readiness:
    """A campaign that is sent at noon, so many hours after its last file is ready."""
    return Readiness(
        left=left,
        rate=UploadRate(per_second=25, allowed=25, observed=False),
        start=NOON,
        send_at=NOON,
        ready_at=None if paused else NOON - timedelta(hours=hours_early),
        paused=paused,
    )


def full_page(**changes: object) -> CampaignPage:
    """A page with something of everything."""
    names = [ShownFile(ref=name, detail=f"This is {name}.") for name in HOSTILE]
    page = CampaignPage(
        campaign_id="spring-<sale>",
        channel_id="4915112345678",
        made_at=NOON - timedelta(hours=5),
        send_at=NOON,
        upload_from=NOON - timedelta(days=1),
        keep_until=NOON + timedelta(days=60),
        is_cancelled=False,
        counts=FileCounts(ready=1_200, on_their_way=30, scheduled=20, checking=10, bad=60),
        readiness=readiness(left=60, hours_early=3),
        paused="The key was <refused>.",
        hindrance="upload answered HTTP 502",
        bad=[
            BadGroup(reason="broken", files=names, count=58),
            BadGroup(reason="of a later version", files=[ShownFile(ref="x" * 5_000)], count=2),
        ],
        images=[],
        weeks=[WeekAhead(monday=NOON.date() + timedelta(days=2 + 7 * n), files=n * 40) for n in range(8)],
        ending=[EndingFile(ref=HOSTILE[0], ends_at=NOON, why="It is <gone>.")],
        more_ending=3,
        zone=timezone(timedelta(hours=2), "CEST"),
    )
    return replace(page, **changes)  # type: ignore[arg-type]  # each test names its own


@pytest.mark.parametrize(
    ("counts", "when", "headline", "says"),
    [
        (FileCounts(), None, "No files", "It has no files yet."),
        (FileCounts(ready=3), readiness(left=0, hours_early=0), "Ready", "All 3 files can be sent."),
        (FileCounts(ready=1), None, "Ready", "Its one file can be sent."),
        (FileCounts(ready=2, bad=1), None, "Needs your attention", "1 file cannot be sent as it is."),
        (FileCounts(ready=2, bad=2), None, "Needs your attention", "2 files cannot be sent as they are."),
        (
            FileCounts(ready=2, on_their_way=5),
            readiness(left=5, hours_early=3),
            "On its way",
            "5 files to go: ready Sat 1 Jun 2030, 11:00 CEST (UTC+02:00), 3 hours before the campaign is",
        ),
        (
            FileCounts(ready=2, on_their_way=5, bad=1),
            readiness(left=5, hours_early=-0.5),
            "At risk",
            "14:30 CEST (UTC+02:00), 30 minutes after the campaign is sent. 1 file cannot be sent",
        ),
        (
            FileCounts(on_their_way=5),
            readiness(left=5, hours_early=0, paused="refused"),
            "At risk",
            "5 files wait, because the channel is paused.",
        ),
    ],
)
def test_the_first_sentence_says_how_it_stands(
    counts: FileCounts, when: Readiness | None, headline: str, says: str
) -> None:
    """Before everything else, and with the zone."""
    verdict = verdict_on(full_page(counts=counts, readiness=when))
    assert verdict.headline == headline
    assert says in verdict.sentence


def test_a_cancelled_campaign_is_nothing_else() -> None:
    """Whatever it lacks."""
    assert verdict_on(full_page(is_cancelled=True)).headline == "Cancelled"


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "Sat 1 Jun 2030, 12:00 UTC"),
        (timezone(timedelta(hours=5, minutes=45)), "Sat 1 Jun 2030, 17:45 UTC+05:45"),
    ],
)
def test_moments_have_their_zone(zone: timezone, shown: str) -> None:
    """Its name, where it has one, and how far it is from UTC."""
    assert with_zone(NOON, zone) == shown


def test_what_others_wrote_is_text() -> None:
    """No name becomes a tag, turns the line round, or is run by the template."""
    html = render(full_page())
    tags = set(re.findall(r"<(\w+)", html))
    assert not tags & {"script", "img", "iframe", "object", "link", "form"}
    assert "{{ 7 * 7 }}.jpg" in html
    assert "&amp;lt;b&amp;gt;.jpg" in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "spring-&lt;sale&gt;" in html
    assert re.findall(r"https?:|//[a-z]", html) == []
    assert len(html) < 30_000


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser."""
    if missing := missing_program():
        pytest.skip(f"{missing} is not installed")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_read_it(driver: Chrome, tmp_path: Path, size: tuple[int, int], *, dark: bool) -> None:
    """Contrast, structure, names; on a phone, too, and whatever files are called nothing runs."""
    for name, page in (
        ("full", full_page()),
        ("ready", full_page(counts=FileCounts(ready=3), readiness=None, bad=[], ending=[], paused="")),
        ("attention", full_page(readiness=None, paused="")),
        ("going", full_page(counts=FileCounts(ready=1, on_their_way=2), bad=[])),
        ("cancelled", full_page(is_cancelled=True, weeks=[])),
    ):
        (tmp_path / f"{name}.html").write_text(render(page), encoding="utf-8")
        show_as(driver, size=size, dark=dark)
        driver.get((tmp_path / f"{name}.html").as_uri())
        assert faults_of(driver) == [], name
        assert driver.title.startswith("spring-<sale>: ")
        assert driver.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium's own


def test_the_keyboard_reaches_what_matters(driver: Chrome, tmp_path: Path) -> None:
    """The first key leads past the header."""
    (tmp_path / "page.html").write_text(render(full_page()), encoding="utf-8")
    driver.get((tmp_path / "page.html").as_uri())
    driver.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to what matters"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert driver.switch_to.active_element.tag_name == "main"
