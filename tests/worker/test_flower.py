"""Flower as an operator sees it, in a real browser: what happened to a given file is found by its name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from examples import spring_sale
from greenroom.client import Greenroom
from greenroom.folder_items import items_of_paths
from greenroom.reasons import ADVICE, Reason
from sandbox.testing import RunningSandbox
from tests.support.browser import browser, missing_program
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, plan, wait_for
from tests.support.world import free_port
from worker.checkout import CHECKOUT

#: A file that is uploaded, one that is not, and a part of the reason why.
GOOD, BAD, WHY = "03-rain-jacket.jpg", "empty-brochure.pdf", "This file is empty (0 bytes)."
PASSWORD = "flowers-own-password"

pytestmark = pytest.mark.skipif(missing_program() is not None, reason=f"{missing_program()} is not installed")


def start_flower(running: Production, port: int) -> subprocess.Popen[bytes]:
    """Flower as Compose starts it; its history lies in the production's folder."""
    with (running.folder / f"flower-{port}.log").open("ab") as log:
        flower = subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "worker", "flower", "--address=127.0.0.1"),
                *(f"--port={port}", f"--conf={CHECKOUT / 'flowerconfig.py'}"),
            ],
            cwd=running.folder,
            env={
                **running.environment,
                "FLOWER_BASIC_AUTH": f"greenroom:{PASSWORD}",
                "FLOWER_PERSISTENT": "true",
                "FLOWER_DB": str(running.folder / "flower-history"),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running.processes.append(flower)
    wait_for(lambda: answers(port))
    return flower


def answers(port: int) -> bool:
    """Whether Flower is there; without the password, it shows nothing."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/tasks", timeout=5)
    except requests.ConnectionError:
        return False
    return answer.status_code == HTTPStatus.UNAUTHORIZED


def look(driver: Chrome, script: str, until: Callable[[object], bool] = bool) -> object:
    """What a script finds in the page, once it is so."""
    found: list[object] = []

    def found_it() -> bool:
        found[:] = [driver.execute_script(script)]
        return until(found[0])

    wait_for(found_it)
    return found[0]


def page_of(driver: Chrome, port: int, words: str) -> dict[str, str]:
    """Type words into the search, follow the one row's link, and read its page: values by their names."""
    driver.get(f"http://greenroom:{PASSWORD}@127.0.0.1:{port}/tasks")
    # The page's script puts it there, on a busy machine after the page is loaded.
    look(driver, "return document.querySelector('#tasks-table_filter input') !== null")
    search = driver.find_element(By.CSS_SELECTOR, "#tasks-table_filter input")
    search.clear()
    search.send_keys(words)
    # Row and link in one look, and the row of this search: the table is drawn anew while it is read.
    file = words.rpartition(" ")[2]
    link = (
        "const rows = [...document.querySelectorAll('#tasks-table tbody tr[id]')];"
        f"return rows.length === 1 && rows[0].innerText.includes({file!r})"
        " ? rows[0].querySelector(\"a[href*='/task/']\").href : null"
    )
    driver.get(str(look(driver, link)))
    names = "return [...document.querySelectorAll('dl dt')].map(name => name.innerText)"
    look(driver, names)
    return dict(
        zip(
            (name.text for name in driver.find_elements(By.TAG_NAME, "dt")),
            (value.text for value in driver.find_elements(By.TAG_NAME, "dd")),
            strict=True,
        )
    )


def test_an_operator_finds_what_happened_to_a_file(
    production: tuple[Production, RunningSandbox], redis_url: str, tmp_path: Path
) -> None:
    """By its name: the media ID, or the reason and what to do; also after Flower was started anew."""
    running, _ = production
    port = free_port()
    flower = start_flower(running, port)
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    media = tmp_path / "media"
    spring_sale.make(media)
    client = Greenroom(redis_url, timeout=PATIENCE)
    try:
        client.add_items(plan("sale"), items_of_paths([media]))
        wait_for(lambda: running.settled("sale"))
        media_id = client.resolve("sale", [GOOD])[GOOD]
    finally:
        client.close()
    with browser(tmp_path / "profile") as driver:
        wait_for(lambda: f"media ID {media_id}" in seen_by(port))
        wait_for(lambda: WHY in seen_by(port))
        good = page_of(driver, port, f"name:media.file {GOOD}")
        assert (good["Status"], good["Result"]) == ("SUCCESS", f"media ID {media_id}")
        assert good["Arguments"].startswith(f"{GOOD} of sale, ")
        bad = page_of(driver, port, f"state:FAILURE {BAD}")
        assert bad["Result"] == f"{WHY} {ADVICE[Reason.EMPTY]}"
        assert bad["Exception"].startswith("FileRejected: empty: ")
        assert "Retried" not in bad, "it was tried once"
        driver.get(f"http://127.0.0.1:{port}/task/{good['Root ID' if 'Root ID' in good else 'Root id']}")
        upload = driver.find_element(By.TAG_NAME, "dl").text
        assert f" of sale on {CHANNEL}" in upload
        assert f"{GOOD}: media ID {media_id}" in upload
        # Of ticks, and there were some, none did anything.
        assert "media.sweep" not in seen_by(port)
        flower.send_signal(signal.SIGTERM)
        assert flower.wait(30) == os.EX_OK
        start_flower(running, port)
        assert page_of(driver, port, f"name:media.file {GOOD}")["Result"] == f"media ID {media_id}"
    assert KEY not in seen_by(port)


def seen_by(port: int) -> str:
    """All that Flower knows of tasks, by its API."""
    answer = requests.get(
        f"http://127.0.0.1:{port}/api/tasks", auth=("greenroom", PASSWORD), params={"limit": 1000}, timeout=30
    )
    return answer.text
