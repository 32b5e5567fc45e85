"""What a setting's value may be: addresses, keys, names; each refusal says what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationInfo

from greenroom.callbacks.signature import parse_secrets
from greenroom.errors import SettingsError
from greenroom.redis_client import SENTINEL, SEPARATOR, is_sentinel
from greenroom.vault import Vault

PREFIX = "GREENROOM_"
#: Names with our prefix that are read elsewhere: by `greenroom run`, and by the tests.
NOT_SETTINGS = ("GREENROOM_API_KEY", "GREENROOM_TEST_")

_ESCAPES = "In a password, write / as %2F, @ as %40, : as %3A, ; as %3B, # as %23 and ? as %3F"
_DATABASES = ("postgresql+psycopg", "postgresql", "sqlite")
_BROKERS = ("redis", "rediss", "unix", "redis+socket", SENTINEL, "amqp", "amqps")


def checked_database_url(value: SecretStr) -> SecretStr:
    """PostgreSQL's or SQLite's, by the schemes that SQLAlchemy is installed with."""
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme not in _DATABASES:
        raise ValueError(
            "must begin with postgresql:// or sqlite:///, for example "
            "postgresql://greenroom:password@localhost/greenroom"
        )
    return value


def checked_redis_url(value: SecretStr) -> SecretStr:
    """One server's, or those of sentinels; all of them with a port that is a number."""
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme == SENTINEL:
        _require_sentinels(value.get_secret_value())
    elif scheme not in ("redis", "rediss", "unix"):
        raise ValueError(
            "must begin with redis://, rediss://, unix:// or sentinel://, for example redis://localhost:6379/0"
        )
    _require_port(value.get_secret_value())
    return value


def checked_broker_url(value: SecretStr | None) -> SecretStr | None:
    """Redis or RabbitMQ; None is the server of the limiter."""
    if value is None:
        return None
    scheme = urlsplit(value.get_secret_value()).scheme
    if scheme == SENTINEL:
        _require_sentinels(value.get_secret_value())
    elif scheme not in _BROKERS:
        raise ValueError(f"must begin with one of {', '.join(scheme + '://' for scheme in _BROKERS)}")
    # Celery takes several brokers, too.
    for address in value.get_secret_value().split(SEPARATOR):
        _require_port(address)
    return value


def _require_port(address: str) -> None:
    """Refuse what libraries would refuse later, with a part of the password in their own words."""
    try:
        _ = urlsplit(address).port
    except ValueError:
        raise ValueError(f"has something else than a number for a port. {_ESCAPES}") from None


def _require_sentinels(value: str) -> None:
    """Refuse what Celery's broker, its backend and we would each read in another way."""
    sentinels = [urlsplit(address) for address in value.split(SEPARATOR)]
    try:
        whole = all(one.scheme == SENTINEL and one.hostname and one.port for one in sentinels)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            "must have an address with a port for each sentinel, for example "
            f"sentinel://one:26379/0;sentinel://two:26379/0. {_ESCAPES}"
        )
    if len({(one.username, one.password, one.path.strip("/") or "0") for one in sentinels}) > 1:
        raise ValueError(
            "must have the same user, password and database in each sentinel's address: they are the master's"
        )


def checked_sentinel_master(value: str | None, info: ValidationInfo) -> str | None:
    """The master's name is there if an address is of sentinels, and only then."""
    addresses = {name: info.data[name] for name in ("redis_url", "broker_url") if info.data.get(name)}
    of_sentinels = [
        PREFIX + name.upper()
        for name, address in addresses.items()
        if is_sentinel(address.get_secret_value())
    ]
    if of_sentinels and not value:
        raise ValueError(
            f"is not set, and {of_sentinels[0]} has the addresses of sentinels. Set it to the name by which "
            "they know the master: the word after `sentinel monitor` in their configuration"
        )
    # An address that is itself wrong is missing here, and has its own sentence.
    if value is not None and not of_sentinels and {"redis_url", "broker_url"} <= info.data.keys():
        raise ValueError(
            f"is set, but neither {PREFIX}REDIS_URL nor {PREFIX}BROKER_URL begins with sentinel://. Write "
            "the sentinels' addresses there, or remove the name"
        )
    return value


def checked_fernet_keys(value: SecretStr) -> SecretStr:
    """Keys that a vault can be opened with."""
    try:
        Vault(value)
    except SettingsError as error:
        raise ValueError(str(error).removeprefix("GREENROOM_SECRET_KEY ")) from None
    return value


def checked_callback_secret(value: str | SecretStr) -> SecretStr:
    """Secrets that call-backs can be signed with."""
    secret = value if isinstance(value, SecretStr) else SecretStr(value)
    parse_secrets(secret.get_secret_value())
    return secret


def checked_http_url(value: str) -> str:
    """A server's address, without user, query or a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise ValueError("must be a plain http(s) address, for example https://waba-v2.360dialog.io")
    _require_port(value)
    return value.rstrip("/")


def checked_networks(value: str) -> str:
    """IP addresses and networks, with commas between; none where it is empty."""
    try:
        return ",".join(str(ip_network(entry.strip())) for entry in value.split(",") if entry.strip())
    except ValueError as error:
        raise ValueError(
            f"must be IP addresses and networks with commas between, like 127.0.0.1,172.16.0.0/12: {error}"
        ) from error


def unless_empty(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """An empty value is none: a file of Compose can only hand on what is not set as empty."""
    return lambda value: parse(value) if value else None
