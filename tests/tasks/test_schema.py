"""The JSON Schema says what workers take and what the client reads: no less, and no more."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenroom.answers import ANSWERS, ResultRecord, TaskAnswer, TaskFailure
from greenroom.contract import PUBLIC, RAISED, check_message, json_schema
from greenroom.errors import ManifestError, MessageRefused, UnknownName
from greenroom.manifest import parse_items, parse_plan
from greenroom.task_names import TaskName
from tests.support.from_schema import ANYTHING, values
from worker.checkout import CHECKOUT

SCHEMA = json.loads((CHECKOUT / "greenroom" / "messages.schema.json").read_text(encoding="utf-8"))
DEFINITIONS = SCHEMA["$defs"]
QUICK = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
#: Their campaigns and items are checked by the tasks themselves, which name the one that is wrong.
WITH_MANIFESTS = (TaskName.PREPARE, TaskName.BEGIN_SUBMISSION, TaskName.SUBMIT, TaskName.ESTIMATE)
public = pytest.mark.parametrize("name", PUBLIC)


def arguments(name: TaskName) -> st.SearchStrategy[dict[str, Any]]:
    """What the schema allows a task to be given, by name."""
    found: st.SearchStrategy[dict[str, Any]] = values(SCHEMA["tasks"][name], DEFINITIONS)
    return found


def take(name: TaskName, given_: dict[str, Any]) -> None:
    """What a worker looks at before it does anything."""
    check_message(name, [], given_)
    if name in WITH_MANIFESTS:
        parse_plan(given_["campaign"])
        parse_items(given_.get("items", []))


@public
def test_a_worker_takes_what_the_schema_allows(name: TaskName) -> None:
    """By name, and by place in the order that it gives."""

    @QUICK
    @given(arguments(name))
    def taken(given_: dict[str, Any]) -> None:
        # Not every text that looks like a number has its country's code: more than a schema can say.
        if given_.get("channel"):
            given_ = {**given_, "channel": "a"}
        check_message(name, [], given_)
        order = SCHEMA["tasks"][name]["arguments"]
        by_place = [given_[field] for field in order if field in given_]
        if list(given_) == order[: len(given_)]:
            check_message(name, by_place, {})
        if name in WITH_MANIFESTS:
            # A number has its country's code, a source is an address or an absolute path, and each ref stands
            # once: more than a schema can say.
            items = [{**one, "ref": str(n), "source": "/a"} for n, one in enumerate(given_.get("items", []))]
            campaign = {**given_["campaign"], "channel": "a"}
            if "channels" in campaign:
                campaign["channels"] = ["a"]
            named = {**given_, "campaign": campaign}
            take(name, {**named, "items": items} if "items" in given_ else named)

    taken()


@public
def test_a_worker_refuses_what_the_schema_does_not_have(name: TaskName) -> None:
    """An argument too many or too few, or one of another type; always with a sentence."""
    model = DEFINITIONS[SCHEMA["tasks"][name]["$ref"].rpartition("/")[2]]

    @QUICK
    @given(arguments(name), st.sampled_from(model["required"]), ANYTHING)
    def refused(given_: dict[str, Any], field: str, other: object) -> None:
        missing = {key: value for key, value in given_.items() if key != field}
        for wrong in (missing, {**given_, "more": other}, {**given_, field: 1.5}, {**given_, field: None}):
            with pytest.raises((MessageRefused, ManifestError)) as caught:
                take(name, wrong)
            assert str(caught.value).isprintable()

    refused()


@pytest.mark.parametrize("name", ANSWERS)
def test_the_client_reads_what_the_schema_lets_a_worker_answer(name: TaskName) -> None:
    """And what is worked out of an answer is as the worker says."""

    @QUICK
    @given(values(SCHEMA["tasks"][name]["answer"], DEFINITIONS))
    def read(value: Any) -> None:
        answer = ANSWERS[name].validate_python(value)
        written = answer.model_dump(mode="json") if isinstance(answer, TaskAnswer) else answer
        again = ANSWERS[name].validate_python(json.loads(json.dumps(written)))
        assert again == answer

    read()


def test_a_failure_has_the_form_of_the_schema() -> None:
    """Each error that the schema names is one of Greenroom's, made again of its sentence."""
    assert set(SCHEMA["errors"]) == {error.__name__ for error in RAISED}
    page = (CHECKOUT / "docs" / "reference" / "tasks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|.*\| (?:no|yes)", page, re.MULTILINE)) == set(SCHEMA["errors"])
    failure = {"exc_type": "UnknownName", "exc_message": ["why"], "exc_module": UnknownName.__module__}
    record = ResultRecord.model_validate(
        {"task_id": "an-id", "status": "FAILURE", "result": failure, "traceback": None, "children": []}
    )
    assert record.result == TaskFailure(**failure)
    assert SCHEMA["errors"]["DatabaseUnavailable"] == {"module": "greenroom.errors", "again": True}
    assert not SCHEMA["errors"]["UnknownName"]["again"]


def test_the_schema_is_that_of_the_models() -> None:
    """The file that is shown and shipped."""
    assert json.loads(json.dumps(json_schema())) == SCHEMA
