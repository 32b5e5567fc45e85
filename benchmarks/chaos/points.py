"""What is loaded into workers (``celery -I``) so that they may be ended at one named point of their work.

A file in the folder that ``CHAOS_CONTROLS`` names says what shall go wrong; nothing of it is in the product:

* ``at-POINT``: whoever comes to this point next removes the file, and kills its own process with ``SIGKILL``.
* ``clock-NAME``: seconds by which the clock of the worker of that name is ahead.
* ``no-dns``: the provider's name cannot be resolved.
* ``twice``: each message that is published is published twice.
* ``forget``: whoever writes down media IDs next leaves one out, a planted loss by which the harness is tried.
"""

from __future__ import annotations

import faulthandler
import functools
import os
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kombu.transport import redis as transport

import tasks.dispatch
import tasks.inspect
import tasks.inspecting.verdict_writer
import tasks.prepare
import tasks.uploading.completion
from greenroom import clock
from greenroom.rate_limit.limiter import Limiter
from greenroom.rate_limit.ownership import OwnedChannel
from tasks.uploading.sender import Sender

CONTROLS, NAME = Path(os.environ.get("CHAOS_CONTROLS", ".")), os.environ.get("CHAOS_NAME", "")

#: The points that are set in this process.
SET: list[str] = []


def arrive(point: str) -> None:
    """Die here, if that is wanted; one process alone does."""
    if consume(f"at-{point}"):
        os.kill(os.getpid(), signal.SIGKILL)


def consume(name: str) -> bool:
    """Remove a control file; returns whether there was one, to one caller alone."""
    try:
        (CONTROLS / name).unlink()
    except FileNotFoundError:
        return False
    return True


def before(owner: Any, name: str, point: str) -> None:
    """Make the beginning of a function a point."""
    SET.append(point)
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        arrive(point)
        return inner(*args, **kwargs)

    setattr(owner, name, call)


def after(owner: Any, name: str, point: str, when: Callable[..., bool] = lambda *_, **__: True) -> None:
    """Make the end of a function a point, where its arguments fulfil a condition."""
    SET.append(point)
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def call(*args: Any, **kwargs: Any) -> Any:
        answer = inner(*args, **kwargs)
        if when(*args, **kwargs):
            arrive(point)
        return answer

    setattr(owner, name, call)


def _is_media_id(_sender: Sender, _job: Any, result: Any) -> bool:
    return isinstance(result, str)


def set_points() -> None:
    """Every point, in the order in which a file passes them; a name that is gone stops the worker."""
    for name in ("add_items", "save_items"):
        after(tasks.prepare, name, "prepared")
    for name in ("take_items", "claim_and_take_items"):
        after(tasks.inspect, name, "inspecting")
    after(tasks.inspecting.verdict_writer, "record_verdicts", "before the verdicts' commit")
    after(tasks.inspecting.verdict_writer, "_write", "after the verdicts' commit")
    # Claimed and committed, and not yet published.
    before(Limiter, "note_requested", "after claim")
    # Taken by the task and committed, and nothing sent yet.
    before(Limiter, "acquire", "after taking")
    after(OwnedChannel, "wait", "after slot")
    before_end = functools.partial(after, when=_is_media_id)
    before_end(Sender, "_end", "after answer")
    after(tasks.uploading.completion, "record_media", "before commit")
    after(tasks.uploading.completion, "_record_surely", "after commit")


#: Their names, for who asks for them.
POINTS = (
    *("prepared", "inspecting", "before the verdicts' commit", "after the verdicts' commit"),
    *("after claim", "after taking", "after slot", "after answer", "before commit", "after commit"),
)


class JumpingClock(clock.SystemClock):
    """The machine's clock, and what it is said to be ahead."""

    def now(self) -> datetime:
        """The present moment, or what this worker takes for it."""
        try:
            ahead = float((CONTROLS / f"clock-{NAME}").read_text())
        except (OSError, ValueError):  # none is there, or this process may open no more files
            ahead = 0.0
        return datetime.now(UTC) + timedelta(seconds=ahead)


def set_clock() -> None:
    """Let the clock of this process be one that may jump."""
    setattr(clock.SystemClock, "now", JumpingClock.now)  # noqa: B010 - mypy does not let methods be replaced


def set_names() -> None:
    """Let names not be found while that is wanted."""
    inner = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "localhost" and (CONTROLS / "no-dns").exists():
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return inner(host, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def set_twice(controls: Path = CONTROLS) -> None:
    """Let every message be there twice while that is wanted."""
    inner = transport.Channel._put  # noqa: SLF001 - what puts a message into its queue

    def put(self: Any, queue: str, message: Any, **kwargs: Any) -> None:
        inner(self, queue, message, **kwargs)
        if (controls / "twice").exists():
            inner(self, queue, message, **kwargs)

    setattr(transport.Channel, "_put", put)  # noqa: B010 - mypy does not let methods be replaced


def set_forgetting() -> None:
    """Lose one media ID where that is wanted."""
    inner = getattr(tasks.uploading.completion, "record_media")  # noqa: B009 - imported there, and so not exported

    def record_media(connection: Any, given: Any, **kwargs: Any) -> Any:
        return inner(connection, given[1:] if given and consume("forget") else given, **kwargs)

    setattr(tasks.uploading.completion, "record_media", record_media)  # noqa: B010 - as above


if "CHAOS_CONTROLS" in os.environ:
    # For whoever looks for the reason: the stacks of all threads, into the log.
    faulthandler.register(signal.SIGUSR2)
    set_forgetting()
    set_points()
    set_clock()
    set_names()
    set_twice()
