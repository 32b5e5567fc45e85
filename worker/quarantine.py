"""What is wrong with a message, found before Celery looks at it: pure functions over what the broker held.

Celery and kombu expect that messages were written by themselves. One that was not, with a number for a body
or an object for an ID, raises in the middle of the consumer and ends the worker; the broker then hands it to
the next one. So each is checked before: its envelope, its headers, the shape of its body. What is in the
arguments is for :mod:`greenroom.contract`.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from celery.exceptions import InvalidTaskError
from kombu.exceptions import SerializationError, SerializerNotInstalled
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from greenroom.answers import ANSWERS
from greenroom.contract import LARGEST_MESSAGE, excerpt
from greenroom.errors import Misuse
from greenroom.task_names import TASK_TIME_LIMIT, TaskName

#: Farther than any retry of ours waits. A worker holds what is for later in its memory, and the broker hands
#: it to another one after the visibility timeout.
LONGEST_WAIT = timedelta(hours=1)
#: What libraries raise where a message is not what they expect. Faults of the moment are not among them.
CONTENT_FAULTS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    SerializationError,
    SerializerNotInstalled,
    InvalidTaskError,
)


class Poison(Misuse):
    """A message that nobody can work on; its text says what is wrong with it."""


#: Printable ASCII: what goes into keys and logs.
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[ -~]+$")]
OptionalWord = Annotated[str, StringConstraints(max_length=255, pattern=r"^[ -~]*$")] | None
#: What an operator is shown.
Summary = Annotated[str, StringConstraints(max_length=10_000)] | None
#: The limit that workers and beat send with each task, or none: a shorter one would end pool processes.
_TimeLimit = Annotated[int, Field(ge=TASK_TIME_LIMIT, le=TASK_TIME_LIMIT)] | None
#: Of what has no place in Greenroom: chords and chains.
Nothing = Annotated[list[Any] | dict[str, Any], Field(max_length=0)] | None


class _Checked(BaseModel):
    # What libraries add, or will add, is theirs.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _DeliveryInfo(_Checked):
    exchange: OptionalWord
    routing_key: OptionalWord


class _Properties(_Checked):
    delivery_tag: Word
    delivery_info: _DeliveryInfo
    body_encoding: Annotated[str, Field(pattern="^(base64|utf-8)$")] | None = None
    priority: Annotated[int, Field(ge=0, le=255)] | None = None
    reply_to: OptionalWord = None
    correlation_id: OptionalWord = None


class _Envelope(_Checked):
    body: str
    headers: dict[str, Any] | None = None
    properties: _Properties
    content_type: OptionalWord = Field(alias="content-type", default=None)
    content_encoding: OptionalWord = Field(alias="content-encoding", default=None)


class _Headers(_Checked):
    id: Word
    task: Word
    root_id: OptionalWord = None
    parent_id: OptionalWord = None
    origin: OptionalWord = None
    lang: OptionalWord = None
    argsrepr: Summary = None
    kwargsrepr: Summary = None
    eta: OptionalWord = None
    expires: OptionalWord = None
    retries: Annotated[int, Field(ge=0, le=2**31)] | None = None
    ignore_result: bool | None = None
    replaced_task_nesting: Annotated[int, Field(ge=0, le=100)] | None = None
    timelimit: tuple[None, None] | Annotated[list[_TimeLimit], Field(max_length=2)] | None = None
    shadow: None = None
    group: None = None
    stamps: Nothing = None
    stamped_headers: Nothing = None


#: Callbacks, error callbacks, a chain or a chord would let a message enqueue others.
_EMBEDDED = TypeAdapter(dict[str, Nothing] | None)


def unpacked(item: bytes) -> dict[str, Any]:
    """A message as kombu keeps it in Redis.

    Raises:
        Poison: it is too large, or not of that form.
    """
    if len(item) > LARGEST_MESSAGE:
        raise Poison(f"it has {len(item)} bytes, and may have {LARGEST_MESSAGE}")
    try:
        message = json.loads(item)
    except RecursionError:
        raise Poison("it is nested too deeply") from None
    except ValueError as error:
        raise Poison(f"it is not JSON: {excerpt(str(error))}") from None
    check_envelope(message)
    whole: dict[str, Any] = message
    return whole


def check_envelope(message: object) -> None:
    """Refuse what kombu cannot make a message of.

    Raises:
        Poison: with what is wrong.
    """
    envelope = _read(_Envelope, message)
    if envelope.properties.body_encoding == "base64":
        try:
            binascii.a2b_base64(envelope.body)
        except ValueError as error:
            raise Poison(f"its body is not base64: {error}") from None


def check_task(headers: object, body: object, *, now: datetime | None = None) -> TaskName:
    """Refuse what Celery cannot make a task of, and what is no task of ours; returns the task's name.

    Args:
        headers: the message's.
        body: decoded: arguments by place and by name, and what is embedded.
        now: the present.

    Raises:
        Poison: with what is wrong.
    """
    known = _read(_Headers, headers)
    try:
        name = TaskName(known.task)
    except ValueError:
        raise Poison(f"{excerpt(known.task)} is no task of Greenroom") from None
    _check_moments(known, now or datetime.now(UTC))
    if not (
        isinstance(body, list | tuple)
        and len(body) == 3  # noqa: PLR2004 - Celery's protocol 2
        and isinstance(body[0], list | tuple)
        and isinstance(body[1], Mapping)
    ):
        raise Poison(
            "its body is not [a list of arguments, an object of arguments by name ({} for none), what else]"
        )
    try:
        _EMBEDDED.validate_python(body[2], strict=True)
    except ValidationError:
        raise Poison("it embeds callbacks, a chain or a chord, which Greenroom has no use for") from None
    return name


def who_waits(headers: object) -> str | None:
    """The ID under which somebody waits for a message's answer: the task has one, or is none of ours.

    Args:
        headers: the message's; what is wrong with it may be in them.
    """
    try:
        known = _Headers.model_validate(headers)
    except ValidationError:
        return None
    ours = known.task in set(TaskName)
    answered = not ours or TaskName(known.task) in ANSWERS
    return known.id if answered and not known.ignore_result else None


def _check_moments(headers: _Headers, now: datetime) -> None:
    for name, given in (("eta", headers.eta), ("expires", headers.expires)):
        if given is None:
            continue
        try:
            moment = datetime.fromisoformat(given)
            away = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        except (ValueError, OverflowError):
            raise Poison(f"{name}: {excerpt(given)} is no moment") from None
        if name == "eta" and away > LONGEST_WAIT.total_seconds():
            raise Poison(f"eta: it is to be run in more than {LONGEST_WAIT.total_seconds():.0f} seconds")


_Model = TypeVar("_Model", bound=_Checked)


def _read(model: type[_Model], data: object) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "it"
        raise Poison(f"{excerpt(where)}: {problem['msg']}") from None
