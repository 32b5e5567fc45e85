"""What is fuzzed of the broker's messages."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from kombu import Connection

from greenroom.clock import ManualClock
from greenroom.contract import VERSION_HEADER, check_message, json_schema
from greenroom.errors import ManifestError, MessageRefused
from greenroom.manifest import parse_items, parse_plan
from greenroom.task_names import TaskName
from tasks.mark_used import _read
from tasks.report_error import read_failures
from tasks.runtime.context import Context
from tests.fuzz.spoiling import ODD_TEXTS, ODD_VALUES, SchemaValues, spoiled
from tests.fuzz.target import Target
from worker.broker_transport import install
from worker.consumer import said
from worker.quarantine import CONTENT_FAULTS, Poison, check_task, unpacked

ACCEPTED: Final = frozenset({"application/json"})
NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return b"[" * 3_000


def _envelope(body: bytes, headers: dict[str, Any]) -> dict[str, Any]:
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": headers,
        "properties": {
            "correlation_id": "an-id",
            "delivery_info": {"exchange": "", "routing_key": "control"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "a-tag",
        },
    }


class Messages(Target):
    """Broker messages: taken as the contract has them, or refused in a sentence."""

    _BODIES: Final = (b'[[{"a":1}], {}, {}]',)
    _WORDS: Final = (b"[" * 3_000, b"1e999", b'{"__type__":1}', b"null", b'"base64"', b"{}", b"[]", b"=")
    _HEADERS: Final = ("id", "task", "eta", "expires", "retries", "timelimit", "compression", "lang", "group")

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        install()
        self._channel: Any = Connection("memory://").channel()
        self._schema = json_schema()
        self._context = cast("Context", SimpleNamespace(clock=ManualClock(NOON)))

    def make(self, chance: random.Random) -> Any:
        """Arguments that nearly fit the schema, in a message as Redis holds it; some of them spoiled."""
        name = chance.choice(list(TaskName))
        wrong = chance.choice((0.0, 0.02, 0.1, 0.5))
        values = SchemaValues(self._schema["$defs"], chance, wrong=wrong)
        arguments = values.make(self._schema["tasks"][name])
        by_name = isinstance(arguments, dict) and chance.random() < 0.5
        args = [] if by_name else list(arguments.values()) if isinstance(arguments, dict) else [arguments]
        body = _json([args, arguments if by_name else {}, {"callbacks": None}])
        if chance.random() < 0.2:
            body = spoiled(chance, body, self._BODIES, self._WORDS)
        headers: dict[str, Any] = {"lang": "py", "task": str(name), "id": "an-id", "retries": 0}
        if chance.random() < 0.3:
            headers[VERSION_HEADER] = chance.choice((1, 2, "1", [], 10**30))
        if chance.random() < 0.2:
            headers[chance.choice(self._HEADERS)] = chance.choice((*ODD_VALUES, *ODD_TEXTS))
        item = _json(_envelope(body, headers))
        return spoiled(chance, item, [body, item], self._WORDS) if chance.random() < 0.1 else item

    def judge(self, given: Any) -> str:
        """What a worker does with it before it asks the database."""
        try:
            message = self._channel.Message(unpacked(given), channel=self._channel, accept=ACCEPTED)
            if message.errors:
                message._reraise_error()
            args, kwargs, _ = message.payload
            name = check_task(message.headers, message.payload, now=NOON)
        except (Poison, *CONTENT_FAULTS) as error:
            thrown_away = said(error)
        else:
            return self._run(name, args, kwargs, message.headers.get(VERSION_HEADER))
        assert thrown_away.isprintable()
        assert len(thrown_away) < 1_000
        return "thrown away"

    def _run(self, name: TaskName, args: list[Any], kwargs: Mapping[str, Any], version: object) -> str:
        try:
            check_message(name, args, kwargs, version=version)
            given = [*args, *kwargs.values()]
            if name is TaskName.PREPARE:
                campaign = kwargs["campaign"] if "campaign" in kwargs else args[0]
                items = kwargs["items"] if "items" in kwargs else args[1]
                parse_plan(campaign)
                parse_items(items)
            if name is TaskName.REPORT_ERROR:
                read, ignored = read_failures(self._context, given[0])
                assert len(read) + len(ignored) <= len(given[0])
            if name in (TaskName.MARK_USED, TaskName.MARK_DEAD):
                assert len(_read(self._context, given[0])) <= len(given[0])
        except (MessageRefused, ManifestError) as error:
            refused = error
        else:
            return "taken"
        assert len(str(refused)) < 1_000
        assert str(refused).isprintable()
        return "refused" if isinstance(refused, MessageRefused) else "refused by its fields"
