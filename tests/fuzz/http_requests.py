"""What is fuzzed of requests over HTTP: bodies and queries of the API, forms and queries of the pages."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from pydantic import SecretStr
from sqlalchemy import insert

from api.application import application
from api.login_rates import LoginRates
from api.pages.thumbnail_cache import ThumbnailCache
from api.request_rates import RequestRates
from api.services import ApiLimits, Services
from greenroom.bearer_token import new_token
from greenroom.client import BrokerUnavailable, Greenroom
from greenroom.clock import ManualClock
from greenroom.settings_loader import load_settings
from greenroom.thumbnails import Thumbnails
from greenroom.vault import new_secret_key
from migrations import upgrade_database
from models import Campaign, Channel, Database, Item
from models.api_tokens import add_token
from models.page_sessions import open_session
from tests.fuzz.spoiling import ODD_TEXTS, SchemaValues, spoiled
from tests.fuzz.target import Target

CHANNEL: Final = "4915112345678"
NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
#: What is answered to what is not foreseen.
SERVER_ERROR: Final = 500


class _NoBroker:
    """A client that reads all that it is given, and then finds no broker."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*given: Any, **more: Any) -> None:
            for one in (*given, *more.values()):
                if isinstance(one, Iterable) and not isinstance(one, str | dict):
                    list(one)
            raise BrokerUnavailable(f"{name}: there is no broker.")

        return ask


