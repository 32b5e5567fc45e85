"""Schedulers as a shop would write them, against the real stack: in Celery, and in Django."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from sqlalchemy import func, select

from examples import makers
from greenroom.client import Greenroom
from models.media import Media
from sandbox.testing import RunningSandbox
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, wait_for
from worker.checkout import CHECKOUT

DJANGO = CHECKOUT / "examples" / "django_shop"
#: What a webhook told of a dead ID: somebody's first message with it fails.
DEAD = {"on": "message", "times": 1, "fail": {"code": 131053, "title": "Media upload error"}}

Stack = tuple[Production, RunningSandbox]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two images, and a text that somebody called one."""
    paths = [tmp_path / "media" / name for name in ("hero.jpg", "coupon.jpg", "broken.jpg")]
    paths[0].parent.mkdir()
    for number, path in enumerate(paths[:2]):
        path.write_bytes(makers.saved(makers.drawn_image(320, 240, title=path.stem, look=number), "JPEG"))
    paths[2].write_text("This is no image at all.", encoding="utf-8")
    return paths


@pytest.fixture
def shop(production: Stack, redis_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a shop, whose own broker is another database of the same Redis."""
    running, sandbox = production
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    own = redis_url.removesuffix("/0") + "/1"
    yield {
        **{name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")},
        "PYTHONPATH": str(CHECKOUT),
        "SHOP_FOLDER": str(tmp_path / "shop"),
        "SHOP_BROKER": own,
        "SHOP_GREENROOM_BROKER": redis_url,
        "SHOP_API_URL": sandbox.url,
        "SHOP_API_KEY": KEY,
        "SHOP_DATABASE": str(tmp_path / "shop.db"),
        "SHOP_SECRET_KEY": "a secret of Django's",
    }
    with Redis.from_url(own) as redis:
        redis.flushdb()


@contextmanager
def celery_shop(environment: dict[str, str], folder: Path) -> Iterator[None]:
    """The shop's worker and beat, while the block runs."""
    words = ["-A", "examples.celery_scheduler", "worker", "--beat", "--schedule", str(folder / "shop-beat")]
    with (folder / "shop.log").open("wb") as log:
        command = [sys.executable, "-m", "celery", *words, "--pool", "threads", "--loglevel", "INFO"]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def campaign(name: str, files: list[Path], *, send_in: timedelta) -> dict[str, Any]:
    """A campaign as the shop keeps it: each file goes to somebody."""
    send_at = datetime.now(UTC) + send_in
    return {
        "plan": {
            "id": name,
            "channel": CHANNEL,
            "send_at": send_at.isoformat(),
            "keep_until": (send_at + timedelta(days=2)).isoformat(),
        },
        "items": [{"ref": path.name, "source": str(path), "kind": "image"} for path in files],
        "recipients": [
            {"to": f"+49 30 90182{number}", "ref": path.name} for number, path in enumerate(files)
        ],
    }


def uses(running: Production) -> int:
    """How many media IDs have been reported as used."""
    used = select(func.count()).where(Media.last_used_at.is_not(None))
    with running.database.read() as connection:
        return connection.execute(used).scalar_one()


def test_a_shop_in_celery(production: Stack, shop: dict[str, str], files: list[Path], tmp_path: Path) -> None:
    """A campaign is planned, sent once, and what a webhook tells replaces an ID; one is called off."""
    running, sandbox = production
    folder = Path(shop["SHOP_FOLDER"])
    (folder / "new").mkdir(parents=True)

    def write(name: str, send_in: timedelta, channel: str = CHANNEL) -> None:
        values = campaign(name, files, send_in=send_in)
        values["plan"]["channel"] = channel
        draft = folder / f"{name}.draft"
        draft.write_text(json.dumps(values), encoding="utf-8")
        draft.rename(folder / "new" / f"{name}.json")

    sandbox.faults(DEAD)
    write("later", timedelta(hours=1))
    write("sale", timedelta(0))
    write("typo", timedelta(0), channel="4930901820")
    with (
        celery_shop(shop, tmp_path),
        Greenroom(shop["SHOP_GREENROOM_BROKER"], timeout=PATIENCE) as greenroom,
        Celery("test", broker=shop["SHOP_BROKER"], set_as_current=False) as own,
    ):
        wait_for((folder / "sent" / "sale.json").exists)
        wait_for((folder / "planned" / "later.json").exists)
        wait_for((folder / "refused" / "typo.json").exists)
        wait_for(lambda: sandbox.stats()[KEY]["messages"] == 2)
        (failed,) = sandbox.failed_statuses(KEY)
        dead = failed["biz_opaque_callback_data"]
        assert dead in dict(greenroom.media_ids("sale")).values()
        own.send_task("shop.take_statuses", [CHANNEL, [failed]])
        wait_for(lambda: dead not in dict(greenroom.media_ids("sale")).values())
        wait_for(lambda: greenroom.status("sale").ready == 2)
        own.send_task("shop.cancel", ["later"])
        wait_for((folder / "cancelled" / "later.json").exists)
        assert greenroom.status("later").state == "cancelled"
        wait_for(lambda: uses(running) > 0)
    assert sandbox.stats()[KEY]["messages"] == 2
    log = (tmp_path / "shop.log").read_text(encoding="utf-8")
    assert "broken.jpg is not ready" in log
    assert "Campaign later: 3 files, ready at 20" in log
    assert "Campaign sale will be late." in log


def test_a_shop_in_django(production: Stack, shop: dict[str, str], files: list[Path]) -> None:
    """Recipients are rows, each with a file; what is wrong is noted beside one, and a dead ID replaced."""
    running, sandbox = production

    def manage(*words: str, given: str = "") -> str:
        command = [sys.executable, str(DJANGO / "manage.py"), *words]
        done = subprocess.run(command, env=shop, capture_output=True, text=True, check=False, input=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--run-syncdb", "--verbosity", "0")
    wanted = campaign("sale", files, send_in=timedelta(hours=1))
    manage(
        "shell",
        "--command",
        "from campaigns.models import Campaign, Recipient\n"
        f"sale = Campaign.objects.create(name='sale', channel='{CHANNEL}',\n"
        f"    send_at='{wanted['plan']['send_at']}', keep_until='{wanted['plan']['keep_until']}')\n"
        f"for number, file in enumerate({[str(path) for path in files]}):\n"
        "    phone = f'+49 30 90182{number}'\n"
        "    Recipient.objects.create(campaign=sale, phone=phone, file=file, kind='image')\n",
    )
    assert manage("hand_over", "sale").splitlines() == [
        "3 uploads at most. In time.",
        "3 added, 0 changed, 0 removed.",
        "2 of 3 files are ready.",
    ]
    sandbox.faults(DEAD)
    assert manage("send", "sale") == "2 of 3 messages sent.\n"
    assert manage("send", "sale") == "0 of 1 messages sent.\n"
    assert sandbox.stats()[KEY]["messages"] == 2
    wait_for(lambda: uses(running) == 2)
    failed = sandbox.failed_statuses(KEY)
    (dead,) = [status["biz_opaque_callback_data"] for status in failed]
    assert manage("take_statuses", CHANNEL, given=json.dumps(failed)) == "1 failed.\n"
    with Greenroom(shop["SHOP_GREENROOM_BROKER"], timeout=PATIENCE) as greenroom:
        wait_for(lambda: len({*dict(greenroom.media_ids("sale")).values()} - {dead}) == 2)
        # Whoever got nothing gets another message.
        assert manage("send", "sale") == "1 of 2 messages sent.\n"
    # Whoever looks after the campaign replaces the file.
    listed = "from campaigns.models import Recipient\nfor one in Recipient.objects.exclude(problem=''): "
    assert "broken.jpg: This is" in manage(
        "shell", "--command", f"{listed}print(f'{{one.file}}: {{one.problem}}')"
    )
    manage("shell", "--command", f"{listed}one.file = {str(files[0])!r}; one.save()")
    assert "0 added, 1 changed, 0 removed." in manage("hand_over", "sale")
    assert manage("send", "sale") == "1 of 1 messages sent.\n"
    assert manage("call_off", "sale") == "sale is called off.\n"
    with Greenroom(shop["SHOP_GREENROOM_BROKER"], timeout=PATIENCE) as greenroom:
        assert greenroom.status("sale").state == "cancelled"


def test_campaigns_side_by_side_in_asyncio(shop: dict[str, str], files: list[Path], tmp_path: Path) -> None:
    """A line for each file of each; the error of one that fails is said, and the others are called off."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "coupon.jpg").write_bytes(files[1].read_bytes())
    files[2].write_bytes(b"")
    words = [sys.executable, "-m", "examples.asyncio_scheduler", shop["SHOP_GREENROOM_BROKER"]]

    def get_ready(channel: str) -> subprocess.CompletedProcess[str]:
        command = [*words, channel, str(files[0].parent), str(other)]
        return subprocess.run(
            command, env=shop, capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    done = get_ready(CHANNEL)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    ready = {(line["campaign"], line["ref"]): line["media_id"] for line in lines if "media_id" in line}
    assert set(ready) == {("media", "hero.jpg"), ("media", "coupon.jpg"), ("other", "coupon.jpg")}
    assert ready["media", "coupon.jpg"] == ready["other", "coupon.jpg"]
    (bad,) = [line for line in lines if "advice" in line]
    assert (bad["campaign"], bad["ref"]) == ("media", "broken.jpg")
    assert "media: 2 of 3 ready" in done.stderr
    failed = get_ready("4930901820")
    assert failed.returncode == 1
    assert "UnknownName: Channel 4930901820 is not known" in failed.stderr


def test_the_client_and_messages_are_all_that_they_need() -> None:
    """What a wheel without extras brings, and beside it what is the shop's own."""
    own = [CHECKOUT / "examples" / f"{name}_scheduler.py" for name in ("celery", "asyncio")]
    for path in (*own, *DJANGO.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not {"models.", "tasks", "worker", "cli"} & {
            line.split()[1].partition(".")[0]
            for line in text.splitlines()
            if line.startswith(("from ", "import "))
        }, path
