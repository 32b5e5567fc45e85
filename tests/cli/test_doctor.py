"""`greenroom doctor` says what is not well in sentences, most of all where much is not."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from greenroom.errors import SettingsError
from greenroom.settings import load_settings
from greenroom.vault import new_secret_key
from models import Database
from tests.cli.conftest import Greenroom
from tests.conftest import free_port

NOWHERE = f"redis://127.0.0.1:{free_port()}/0"


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """A database without any tables."""
    database = Database(SecretStr(postgres_url))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS empty"))
        connection.execute(text("CREATE DATABASE empty"))
    database.close()
    return make_url(postgres_url).set(database="empty").render_as_string(hide_password=False)


def test_a_new_installation_is_told_what_to_do_next(greenroom: Greenroom, empty_postgres: str) -> None:
    """No tables, no Redis, no worker: a line each, and no traceback."""
    result = greenroom(
        "doctor",
        GREENROOM_DATABASE_URL=empty_postgres,
        GREENROOM_REDIS_URL=NOWHERE,
        GREENROOM_SECRET_KEY=new_secret_key().get_secret_value(),
    )
    assert result.returncode == 1
    assert result.stderr == ""
    assert "Run: alembic upgrade head" in result.stdout
    assert 'channels    The database refuses: relation "channels" does not exist' in result.stdout
    assert "SELECT" not in result.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GREENROOM_DATABASE_URL", "postgresql://greenroom:pass@canary:word@localhost/greenroom"),
        ("GREENROOM_DATABASE_URL", "postgresql://greenroom:password@localhost:canary/greenroom"),
        ("GREENROOM_REDIS_URL", "redis://:canary/word@localhost:6379/0"),
        ("GREENROOM_BROKER_URL", "amqp://greenroom:canary/word@localhost//"),
    ],
)
def test_an_address_that_cannot_be_used_is_a_sentence_without_its_password(name: str, value: str) -> None:
    """Libraries would say it later, in a traceback with a part of the password."""
    given = {
        "GREENROOM_DATABASE_URL": "sqlite:///x.db",
        "GREENROOM_REDIS_URL": NOWHERE,
        "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
        name: value,
    }
    with pytest.raises(SettingsError, match=name) as caught:
        Database(load_settings(given, dotenv=None).database_url)
    assert "canary" not in str(caught.value)
