"""What the live pages show: as the tables say, within bounds, and harmless whatever files are called."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert

from api.pages.campaigns import BUSY_SECONDS, CALM_SECONDS, CAMPAIGNS_A_LOOK, CAMPAIGNS_A_PAGE
from api.pages.latest import MOST_KEPT, LatestOfEach
from greenroom.reasons import ADVICE, Reason
from models.campaign import Campaign
from models.cancellation import cancel_campaign
from models.file_listing import FILES_A_PAGE
from tasks.prepare import prepare
from tests.api.conftest import Seconds
from tests.support.http_api import RunningApi
from tests.support.pages import HOSTILE, Reader, made_campaign, reader
from tests.support.world import CHANNEL, World


def thumbnails_in(html: str) -> list[str]:
    """Where a page's thumbnails are."""
    return [one.replace("&amp;", "&") for one in re.findall(r'<img src="([^"]+)"', html)]


def links_in(html: str) -> list[str]:
    """Where a page leads."""
    return [one.replace("&amp;", "&") for one in re.findall(r'href="([^"]+)"', html)]


def test_a_campaign_from_the_list_to_one_thumbnail(world: World, manager: Reader, tmp_path: Path) -> None:
    """Verdicts, what to do, and thumbnails that are made when they are asked for."""
    made_campaign(world, tmp_path / "media", good=len(HOSTILE), bad=3)
    listed = manager.get("/campaigns").text
    assert "Needs your attention" in listed
    assert "/campaigns/spring" in links_in(listed)
    page = manager.get("/campaigns/spring")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "6 files of 9 can be sent. 3 files cannot be sent as they are." in page.text
    assert ADVICE[Reason.EMPTY] in page.text
    assert str(tmp_path) not in page.text
    # None of its files is renewed in them: the section would be empty.
    assert "The coming weeks" not in page.text
    thumbnails = thumbnails_in(page.text)
    assert len(thumbnails) == len(HOSTILE)
    for path in thumbnails:
        thumbnail = manager.get(path)
        assert (thumbnail.status_code, thumbnail.headers["Content-Type"]) == (200, "image/webp"), path
        assert thumbnail.headers["Cache-Control"] == "private, max-age=3600"
        assert thumbnail.content[:4] == b"RIFF"
    for html in (listed, page.text, manager.get("/campaigns/spring/files").text):
        assert not set(re.findall(r"<(\w+)", html)) & {"iframe", "object", "embed"}
        assert html.count("<script>") <= 1
        assert "onerror=&" in html or "spring-0" not in html
        assert "\u202e" not in html


