"""`greenroom campaign submit` and its `--dry-run`, which says what would happen, with the same exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from greenroom.vault import new_secret_key
from models import Base
from sandbox.testing import RunningSandbox
from tests.cli.test_json_documents import documented, keys_of
from tests.support.command import COMMAND, environment
from tests.support.production import CHANNEL, KEY, PATIENCE, Production, wait_for
from tests.support.receiver import receiving

SENT, LATER, LONG_AGO = "2030-01-01T09:00:00+00:00", "2030-01-02T09:00:00+00:00", "2020-01-01T09:00:00+00:00"


def submitted(
    folder: Path, settings: dict[str, str], *words: str, channel: str = CHANNEL, send_at: str = SENT
) -> tuple[int, str]:
    """The exit code, and all that it prints."""
    result = subprocess.run(
        [*COMMAND, "campaign", "submit", "sale", *words, "--channel", channel, "--send-at", send_at],
        cwd=folder,
        env={**settings, "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


def rows(running: Production) -> list[int]:
    """How many campaigns and items there are."""
    with running.database.read() as connection:
        return [
            connection.execute(select(func.count()).select_from(Base.metadata.tables[table])).scalar_one()
            for table in ("campaigns", "items")
        ]


def test_a_dry_run_of_all_that_can_become_of_a_campaign(
    production: tuple[Production, RunningSandbox],
    tmp_path: Path,
) -> None:
    """New, known, moved, and refused; with bad lines and sources that nobody may open; nothing is written."""
    running, _ = production
    submit = partial(submitted, running.folder, running.environment)
    running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    running.greenroom("channel", "add", "4915100000000", GREENROOM_API_KEY=KEY)
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.txt").write_text("Hello.\n", encoding="utf-8")
    (media / "Thumbs.db").write_text("x", encoding="utf-8")
    (tmp_path / "m.csv").write_text("ref,source\na,media/a.txt\nb,/etc/passwd\nc\n", encoding="utf-8")

    code, told = submit("media", "--dry-run", channel="4915199999999")
    assert (code, "Channel 4915199999999 is not known" in told) == (2, True), told
    code, told = submit("media", "--dry-run")
    assert code == 0, told
    assert "1 system file was passed over: Thumbs.db" in told
    assert "Campaign sale is not known yet, and would be sent at 2030-01-01 09:00 UTC." in told
    assert "1 upload left" in told
    assert "1 file would be handed over. This is a dry run: nothing was." in told
    code, told = submit("--manifest", "m.csv", "--dry-run")
    assert code == 1
    assert "1 line of m.csv cannot be taken:\n  line 4: source is missing" in told
    assert "1 file will be rejected unopened:\n  b: " in told
    assert "2 files would be handed over" in told
    assert submit("--manifest", "m.csv", "--dry-run", "--strict")[0] == 2
    assert rows(running) == [0, 0]

    assert submit("--manifest", "m.csv")[0] == 1
    assert rows(running) == [1, 2]
    code, told = submit("media", "--dry-run")
    assert (code, "Campaign sale is known with 2 files, and keeps its dates." in told) == (0, True), told
    code, told = submit("media", "--dry-run", send_at=LATER)
    assert code == 0
    assert "would be moved: sent at 2030-01-02 09:00 UTC, not 2030-01-01 09:00 UTC; kept until" in told
    refused = [
        ({"channel": "4915100000000"}, f"belongs to channel {CHANNEL}"),
        ({"send_at": LONG_AGO}, "is over since"),
    ]
    for given, why in refused:
        for words in ((), ("--dry-run",)):
            code, told = submit("media", *words, **given)
            assert (code, why in told) == (2, True), told
    running.greenroom("campaign", "cancel", "sale")
    for words in ((), ("--dry-run",)):
        code, told = submit("media", *words)
        assert (code, "was cancelled" in told) == (2, True), told
    assert rows(running) == [1, 2]


def test_what_is_handed_over_is_all_of_the_campaign(
    production: tuple[Production, RunningSandbox], tmp_path: Path
) -> None:
    """Once somebody has said so; until then nothing of it is lost."""
    running, _ = production
    submit = partial(submitted, running.folder, running.environment)
    running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(f"Hello {name}.\n", encoding="utf-8")
    (tmp_path / "m.csv").write_text("ref,source\na,a.txt\nold,b.txt\nc\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("ref,source\na,b.txt\nnew,a.txt\n", encoding="utf-8")
    whole = ("--manifest", "other.csv")
    assert submit("--manifest", "m.csv")[0] == 1
    for words, besides in (
        ((), "would stay in it, or be removed if you say so (--remove)."),
        (("--remove",), "would be removed."),
    ):
        code, told = submit(*whole, "--dry-run", *words)
        assert code == 0, told
        assert "2 files would be handed over: 1 added, 1 changed. This is a dry run: nothing was." in told
        assert f"1 file that the campaign has besides {besides}" in told
    assert submit(*whole, "--add", "--remove")[0] == 2

    # Nobody can be asked.
    code, told = submit(*whole)
    assert code == 0
    assert "1 file of campaign sale is not among them; with --remove, what is not handed over" in told
    assert rows(running) == [1, 3]
    # Something cannot be taken, and may be the very file.
    code, told = submit("--manifest", "m.csv", "--remove")
    assert (code, "Nothing is removed, because of what cannot be taken." in told) == (1, True)
    assert rows(running) == [1, 3]
    # Somebody is asked, and says no, and then yes.
    code, told = asked(running, *whole, answer="n")
    assert (code, "Nothing was handed over." in told) == (2, True), told
    assert rows(running) == [1, 3]
    code, told = asked(running, *whole, answer="y")
    assert "1 file of campaign sale is not among them. Remove from the campaign" in told
    assert (code, "2 files handed over: 1 changed, 1 unchanged, 1 removed." in told) == (0, True), told
    assert rows(running) == [1, 2]


def test_documents_of_what_is_handed_over(
    production: tuple[Production, RunningSandbox], tmp_path: Path
) -> None:
    """With `--json`: one line, of which the reference has each key, and the same exit codes."""
    running, _ = production
    running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    (tmp_path / "a.txt").write_text("Hello.\n", encoding="utf-8")
    (tmp_path / "m.csv").write_text("ref,source\na,a.txt\nb,/etc/passwd\nc\n", encoding="utf-8")
    (tmp_path / "other.csv").write_text("ref,source\nb,a.txt\n", encoding="utf-8")

    def document(name: str, *words: str, code: int = 0) -> dict[str, Any]:
        result = subprocess.run(
            [*COMMAND, "campaign", name, "sale", *words, "--json"],
            cwd=running.folder,
            env=running.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (result.returncode, result.stdout.count("\n")) == (code, 1), result.stdout + result.stderr
        read: dict[str, Any] = json.loads(result.stdout)
        own, _ = documented(f"campaign {name}")
        _, all_words = documented(f"campaign {name}", "campaign status")
        of_a_dry_run = {"known", "besides"} if name == "submit" and not read["dry_run"] else set()
        assert own - of_a_dry_run - {"by_channel"} - set(read) == set()
        assert set(keys_of(read)) <= all_words
        return read

    def submit(*words: str, code: int = 0) -> dict[str, Any]:
        return document("submit", *words, "--channel", CHANNEL, "--send-at", SENT, code=code)

    counts = ("files", "left_out", "will_be_rejected", "added", "changed", "removed")
    new = submit("--manifest", "m.csv", "--dry-run", code=1)
    assert [new[key] for key in counts] == [2, 1, 1, 2, 0, 0]
    assert (new["known"], new["besides"], new["dry_run"], new["readiness"]["left"]) == (False, 0, True, 2)
    assert rows(running) == [0, 0]
    kept = submit("--manifest", "m.csv", code=1)
    assert [kept[key] for key in counts] == [2, 1, 1, None, None, 0]
    other = submit("--manifest", "other.csv", "--dry-run")
    assert [other[key] for key in (*counts, "known", "besides")] == [1, 0, 0, 0, 1, 0, True, 1]
    assert submit("--manifest", "other.csv", "--dry-run", "--remove")["removed"] == 1
    whole = submit("--manifest", "other.csv", "--remove")
    assert [whole[key] for key in counts] == [1, 0, 0, 0, 1, 1]
    assert document("retry") == {"campaign": "sale", "inspected": 0, "uploaded": 0}
    assert document("move", "--send-at", LATER)["send_at"] == LATER


def asked(running: Production, *words: str, answer: str) -> tuple[int, str]:
    """As `submitted`, at a terminal at which somebody types an answer."""
    ours, theirs = pty.openpty()
    words = ("campaign", "submit", "sale", *words, "--channel", CHANNEL, "--send-at", SENT)
    with open(ours, "r+b", buffering=0) as terminal:  # noqa: PTH123 - a descriptor, not a path
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=running.folder,
            env=running.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        terminal.write(answer.encode() + b"\n")
        told = b""
        # At its end, Linux gives an error, and macOS nothing.
        with suppress(OSError):
            while part := terminal.read(4096):
                told += part
        return process.wait(PATIENCE), " ".join(told.decode().split())


def test_whoever_hands_over_by_the_command_is_called_back(
    production: tuple[Production, RunningSandbox], tmp_path: Path
) -> None:
    """By HTTP, or by a task; what is not allowed is refused by its setting, by a dry run, too."""
    running, _ = production
    submit = partial(submitted, running.folder, running.environment)
    running.greenroom("channel", "add", CHANNEL, GREENROOM_API_KEY=KEY)
    (tmp_path / "a.txt").write_text("Hello.\n", encoding="utf-8")
    not_allowed = ("--callback-url", "https://crm.example/")
    hosts = "GREENROOM_CALLBACK_HOSTS has no such host"
    for words, why in (
        (not_allowed, hosts),
        ((*not_allowed, "--dry-run"), hosts),
        (("--callback-task", "erp.ready"), "GREENROOM_CALLBACK_TASKS has no such task"),
        (("--callback-url", "crm.example"), "callback.url: must be an http(s) address"),
        ((*not_allowed, "--callback-task", "crm.ready"), "has one call-back"),
        (("--callback-queue", "crm"), "is the queue of --callback-task"),
    ):
        code, told = submit("a.txt", *words)
        assert (code, why in " ".join(told.split())) == (2, True), told
    assert rows(running) == [0, 0]
    with receiving() as receiver:
        code, told = submit("a.txt", "--callback-url", receiver.url, "--upload-from", LONG_AGO)
        assert code == 0, told
        wait_for(lambda: bool(receiver.requests))
        assert receiver.said[0]["data"]["campaign_id"] == "sale"
        code, told = submit("a.txt", *not_allowed, "--dry-run")
        assert (code, hosts in told) == (2, True), told
        code, told = submit("a.txt", "--callback-task", "crm.ready", "--callback-queue", "crm")
        assert code == 0, told
    with running.database.read() as connection:
        target = connection.execute(select(Base.metadata.tables["callbacks"].c.target)).scalar_one()
    assert target == '{"task":"crm.ready","queue":"crm"}'


def test_a_dry_run_asks_workers(tmp_path: Path) -> None:
    """Where nobody answers it cannot be done, as the real one could not."""
    (tmp_path / "a.txt").write_text("Hello.\n", encoding="utf-8")
    settings = environment(
        GREENROOM_DATABASE_URL="sqlite:///none.db",
        GREENROOM_REDIS_URL="redis://127.0.0.1:1/0",
        GREENROOM_MEDIA_ROOTS=str(tmp_path),
        GREENROOM_SECRET_KEY=new_secret_key().get_secret_value(),
    )
    code, told = submitted(tmp_path, settings, "a.txt", "--dry-run")
    assert code == 2
    assert "Error: The broker" in told
    assert "Traceback" not in told
