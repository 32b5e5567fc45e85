"""What a sandbox can be told at its start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sandbox.error_responses import Envelope
from sandbox.latency import Latency


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything has a default that suits a test.

    Attributes:
        host: the address to listen on; only this machine, unless told otherwise.
        port: 0 takes any free one.
        latency: how long an answer takes.
        state: a directory that keeps media over a restart; None for one that is removed at the end.
        api_keys: the only keys that are known; empty for any.
        count_failed_uploads: uploads answered with an error count for the rule of five, too.
        throttle_answer: ``meta`` answers 429 beyond 25 uploads a second, ``360dialog`` its own HTTP 400.
    """

    host: str = "127.0.0.1"
    port: int = 0
    latency: Latency = field(default_factory=Latency)
    state: Path | None = None
    api_keys: tuple[str, ...] = ()
    throttle_answer: Envelope = Envelope.META
    count_failed_uploads: bool = False
