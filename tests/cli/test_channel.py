"""`greenroom channel`: the secret key is rotated while workers continue, and a channel is paused by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from cli import main as command
from cli.channel import LONGEST_REASON, encrypt_anew
from greenroom.vault import Vault, new_secret_key
from models import Database
from models.channel import add_channel, get_channel, list_channels, replace_encrypted_key
from tests.support.world import CHANNEL

OLD, NEW, FOREIGN = (new_secret_key().get_secret_value() for _ in range(3))


def vault(*keys: str) -> Vault:
    """With these secret keys, the first of which encrypts."""
    return Vault(SecretStr(",".join(keys)))


def fill(database: Database, channels: dict[str, Vault]) -> None:
    """Channels, each with an API key of its own under a vault of its own."""
    with database.write() as connection:
        for channel_id, its_vault in channels.items():
            add_channel(
                connection,
                channel_id=channel_id,
                api_base_url="https://waba-v2.360dialog.io",
                api_key=its_vault.encrypt(SecretStr(f"key of {channel_id}")),
                now=datetime.now(UTC),
            )


def stored(database: Database) -> dict[str, str]:
    """Every channel's API key as it stands in the database."""
    with database.read() as connection:
        return {row.id: row.api_key for row in list_channels(connection)}


def test_all_keys_are_encrypted_anew_and_read_all_the_while(database: Database) -> None:
    """By workers with both keys before and after, by those with the new one alone from then on."""
    fill(database, {"1": vault(OLD), "2": vault(NEW, OLD), "3": vault(OLD)})
    before = stored(database)
    assert encrypt_anew(database, vault(NEW, OLD)) == {"rotated": 2, "current": 1}
    after = stored(database)
    assert before["2"] == after["2"]
    for worker in (vault(NEW, OLD), vault(OLD, NEW), vault(NEW)):
        for channel_id, encrypted in after.items():
            assert worker.decrypt(encrypted).get_secret_value() == f"key of {channel_id}"
    assert encrypt_anew(database, vault(NEW, OLD)) == {"current": 3}
    assert stored(database) == after


def test_a_key_that_cannot_be_read_costs_no_other_one_anything(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays as it is, and is named."""
    fill(database, {"1": vault(FOREIGN), "2": vault(OLD)})
    before = stored(database)
    assert encrypt_anew(database, vault(NEW, OLD)) == {"unreadable": 1, "rotated": 1}
    assert stored(database)["1"] == before["1"]
    assert capsys.readouterr().err.startswith("Channel 1: An API key in the database is encrypted under")


def test_a_rotation_that_was_broken_off_goes_on(database: Database) -> None:
    """Each key has a transaction of its own."""
    fill(database, {"1": vault(OLD), "2": vault(OLD), "3": vault(OLD)})

    class Interrupted(Vault):
        done = 0

        def encrypt(self, api_key: SecretStr) -> str:
            self.done += 1
            if self.done == 2:
                raise KeyboardInterrupt
            return super().encrypt(api_key)

    with pytest.raises(KeyboardInterrupt):
        encrypt_anew(database, Interrupted(SecretStr(f"{NEW},{OLD}")))
    assert encrypt_anew(database, vault(NEW, OLD)) == {"current": 1, "rotated": 2}


def test_a_key_that_was_given_meanwhile_is_not_overwritten(database: Database) -> None:
    """Between reading and writing, an operator may have replaced the key."""
    fill(database, {CHANNEL: vault(OLD)})
    read = stored(database)[CHANNEL]
    fill(database, {CHANNEL: vault(NEW)})
    given = stored(database)[CHANNEL]
    with database.write() as connection:
        assert not replace_encrypted_key(connection, CHANNEL, read=read, written="late")
    assert stored(database)[CHANNEL] == given


Run = Callable[[Sequence[str]], Result]


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Type a command in, on the installation that the environment names."""
    monkeypatch.chdir(tmp_path)
    url = database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("GREENROOM_DATABASE_URL", url.replace("+psycopg", ""))
    monkeypatch.setenv("GREENROOM_REDIS_URL", "redis://localhost")
    monkeypatch.setenv("GREENROOM_SECRET_KEY", f"{NEW},{OLD}")
    return lambda words: CliRunner().invoke(command, ["channel", *words])


def test_rotate_says_how_many_and_what_is_left_to_do(database: Database, run: Run) -> None:
    """Exit code 1 while old secret keys are still needed."""
    fill(database, {"1": vault(OLD), "2": vault(NEW)})
    result = run(["rotate"])
    assert result.exit_code == 0, result.output
    assert "1 API key encrypted anew under the first secret key." in result.output
    assert "1 API key under it already." in result.output
    assert "Leave only the first key" in result.output
    fill(database, {"3": vault(FOREIGN)})
    result = run(["rotate"])
    assert result.exit_code == 1
    assert "1 API key unreadable; keep the old secret keys." in result.output
    assert "Leave only" not in result.output
    assert "key of" not in result.output


def test_a_channel_is_paused_by_hand_and_goes_on(database: Database, run: Run) -> None:
    """With the reason; a pause that stands is not written over."""
    fill(database, {CHANNEL: vault(NEW)})
    assert (
        f"greenroom channel resume {CHANNEL}" in run(["pause", CHANNEL, "--reason", "Moves  house\n"]).output
    )
    again = run(["pause", CHANNEL, "--reason", "Something else"])
    assert again.exit_code == 0
    assert "is paused already" in again.output
    assert "Moves house" in again.output
    with database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_reason == "Moves house"
    assert run(["resume", CHANNEL]).exit_code == 0
    with database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at is None


@pytest.mark.parametrize(
    "words",
    [
        ["pause", CHANNEL],
        ["pause", CHANNEL, "--reason", " "],
        ["pause", CHANNEL, "--reason", "\x1b[31m"],
        ["pause", CHANNEL, "--reason", "x" * (LONGEST_REASON + 1)],
        ["pause", "unknown", "--reason", "It is not there"],
    ],
)
def test_a_pause_needs_a_channel_and_a_reason(database: Database, run: Run, words: list[str]) -> None:
    """One that can stand in a table and in a sentence."""
    fill(database, {CHANNEL: vault(NEW)})
    assert run(words).exit_code != 0
    with database.read() as connection:
        assert get_channel(connection, CHANNEL).paused_at is None


def test_a_key_is_asked_for_on_a_terminal_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a pipe, or in `docker compose exec --no-TTY`, the command says where the key may stand instead."""
    monkeypatch.chdir(tmp_path)
    url = database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("GREENROOM_DATABASE_URL", url.replace("+psycopg", ""))
    monkeypatch.setenv("GREENROOM_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("GREENROOM_SECRET_KEY", OLD)
    result = CliRunner().invoke(command, ["channel", "add", CHANNEL], input="a-key-in-a-pipe\n")
    assert result.exit_code != 0
    assert "GREENROOM_API_KEY_FILE" in result.output
    assert stored(database) == {}
