"""The live pages in a real browser: logged in by hand, read by everybody, and anew while work goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from models.page_sessions import SESSION_LIFE
from tasks.prepare import prepare
from tests.api.conftest import Seconds
from tests.support.browser import DESKTOP, PATIENCE, PHONE, browser, missing_program, show_as
from tests.support.http_api import RunningApi
from tests.support.page_check import faults_of
from tests.support.pages import HOSTILE, made_campaign, work
from tests.support.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
#: Refreshes at once, where a page says in how many seconds: no test waits for a clock.
_SOON = "const later = setTimeout; window.setTimeout = (what, when) => later(what, when / 1000);"


@pytest.fixture
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser."""
    if missing := missing_program():
        pytest.skip(f"{missing} is not installed")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def log_in(driver: Chrome, url: str, token: str) -> None:
    """As somebody does who has a keyboard alone."""
    driver.get(url)
    assert driver.switch_to.active_element.get_attribute("id") == "token"
    driver.switch_to.active_element.send_keys(token, Keys.ENTER)
    wait_for_text(driver, "Log out")


def wait_for_text(driver: Chrome, text: str) -> None:
    """Until the page has it."""
    # Its body may be gone, or another one, in between.
    shown = "return document.body ? document.body.innerText : ''"
    WebDriverWait(driver, PATIENCE, 0.05).until(lambda at: text in at.execute_script(shown))


def test_everybody_can_log_in_and_read(
    world: World, paged: RunningApi, driver: Chrome, tmp_path: Path
) -> None:
    """On a screen and on a phone, light and dark; no name does anything, and all thumbnails come."""
    made_campaign(world, tmp_path / "media", good=len(HOSTILE), bad=8)
    driver.get(f"{paged.url}/campaigns/spring")
    assert faults_of(driver) == []
    driver.switch_to.active_element.send_keys("wrong", Keys.ENTER)
    wait_for_text(driver, "not known here")
    for dark in (False, True):
        show_as(driver, size=PHONE, dark=dark)
        assert faults_of(driver) == []
    log_in(driver, f"{paged.url}/campaigns/spring", paged.token("maria", read_only=True))
    # The status of the form, which the browser takes for an error.
    driver.get_log("browser")  # type: ignore[no-untyped-call] # selenium's own
    for path in (
        "/campaigns",
        "/campaigns/spring",
        "/campaigns/spring/files",
        "/campaigns/spring/files?show=going",
    ):
        for size in (DESKTOP, PHONE):
            for dark in (False, True):
                show_as(driver, size=size, dark=dark)
                driver.get(paged.url + path)
                show_all_thumbnails(driver)
                assert faults_of(driver) == [], (path, size, dark)
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call] # as above
    driver.get(f"{paged.url}/campaigns/none")
    assert faults_of(driver) == []
    driver.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    wait_for_text(driver, "Log in to see campaigns")


def show_all_thumbnails(driver: Chrome) -> None:
    """Those, too, that the browser leaves until somebody comes near them."""
    driver.execute_script("for (const image of document.images) image.loading = 'eager'")
    complete = "return [...document.images].every(image => image.complete)"
    WebDriverWait(driver, PATIENCE, 0.05).until(lambda at: at.execute_script(complete))


def test_a_link_of_another_site_leads_to_the_page(
    world: World, paged: RunningApi, driver: Chrome, tmp_path: Path
) -> None:
    """Though its cookie is not sent to whom another site leads here."""
    made_campaign(world, tmp_path / "media", good=1, bad=0)
    log_in(driver, f"{paged.url}/campaigns", paged.token("maria", read_only=True))
    (tmp_path / "mail.html").write_text(f'<a href="{paged.url}/campaigns/spring">The campaign</a>')
    driver.get((tmp_path / "mail.html").as_uri())
    driver.find_element(By.TAG_NAME, "a").click()
    wait_for_text(driver, "Its one file can be sent.")


def test_the_page_follows_the_work_and_leaves_the_reader_alone(
    world: World, paged: RunningApi, driver: Chrome, seconds: Seconds, tmp_path: Path
) -> None:
    """What has changed is put in, and the focus stays; a page that is to stay does."""
    (tmp_path / "media").mkdir()
    path = tmp_path / "media" / "a.png"
    path.touch()
    prepare(world.context, world.campaign(), [{"ref": "a", "source": str(path)}])
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _SOON})
    log_in(driver, f"{paged.url}/campaigns/spring", paged.token("maria", read_only=True))
    wait_for_text(driver, "On its way")
    link = driver.find_element(By.LINK_TEXT, "All campaigns")
    link.send_keys("")
    driver.execute_script("window.mark = 'the same document'")
    work(world)
    seconds.now += 60
    wait_for_text(driver, "Needs your attention")
    assert driver.execute_script("return window.mark") == "the same document"
    assert driver.switch_to.active_element == link
    assert driver.find_element(By.ID, "news").get_attribute("textContent") == "! Needs your attention"
    assert faults_of(driver) == []
    # Its session ends: the page becomes the form by itself.
    world.clock.advance(SESSION_LIFE)
    wait_for_text(driver, "Log in to see campaigns")


def test_it_works_without_scripts(world: World, paged: RunningApi, driver: Chrome, tmp_path: Path) -> None:
    """Then the browser loads the page anew."""
    made_campaign(world, tmp_path / "media", good=1, bad=0)
    log_in(driver, f"{paged.url}/campaigns/spring", paged.token("maria", read_only=True))
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    driver.get(f"{paged.url}/campaigns/spring")
    refresh = driver.find_element(By.CSS_SELECTOR, "noscript meta")
    assert (refresh.get_attribute("http-equiv"), refresh.get_attribute("content")) == ("refresh", "60")
    driver.find_element(By.LINK_TEXT, "Look through all files").click()
    wait_for_text(driver, "All files")
