"""`greenroom token`: a token is printed once, kept as a digest, and limited to channels that there are."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import text

from cli import main
from greenroom.bearer_token import READING_PREFIX, TOKEN
from greenroom.vault import new_secret_key
from models import Database
from models.api_tokens import token_row
from models.channel import add_channel
from tests.support.world import CHANNEL


@pytest.fixture
def database_with_channel(database: Database) -> Database:
    """One channel."""
    with database.write() as connection:
        add_channel(
            connection, channel_id=CHANNEL, api_base_url="http://x", api_key="x", now=datetime.now(UTC)
        )
    return database


class Tokens:
    """The command, on one database."""

    def __init__(self, database_url: str) -> None:
        self._environment = {
            "GREENROOM_DATABASE_URL": database_url,
            "GREENROOM_REDIS_URL": "redis://127.0.0.1:9/0",
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        }

    def run(self, *words: str) -> Result:
        """What became of it."""
        return CliRunner().invoke(main, ["token", *words], env=self._environment)


@pytest.fixture
def tokens(database_url: str, database_with_channel: Database) -> Tokens:  # noqa: ARG001 - what it works on
    """On a database with one channel."""
    return Tokens(database_url)


def test_a_token_is_made_shown_once_and_revoked(tokens: Tokens, database: Database) -> None:
    """Standard output has it alone, for a file; the list does not have it."""
    made = tokens.run("new", "shop", "--channel", "+49 151 1234-5678")
    token = made.stdout.strip()
    assert TOKEN.fullmatch(token)
    assert made.stdout.count("\n") == 1
    assert "not shown again" in made.stderr
    with database.read() as connection:
        row = token_row(connection, SecretStr(token))
        assert row is not None
        assert (row.name, row.channels) == ("shop", frozenset({CHANNEL}))
        assert token not in str(connection.execute(text("SELECT * FROM api_tokens")).all())
    tokens.run("new", "all")
    listed = json.loads(tokens.run("list", "--json").stdout)["tokens"]
    assert [(one["name"], one["channels"]) for one in listed] == [("all", None), ("shop", [CHANNEL])]
    shown = tokens.run("list").stdout
    assert "shop" in shown
    assert token not in shown
    assert tokens.run("revoke", "shop").stdout == "The token of shop is revoked.\n"
    with database.read() as connection:
        assert token_row(connection, SecretStr(token)) is None


def test_a_token_that_only_reads_says_so(tokens: Tokens, database: Database) -> None:
    """By its form, in the list, and to whoever lets it in."""
    made = tokens.run("new", "maria", "--read-only")
    assert made.stdout.startswith(READING_PREFIX)
    assert "password manager" in made.stderr
    with database.read() as connection:
        row = token_row(connection, SecretStr(made.stdout.strip()))
    assert row is not None
    assert row.read_only
    assert json.loads(tokens.run("list", "--json").stdout)["tokens"][0]["read_only"] is True
    assert " read " in tokens.run("list").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "shop"), "Revoke it first: greenroom token revoke shop"),
        (("new", "a b"), "may have letters, digits"),
        (("new", "other", "--channel", "4930"), "Channel 4930 is not known."),
        (("revoke", "other"), "other has no token."),
    ],
)
def test_what_cannot_be_done_is_said(tokens: Tokens, words: tuple[str, ...], said: str) -> None:
    """And nothing is done."""
    assert tokens.run("list").stdout.startswith("No tokens yet.")
    tokens.run("new", "shop")
    refused = tokens.run(*words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert len(json.loads(tokens.run("list", "--json").stdout)["tokens"]) == 1
