"""Messages made to hurt the worker that takes them."""

# ruff: noqa: E501 - a table: one case a line is easier to read and to sort than four

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from kombu import Connection

from greenroom.clock import ManualClock
from greenroom.contract import LARGEST_NUMBER, MOST_ROWS, VERSION_HEADER, check_message
from greenroom.errors import ManifestError, Misuse
from greenroom.manifest import parse_items, parse_plan
from greenroom.task_names import TaskName
from tasks.mark_used import _read
from tasks.report_error import read_failures
from tasks.runtime.context import Context
from tests.hostile.case import Case
from tests.support.poison import POISON, message
from worker.broker_transport import install
from worker.consumer import said
from worker.quarantine import CONTENT_FAULTS, Poison, check_task, unpacked

PLAN = {
    "id": "spring",
    "channel": "4915112345678",
    "send_at": "2026-12-01T09:00:00+01:00",
    "keep_until": "2026-12-24T09:00:00+01:00",
}
ITEM = {"ref": "hero", "source": "/srv/hero.jpg"}
USE = ["4915112345678", "1094408688491179", "2026-06-01T12:00:00+00:00"]
_CONTEXT = cast("Context", SimpleNamespace(clock=ManualClock(datetime(2026, 6, 1, 12, tzinfo=UTC))))


def taken(item: bytes) -> str:
    """What a worker makes of a message before it asks the database: one printable line."""
    install()
    channel: Any = Connection("memory://").channel()
    try:
        message = channel.Message(unpacked(item), channel=channel, accept={"application/json"})
        if message.errors:
            message._reraise_error()
        name = check_task(message.headers, message.payload)
        args, kwargs, _ = message.payload
        check_message(name, args, kwargs, version=message.headers.get(VERSION_HEADER))
        said_of_it = _run(name, args)
    except (Poison, *CONTENT_FAULTS) as error:
        said_of_it = f"thrown away: {said(error)}"
    except (Misuse, ManifestError) as error:
        said_of_it = f"refused: {error}"
    assert said_of_it.isprintable()
    assert len(said_of_it) < 1_000
    return said_of_it


def _run(name: TaskName, args: list[Any]) -> str:
    if name is TaskName.PREPARE:
        parse_plan(args[0])
        return f"taken: {len(parse_items(args[1]))} items"
    if name is TaskName.REPORT_ERROR:
        read, ignored = read_failures(_CONTEXT, args[0])
        return f"taken: {len(read)} of {len(args[0])} failed messages, {len(ignored)} ignored"
    if name in (TaskName.MARK_USED, TaskName.MARK_DEAD):
        return f"taken: {len(_read(_CONTEXT, args[0]))} of {len(args[0])} reports"
    return "taken"


def of(name: str, task: TaskName, args: list[Any] | bytes, says: str, *, version: object = 1) -> Case:
    """A message with these arguments, or with these bytes for a body."""

    def prepare(folder: Path) -> Callable[[], str]:  # noqa: ARG001 - nothing is written
        headers: dict[str, Any] = {"task": str(task), VERSION_HEADER: version}
        raw_body = args if isinstance(args, bytes) else None
        item = message(None if raw_body else [args, {}, {}], raw_body=raw_body, **headers)
        return lambda: taken(json.dumps(item).encode())

    return Case(kind="message", name=name, prepare=prepare, says=says)


def poison(name: str, item: bytes) -> Case:
    """What ends a worker of Celery's."""

    def prepare(folder: Path) -> Callable[[], str]:  # noqa: ARG001 - nothing is written
        return lambda: taken(item)

    return Case(kind="message", name=f"poison: {name}", prepare=prepare, says="^thrown away: ")


def plan(**changes: object) -> Mapping[str, object]:
    """A campaign with something wrong."""
    return {**PLAN, **changes}


