"""A real browser, Debian's Chromium, and what tests ask it."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

#: The programs that it takes, by their names in `tests.support.outside`.
PROGRAMS = ("chromium", "chromedriver")
#: Seconds that a page may take on a busy machine.
PATIENCE = 60
DESKTOP, PHONE = (1440, 900), (360, 740)


def missing_program() -> str | None:
    """Which of its programs this machine does not have."""
    return next((program for program in PROGRAMS if shutil.which(program) is None), None)


@contextmanager
def browser(folder: Path, *, size: tuple[int, int] = DESKTOP) -> Iterator[Chrome]:
    """A browser with one window, no history, and no way to any other machine.

    Args:
        folder: for its profile.
        size: of what it shows, in pixels.
    """
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for word in (
        "--headless=new",
        f"--window-size={size[0]},{size[1]}",
        f"--user-data-dir={folder}",
        "--hide-scrollbars",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--proxy-server=http://127.0.0.1:9",
        "--proxy-bypass-list=127.0.0.1",
    ):
        options.add_argument(word)
    if os.geteuid() == 0:
        # Chromium's own sandbox refuses to run as root.
        options.add_argument("--no-sandbox")
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        driver.implicitly_wait(0)
        driver.set_page_load_timeout(PATIENCE)
        show_as(driver, size=size)
        yield driver
    finally:
        driver.quit()


def show_as(driver: Chrome, *, size: tuple[int, int], dark: bool = False) -> None:
    """Show pages in so many pixels, and to a reader who prefers dark ones or light ones."""
    metrics: dict[str, Any] = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def screenshot(driver: Chrome, *, whole: bool = False) -> bytes:
    """What the window shows, as a PNG; the whole page, where that is asked for."""
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
    return base64.b64decode(shot["data"])
