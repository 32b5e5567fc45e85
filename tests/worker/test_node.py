"""A scheduler in Node.js, by what the reference says and nothing else: examples/node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from examples import spring_sale
from greenroom.contract import CONTRACT_VERSION, RAISED
from greenroom.errors import TransientError
from greenroom.folder_items import items_of_paths
from models.media import Media
from sandbox.testing import RunningSandbox
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, wait_for
from worker.checkout import CHECKOUT

EXAMPLE = CHECKOUT / "examples" / "node"


@pytest.fixture
def node() -> str:
    """The program."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("this machine has no node: the example for Node.js was not run")
    return found


def campaign(node: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the example."""
    command = [node, str(EXAMPLE / "campaign.mjs"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def sending(node: str, *words: str, given: str = "") -> list[dict[str, Any]]:
    """Run what comes after it; returns the lines that it prints."""
    done = subprocess.run(
        [node, str(EXAMPLE / "sending.mjs"), *words],
        input=given,
        env={**os.environ, "D360_API_KEY": KEY},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_campaign_is_got_ready_from_node(
    node: str,
    production: tuple[Production, RunningSandbox],
    redis_url: str,
    tmp_path: Path,
) -> None:
    """A line for each file, and each message; a failure is the error's name and sentence, and comes at once.

    A dead ID is replaced, and the campaign called off.
    """
    running, sandbox = production
    media = tmp_path / "media"
    spring_sale.make(media)
    items = items_of_paths([media])
    unknown = campaign(node, redis_url, "sale", CHANNEL, items[0].source)
    assert unknown.returncode == 2, unknown.stderr
    assert unknown.stderr.startswith(f"UnknownName: Channel {CHANNEL} is not known.")
    assert "is ready for campaigns" in running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    done = campaign(node, redis_url, "sale", CHANNEL, *(item.source for item in items))
    assert done.returncode == 1, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    ready = {line["ref"]: line["media_id"] for line in lines if "media_id" in line}
    bad = {line["ref"]: line["advice"] for line in lines if "reason" in line}
    assert set(ready.values()) == set(sandbox.live_media_ids(KEY))
    assert len(bad) == len(spring_sale.BAD)
    assert all(bad.values())
    assert {*ready, *bad} == {item.source for item in items}
    assert f"{len(items)} uploads, ready at 20" in done.stderr

    sandbox.faults({"on": "message", "times": 1, "fail": {"code": 131053, "title": "Media upload error"}})
    images = sorted(ref for ref in ready if ref.endswith(".jpg"))[:2]
    wanted = [
        {"to": f"4930901820{number}", "ref": ref, "kind": "image"}
        for number, ref in enumerate([*images, min(bad)])
    ]
    given = "".join(json.dumps(one) + "\n" for one in wanted)
    said = sending(node, "send", redis_url, "sale", CHANNEL, sandbox.url, given=given)
    assert [sorted(one) for one in said] == [["message", "to"], ["message", "to"], ["problem", "to"]]
    assert sandbox.stats()[KEY]["messages"] == 2

    def current() -> dict[str, Any]:
        found = select(Media.media_id, Media.last_used_at).where(Media.is_current)
        with running.database.read() as connection:
            return {row.media_id: row.last_used_at for row in connection.execute(found)}

    sent = {ready[ref] for ref in images}
    wait_for(lambda: all(current()[media_id] for media_id in sent))
    failed = sandbox.failed_statuses(KEY)
    (dead,) = [status["biz_opaque_callback_data"] for status in failed]
    assert dead in sent
    assert sending(node, "statuses", redis_url, CHANNEL, given=json.dumps(failed)) == [{"reported": 1}]
    wait_for(lambda: dead not in current() and len(current()) == len(ready))
    called_off = sending(node, "cancel", redis_url, "sale")
    assert called_off == [{"campaign": "sale", "state": "cancelled"}]


def test_it_keeps_to_the_contract() -> None:
    """Its version, and which failures may be asked again after."""
    text = (EXAMPLE / "greenroom.mjs").read_text(encoding="utf-8")
    assert f"const CONTRACT = {CONTRACT_VERSION};" in text
    (again,) = [line for line in text.splitlines() if line.startswith("const AGAIN")]
    for error in RAISED:
        assert (f'"{error.__name__}"' in again) == issubclass(error, TransientError)