CASES_OF_MESSAGES = (
    of("a good one", TaskName.PREPARE, [PLAN, [ITEM]], "taken: 1 items"),
    of("no JSON", TaskName.SWEEP, b"[[", "thrown away"),
    of("JSON, 200,000 deep", TaskName.SWEEP, b"[" * 200_000, "thrown away"),
    of("a number of 60,000 digits", TaskName.SWEEP, b"[[" + b"9" * 60_000 + b"], {}, {}]", "thrown away"),
    of("of another version", TaskName.SWEEP, [], "refused: .*contract version 2", version=2),
    of("of a version that is no number", TaskName.SWEEP, [], "refused: .*contract version", version="\x1b[2J"),
    of("too many arguments", TaskName.SWEEP, [1, 2], "refused: media.sweep takes 0 arguments, not 2"),
    of("arguments of the wrong types", TaskName.UPLOAD, [7, "x"], "refused: media.upload takes 1 arguments"),
    of("a claim beyond a BIGINT", TaskName.INSPECT, [[[LARGEST_NUMBER + 1, 0]]], "refused: media.inspect: claims.0.0"),
    of("a claim that is negative", TaskName.INSPECT, [[[-1, 0]]], "refused: media.inspect: claims.0.0"),
    of("a claim of 10 to the 400", TaskName.INSPECT, [[[10**400, 0]]], "refused: media.inspect: claims.0.0"),
    of("100,000 claims", TaskName.INSPECT, [[[1, 1]] * 100_000], "refused: media.inspect: claims"),
    of("100,001 items", TaskName.PREPARE, [PLAN, [ITEM] * (MOST_ROWS + 1)], "refused: media.prepare: items"),
    of("a ref of 10 MB", TaskName.PREPARE, [PLAN, [{**ITEM, "ref": "x" * 10_000_000}]], "refused: item 1: ref has more than 255"),
    of("a ref twice", TaskName.PREPARE, [PLAN, [ITEM, ITEM]], "refused: item 2: the ref 'hero' stands at 1"),
    of("a field that drives a terminal", TaskName.PREPARE, [PLAN, [{**ITEM, "\x1b[2J": 1}]], "refused: item 1: the field '.x1b.2J'"),
    of("NUL", TaskName.PREPARE, [PLAN, [{**ITEM, "ref": "a\0"}]], "refused: item 1: ref: .*NUL"),
    of("half a character", TaskName.PREPARE, [PLAN, [{**ITEM, "ref": "\ud800"}]], "refused: item 1: ref holds half"),
    of("an item that is a list", TaskName.PREPARE, [PLAN, [[ITEM]]], "refused: item 1: it must be an object"),
    of("kept until the year 9999", TaskName.PREPARE, [plan(keep_until="9999-12-31T23:59:59-23:59"), []], "refused: The campaign cannot be used: keep_until"),
    of("sent in the year 1", TaskName.PREPARE, [plan(send_at="0001-01-01T00:00:00+23:59"), []], "refused: The campaign cannot be used: send_at"),
    of("a channel that is a path", TaskName.PREPARE, [plan(channel="../../etc"), []], "refused: The campaign cannot be used: channel"),
    of("reports of which none can be read", TaskName.MARK_USED, [[None, 1, [], {}, ["a"], [*USE, 1], ["a", "b", "c"]]], "taken: 0 of 7 reports"),
    of("a report from the year 9999", TaskName.MARK_USED, [[[*USE[:2], "9999-12-31T23:59:59-23:59"], USE]], "taken: 1 of 2 reports"),
    of("a media ID that is a path", TaskName.MARK_DEAD, [[[USE[0], "../x y", USE[2]]]], "taken: 0 of 1 reports"),
    of("failed messages of which none can be read", TaskName.REPORT_ERROR, [[None, [*USE, []], [*USE, [{"code": "x" * 10_000}]], [*USE, [{"code": 1}] * 1_000]]], "taken: 0 of 4 failed messages"),
    of("a webhook's error, 500 deep", TaskName.REPORT_ERROR, [[[*USE, [{"code": 131053, "title": "x", "more": json.loads("[" * 500 + "]" * 500)}]]]], "taken: 1 of 1 failed messages"),
    *(poison(name, item) for name, item in POISON.items()),
)  # fmt: skip
