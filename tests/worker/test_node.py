"""A scheduler in Node.js, by what the reference says and nothing else: examples/node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from examples import spring_sale
from greenroom.contract import CONTRACT_VERSION, RAISED
from greenroom.errors import TransientError
from greenroom.folder_items import items_of_paths
from sandbox.testing import RunningSandbox
from tests.support.production import CHANNEL, KEY, PATIENCE, Production
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


def test_a_campaign_is_got_ready_from_node(
    node: str,
    production: tuple[Production, RunningSandbox],
    redis_url: str,
    tmp_path: Path,
) -> None:
    """A line for each file; a failure is the error's name and its sentence, and comes at once."""
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


def test_it_keeps_to_the_contract() -> None:
    """Its version, and which failures may be asked again after."""
    text = (EXAMPLE / "greenroom.mjs").read_text(encoding="utf-8")
    assert f"const CONTRACT = {CONTRACT_VERSION};" in text
    (again,) = [line for line in text.splitlines() if line.startswith("const AGAIN")]
    for error in RAISED:
        assert (f'"{error.__name__}"' in again) == issubclass(error, TransientError)
