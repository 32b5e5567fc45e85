"""The other commands, on what a run has left, and `check` on nothing at all."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from cli.embedded_plan import ITS_OWN, stack_plan
from examples import spring_sale
from greenroom.vault import new_secret_key
from sandbox.testing import RunningSandbox
from tests.cli.conftest import Greenroom
from tests.support.command import COMMAND, environment


def test_an_installation_of_its_own_takes_no_broker_from_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has settings of a production in the environment can run a folder all the same."""
    monkeypatch.chdir(tmp_path)
    names = {f"GREENROOM_{name}" for name in (*ITS_OWN, "SENTINEL_MASTER")}
    for name in names:
        monkeypatch.setenv(name, "sentinel://one:26379")
    plan = stack_plan(tmp_path, workers=1, concurrency=1, sandbox=True, latency="0ms", flower=False)
    assert not names & set(plan.environment)


def test_check_needs_nothing_running(greenroom: Greenroom, many_files: Path) -> None:
    """One JSON object a file, in the order of the folder; exit code 1 where any is rejected."""
    result = greenroom("check", many_files, "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 1
    assert [row["path"] for row in rows] == [str(path) for path in sorted(many_files.iterdir())]
    fields = {"path", "verdict", "category", "mime_type", "size", "sha256", "reason", "detail"}
    assert all(set(row) - {"notices"} == fields for row in rows)
    told = [row["notices"] for row in rows if "notices" in row]
    assert told
    assert all(told)
    assert {row["verdict"] for row in rows} == {"accepted", "rejected"}


def test_check_of_good_files_alone_is_0_and_of_none_is_2(greenroom: Greenroom, tmp_path: Path) -> None:
    """Exit codes are part of the contract."""
    (tmp_path / "hello.txt").write_text("Hello!\n", encoding="utf-8")
    good = greenroom("check", "hello.txt")
    assert (good.returncode, "1 of 1 file accepted" in good.stdout) == (0, True)
    assert greenroom("check", "nowhere.txt").returncode == 2
    assert greenroom("check").returncode == 2


def test_names_can_neither_mark_up_nor_steer_the_terminal(greenroom: Greenroom, tmp_path: Path) -> None:
    """What looks like rich's markup is shown as it is, and control characters are not."""
    (tmp_path / "in [").mkdir()
    for name in ("in [/red].txt", "[bold]x.txt", "escape\x1b[31m.txt", "two\nlines.txt"):
        (tmp_path / name).write_text("Hello!\n", encoding="utf-8")
    result = greenroom("check", ".", COLUMNS="200")
    assert result.returncode == 0, result.stderr
    for shown in ("in [/red].txt", "[bold]x.txt", "[31m.txt", "lines.txt"):
        assert shown in result.stdout
    assert "\x1b" not in result.stdout


def test_a_name_that_is_not_unicode_is_spelt_out(greenroom: Greenroom, tmp_path: Path) -> None:
    """As JSON of ASCII alone, from which a program gets the very bytes; a campaign cannot hold it."""
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("Hello!\n", encoding="utf-8")
    judged = greenroom("check", tmp_path, "--json", PYTHONIOENCODING="utf-8:strict")
    assert judged.returncode == 0, judged.stderr
    assert os.fsencode(json.loads(judged.stdout)["path"]) == os.fsencode(path)
    run = greenroom("run", tmp_path, "--channel", "4915", "--sandbox")
    assert run.returncode == 2
    assert r"caf\udce9.txt: The name is not UTF-8" in run.stderr


def test_an_interrupted_check_ends_at_once_and_says_so_in_a_word(many_files: Path) -> None:
    """Neither tracebacks of its processes, nor exit code 1, which says that files were rejected."""
    command = [*COMMAND, "check", *[str(many_files)] * 40, "--json"]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert b"Interrupted." in errors


def test_after_a_run_its_database_can_be_looked_into(greenroom: Greenroom, tmp_path: Path) -> None:
    """Status, export, media and channels, of the embedded installation; no name steers the terminal."""
    spring_sale.make(tmp_path / "sale")
    hostile = ["[bold]x.txt", "escape\x1b[31m.txt"]
    for name in hostile:
        (tmp_path / "sale" / name).write_text(name, encoding="utf-8")
    words = ("run", "sale", "--channel", "4915", "--sandbox", "--campaign", "sale")
    run = greenroom(*words, COLUMNS="200")
    assert run.returncode == 1, run.stderr
    assert "[bold]x.txt" in run.stdout
    assert "[31m.txt" in run.stdout
    assert "\x1b" not in run.stdout
    assert "Ready to send" in run.stdout
    assert "Cannot be sent" in run.stdout
    ready = [row for row in exported(greenroom) if row["media_id"]]
    assert len(ready) == len(spring_sale.FILES) - len(spring_sale.BAD) + len(hostile)
    status = greenroom("campaign", "status", "sale", "--sandbox")
    assert status.returncode == 0
    assert f"{len(ready)}" in status.stdout
    media = greenroom("media", "list", "--sandbox")
    assert all(row["media_id"] in media.stdout for row in ready)
    assert "4915" in greenroom("channel", "list", "--sandbox").stdout
    assert "is cancelled" in greenroom("campaign", "cancel", "sale", "--sandbox").stdout
    assert "(cancelled)" in greenroom("campaign", "status", "--sandbox").stdout.replace("\n", "")
    doctor = greenroom("doctor", "--sandbox")
    assert doctor.returncode == 0, doctor.stdout


def exported(greenroom: Greenroom) -> list[dict[str, str]]:
    """The campaign's mapping."""
    result = greenroom("campaign", "export", "sale", "--sandbox")
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(result.stdout.splitlines()))


