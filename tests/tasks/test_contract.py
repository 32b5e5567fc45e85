"""What the broker's messages may hold: the rest is refused with a sentence, before anything is done."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from celery.app.trace import build_tracer

from greenroom.contract import (
    ARGUMENTS,
    CONTRACT_VERSION,
    LARGEST_NUMBER,
    MOST_ROWS,
    PUBLIC,
    VERSION_HEADER,
    check_message,
    schema_text,
)
from greenroom.errors import MessageRefused
from greenroom.task_names import TaskName
from tasks.inspect import inspect_task
from tasks.runtime.checked_task import CheckedTask
from worker.checkout import CHECKOUT
from worker.configuration import TASK_MODULES

CAMPAIGN = {
    "id": "spring",
    "channel": "49",
    "send_at": "2026-12-01T09:00:00Z",
    "keep_until": "2026-12-02T09:00:00Z",
}
ITEM = {"ref": "hero", "source": "/srv/hero.jpg"}
DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        (TaskName.PREPARE, [CAMPAIGN, [ITEM]], {}),
        (TaskName.PREPARE, [], {"campaign": CAMPAIGN, "items": []}),
        (TaskName.RESOLVE, ["spring", ["hero", "ü \u2028"]], {}),
        (TaskName.MARK_USED, [[["49", "123", "2026-12-01T09:00:00Z"], "rubbish"]], {}),
        (TaskName.MARK_DEAD, [[]], {}),
        (TaskName.REPORT_ERROR, [[["49", "123", "2026-12-01T09:00:00Z", [{"code": 131053}]], 7]], {}),
        (TaskName.INSPECT, [[[1, 0], [LARGEST_NUMBER, LARGEST_NUMBER]]], {}),
        (TaskName.UPLOAD, [{"49": [[1, 2]], "50": []}], {}),
        (TaskName.DISPATCH, [], {}),
        (TaskName.DISPATCH, [True], {}),
        (TaskName.DISPATCH, [], {"tick": True}),
        (TaskName.VERIFY, ["49"], {}),
        (TaskName.SWEEP, [], {}),
    ],
)
def test_what_the_contract_allows_is_taken(name: TaskName, args: list[Any], kwargs: dict[str, Any]) -> None:
    """By place or by name; rows of reports are looked at one by one, later."""
    check_message(name, args, kwargs, version=CONTRACT_VERSION)
    check_message(name, args, kwargs)


REFUSED: list[tuple[TaskName, list[Any], dict[str, Any], str]] = [
    (TaskName.PREPARE, [], {}, "media.prepare: campaign: Field required."),
    (TaskName.PREPARE, [CAMPAIGN], {}, "media.prepare: items: Field required."),
    (TaskName.PREPARE, [CAMPAIGN, {}], {}, "items: Input should be a valid list"),
    (
        TaskName.PREPARE,
        [CAMPAIGN, [ITEM] * (MOST_ROWS + 1)],
        {},
        "items: List should have at most 10000 items",
    ),
    (TaskName.PREPARE, [CAMPAIGN, [ITEM], 3], {}, "takes 2 arguments, not 3"),
    (TaskName.PREPARE, [CAMPAIGN], {"campaign": CAMPAIGN}, "campaign is given twice"),
    (TaskName.PREPARE, [CAMPAIGN, []], {"x" * 10**6: 1}, "xxx...: Extra inputs are not permitted"),
    (TaskName.PREPARE, [CAMPAIGN, []], {"\x1b[2J\n": 1}, r"'\x1b[2J\n': Extra inputs are not permitted"),
    (TaskName.RESOLVE, ["spring", "hero"], {}, "refs: Input should be a valid list"),
    (TaskName.RESOLVE, ["spring", [7]], {}, "refs.0: Input should be a valid string"),
    (TaskName.RESOLVE, ["spring", ["a\0b"]], {}, "refs.0: must not hold the character NUL"),
    (TaskName.RESOLVE, ["spring", ["\ud800"]], {}, "refs.0: Input should be a valid string"),
    (TaskName.RESOLVE, ["spring", ["x" * 256]], {}, "refs.0: String should have at most 255 characters"),
    (TaskName.RESOLVE, ["../x", []], {}, "campaign_id: may have letters, digits"),
    (TaskName.RESOLVE, [None, []], {}, "campaign_id: Input should be a valid string"),
    (TaskName.MARK_USED, [{}], {}, "uses: Input should be a valid list"),
    (TaskName.MARK_DEAD, [[[]] * (MOST_ROWS + 1)], {}, "reports: List should have at most"),
    (TaskName.REPORT_ERROR, [[[]] * (MOST_ROWS + 1)], {}, "reports: List should have at most"),
    (TaskName.REPORT_ERROR, ["x"], {}, "reports: Input should be a valid list"),
    (TaskName.INSPECT, [7], {}, "claims: Input should be a valid list"),
    (TaskName.INSPECT, [[[1]]], {}, "claims.0: List should have at least 2 items"),
    (TaskName.INSPECT, [[[1, 2, 3]]], {}, "claims.0: List should have at most 2 items"),
    (TaskName.INSPECT, [[[1, -1]]], {}, "claims.0.1: Input should be greater than or equal to 0"),
    (TaskName.INSPECT, [[[LARGEST_NUMBER + 1, 0]]], {}, "claims.0.0: Input should be less than or equal to"),
    (TaskName.INSPECT, [[[10**4000, 0]]], {}, "claims.0.0: "),
    (TaskName.INSPECT, [[["1", 0]]], {}, "claims.0.0: Input should be a valid integer"),
    (TaskName.INSPECT, [[[True, 0]]], {}, "claims.0.0: Input should be a valid integer"),
    (TaskName.INSPECT, [[[1.0, float("nan")]]], {}, "claims.0.0: Input should be a valid integer"),
    (TaskName.INSPECT, [DEEP], {}, "claims.0.0: Input should be a valid integer"),
    (TaskName.UPLOAD, [{"49": [[1, 1]] * 1001}], {}, "batches.49: List should have at most 1000 items"),
    (TaskName.UPLOAD, [{"4" * 65: []}], {}, "String should have at most 64 characters"),
    (TaskName.UPLOAD, [{"number\n": []}], {}, "may have letters, digits"),
    (
        TaskName.UPLOAD,
        [{str(n): [] for n in range(101)}],
        {},
        "batches: Dictionary should have at most 100 items",
    ),
    (TaskName.DISPATCH, [], {"tick": 1}, "tick: Input should be a valid boolean"),
    (TaskName.SWEEP, [1], {}, "takes 0 arguments, not 1"),
    (TaskName.PRUNE, [], {"everything": True}, "everything: Extra inputs are not permitted"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "words"), REFUSED, ids=[row[3][:40] for row in REFUSED])
def test_everything_else_is_refused_with_a_sentence(
    name: TaskName, args: list[Any], kwargs: dict[str, Any], words: str
) -> None:
    """It says where and what, in one printable line, and shows next to nothing of what was sent."""
    with pytest.raises(MessageRefused) as caught:
        check_message(name, args, kwargs)
    said = str(caught.value)
    assert words in said
    assert said.isprintable()
    assert len(said) < 500


@pytest.mark.parametrize("version", [0, 2, "1", True, 1.0, [1], "x" * 10**6])
def test_another_versions_message_is_refused(version: object) -> None:
    """Whoever is newer must not be half understood."""
    with pytest.raises(MessageRefused, match="contract version") as caught:
        check_message(TaskName.SWEEP, [], {}, version=version)
    assert len(str(caught.value)) < 500


def test_every_task_has_its_arguments_and_is_checked() -> None:
    """A task that is added without them could not even be called."""
    assert set(ARGUMENTS) == set(TaskName)
    things = [thing for module in TASK_MODULES for thing in vars(import_module(module)).values()]
    tasks = [thing for thing in things if hasattr(thing, "apply_async") and not isinstance(thing, type)]
    assert {task.name for task in tasks} == set(TaskName)
    assert all(isinstance(task, CheckedTask) for task in tasks)


def test_a_task_has_a_file_and_a_file_a_task() -> None:
    """The worker loads them all; what several tasks need, or one alone, lies in a folder below."""
    files = {path.stem for path in (CHECKOUT / "tasks").glob("*.py")} - {"__init__"}
    assert {f"tasks.{name}" for name in files} == set(TASK_MODULES)


def test_a_worker_refuses_before_it_does_anything(caplog: pytest.LogCaptureFixture) -> None:
    """Through Celery's own way of running a task: one line, no traceback, and a failure for who waits."""
    task = inspect_task
    run = build_tracer(task.name, task, app=task.app)
    with caplog.at_level("INFO"):
        traced = run("an-id", [[[1, "x"]]], {}, {"id": "an-id", "is_eager": True})
    assert isinstance(
        traced.retval.exception if hasattr(traced.retval, "exception") else traced.retval, MessageRefused
    )
    (line,) = [record for record in caplog.records if "an-id" in record.getMessage()]
    assert "media.inspect: claims.0.1: Input should be a valid integer" in line.getMessage()
    assert not line.exc_info


