"""The page for campaign managers: right, readable by everybody, and harmless whatever files are called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from cli import main
from greenroom.campaign_page import (
    BadGroup,
    CampaignPage,
    Counts,
    EndingFile,
    ShownFile,
    WeekAhead,
    moment,
    render,
    verdict_on,
)
from greenroom.readiness import Readiness, UploadRate
from greenroom.reasons import ADVICE, Reason
from models.campaign_page_data import FILES_OF_A_REASON, MOST_IMAGES, campaign_page
from tests.support.browser import DESKTOP, PHONE, browser, missing_program, show_as
from tests.support.page_check import faults_of
from tests.support.world import World
from tests.tasks.conftest import MakeImage, make_image  # noqa: F401 - a fixture
from tests.tasks.test_inspect import hand_over, inspect_all
from tests.tasks.test_upload import upload_all

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
        counts=Counts(ready=1_200, on_their_way=30, scheduled=20, checking=10, bad=60),
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
    return replace(page, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counts", "when", "headline", "says"),
    [
        (Counts(), None, "No files", "It has no files yet."),
        (Counts(ready=3), readiness(left=0, hours_early=0), "Ready", "All 3 files can be sent."),
        (Counts(ready=1), None, "Ready", "Its one file can be sent."),
        (Counts(ready=2, bad=1), None, "Needs your attention", "1 file cannot be sent as it is."),
        (Counts(ready=2, bad=2), None, "Needs your attention", "2 files cannot be sent as they are."),
        (
            Counts(ready=2, on_their_way=5),
            readiness(left=5, hours_early=3),
            "On its way",
            "5 files to go: ready Sat 1 Jun 2030, 11:00 CEST (UTC+02:00), 3 hours before the campaign is",
        ),
        (
            Counts(ready=2, on_their_way=5, bad=1),
            readiness(left=5, hours_early=-0.5),
            "At risk",
            "14:30 CEST (UTC+02:00), 30 minutes after the campaign is sent. 1 file cannot be sent",
        ),
        (
            Counts(on_their_way=5),
            readiness(left=5, hours_early=0, paused="refused"),
            "At risk",
            "5 files wait, because the channel is paused.",
        ),
    ],
)
def test_the_first_sentence_says_how_it_stands(
    counts: Counts, when: Readiness | None, headline: str, says: str
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
    assert moment(NOON, zone) == shown


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


def test_the_command_writes_the_page(installed: World, make_image: MakeImage, tmp_path: Path) -> None:  # noqa: F811
    """Pictures of what is ready, advice on what is bad; a file that is there is somebody's."""
    secretive = make_image("good.jpg")
    Image.new("RGB", (600, 300), "teal").save(secretive, exif=b"Exif\x00\x00where it was taken")
    empty = tmp_path / "empty.jpg"
    empty.touch()
    hand_over(installed, secretive, empty)
    inspect_all(installed)
    upload_all(installed)
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

    def picture(source: str) -> bytes:
        asked.append(source)
        return b"RIFF"

    with world.database.read() as connection:
        page = campaign_page(
            connection, "spring", world.context.settings, now=world.clock.now(), thumbnail=picture
        )
    (group,) = page.bad
    assert (group.count, len(group.files)) == (FILES_OF_A_REASON + 5, FILES_OF_A_REASON)
    assert len(page.images) <= MOST_IMAGES
    assert len(asked) <= 2 * MOST_IMAGES
    assert "And 5 more" in render(page)


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
        ("ready", full_page(counts=Counts(ready=3), readiness=None, bad=[], ending=[], paused="")),
        ("attention", full_page(readiness=None, paused="")),
        ("going", full_page(counts=Counts(ready=1, on_their_way=2), bad=[])),
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
