"""A shell completes the command's words and the names that are known, and loads nothing for it in vain."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from cli import known_names, main
from cli.campaign import SUBCOMMANDS
from cli.completion import SHELLS
from cli.known_names import MOST_NAMES
from cli.main import COMMANDS
from cli.options import CAMPAIGN
from cli.options import CHANNEL as CHANNEL_TYPE
from cli.quick_completion import FIRST, WITH_CHANNEL
from migrations import upgrade_database
from models import Base, Database
from models.channel import add_channel
from tests.support.command import environment
from tests.support.world import CHANNEL, NOON


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ca"], {"campaign"}),
        (["campaign", ""], set(SUBCOMMANDS)),
        (["sandbox", "--la"], {"--latency"}),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], found: set[str]) -> None:
    """Commands, subcommands and options, by the script that is printed."""
    command = tmp_path / "greenroom"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        f'eval "$("{command}" completion bash)"; COMP_WORDS=(greenroom {typed}); COMP_CWORD={len(words)}; '
        f'_greenroom_completion "{command}"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    said = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - as people have it
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (set(said.stdout.split()), said.stderr) == (found, "")


def test_the_list_of_commands_is_completed_without_loading_them() -> None:
    """Whoever presses a key is not kept waiting."""
    code = "import sys; from cli import main; main(prog_name='greenroom', standalone_mode=False)"
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {code}"
    more = {"_GREENROOM_COMPLETE": "bash_complete", "COMP_WORDS": "greenroom ", "COMP_CWORD": "1"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment(**more), capture_output=True, text=True, check=False
    )
    assert {line.rpartition(",")[2] for line in said.stdout.splitlines()} == set(COMMANDS)
    loaded = set(said.stderr.split())
    assert "click" in loaded
    assert not {"cli.campaign", "cli.run", "celery", "sqlalchemy", "pydantic"} & loaded


def completed(shell: str, *words: str) -> list[str]:
    """What a shell is offered for the last word, by click's protocol."""
    more = {"_GREENROOM_COMPLETE": f"{shell}_complete", "COMP_WORDS": " ".join(["greenroom", *words])}
    # fish says what is typed of the last word, the others which word it is.
    more["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words))
    said = CliRunner().invoke(main, prog_name="greenroom", env=more)
    assert (said.exit_code, said.stderr) == (0, ""), said.output
    lines = said.stdout.splitlines()
    if shell == "zsh":
        return lines[1::3]
    return [line.partition(",")[2] for line in lines if line]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a database is waited for."""
    monkeypatch.setattr(known_names, "PATIENCE", 60.0)


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an embedded installation, its database as `greenroom run` leaves it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GREENROOM_")]:
        monkeypatch.delenv(name)
    file = tmp_path / ".greenroom" / "live" / "greenroom.db"
    file.parent.mkdir(parents=True)
    database = Database(SecretStr(f"sqlite:///{file}"))
    upgrade_database(database.engine)
    fill(database)
    return file


def fill(database: Database) -> None:
    """A channel, and more campaigns than are offered; the newest has a name that would drive the terminal."""
    oldest = ("100%_sale", "autumn")
    names = [*oldest, *(f"spring-{number:03d}" for number in range(MOST_NAMES + 20)), "spring-\x1b[2J"]
    with database.write() as connection:
        add_channel(connection, channel_id=CHANNEL, api_base_url="http://x", api_key="x", now=NOON)
        rows = [
            {"name": name, "channel": CHANNEL, "now": NOON + timedelta(seconds=number)}
            for number, name in enumerate(names)
        ]
        connection.execute(
            text(
                "INSERT INTO campaigns (id, channel_id, send_at, keep_until, created_at, submission)"
                " VALUES (:name, :channel, :now, :now, :now, 0)"
            ),
            rows,
        )
    database.close()


@pytest.mark.usefixtures("patient", "embedded")
@pytest.mark.parametrize("shell", SHELLS)
def test_names_of_campaigns_and_channels_are_completed(shell: str) -> None:
    """As arguments and as options, after other words, and by their beginning, letter by letter."""
    assert completed(shell, "campaign", "status", "a") == ["autumn"]
    assert completed(shell, "campaign", "submit", "new", "--channel", "4") == [CHANNEL]
    assert completed(shell, "channel", "set", "49") == [CHANNEL]
    assert completed(shell, "campaign", "cancel", "100%") == ["100%_sale"]
    assert completed(shell, "campaign", "cancel", "%") == []
    assert completed(shell, "campaign", "status", "--state", ".greenroom/live", "au") == ["autumn"]
    found = completed(shell, "campaign", "export", "spring-")
    # The newest, and none that would drive the terminal.
    newest = [f"spring-{number:03d}" for number in reversed(range(MOST_NAMES + 20))]
    assert found == newest[: MOST_NAMES - 1]


@pytest.mark.usefixtures("patient", "embedded")
def test_what_is_no_name_is_completed_as_ever() -> None:
    """By the command itself: its options, and paths."""
    assert "--html" in completed("bash", "campaign", "report", "--h")
    assert completed("bash", "campaign", "report", "autumn", "--for") == ["--force"]
    more = {"_GREENROOM_COMPLETE": "bash_complete", "COMP_CWORD": "4"}
    said = CliRunner().invoke(
        main, prog_name="greenroom", env={**more, "COMP_WORDS": "greenroom campaign submit autumn me"}
    )
    assert said.stdout == "file,me\n"


@pytest.mark.usefixtures("patient")
def test_names_of_an_installation_in_production_are_completed(
    embedded: Path, migrated_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the database that the environment names, or a file, or a `.env`."""
    database = Database(SecretStr(migrated_postgres))
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY CASCADE"))
    fill(database)
    embedded.unlink()
    assert completed("bash", "campaign", "status", "a") == []
    file = embedded.with_name("url")
    file.write_text(migrated_postgres + "\n", encoding="utf-8")
    for name, value in (("GREENROOM_DATABASE_URL", migrated_postgres), ("GREENROOM_DATABASE_URL_FILE", file)):
        with monkeypatch.context() as given:
            given.setenv(name, str(value))
            assert completed("bash", "campaign", "status", "a") == ["autumn"]
            assert completed("bash", "channel", "pause", "") == [CHANNEL]
        Path(".env").write_text(f"{name}={value}\n", encoding="utf-8")
        assert completed("bash", "campaign", "status", "a") == ["autumn"]
        Path(".env").unlink()


def test_whoever_has_no_database_gets_no_names_and_no_words(
    embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all, one that is broken or of another form, and a server that says nothing."""
    embedded.write_bytes(b"no database")
    assert completed("bash", "campaign", "status", "") == []
    embedded.write_bytes(b"")
    assert completed("bash", "campaign", "status", "") == []
    embedded.unlink()
    assert completed("bash", "campaign", "status", "") == []
    # It would be made if it were opened for writing.
    assert not embedded.exists()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for url in (f"postgresql://127.0.0.1:{port}/x", "postgresql://127.0.0.1:1/x", "mysql://x/x", "x"):
            monkeypatch.setenv("GREENROOM_DATABASE_URL", url)
            assert completed("bash", "campaign", "status", "") == []
    monkeypatch.setenv("GREENROOM_DATABASE_URL_FILE", "/nowhere")
    assert completed("bash", "campaign", "status", "") == []


def test_all_names_that_commands_take_are_known_to_be_completed() -> None:
    """Whoever adds a command with one is told here."""
    first: dict[tuple[str, ...], object] = {}
    with_channel = set()
    for words, command in leaves(main, ()):
        arguments = [param for param in command.params if isinstance(param, click.Argument)]
        if arguments and arguments[0].type in (CAMPAIGN, CHANNEL_TYPE):
            first[words] = arguments[0].type
        if any(param.type is CHANNEL_TYPE and "--channel" in param.opts for param in command.params):
            with_channel.add(words)
        named = [param for param in arguments if param.name in ("campaign_id", "channel_id", "channel_ids")]
        assert all(param.type in (CAMPAIGN, CHANNEL_TYPE) for param in named), words
    assert first == FIRST
    assert {words for words in with_channel if len(words) == 2} == WITH_CHANNEL


def leaves(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Commands that are no groups, by their words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, (*words, name))
        else:
            yield (*words, name), command


def test_names_are_completed_without_loading_the_command(embedded: Path) -> None:
    """Whoever presses a key is not kept waiting."""
    code = "import sys; from cli import main; main(prog_name='greenroom', standalone_mode=False)"
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {code}"
    words = {"COMP_WORDS": "greenroom campaign status a", "COMP_CWORD": "3"}
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=embedded.parents[2],
        env=environment(_GREENROOM_COMPLETE="bash_complete", **words),
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(said.stderr.split())
    assert {"click", "sqlite3"} <= loaded
    assert not {"cli.campaign_status", "sqlalchemy", "pydantic", "psycopg", "rich"} & loaded


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_their_own_script(shell: str) -> None:
    """By click, whose scripts they are."""
    said = CliRunner().invoke(main, ["completion", shell])
    assert (said.exit_code, f"_GREENROOM_COMPLETE={shell}_complete" in said.output) == (0, True)