class Requests(Target):
    """Requests over HTTP: answered or refused with a sentence, and never with 500."""

    _CAMPAIGN: Final = {
        "channel": CHANNEL,
        "send_at": "2026-07-21T09:00:00+01:00",
        "keep_until": "2026-08-21T09:00:00+02:00",
    }
    _ITEMS: Final = (
        {"ref": "hero", "source": "/srv/hero.jpg", "fix": False},
        {"ref": "gr\u00fc\u00dfe", "source": "s3://campaigns/spring/x.jpg", "fix": True},
    )
    _QUERIES: Final = (
        *("show=sent", "refresh=off", "after=2026-06-01T12:00:00+00:00~spring", "files=ready", "after=1"),
        *("allow_empty=true", "channel=4915112345678", "after=%00", "after=9999999999999999999999", "files="),
    )
    _WORDS: Final = (
        *(
            b"&",
            b"=",
            b"%",
            b"%00",
            b"%ff",
            b"+",
            b";",
            b"after=",
            b"\\ud800",
            b'"callback":',
            b"null",
            b"[]",
        ),
        *(b"\n", b"[" * 3_000, b"9" * 5_000, b"\xff", b"{}", b"1e999", b"NaN"),
        *(text.encode("utf-8", "surrogatepass") for text in ODD_TEXTS),
    )

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        url = f"sqlite:///{self.folder}/greenroom.db"
        database, clock = Database(SecretStr(url)), ManualClock(NOON)
        upgrade_database(database.engine)
        token, reads = new_token(), new_token(read_only=True)
        with database.write() as connection:
            for name, one in (("shop", token), ("maria", reads)):
                add_token(connection, name=name, token=one, channels=None, now=NOON, read_only=one is reads)
            session = open_session(connection, reads, now=NOON)
            connection.execute(
                insert(Channel).values(id=CHANNEL, api_base_url="", api_key="", created_at=NOON)
            )
            dates = {"send_at": NOON, "keep_until": NOON, "created_at": NOON}
            connection.execute(insert(Campaign).values(id="spring", channel_id=CHANNEL, **dates))
            rows = [
                one | {"campaign_id": "spring", "due_at": NOON, "state": "waiting"} for one in self._ITEMS
            ]
            connection.execute(insert(Item), rows)
        assert session is not None
        self._token, self._session = token.get_secret_value(), session.get_secret_value()
        settings = load_settings(
            {
                "GREENROOM_DATABASE_URL": url,
                "GREENROOM_REDIS_URL": "redis://127.0.0.1:1/0",
                "GREENROOM_SECRET_KEY": new_secret_key().get_secret_value(),
            },
            dotenv=None,
        )
        self._seconds = 0.0
        services = Services(
            database=database,
            greenroom=cast("Greenroom", _NoBroker()),
            rates=RequestRates(per_minute=600, monotonic=self._later),
            login_rates=LoginRates(self._later),
            limits=ApiLimits(),
            clock=clock,
            monotonic=self._later,
        )
        self._app = application(services, settings, ThumbnailCache(Thumbnails(settings)))
        self._document: dict[str, Any] = json.loads(self._ask("GET", "/openapi.json", "", {}, b"")[1])

    def _later(self) -> float:
        # So that no input is refused for the ones before it.
        self._seconds += 60
        return self._seconds

    def make(self, chance: random.Random) -> Any:
        """A request to a path of the API's document or of the pages, with a body that nearly fits."""
        odd = chance.choice((*ODD_TEXTS, "spring", "spring", "spring")).encode("utf-8", "replace").decode()
        if chance.random() < 0.3:
            path = chance.choice(
                ("/", "/campaigns", "/campaigns/{}", "/campaigns/{}/files", "/campaigns/{}/x")
            )
            method, body, kind = chance.choice(("GET", "GET", "POST")), b"token=greenroom_read_x", "form"
        else:
            path = chance.choice([*self._document["paths"]]).replace("{campaign_id}", "{}")
            method = chance.choice([*self._document["paths"][path.replace("{}", "{campaign_id}")]]).upper()
            body, kind = self._body(chance, path.replace("{}", "{campaign_id}"), method)
        if chance.random() < 0.4:
            body = spoiled(chance, body, [body], self._WORDS)
        query = "&".join(chance.choice(self._QUERIES) for _ in range(chance.randint(0, 2)))
        if chance.random() < 0.4:
            query = spoiled(chance, query.encode(), [b"after="], self._WORDS).decode("latin-1")
        return method, path.format(quote(odd)), query, kind, body

    def _body(self, chance: random.Random, path: str, method: str) -> tuple[bytes, str]:
        content = self._document["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
        if not content:
            return b"", "json"
        if "application/jsonl" in content and chance.random() < 0.5:
            lines = [self._CAMPAIGN, *(chance.choice(self._ITEMS) for _ in range(chance.randint(0, 3)))]
            return "".join(json.dumps(line) + "\n" for line in lines).encode(), "jsonl"
        definitions = self._document["components"]["schemas"]
        values = SchemaValues(definitions, chance, wrong=chance.choice((0.0, 0.02, 0.2)))
        made = values.make(content["application/json"]["schema"])
        if isinstance(made, dict) and chance.random() < 0.7:
            made |= self._CAMPAIGN
        try:
            return json.dumps(made).encode(), "json"
        except RecursionError:
            return b"[" * 3_000, "json"

    def judge(self, given: Any) -> str:
        """What it is answered."""
        method, path, query, kind, body = given
        types = {"json": "application/json", "jsonl": "application/jsonl"}
        headers = {"host": "greenroom", "content-type": types.get(kind, "application/x-www-form-urlencoded")}
        headers |= {"authorization": f"Bearer {self._token}"}
        if kind == "form":
            headers |= {"cookie": f"greenroom_session={self._session}"}
        status, answer = self._ask(method, path, query, headers, body)
        assert status != SERVER_ERROR, answer[:300]
        assert self._token.encode() not in answer
        return f"{status // 100}xx"

    def _ask(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        heads = [(name.encode(), text.encode()) for name, text in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.encode("latin-1", "replace").decode("utf-8", "replace"),
            "raw_path": path.encode("latin-1", "replace"),
            "query_string": query.encode("latin-1", "replace"),
            "root_path": "",
            "headers": [*heads, (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        given = [{"type": "http.request", "body": body, "more_body": False}]
        answers: list[Any] = []

        async def receive() -> Any:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            answers.append(message)

        asyncio.run(self._app(scope, receive, send))  # type: ignore[arg-type] # what it is: a coroutine
        return answers[0]["status"], b"".join(answer.get("body", b"") for answer in answers)
