# ruff: noqa: INP001 - a script, not a package
"""Makes the images of terminals and of pages: runs the real commands and draws what they wrote.

``python docs/images/make.py [demo | check | status | late | flower]``, from the checkout. An image refers to
nothing outside itself. ``check.svg`` is of the tests' corpus: every line of the provider's table and every
refusal. ``flower.webp`` is of the demo's Flower, in Debian's Chromium.
``status.svg`` is of a campaign four weeks after its beginning, played as the simulation plays, ``late.svg``
of one that cannot be in time.
"""

from __future__ import annotations

import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path

from PIL import Image
from pydantic import SecretStr
from rich.console import Console
from rich.terminal_theme import MONOKAI
from selenium.webdriver.common.by import By

from cli import formats, report
from cli.campaign import campaign
from cli.check import check
from cli.demo import demo
from cli.embedded import RunRequest, get_ready, sandbox_key
from cli.embedded_plan import stack_plan
from examples import spring_sale
from greenroom.errors import ProviderUnavailable
from greenroom.folder_items import items_of_paths
from greenroom.manifest import parse_plan
from greenroom.vault import new_secret_key
from migrations import upgrade_database
from models import Database
from tasks.foresee import foresee
from tasks.prepare import prepare
from tests.support.browser import browser, screenshot, show_as
from tests.support.corpus import AUDIO, DOCUMENT, IMAGE, STICKER, VIDEO
from tests.support.harness import DAY, Harness
from worker.embedded.stack import embedded_stack
from worker.embedded.state_dir import StateDir

HERE = Path(__file__).resolve().parent
COLUMNS = 110
#: Lines of each table; the demo itself says how many more there are.
LINES = 6
CHECK_LINES = 6
#: Thirds of days after the beginning.
SECOND_WAVE, VANISHED = 30, 60
#: What Flower is asked, in a window of this size; the picture's colours; and seconds until it has shown it.
SEARCH = "spring-sale (teaser OR poster OR newsletter OR 01-hero)"
FLOWER_PIXELS, FLOWER_COLOURS, SETTLED_SECONDS = (1440, 900), 12, 3.0
#: Rich names fonts on a web server; without them the reader's own monospaced font is used.
WEB_FONTS = re.compile(r"\s*@font-face\s*\{[^}]*\}")
#: It clips each line to its own height, which none leaves: half of the file.
CLIPPED_LINES = re.compile(
    r'\s*<clipPath id="[^"]*-line-\d+">.*?</clipPath>| clip-path="url\(#[^"]*-line-\d+\)"', re.DOTALL
)


