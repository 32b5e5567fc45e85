"""`greenroom run` of a folder that came before: the same IDs, and nothing is started for them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from examples.makers import drawn_image, saved
from tests.cli.conftest import Greenroom


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """An image that is taken, and a file that is not."""
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(saved(drawn_image(64, 48), "JPEG"))
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no image")
    return folder


def test_known_files_need_no_stack_and_changed_ones_do(
    greenroom: Greenroom, tmp_path: Path, media: Path
) -> None:
    """The second run is a campaign like any other; the third uploads what has changed."""
    logs = tmp_path / ".greenroom" / "sandbox" / "logs"

    def run(campaign: str) -> dict[str, dict[str, str]]:
        words = ("run", media, "--channel", "4915112345678", "--sandbox", "--json", "--campaign", campaign)
        done: subprocess.CompletedProcess[str] = greenroom(*words)
        assert done.returncode == 1, done.stderr
        rows = map(json.loads, done.stdout.splitlines())
        return {Path(row["path"]).name: row for row in rows}

    first = run("first")
    assert first["good.jpg"]["media_id"]
    assert logs.exists()
    # Whatever starts a stack makes it.
    shutil.rmtree(logs)
    second = run("second")
    assert second == first
    assert not logs.exists()
    status = greenroom("campaign", "status", "second", "--sandbox", "--json")
    assert json.loads(status.stdout)["ready"] == 1

    (media / "good.jpg").write_bytes(saved(drawn_image(48, 64), "JPEG"))
    third = run("third")
    assert third["good.jpg"]["media_id"] not in {None, first["good.jpg"]["media_id"]}
    assert third["bad.jpg"] == first["bad.jpg"]
    assert logs.exists()
