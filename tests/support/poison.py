"""Messages that end a worker of Celery's, or hold it for ever, as somebody may write them into Redis."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any


def message(body: object = None, *, raw_body: bytes | None = None, **headers: object) -> dict[str, Any]:
    """A message of `media.sweep` as Celery writes it, changed as asked."""
    given = json.dumps([[], {}, {"callbacks": None}] if body is None else body).encode()
    return {
        "body": base64.b64encode(given if raw_body is None else raw_body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "media.sweep", "id": "an-id", "retries": 0, **headers},
        "properties": {
            "correlation_id": "an-id",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "control"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "a-tag",
        },
    }


def without(name: str) -> dict[str, Any]:
    """A message that lacks a part."""
    return {key: value for key, value in message().items() if key != name}


def with_property(name: str, value: object) -> dict[str, Any]:
    """A message with another property."""
    changed = message()
    changed["properties"][name] = value
    return changed


def _as_item(value: object) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


_DEEP = b"[" * 100_000 + b"]" * 100_000

#: By name: what lies in the queue.
POISON: dict[str, bytes] = {
    name: _as_item(value)
    for name, value in {
        # Met by the transport.
        "no JSON": b"\x00\xff rubbish",
        "a number": 5,
        "a list of one": [1],
        "null": b"null",
        "deeply nested": _DEEP,
        "a number of 5,000 digits": b"[" + b"9" * 5000 + b"]",
        "no properties": without("properties"),
        "no headers": without("headers"),
        "no body": without("body"),
        "a body that is a number, not text": {**message(), "body": 5},
        "bad base64": {**message(), "body": "a"},
        "base64 of no ASCII": {**message(), "body": "ä"},
        "an unknown encoding of the body": with_property("body_encoding", "rot13"),
        "an encoding that is an object": with_property("body_encoding", {}),
        "no delivery tag": with_property("delivery_tag", None),
        "a delivery tag that is a list": with_property("delivery_tag", []),
        "no way": with_property("delivery_info", 7),
        "an endless priority": with_property("priority", float("inf")),
        "headers that are a list": {**message(), "headers": [1]},
        "a content type that is an object": {**message(), "content-type": {}},
        "too large": {**message(), "more": "x" * 17_000_000},
        # Met by the consumer.
        "a body that holds a number": message(7),
        "a body that holds a list of one": message([1]),
        "a body that holds a word": message("args"),
        "arguments that are a word": message(["args", {}, {}]),
        "a body that is no JSON": message(raw_body=b"\xff{"),
        "a body that is deeply nested": message(raw_body=_DEEP),
        "an unknown content type": {**message(), "content-type": "application/x-python-serialize"},
        "an ID that is an object": message(id={"a": 1}),
        "no ID": message(id=None),
        "an ID with a newline": message(id="an-id\nCRITICAL all is lost"),
        "an ID of a megabyte": message(id="x" * 1_000_000),
        "a task that is a list": message(task=["media.sweep"]),
        "an unknown task": message(task="media.destroy"),
        "a task of Celery's own": message(task="celery.chord_unlock"),
        "another name in the log": message(shadow="media.all_is_well"),
        "retries that are a word": message(retries="many"),
        "an eta that is an object": message(eta={}),
        "an eta that is no moment": message(eta="tomorrow"),
        "an eta in a hundred years": message(eta="2126-01-01T00:00:00+00:00"),
        "an eta at the end of time": message(eta="9999-12-31T23:59:59-23:59"),
        "an end that is a list": message(expires=[]),
        "a time limit of the sender's": message(timelimit=[0.001, 0.001]),
        "a group": message(group="a-group"),
        "callbacks": message([[], {}, {"callbacks": [{"task": "media.sweep"}]}]),
        "a chain": message([[], {}, {"chain": [{"task": "media.sweep", "args": []}]}]),
        "a stamp": message(stamped_headers=["a"], a="b"),
        "a compressed bomb": message(raw_body=gzip.compress(b"[" * 30_000_000), compression="gzip"),
        "an unknown compression": message(compression="zip"),
        "a compression that is a list": message(compression=["gzip"]),
    }.items()
}
