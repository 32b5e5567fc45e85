"""Redis by its address, or by those of the sentinels that know which of several is the master."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import SecretStr
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

SENTINEL = "sentinel"
#: Between the addresses of several sentinels, as Celery has it.
SEPARATOR = ";"

#: How a sentinel is asked. A second try at one that is away is the next sentinel; of itself, redis-py would
#: try each ten times.
_ASKING: dict[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "retry": Retry(NoBackoff(), 0),
}


def is_sentinel(address: str) -> bool:
    """Whether an address is that of sentinels, and not that of what they watch."""
    return address.startswith(f"{SENTINEL}://")


def is_unix_socket(address: str) -> bool:
    """Whether an address is that of a socket of Unix."""
    return address.startswith("unix:")


def celery_address(address: str) -> str:
    """An address as Celery has it, which has other names for a socket of Unix and for its database.

    Args:
        address: as in GREENROOM_REDIS_URL, for example ``unix://:password@/run/redis.sock?db=1``.
    """
    if not is_unix_socket(address):
        return address
    split = urlsplit(address)
    given = dict(parse_qsl(split.query))
    user, password = given.get("username", split.username or ""), given.get("password")
    secret = quote(password, safe="") if password is not None else split.password or ""
    who = f"{quote(user, safe='%')}:{secret}@" if user or secret else ""
    return f"redis+socket://{who}{split.path}?{urlencode({'virtual_host': given.get('db', '0')})}"


def connect(address: SecretStr, *, sentinel_master: str | None, patience: float, answer: float) -> Redis:
    """A client of the Redis at an address, or of the master that sentinels know; connects when first used.

    It tries nothing twice: whoever asks decides how long to wait for Redis.

    Args:
        address: as in GREENROOM_REDIS_URL, which checks it.
        sentinel_master: the master's name, where the address is that of sentinels.
        patience: seconds that a connection may take.
        answer: seconds that an answer may take.
    """
    url = address.get_secret_value()
    options: dict[str, Any] = {
        "socket_timeout": answer,
        "socket_connect_timeout": patience,
        # redis-py's sockets of Unix do not take it.
        **({} if is_unix_socket(url) else {"socket_keepalive": True}),
        "health_check_interval": 25,
        "retry": Retry(NoBackoff(), 0),
    }
    if sentinel_master is None or not is_sentinel(url):
        return Redis.from_url(url, **options)
    # redis-py gives these no types.
    parse: Any = parse_url
    sentinel: Any = Sentinel
    parts = [parse("redis" + one.removeprefix(SENTINEL)) for one in url.split(SEPARATOR)]
    hosts = [(part.pop("host"), part.pop("port")) for part in parts]
    # What is left (user, password, database) is the master's, and the same in all of them.
    client: Redis = sentinel(hosts, sentinel_kwargs=_ASKING).master_for(
        sentinel_master, **{**options, **parts[0]}
    )
    return client


def transport_options(sentinel_master: str | None) -> dict[str, Any]:
    """What Celery has to be told besides the sentinels' addresses, for messages and for answers."""
    if sentinel_master is None:
        return {}
    return {"master_name": sentinel_master, "sentinel_kwargs": _ASKING}


def is_lost_connection(error: AttributeError) -> bool:
    """Whether this is how kombu 5.7 says that a connection was lost while a message was being published.

    Its channel has forgotten the connection then, and asks None for the address.
    """
    return error.obj is None and error.name in ("client", "hostname")
