"""`greenroom run`: a folder goes in, media IDs come out, whatever is killed on the way."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
from pathlib import Path

import psutil
import pytest

from greenroom.reasons import Reason
from tests.cli.conftest import MANY, Greenroom, Rehearse
from worker.embedded.supervisor_process import ALLOCATOR

FIELDS = {
    *("path", "verdict", "category", "mime_type", "size", "sha256", "reason", "detail"),
    *("media_id", "expires_at"),
}


def test_every_good_file_gets_an_id_and_every_bad_one_a_reason(rehearse: Rehearse) -> None:
    """Two worker processes, no 429 at the server; and the same folder again uploads nothing."""
    first = rehearse("--campaign", "first")
    peak = throttled = 0
    while first.look():
        stats = first.stats()
        peak, throttled = max(peak, stats.get("peak_rps", 0)), max(throttled, stats.get("throttled", 0))
    rows = first.finish()
    assert len(rows) == MANY
    assert throttled == 0
    assert 0 < peak <= 25
    for row in rows:
        assert set(row) == FIELDS
        if row["verdict"] == "accepted":
            assert row["media_id"]
            assert row["expires_at"]
            assert row["reason"] is None
        else:
            assert row["media_id"] is None
            assert Reason(row["reason"])
            assert row["detail"]
    assert first.process.returncode == 1  # some were rejected
    with (first.state_dir.folder / "first.csv").open(encoding="utf-8") as file:
        mapping = {line["source"]: line["media_id"] for line in csv.DictReader(file)}
    assert mapping == {row["path"]: row["media_id"] or "" for row in rows}

    second = rehearse("--campaign", "second")
    uploads = 0
    while second.look():
        uploads = max(uploads, second.stats()["uploads"])
    assert [row["media_id"] for row in second.finish()] == [row["media_id"] for row in rows]
    assert uploads == 0
    assert first.left_running() == second.left_running() == []


def uploading_now(database: Path) -> int:
    """How many files workers have in hand."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        count: int = connection.execute("SELECT count(*) FROM assets WHERE state = 'uploading'").fetchone()[0]
    connection.close()
    return count


def test_workers_are_started_with_our_allocator(rehearse: Rehearse) -> None:
    """Unless whoever runs it has chosen his own."""
    run = rehearse()
    run.wait_for(lambda: run.stats()["uploads"] >= 1)
    found = psutil.Process(run.pid("worker-1")).environ()
    assert {name: found.get(name) for name in ALLOCATOR} == {
        name: os.environ.get(name, value) for name, value in ALLOCATOR.items()
    }
    run.process.send_signal(signal.SIGINT)


def test_a_killed_worker_and_a_killed_broker_lose_nothing(rehearse: Rehearse) -> None:
    """The run ends complete, and no more arrive twice than were in flight."""
    run = rehearse()
    run.wait_for(lambda: run.stats()["uploads"] >= 15)
    in_flight = uploading_now(run.state_dir.database)
    os.kill(run.pid("worker-1"), signal.SIGKILL)
    run.wait_for(lambda: run.stats()["uploads"] >= 45)
    in_flight += uploading_now(run.state_dir.database)
    os.kill(run.pid("broker"), signal.SIGKILL)
    arrived_twice = throttled = 0
    while run.look():
        stats = run.stats()
        arrived_twice = max(arrived_twice, stats.get("duplicates", 0))
        throttled = max(throttled, stats.get("throttled", 0))
    rows = run.finish()
    assert len(rows) == MANY
    assert [row["verdict"] == "accepted" for row in rows] == [bool(row["media_id"]) for row in rows]
    assert sum(bool(row["media_id"]) for row in rows) > MANY / 2
    assert arrived_twice <= in_flight
    assert throttled == 0
    assert run.left_running() == []


@pytest.mark.parametrize(
    ("uploads", "number"),
    [(0, signal.SIGINT), (10, signal.SIGINT), (10, signal.SIGTERM), (10, signal.SIGKILL)],
)
def test_a_run_that_is_interrupted_leaves_nothing_running(
    rehearse: Rehearse, uploads: int, number: signal.Signals
) -> None:
    """While it starts and while it works; by Ctrl-C, by a polite and by an impolite kill."""
    run = rehearse()
    run.wait_for(lambda: bool(run.state_dir.processes.exists() and run.stats()["uploads"] >= uploads))
    run.process.send_signal(number)
    run.process.communicate(timeout=60)
    assert run.left_running() == []