def test_a_manifest_gives_refs_and_kinds(greenroom: Greenroom, tmp_path: Path) -> None:
    """Sources are relative to the manifest, here one as Excel writes it; a kind that does not fit rejects."""
    spring_sale.make(tmp_path / "sale")
    lines = ["ref;source;kind", "A;sale/terms.pdf;", "B;sale/teaser.mp4;video", "C;sale/terms.pdf;image"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    result = greenroom(
        *("run", "--manifest", "manifest.csv", "--channel", "4915", "--sandbox", "--campaign", "sale"),
    )
    assert result.returncode == 1, result.stderr
    rows = {row["ref"]: row for row in exported(greenroom)}
    assert rows["A"]["media_id"]
    assert rows["B"]["media_id"]
    assert rows["C"]["reason"] == "wrong_kind"


def test_the_demo_shows_all_and_leaves_nothing(greenroom: Greenroom, tmp_path: Path) -> None:
    """What `make demo` runs: tables, the mapping, what to do next, and a database to be looked into."""
    result = greenroom("demo")
    assert result.returncode == 0, result.stderr
    for words in ("Ready to send", "Cannot be sent", "GREENROOM_API_KEY_FILE=", "--sandbox"):
        assert words in result.stdout
    assert (tmp_path / ".greenroom" / "demo" / "spring-sale.csv").exists()
    assert not (tmp_path / ".greenroom" / "demo" / "processes.json").exists()
    told = [line.split() for line in result.stdout.splitlines()]
    again = [line[1:] for line in told if line[1:2] == ["campaign"]]
    assert [line[1] for line in again] == ["status", "report"]
    for line in again:
        looked = greenroom(*line)
        assert (looked.returncode, "spring-sale" in looked.stdout + looked.stderr) == (0, True), looked.stderr
    assert "spring-sale" in (tmp_path / "spring-sale.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["check", "--help"], ["campaign", "submit", "--help"]]
)
def test_help_is_there(greenroom: Greenroom, words: list[str]) -> None:
    """For every command, in a sentence."""
    assert greenroom(*words).returncode == 0


def test_a_commented_line_in_dotenv_says_nothing(greenroom: Greenroom, tmp_path: Path) -> None:
    """Only what is set there counts."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("# GREENROOM_DATABASE_URL=postgresql://x\n", encoding="utf-8")
    assert "There is no database yet" in greenroom("channel", "list").stderr


@pytest.mark.parametrize(
    ("kept", "words", "helps"),
    [("sandbox", [], "add --sandbox"), ("live", ["--sandbox"], "leave --sandbox out")],
)
def test_who_looks_beside_an_installation_is_told_where_it_is(
    greenroom: Greenroom, tmp_path: Path, kept: str, words: list[str], helps: str
) -> None:
    """A run with --sandbox keeps what it did in a folder of its own."""
    (tmp_path / ".greenroom" / kept).mkdir(parents=True)
    (tmp_path / ".greenroom" / kept / "greenroom.db").touch()
    result = greenroom("channel", "list", *words)
    assert (result.returncode, helps in result.stderr.replace("\n", " ")) == (2, True)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["channel", "add", "number one"], "The channel cannot be used"),
        (["channel", "list", "--sandbox"], "Leave one of them away"),
        (["channel", "resume", "nope"], "Channel nope is not known"),
        (["campaign", "status", "nope"], "Campaign nope is not known here"),
    ],
)
def test_commands_in_production_complain_in_sentences(
    greenroom: Greenroom, migrated_sqlite: Path, words: list[str], complaint: str
) -> None:
    """What is wrong, where, and what to do."""
    settings = {
        "GREENROOM_DATABASE_URL": f"sqlite:///{migrated_sqlite}",
        "GREENROOM_REDIS_URL": "redis://127.0.0.1:9/0",
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
    }
    result = greenroom(*words, **settings)
    assert result.returncode == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.stderr


def test_two_sandboxes_do_not_share_a_state(greenroom: Greenroom, tmp_path: Path) -> None:
    """The second one says so."""
    with RunningSandbox(state=tmp_path / "state"):
        result = greenroom("sandbox", "--port", "0", "--state", "state")
    assert result.returncode == 2
    assert "Another sandbox works with this state directory" in result.stderr
