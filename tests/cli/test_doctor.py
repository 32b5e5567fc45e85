"""`greenroom doctor` says what is not well in sentences, most of all where much is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import make_url

from cli.doctor import _provider, _sources
from cli.doctor_sources import allowed_sources, warnings_about_sources
from greenroom.errors import ProviderUnavailable, SettingsError
from greenroom.settings import Settings
from greenroom.settings_loader import load_settings
from greenroom.vault import new_secret_key
from models import Database
from tests.cli.conftest import Greenroom
from tests.support.stand_in import StandIn
from tests.support.tls import Authority, TunnelProxy
from tests.support.world import free_port

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


def settings_with(**given: str) -> Settings:
    """Settings that are complete, and these."""
    values = {"DATABASE_URL": "sqlite:///x.db", "REDIS_URL": NOWHERE}
    named = {f"GREENROOM_{name}": value for name, value in {**values, **given}.items()}
    return load_settings({**named, "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value()}, dotenv=None)


def test_the_doctor_says_what_may_be_opened_and_warns_where_that_is_everything(tmp_path: Path) -> None:
    """Nothing at all is a fault, for no campaign can be got ready."""
    some = settings_with(MEDIA_ROOTS=str(tmp_path), SOURCE_HOSTS="cdn.example.com,*.example.com:8443")
    assert allowed_sources(some) == (
        f"Files below {tmp_path}. Addresses at https://cdn.example.com, https://*.example.com:8443."
    )
    assert list(warnings_about_sources(some)) == []
    assert "not there" in next(warnings_about_sources(settings_with(MEDIA_ROOTS=str(tmp_path / "gone"))))
    everything = settings_with(MEDIA_ROOTS="/", SOURCE_HOSTS="*,*=0.0.0.0/0")
    assert list(warnings_about_sources(everything)) == [
        "GREENROOM_MEDIA_ROOTS allows every file that Greenroom's user may read.",
        "GREENROOM_SOURCE_HOSTS allows every web server on the Internet, by *.",
        "GREENROOM_SOURCE_HOSTS allows every web server at any IP address, by *=0.0.0.0/0.",
    ]
    assert [(found.mark, found.part) for found in map(_sources, (some, everything, settings_with()))] == [
        ("[green]✓[/green]", "sources"),
        ("[yellow]![/yellow]", "sources"),
        ("[red]✗[/red]", "sources"),
    ]


def test_the_provider_is_asked_as_workers_ask_it(tmp_path: Path) -> None:
    """A folder of authorities, and a proxy: where uploads work, all is well; and where not, it says why."""
    authority = Authority(tmp_path)
    server, proxy = StandIn([None], tls=authority.context), TunnelProxy()
    settings = Settings.model_validate(
        {
            "database_url": "sqlite:///x.db",
            "redis_url": NOWHERE,
            "secret_key": new_secret_key(),
            "api_base_url": f"https://127.0.0.1:{server.port}",
            "ca_bundle": authority.folder,
        }
    )
    try:
        assert _provider(settings).well
        assert _provider(settings.model_copy(update={"https_proxy": proxy.url})).well
        assert [one.split()[1] for one in proxy.asked] == [f"127.0.0.1:{server.port}"]
        with pytest.raises(ProviderUnavailable, match="certificate is not accepted"):
            _provider(settings.model_copy(update={"ca_bundle": None}))
    finally:
        server.close()
        proxy.close()
    assert server.requests == []