def recorder(lines: int) -> Console:
    """A console that every command writes to from now on, with tables of so many lines."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    replacements = {
        id(formats.console): console,
        id(formats.remarks): console,
        id(report.accepted_table): partial(report.accepted_table, most=lines),
        id(report.rejected_table): partial(report.rejected_table, most=lines),
    }
    for module in [module for name, module in sys.modules.items() if name.startswith("cli.")]:
        for name, value in vars(module).copy().items():
            setattr(module, name, replacements.get(id(value), value))
        if "MOST_LINES" in vars(module):
            vars(module)["MOST_LINES"] = lines
    return console


def record_demo() -> Console:
    """Run the demo in a folder that is removed afterwards; returns the console with what it wrote."""
    console = recorder(LINES)
    console.print("[bold]$ make demo[/bold]")
    sys.argv[0] = ".venv/bin/greenroom"  # as it calls itself
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        demo.main([], standalone_mode=False)
    return console


def record_check() -> Console:
    """Check the stickers of the corpus, then all of it; returns the console with what was written."""
    console = recorder(CHECK_LINES)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_corpus(Path("corpus"))
        for path in ("corpus/stickers", "corpus"):
            console.print(f"[bold]$ greenroom check {path}[/bold]")
            check.main([path], standalone_mode=False)
            console.print()
    return console


def write_corpus(folder: Path) -> None:
    """Every case as a file, by category; of those with one name, one."""
    groups = {"audio": AUDIO, "documents": DOCUMENT, "images": IMAGE, "stickers": STICKER, "videos": VIDEO}
    for name, cases in groups.items():
        (folder / name).mkdir(parents=True)
        for case in cases:
            (folder / name / case.name).write_bytes(case.make())


def record_campaigns(play: Callable[[str, Path], None], commands: list[list[str]]) -> Console:
    """Play something in a database; returns the console with what these commands then say."""
    console = recorder(LINES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/greenroom.db"
        database = Database(SecretStr(url))
        upgrade_database(database.engine)
        database.close()
        play(url, folder)
        os.environ |= {
            "GREENROOM_DATABASE_URL": url,
            "GREENROOM_REDIS_URL": "redis://localhost",
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        }
        for words in commands:
            console.print(f"[bold]$ greenroom campaign {' '.join(words)}[/bold]")
            campaign.main(words, standalone_mode=False)
            console.print()
    return console


def record_status() -> Console:
    """The status of a campaign after four weeks."""
    return record_campaigns(play_four_weeks, [["status", "spring-sale"]])


def record_late() -> Console:
    """What is said of a campaign that cannot be in time."""
    return record_campaigns(play_a_late_one, [["list"], ["status", "flash-sale"]])


def play_a_late_one(url: str, folder: Path) -> None:
    """3,000 files 40 s before they are sent, behind 500 of another campaign."""
    harness = Harness(url, folder, random.Random(5), start=datetime.now(UTC))  # noqa: S311 - guards nothing
    try:
        for name, files, seconds in (("newsletter", 500, 30), ("flash-sale", 3_000, 40)):
            send_at = harness.clock.now() + timedelta(seconds=seconds)
            plan = {
                "id": name,
                "channel": harness.channels[0],
                "send_at": send_at.isoformat(),
                "keep_until": (send_at + 7 * DAY).isoformat(),
            }
            items = [
                {"ref": f"{name}-{place}", "source": str(folder / f"{place}.jpg")} for place in range(files)
            ]
            prepare(harness.context, plan, items)
        foresee(harness.context)
    finally:
        harness.close()


def play_four_weeks(url: str, folder: Path) -> None:
    """Up to now: two waves of files, of which the first has been renewed but for two."""
    days = 28.5
    chance = random.Random(5)  # noqa: S311 - guards nothing
    harness = Harness(url, folder, chance, start=datetime.now(UTC) - days * DAY)

    def away(*_: object) -> None:
        raise ProviderUnavailable("look-up answered HTTP 503: service away")

    try:
        first = {f"look-{number:02}.jpg": harness.make_file(f"look-{number:02}") for number in range(1, 61)}
        harness.submit("spring-sale", harness.channels[0], first, send_in=3 * DAY, keep=75 * DAY)
        for step in range(round(days * 3)):
            if step == SECOND_WAVE:
                harness.campaigns["spring-sale"].files |= {
                    f"story-{number:02}.jpg": harness.make_file(f"story-{number:02}")
                    for number in range(1, 26)
                }
                harness.move("spring-sale", send_in=DAY, keep=70 * DAY)
            if step == VANISHED:
                for name in ("look-07.jpg", "look-31.jpg"):
                    harness.vanish(first[name])
                vars(harness.provider)["media_url"] = away
            harness.tick()
            harness.clock.advance(DAY / 3)
    finally:
        harness.close()


def image(console: Console) -> str:
    """The console as an SVG, on its own."""
    lines = console.export_svg(title="greenroom", theme=MONOKAI).splitlines()
    svg = "\n".join(line.rstrip() for line in lines if "textualize.io" not in line)
    return CLIPPED_LINES.sub("", WEB_FONTS.sub("", svg)) + "\n"


def photograph_flower() -> bytes:
    """Flower's list of tasks after the demo's campaign, searched for it; a WebP."""
    with tempfile.TemporaryDirectory() as name, chdir(name):
        folder = Path(name)
        spring_sale.make(folder / "media")
        now = datetime.now(UTC)
        plan = parse_plan(
            {
                "id": "spring-sale",
                "channel": "4915112345678",
                "send_at": now,
                "keep_until": now + 30 * DAY,
                "upload_from": now,
            }
        )
        state_dir = StateDir(folder=folder / "state")
        state_dir.prepare()
        stack = stack_plan(
            state_dir.folder,
            workers=1,
            concurrency=1,
            sandbox=True,
            latency="80ms",
            flower=True,
            media=[folder],
        )
        with embedded_stack(stack) as running, browser(folder / "profile") as driver:
            items = items_of_paths([folder / "media"])
            get_ready(running, RunRequest(campaign=plan, items=items, api_key=sandbox_key(plan.channel)))
            time.sleep(SETTLED_SECONDS)
            show_as(driver, size=FLOWER_PIXELS)
            driver.get(f"{running.flower}/tasks")
            driver.find_element(By.CSS_SELECTOR, "#tasks-table_filter input").send_keys(SEARCH)
            time.sleep(SETTLED_SECONDS)
            table = driver.find_element(By.CSS_SELECTOR, ".tasks-table-card").rect
            rows = driver.find_element(By.CSS_SELECTOR, "#tasks-table").rect
            shot = Image.open(BytesIO(screenshot(driver))).convert("RGB")
    left, top = table["x"], table["y"]
    shot = shot.crop((left, top, left + table["width"], rows["y"] + rows["height"]))
    small = BytesIO()
    shot.quantize(FLOWER_COLOURS, Image.Quantize.MAXCOVERAGE).convert("RGB").save(
        small, "WEBP", lossless=True, method=6
    )
    return small.getvalue()


RECORDS = {"demo": record_demo, "check": record_check, "status": record_status, "late": record_late}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or [*RECORDS, "flower"]:
        if wanted == "flower":
            (HERE / "flower.webp").write_bytes(photograph_flower())
            continue
        (HERE / f"{wanted}.svg").write_text(image(RECORDS[wanted]()), encoding="utf-8")
