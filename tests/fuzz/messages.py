"""What is fuzzed of the broker's messages."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from kombu.exceptions import ContentDisallowed, DecodeError
from kombu.serialization import loads

from greenroom.clock import ManualClock
from greenroom.contract import MessageRefused, check_message, json_schema
from greenroom.errors import ManifestError
from greenroom.manifest import parse_items, parse_plan
from greenroom.task_names import TaskName
from tasks.context import Context
from tasks.mark_used import _read
from tests.fuzz.spoiling import SchemaValues, spoiled
from tests.fuzz.target import Target

NOON: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class Messages(Target):
    """Broker messages: taken as the contract has them, or refused in a sentence."""

    def __init__(self, seeds: Path) -> None:
        super().__init__(seeds)
        self._schema = json_schema()
        self._context = cast("Context", SimpleNamespace(clock=ManualClock(NOON)))

    def make(self, chance: random.Random) -> Any:
        """Arguments that nearly fit the schema, as the bytes of a message; some of these spoiled."""
        name = chance.choice(list(TaskName))
        wrong = chance.choice((0.0, 0.02, 0.1, 0.5))
        values = SchemaValues(self._schema["$defs"], chance, wrong=wrong)
        arguments = values.make(self._schema["tasks"][name])
        version: object = chance.choice((None, None, 1, 2, "1", [], 10**30))
        by_name = isinstance(arguments, dict) and chance.random() < 0.5
        args = [] if by_name else list(arguments.values()) if isinstance(arguments, dict) else [arguments]
        try:
            body = json.dumps([args, arguments if by_name else {}, {"callbacks": None}]).encode()
        except RecursionError:
            body = b"[" * 3_000
        if chance.random() < 0.2:
            body = spoiled(
                chance, body, [b'[[{"a":1}], {}, {}]'], [b"[" * 3_000, b"1e999", b'{"__type__":1}']
            )
        return name, version, body

    def judge(self, given: Any) -> str:
        """What a worker does with it before it asks the database."""
        name, version, body = given
        try:
            decoded = loads(body, "application/json", "utf-8", accept={"application/json"})
        except (DecodeError, ContentDisallowed, RecursionError):
            return "no message"
        match decoded:
            case [list(args), dict(kwargs), dict()]:
                return self._run(name, args, kwargs, version)
        return "no message"

    def _run(self, name: TaskName, args: list[Any], kwargs: Mapping[str, Any], version: object) -> str:
        try:
            check_message(name, args, kwargs, version=version)
            given = [*args, *kwargs.values()]
            if name is TaskName.PREPARE:
                campaign = kwargs["campaign"] if "campaign" in kwargs else args[0]
                items = kwargs["items"] if "items" in kwargs else args[1]
                parse_plan(campaign)
                parse_items(items)
            if name in (TaskName.MARK_USED, TaskName.MARK_DEAD):
                assert len(_read(self._context, given[0])) <= len(given[0])
        except (MessageRefused, ManifestError) as error:
            refused = error
        else:
            return "taken"
        assert len(str(refused)) < 1_000
        assert str(refused).isprintable()
        return "refused" if isinstance(refused, MessageRefused) else "refused by its fields"