def test_the_schema_in_the_documentation_is_the_models() -> None:
    """`python -m greenroom.contract > greenroom/messages.schema.json` writes it."""
    path = CHECKOUT / "greenroom" / "messages.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()
    schema = json.loads(schema_text())
    assert schema["contract"] == CONTRACT_VERSION
    assert {name for name, task in schema["tasks"].items() if task["public"]} == set(PUBLIC)
    answered = {name for name, task in schema["tasks"].items() if "answer" in task}
    assert answered == set(PUBLIC) - {TaskName.MARK_USED, TaskName.MARK_DEAD, TaskName.REPORT_ERROR}
    for task in schema["tasks"].values():
        assert task["$ref"].removeprefix("#/$defs/") in schema["$defs"]


def test_the_client_says_which_version_it_means() -> None:
    """In a header of each message."""
    from greenroom.client import Greenroom  # noqa: PLC0415 - for this test alone

    client = Greenroom("memory://", result_url="cache+memory://", timeout=1)
    try:
        client._calls.send(TaskName.MARK_USED, [[]], "none")
        with client._calls._app.connection() as connection:
            message = connection.SimpleQueue("control").get(block=False)
    finally:
        client.close()
    headers: dict[str, Any] = message.headers
    assert headers[VERSION_HEADER] == CONTRACT_VERSION
    assert message.payload[0] == [[]]
