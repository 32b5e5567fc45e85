"""The HTTP API on a socket of this process, with whatever limits a test wants."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
import uvicorn
from pydantic import SecretStr

from api.application import application
from api.login_rates import LoginRates
from api.pages.thumbnail_cache import ThumbnailCache
from api.request_rates import RequestRates
from api.services import ApiLimits, Services
from greenroom.bearer_token import new_token
from greenroom.client import Greenroom
from greenroom.clock import Clock, SystemClock
from greenroom.settings_loader import load_settings
from greenroom.thumbnails import Thumbnails
from greenroom.vault import new_secret_key
from models import Database
from models.api_tokens import add_token
from tests.support.world import NOON, free_port

PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class RunningApi:
    """Where it is, and a session with a token that is good for everything."""

    url: str
    port: int
    session: requests.Session
    services: Services

    def token(self, name: str, *channels: str, read_only: bool = False) -> str:
        """Another token."""
        made = new_token(read_only=read_only)
        with self.services.database.write() as connection:
            add_token(
                connection,
                name=name,
                token=made,
                channels=channels or None,
                now=NOON,
                read_only=read_only,
            )
        return made.get_secret_value()

    def ask(self, method: str, path: str, *, token: str | None = None, **more: object) -> requests.Response:
        """One request."""
        headers = dict(more.pop("headers", {}))  # type: ignore[call-overload] # a mapping
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.session.request(method, self.url + path, headers=headers, timeout=PATIENCE, **more)  # type: ignore[arg-type] # as requests has them


@contextmanager
def running_api(
    database_url: str,
    broker: str,
    *,
    limits: ApiLimits | None = None,
    clock: Clock | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    timeout: float = PATIENCE,
    media_roots: str = "",
    trusted_proxies: str = "127.0.0.1",
) -> Iterator[RunningApi]:
    """It, for as long as the block runs.

    Args:
        database_url: of a database with our tables.
        broker: of the workers, if there are any.
        limits: how much is taken.
        clock: of the pages; the machine's own, where none is given.
        monotonic: the clock of the rates.
        timeout: seconds that the client waits for a worker.
        media_roots: folders whose images pages may show.
        trusted_proxies: as the setting has them.
    """
    limits = limits or ApiLimits()
    database, client = Database(SecretStr(database_url)), Greenroom(broker, timeout=timeout)
    rates = RequestRates(per_minute=limits.requests_per_minute, monotonic=monotonic)
    services = Services(
        database=database,
        greenroom=client,
        rates=rates,
        login_rates=LoginRates(monotonic),
        limits=limits,
        clock=clock or SystemClock(),
        monotonic=monotonic,
    )
    settings = load_settings(
        {
            "GREENROOM_DATABASE_URL": database_url,
            "GREENROOM_REDIS_URL": broker,
            "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
            "GREENROOM_MEDIA_ROOTS": media_roots,
            "GREENROOM_TRUSTED_PROXIES": trusted_proxies,
        },
        dotenv=None,
    )
    thumbnails = ThumbnailCache(Thumbnails(settings))
    port = free_port()
    config = uvicorn.Config(
        application(services, settings, thumbnails),
        port=port,
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        with requests.Session() as session:
            session.trust_env = False
            _await_answers(session, url)
            running = RunningApi(url=url, port=port, session=session, services=services)
            session.headers["Authorization"] = f"Bearer {running.token('tests')}"
            yield running
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        client.close()
        thumbnails.close()
        database.close()


def _await_answers(session: requests.Session, url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            session.get(f"{url}/healthz", timeout=PATIENCE)
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the API does not listen"
            time.sleep(0.05)  # between two looks at another thread; nothing is timed by it
        else:
            return
