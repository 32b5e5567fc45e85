"""The form of a line in a log: JSON for machines, or a text for people; both with what the line is about.

Moments are ISO 8601, in UTC. What others wrote was made printable before (:mod:`worker.printable_logs`); the
fields are made so here.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from greenroom.log_fields import fields_of
from greenroom.sources import without_secrets
from greenroom.untrusted_text import printable

#: A value that needs no quotation marks.
_PLAIN = re.compile(r"[\w.:@/+-]+")


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _clean_fields(record: logging.LogRecord) -> dict[str, object]:
    """Numbers as they are, everything else as a text of one line that moves no terminal."""
    return {
        name: value if isinstance(value, int) else printable(without_secrets(str(value)))
        for name, value in (_of_celery(record) | fields_of(record)).items()
    }


def _of_celery(record: logging.LogRecord) -> dict[str, object]:
    """The task that a line of Celery's own is about, which it knows after the task is over."""
    data = getattr(record, "data", None)
    if not isinstance(data, dict):
        return {}
    return {ours: data[theirs] for ours, theirs in (("task", "name"), ("task_id", "id")) if theirs in data}


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as an object: time, level, logger, process, message, fields, exception."""
        line = {
            "time": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "process": record.processName,
            "message": record.getMessage(),
            **_clean_fields(record),
        }
        trace = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        if trace:
            line["exception"] = trace
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """For people: the time, the level, what it is about, the sentence."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(processName)s%(fields)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - theirs
        """ISO 8601, with the zone."""
        return _moment(record)

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; those of a traceback follow."""
        fields = " ".join(f"{name}={_quoted(value)}" for name, value in _clean_fields(record).items())
        record.fields = f" [{fields}]" if fields else ""
        return super().format(record)


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
