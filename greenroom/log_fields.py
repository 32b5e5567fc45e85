"""What a line of a log is about: the task, the campaign, the channel, the file; besides its sentence.

What holds for a while is bound for a block (:func:`logged_about`), what one line alone knows is handed over
with it (:func:`about`): binding costs a microsecond, and what every upload does must cost less.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Final

from greenroom.tracing import trace_id

#: Fields in the order in which they are shown.
FIELDS: Final = ("task", "task_id", "attempt", "campaign", "channel", "ref", "file", "media_id", "trace_id")
#: The attribute of a record that holds what its line alone knows.
_ATTRIBUTE: Final = "about"

_bound: ContextVar[Mapping[str, object]] = ContextVar("logged_about", default=MappingProxyType({}))


@contextmanager
def logged_about(**fields: object) -> Iterator[None]:
    """Every line that this thread logs within the block is about these, too."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def bound_fields() -> Mapping[str, object]:
    """What is bound now, to be bound in another thread."""
    return _bound.get()


def about(**fields: object) -> dict[str, Any]:
    """``extra`` for one line: ``logger.warning("...", extra=about(channel=channel_id))``."""
    return {_ATTRIBUTE: fields}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What a record is about, in the order of :data:`FIELDS`; to be asked by the thread that logged it."""
    known = {**_bound.get(), **getattr(record, _ATTRIBUTE, {}), "trace_id": trace_id()}
    return {name: known[name] for name in FIELDS if known.get(name) is not None}