def media_ids(database: Path) -> set[str]:
    """The IDs in a database, the sandbox's store or ours."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return {row[0] for row in connection.execute("SELECT media_id FROM media")}
    finally:
        connection.close()


def test_an_interrupted_run_records_what_was_in_flight(rehearse: Rehearse) -> None:
    """An upload that was begun is ended and written down: else the provider alone would know of it."""
    run = rehearse("--latency", "1s")
    run.wait_for(lambda: run.stats()["uploads"] >= 10)
    run.process.send_signal(signal.SIGINT)
    _, errors = run.process.communicate(timeout=60)
    assert run.process.returncode == 130
    given = media_ids(run.state_dir.sandbox / "store.sqlite3")
    assert len(given) >= 10
    assert media_ids(run.state_dir.database) == given
    ready = re.fullmatch(
        r"Interrupted\. (\d+) of 90 files are ready, and stay so\. The same command .+\n", errors
    )
    assert ready is not None, errors
    assert 10 <= int(ready[1]) <= MANY


def test_what_a_killed_supervisor_leaves_is_gone_after_the_next_run(rehearse: Rehearse) -> None:
    """Even where nobody could clean up, the next start does; and what was uploaded is not sent again."""
    run = rehearse()
    run.wait_for(lambda: run.stats()["uploads"] >= 10)
    assert run.supervisor is not None
    os.kill(run.supervisor.pid, signal.SIGKILL)
    run.process.communicate(timeout=60)
    assert run.process.returncode == 2
    again = rehearse()
    while again.look():
        pass
    rows = again.finish()
    assert len(rows) == MANY
    assert [row["verdict"] == "accepted" for row in rows] == [bool(row["media_id"]) for row in rows]
    assert sum(bool(row["media_id"]) for row in rows) > MANY / 2
    assert run.left_running() == again.left_running() == []


def test_two_runs_do_not_share_a_state_folder(
    rehearse: Rehearse, greenroom: Greenroom, many_files: Path
) -> None:
    """The second one says so at once, and does no harm."""
    run = rehearse("--latency", "10s")
    run.wait_for(run.state_dir.processes.exists)
    second = greenroom("run", many_files, "--channel", "4915112345678", "--sandbox")
    assert second.returncode == 2
    assert "Another Greenroom is at work" in second.stderr
    run.process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run", ".", "--channel", "1", "--sandbox"], "There are no files there"),
        (["run", ".", "--channel", "1"], "There are no files there"),
        (["run", "nowhere", "--channel", "1"], "does not exist"),
        (["run", "--channel", "1"], "Give paths, or a --manifest"),
        (["run", "{file}", "--channel", "1"], "GREENROOM_API_KEY"),
        (["run", "{file}", "--channel", "a b", "--sandbox"], "channel"),
        (["run", "{file}", "--channel", "1", "--sandbox", "--latency", "soon"], "latency"),
        (["run", "{file}", "--channel", "1", "--sandbox", "--send-at", "2026-12-24"], "with a zone"),
        (["run", "--manifest", "{file}", "--channel", "1", "--sandbox"], "no manifest"),
        (["channel", "list"], "There is no database yet"),
        (["campaign", "status"], "There is no database yet"),
    ],
)
def test_misuse_is_a_sentence_and_exit_code_2(
    greenroom: Greenroom, tmp_path_factory: pytest.TempPathFactory, words: list[str], complaint: str
) -> None:
    """What is wrong, and what to do; never a traceback."""
    file = tmp_path_factory.mktemp("one") / "hello.txt"
    file.write_text("Hello!\n", encoding="utf-8")
    result = greenroom(*(word.format(file=file) for word in words))
    assert result.returncode == 2
    assert complaint.lower() in result.stderr.lower().replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_a_refused_key_ends_the_run_with_what_to_do(greenroom: Greenroom, tmp_path: Path) -> None:
    """Against a sandbox that knows another key: the channel is paused, and the run says so.

    The right key stands in `.env`, as it may.
    """
    from sandbox.testing import RunningSandbox  # noqa: PLC0415 - for this test alone

    (tmp_path / "hello.txt").write_text("Hello!\n", encoding="utf-8")
    with RunningSandbox(api_keys=["right-key"]) as sandbox:
        words = ["run", "hello.txt", "--channel", "4915", "--json"]
        wrong = greenroom(*words, GREENROOM_API_KEY="wrong-key", GREENROOM_API_BASE_URL=sandbox.url)
        assert wrong.returncode == 2
        assert "Channel 4915 is paused" in wrong.stderr
        dotenv = tmp_path / ".env"
        dotenv.write_text(
            f"GREENROOM_API_KEY=right-key\nGREENROOM_API_BASE_URL={sandbox.url}\n", encoding="utf-8"
        )
        right = greenroom(*words)
        assert right.returncode == 0, right.stderr
        dotenv.unlink()
        assert json.loads(right.stdout)["media_id"] in sandbox.live_media_ids("right-key")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert everything
    assert b"right-key" not in everything + right.stderr.encode() + right.stdout.encode()
    assert b"wrong-key" not in everything + wrong.stderr.encode() + wrong.stdout.encode()


@pytest.mark.parametrize(
    ("more", "words", "complaint"),
    [
        ({"GREENROOM_UPLOADS_PER_SECND": "3"}, [], "did you mean GREENROOM_UPLOADS_PER_SECOND?"),
        (
            {"GREENROOM_UPLOADS_PER_SECOND": "30"},
            [],
            "GREENROOM_UPLOADS_PER_SECOND: input should be less than or equal to 25",
        ),
        ({}, ["--csv", "nowhere/x.csv"], "The mapping cannot be written to nowhere/x.csv"),
        ({}, ["--send-at", "2020-01-01T00:00:00Z"], "Give a later --send-at"),
        ({}, ["--campaign", "spring sale"], "letters, digits and"),
        ({}, ["--state", "/proc/nope"], "cannot be made"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_started(
    greenroom: Greenroom, tmp_path: Path, more: dict[str, str], words: list[str], complaint: str
) -> None:
    """Nothing is uploaded for a mapping that cannot be written, or with settings that are wrong."""
    (tmp_path / "hello.txt").write_text("Hello!\n", encoding="utf-8")
    result = greenroom("run", "hello.txt", "--channel", "4915", "--sandbox", *words, **more)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / ".greenroom" / "sandbox" / "greenroom.db").exists()
