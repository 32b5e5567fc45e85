"""A task's world: its context, a sandbox, and time that passes at once where somebody sleeps."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from greenroom.clock import ManualClock
from models import Database
from models.channel import add_channel
from sandbox.testing import RunningSandbox
from tasks.runtime.announcements import Message
from tasks.runtime.context import Context

#: Long before any expiry, and no daylight saving in sight.
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHANNEL = "4915112345678"
#: Looked for in everything that is written anywhere: it must be found nowhere.
CANARY_KEY = "canary-api-key-6f1d2c"


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PassingTime:
    """Time that passes by itself, and at once where somebody sleeps: for the workers and for the sandbox."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.slept: list[float] = []
        self._sandbox = sandbox
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds, as by time.monotonic."""
        return time.monotonic() + sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Be somewhat later."""
        with self._lock:
            # The sandbox first: it must never see what workers send after a pause without the pause.
            self._sandbox.advance(seconds)
            self.slept.append(seconds)


@dataclass(kw_only=True)
class World:
    """A task's context, and what a test wants to do with it."""

    context: Context
    clock: ManualClock
    sandbox: RunningSandbox
    published: list[Message] = field(default_factory=list)
    passing: PassingTime

    @property
    def database(self) -> Database:
        """The world's database."""
        return self.context.database

    def add_channel(self, channel_id: str = CHANNEL, key: str = CANARY_KEY) -> str:
        """A channel whose key the sandbox takes."""
        with self.database.write() as connection:
            add_channel(
                connection,
                channel_id=channel_id,
                api_base_url=self.context.settings.api_base_url,
                api_key=self.context.vault.encrypt(SecretStr(key)),
                now=self.clock.now(),
            )
        return channel_id

    def campaign(
        self, campaign_id: str = "spring", channel_id: str = CHANNEL, days: int = 7
    ) -> dict[str, str]:
        """A campaign's plan, to be sent in an hour."""
        send_at = self.clock.now() + timedelta(hours=1)
        return {
            "id": campaign_id,
            "channel": channel_id,
            "send_at": send_at.isoformat(),
            "keep_until": (send_at + timedelta(days=days)).isoformat(),
        }


MakeWorld = Callable[..., World]
