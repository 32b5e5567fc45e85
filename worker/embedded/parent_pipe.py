"""Standard input and output between the embedded stack's user and its supervisor."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from typing import Any, NoReturn


def input_ended(seconds: float, *, unless: Sequence[int] = ()) -> bool:
    """Whether standard input has ended, waiting at most so long for it, or until others can be read."""
    readable, _, _ = select.select([sys.stdin, *unless], [], [], seconds)
    return sys.stdin in readable and not os.read(sys.stdin.fileno(), 4096)


def first_line() -> bytes:
    """The first line of standard input, and not a byte more: the rest is for `select`."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(sys.stdin.fileno(), 1)):
        line += byte
    return line


def end_if_alone() -> None:
    """End a start that nobody waits for any more."""
    if input_ended(0):
        raise SystemExit(0)


def say_to_parent(**what: Any) -> None:
    """Write a line of JSON to whoever started the supervisor."""
    try:
        print(json.dumps(what), flush=True)
    except BrokenPipeError:
        # Nobody listens any more; standard input ends too, and with it the supervisor.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the rest of the process


def asked_to_end(*_: Any) -> NoReturn:
    """Handle a signal: end the process, and with it what it has started."""
    raise SystemExit(0)