def test_a_thumbnail_is_of_files_that_may_be_opened_alone(
    world: World, manager: Reader, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of all others there is a drawing; and of what is no item there is nothing."""
    made_campaign(world, tmp_path_factory.mktemp("elsewhere"), good=1, bad=1)
    (path,) = thumbnails_in(manager.get("/campaigns/spring").text)
    assert manager.get(path).headers["Content-Type"] == "image/svg+xml"
    for query in ({"ref": "none"}, {"ref": "\0"}, {}):
        assert manager.get(f"/campaigns/spring/thumbnail?{urlencode(query)}").status_code == 404


def test_a_thumbnail_is_made_once(world: World, manager: Reader, tmp_path: Path, paged: RunningApi) -> None:
    """Also where none can be made; what the file has become meanwhile changes its address."""
    made_campaign(world, tmp_path / "media", good=1, bad=0)
    (path,) = thumbnails_in(manager.get("/campaigns/spring").text)
    first = manager.get(path).content
    (tmp_path / "media" / "spring-0.jpg").unlink()
    assert manager.get(path).content == first
    assert paged.url not in path


def test_files_come_by_pages(world: World, manager: Reader, tmp_path: Path) -> None:
    """In the order of their refs, all of them once, and those alone that are asked for."""
    made_campaign(world, tmp_path / "media", good=2, bad=FILES_A_PAGE + 3)
    seen, path = [], "/campaigns/spring/files?show=bad"
    while path:
        html = manager.get(path).text
        seen.append(html.count('<th scope="row" role="rowheader">'))
        path = next((link for link in links_in(html) if "after=" in link), "")
        assert len(seen) < 5
    assert seen == [FILES_A_PAGE, 3]
    ready = manager.get("/campaigns/spring/files?show=ready").text
    assert (ready.count('<th scope="row" role="rowheader">'), len(thumbnails_in(ready))) == (2, 2)
    assert "None.</p>" in manager.get("/campaigns/spring/files?show=going").text
    assert manager.get("/campaigns/spring/files?show=nonsense&after=%00").status_code == 404


def test_campaigns_come_by_pages_and_in_order(world: World, manager: Reader) -> None:
    """Those that are to be sent, the next one first; and those that were, the last one first."""
    now = world.clock.now()
    rows = [
        {
            "id": f"{side}-{number:03}",
            "channel_id": CHANNEL,
            "send_at": now + direction * timedelta(hours=number // 2 + 1),
            "keep_until": now + timedelta(days=30),
            "created_at": now,
            "submission": 0,
        }
        for side, direction in (("next", 1), ("past", -1))
        for number in range(CAMPAIGNS_A_PAGE + 5)
    ]
    with world.database.write() as connection:
        connection.execute(insert(Campaign), rows)
    for show, names in (
        ("", [f"next-{number:03}" for number in range(CAMPAIGNS_A_PAGE + 5)]),
        ("?show=sent", None),
    ):
        seen: list[str] = []
        path = "/campaigns" + show
        while path:
            html = manager.get(path).text
            seen += re.findall(r'href="/campaigns/([^"/]+)"', html)
            path = next((link for link in links_in(html) if "after=" in link and "off" not in link), "")
        assert len(seen) == len(set(seen)) == CAMPAIGNS_A_PAGE + 5
        assert names is None or seen == names
        assert names or (seen[0] in ("past-000", "past-001") and seen[-1].startswith("past-02"))
    assert manager.get("/campaigns?after=nonsense").status_code == 200


def test_a_limited_reader_sees_campaigns_of_some_channels(
    world: World, paged: RunningApi, tmp_path: Path
) -> None:
    """Of others not even that they are there."""
    other = world.add_channel("4930901820")
    made_campaign(world, tmp_path / "media", good=1, bad=0)
    with reader(paged) as limited:
        limited.log_in(paged.token("limited", other, read_only=True))
        assert "No campaign is to be sent." in limited.get("/campaigns").text
        for path in ("", "/files", "/thumbnail?ref=x"):
            hidden = limited.get(f"/campaigns/spring{path}")
            nothing = limited.get(f"/campaigns/nobodys{path}")
            assert (hidden.status_code, nothing.status_code) == (404, 404)
            assert hidden.text.replace("spring", "nobodys") == nothing.text


def test_no_link_of_a_limited_readers_list_tells_of_others(world: World, paged: RunningApi) -> None:
    """Pages are full of what may be seen, however much there is in between, and end with it."""
    mine, now = world.add_channel("4930901820"), world.clock.now()
    hidden: list[tuple[str, str, list[str]]] = [("others", CHANNEL, [])] * 30 + [
        ("shared", mine, [CHANNEL])
    ] * (CAMPAIGNS_A_LOOK + 30)
    rows = [
        {
            "id": f"{name}-{number:03}",
            "channel_id": channel,
            "further_channels": further,
            "send_at": now + timedelta(hours=number + 1),
            "keep_until": now + timedelta(days=90),
            "created_at": now,
            "submission": 0,
        }
        for number, (name, channel, further) in enumerate(
            [*hidden, *[("mine", mine, [])] * CAMPAIGNS_A_PAGE, *hidden, ("mine", mine, []), *hidden]
        )
    ]
    with world.database.write() as connection:
        connection.execute(insert(Campaign), rows)
    with reader(paged) as limited:
        limited.log_in(paged.token("limited", mine, read_only=True))
        first = limited.get("/campaigns").text
        (more,) = (link for link in links_in(first) if "after=" in link)
        second = limited.get(more).text
    assert first.count('<h2><a href="/campaigns/mine-') == CAMPAIGNS_A_PAGE
    assert second.count('<h2><a href="/campaigns/mine-') == 1
    assert 'rel="next"' not in second
    assert not any(name in first + second for name in ("others", "shared"))


def test_of_a_campaign_on_several_channels_each_has_its_files(
    world: World, paged: RunningApi, manager: Reader, tmp_path: Path
) -> None:
    """The page names both, its files are those of one, and who may see one of them alone sees nothing."""
    other = world.add_channel("4930901820")
    path = tmp_path / "a.png"
    path.touch()
    plan: dict[str, Any] = world.campaign()
    del plan["channel"]
    prepare(world.context, {**plan, "channels": [CHANNEL, other]}, [{"ref": "a", "source": str(path)}])
    page = manager.get("/campaigns/spring").text
    assert f"<dt>From numbers</dt><dd>{CHANNEL}, {other}</dd>" in page
    for number in (CHANNEL, other):
        files = manager.get(f"/campaigns/spring/files?number={number}").text
        assert f'aria-current="page">{number}</a>' in files
        assert files.count('<th scope="row" role="rowheader">') == 1
    with reader(paged) as limited:
        limited.log_in(paged.token("limited", other, read_only=True))
        assert "No campaign is to be sent." in limited.get("/campaigns").text
        assert limited.get("/campaigns/spring").status_code == 404


def test_a_page_is_shown_anew_while_work_goes_on(
    world: World, manager: Reader, seconds: Seconds, tmp_path: Path
) -> None:
    """Soon while files are worked on, later otherwise, and never where its reader wants it so."""
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.png").touch()
    prepare(world.context, world.campaign(), [{"ref": "a", "source": str(media / "a.png")}])

    def refresh(path: str) -> tuple[str | None, bool]:
        html = manager.get(path).text
        found = re.search(r'<noscript><meta http-equiv="refresh" content="(\d+)"', html)
        return found and found[1], "<script>" in html

    for path in ("/campaigns", "/campaigns/spring"):
        assert refresh(path) == (str(BUSY_SECONDS), True)
        assert refresh(path + "?refresh=off") == (None, False)
    cancel_now(world)
    # The page is as it was, until it is old enough.
    assert refresh("/campaigns/spring") == (str(BUSY_SECONDS), True)
    seconds.now += 5
    assert refresh("/campaigns/spring") == (None, False)
    assert refresh("/campaigns") == (str(CALM_SECONDS), True)


def cancel_now(world: World) -> None:
    """Cancel the campaign."""
    with world.database.write() as connection:
        cancel_campaign(connection, "spring", now=world.clock.now())


@pytest.mark.parametrize(
    "path",
    [
        "/campaigns/none",
        "/campaigns/%00",
        "/campaigns/a%2Fb",
        "/campaigns/<script>",
        "/campaigns/a/b/c",
        "/campaigns/",
    ],
)
def test_what_is_not_there_is_a_page_too(manager: Reader, path: str) -> None:
    """With the same headers, and nothing of the address that would run."""
    shown = manager.get(path)
    assert (shown.status_code, shown.headers["Cache-Control"]) == (404, "no-store")
    assert "There is no such page" in shown.text
    assert "<script>" not in shown.text


def test_the_latest_is_made_now_and_then() -> None:
    """By one of those who ask; what it costs says how often."""
    seconds, made = Seconds(), []
    latest: LatestOfEach[int] = LatestOfEach(seconds)

    def make() -> int:
        made.append(seconds.now)
        seconds.now += 1
        return len(made)

    assert [latest.get("a", make) for _ in range(3)] == [1, 1, 1]
    seconds.now += 19
    assert latest.get("a", make) == 1
    seconds.now += 1
    assert latest.get("a", make) == 2
    for number in range(MOST_KEPT):
        latest.get(number, lambda: 1)
    assert latest.kept("a") is None
    assert latest.kept(0) == 1
    with pytest.raises(ZeroDivisionError):
        latest.get("b", lambda: 1 // 0)
    assert latest.kept("b") is None
