"""A process that judges files one after another, for :mod:`greenroom.inspection.crew`.

It reads the path of a file a line, as JSON, and answers the verdict in a line, as JSON: plain values, so that
nothing that a hostile file did to this process is ever run by the one that asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from greenroom.inspection.judge import inspect_file
from greenroom.reasons import Reason
from greenroom.rules import Category
from greenroom.verdict import Notice, Verdict

#: The first line, once everything is imported: who never says it could not start.
READY: Final = b"ready\n"


def ask(path: Path) -> bytes:
    """The line that asks for a verdict; bytes of a name that are no UTF-8 survive as JSON escapes."""
    return json.dumps(str(path)).encode() + b"\n"


def answer(verdict: Verdict) -> bytes:
    """The line that says a verdict."""
    values = (
        verdict.label,
        verdict.size,
        verdict.sha256,
        verdict.category,
        verdict.mime_type,
        verdict.reason,
        verdict.detail,
        [(notice.code, notice.detail) for notice in verdict.notices],
    )
    return json.dumps(values).encode() + b"\n"


def read_answer(line: bytes) -> Verdict:
    """The verdict in a line.

    Raises:
        ValueError: it is no whole answer.
    """
    label, size, sha256, category, mime_type, reason, detail, notices = json.loads(line)
    return Verdict(
        label=label,
        size=size,
        sha256=sha256,
        category=Category(category) if category else None,
        mime_type=mime_type,
        reason=Reason(reason) if reason else None,
        detail=detail,
        notices=tuple(Notice(code=code, detail=words) for code, words in notices),
    )


def main(judge: Callable[[Path], Verdict] = inspect_file) -> None:
    """Judge until nobody asks any more.

    Args:
        judge: what gives the verdicts; another one is for tests and measurements.
    """
    # Whoever started us ends us; Ctrl-C is his to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.dup(1)
    # A library that prints must not do so into our answers.
    os.dup2(2, 1)
    os.write(answers, READY)
    for line in sys.stdin.buffer:
        os.write(answers, answer(judge(Path(json.loads(line)))))
