"""`greenroom campaign watch` follows a campaign to its end, on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from models import Asset, Item
from models.cancellation import cancel_campaign
from models.channel import pause_channel
from tests.cli.test_json_documents import documented, keys_of
from tests.support.command import COMMAND, environment
from tests.support.rows import accepted_item, asset_row, ready_item
from tests.support.world import CHANNEL, World

#: Seconds that a command may take on a busy machine.
PATIENCE = 60.0
#: What colours text; bold and movements of the cursor are none.
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3\d(?:;\d+)*m")
#: Colours, bold, and their ends.
STYLES = re.compile(r"\x1b\[[\d;]*m")

Watching = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def present(world: World) -> World:
    """A world whose clock shows the time of the processes that look into it."""
    world.clock.advance(datetime.now(UTC) - world.clock.now())
    return world


@pytest.fixture
def watching(present: World) -> Iterator[Watching]:
    """Start the command in the background."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, stdout: int = subprocess.PIPE, **more: str) -> subprocess.Popen[str]:
        settings = present.context.settings
        process = subprocess.Popen(
            [*COMMAND, "campaign", "watch", "spring", *words],
            env=environment(
                GREENROOM_DATABASE_URL=settings.database_url.get_secret_value(),
                GREENROOM_REDIS_URL=settings.redis_url.get_secret_value(),
                GREENROOM_SECRET_KEY=settings.secret_key.get_secret_value(),
                **more,
            ),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for it."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_settled_campaign_ends_at_once(present: World, watching: Watching) -> None:
    """Exit code 0 where all are ready."""
    ready_item(present, "hero", media_id="111")
    output, errors = watching().communicate(timeout=PATIENCE)
    assert errors == ""
    assert output.count("\n") == 1
    assert "spring: 1 of 1 file ready." in output


def test_a_line_for_each_change_and_an_exit_code_for_bad_ones(present: World, watching: Watching) -> None:
    """Nothing that only a terminal understands; what is bad is named in the end."""
    waits = accepted_item(present, "waits")
    ready_item(present, "hero", media_id="111")
    process = watching(FORCE_COLOR="1")
    line = first_line(process)
    assert "spring: 1 of 2 files ready, 1 waiting. 1 upload left, at the 25 a second allowed" in line
    assert "Time left: 0 seconds." in line
    with present.database.write() as connection:
        pause_channel(connection, CHANNEL, reason="The key was refused.", now=present.clock.now())
    assert "At risk: 1 upload left, and its channel is paused." in (line := first_line(process))
    assert f"Channel {CHANNEL} is paused: The key was refused." in line
    with present.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == waits).values(state="failed"))
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == ""
    assert "1 of 2 files ready, 1 bad." in output
    assert output.endswith("1 file cannot be sent. See: greenroom campaign status spring\n")
    assert "\x1b" not in output


def test_an_object_for_each_change(present: World, watching: Watching) -> None:
    """With `--json`, of which the reference has each key; the same exit code, and no sentences."""
    waits = accepted_item(present, "waits")
    ready_item(present, "hero", media_id="111")
    process = watching("--json")
    first = json.loads(first_line(process))
    assert (first["waiting"], first["ready"], first["paused"], first["readiness"]["left"]) == (1, 1, {}, 1)
    with present.database.write() as connection:
        connection.execute(update(Asset).where(Asset.id == waits).values(state="failed"))
    output, errors = process.communicate(timeout=PATIENCE)
    (last,) = map(json.loads, output.splitlines())
    assert (last["settled"], last["failed"], last["total"]) == (2, 1, 2)
    assert (process.returncode, errors) == (1, "")
    own, _ = documented("campaign watch")
    _, all_words = documented("campaign watch", "campaign list", "campaign status")
    assert own <= set(last)
    assert set(keys_of(last)) <= all_words


def test_a_cancelled_campaign_ends_it(present: World, watching: Watching) -> None:
    """And it says so."""
    accepted_item(present, "waits")
    process = watching()
    first_line(process)
    with present.database.write() as connection:
        cancel_campaign(connection, "spring", now=present.clock.now())
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "Campaign spring was cancelled at" in output


def test_ctrl_c_ends_the_watching_alone(present: World, watching: Watching) -> None:
    """Exit code 130, and the rows are as they were."""
    asset_id = accepted_item(present, "waits")
    before = asset_row(present, asset_id)
    process = watching()
    first_line(process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert (
        errors == "Interrupted. Only the watching ended: workers continue, and what is ready stays ready.\n"
    )
    assert output == ""
    assert asset_row(present, asset_id) == before


@pytest.mark.parametrize("words", [{}, {"NO_COLOR": "1"}], ids=["colours", "none"])
def test_on_a_terminal_it_is_one_screen(present: World, watching: Watching, words: dict[str, str]) -> None:
    """With colours, unless NO_COLOR is set."""
    ready_item(present, "hero", media_id="111")
    accepted_item(present, "bad")
    with present.database.write() as connection:
        connection.execute(update(Item).where(Item.ref == "bad").values(state="rejected", asset_id=None))
    ours, its = pty.openpty()
    process = watching(stdout=its, TERM="xterm-256color", COLUMNS="80", **words)
    os.close(its)
    shown = read_all(ours)
    assert process.wait(timeout=PATIENCE) == 1
    assert "1 of 2 files ready, 1 bad" in STYLES.sub("", shown)
    assert "\x1b[?25l" in shown, "no live screen"
    assert bool(COLOUR.search(shown)) is not bool(words)


def read_all(terminal: int) -> str:
    """What a process wrote to its terminal, to the end."""
    parts = []
    with suppress(OSError):  # Linux says EIO once nobody has the other side any more
        while part := os.read(terminal, 4_096):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


def test_an_unknown_campaign_is_named(watching: Watching) -> None:
    """Exit code 2."""
    process = watching()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "Campaign spring is not known here." in errors
