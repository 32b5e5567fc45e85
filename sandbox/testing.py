"""A sandbox in a thread of this process, for tests and demos.

Example:
    >>> with RunningSandbox() as sandbox:
    ...     requests.get(sandbox.url + "/123", headers={"D360-API-KEY": "a"}).status_code
    400
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sandbox.control import parse_commands
from sandbox.error_responses import Envelope
from sandbox.faults import BadCommand
from sandbox.latency import Latency
from sandbox.server import Listening, Options, listening
from sandbox.state import SandboxState

_T = TypeVar("_T")
#: Seconds that starting or stopping may take.
_PATIENCE_SECONDS = 30.0


class RunningSandbox:
    """Up from its construction to :meth:`stop`, or to the end of a ``with``. Safe to use from any thread.

    Attributes:
        url: the root of the API, on a free port of 127.0.0.1, without a slash at the end.
    """

    def __init__(
        self,
        *,
        latency: str = "0",
        state: Path | None = None,
        api_keys: Sequence[str] = (),
        throttle_answer: Envelope = Envelope.META,
        count_failed_uploads: bool = False,
    ) -> None:
        """Start it.

        Args:
            latency: as on the command line: ``0``, ``80ms``, ``50ms-1500ms``.
            state: a directory that keeps media over a restart; None for one that is removed at the end.
            api_keys: the only keys that are known; empty for any.
            throttle_answer: how an upload beyond the limit is refused.
            count_failed_uploads: whether uploads answered with an error count for the rule of five.

        Raises:
            StateInUse: another sandbox has the state directory open.
        """
        options = Options(
            latency=Latency.parse(latency),
            state=state,
            api_keys=tuple(api_keys),
            throttle_answer=throttle_answer,
            count_failed_uploads=count_failed_uploads,
        )
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Listening]] = Future()
        self._thread = threading.Thread(target=self._run, args=(options,), name="sandbox", daemon=True)
        self._thread.start()
        self._loop, self._stopping, self._listening = self._started.result(timeout=_PATIENCE_SECONDS)
        self.url = self._listening.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it and wait for its end; nothing happens where it is stopped already."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=_PATIENCE_SECONDS)

    def stats(self) -> dict[str, dict[str, Any]]:
        """As ``GET /_sandbox/stats``: counts per API key."""
        return self._in_loop(SandboxState.stats)

    def advance(self, seconds: float) -> None:
        """Let seconds pass at once."""
        self._in_loop(lambda world: world.advance(seconds))

    def faults(self, *commands: Mapping[str, Any]) -> None:
        """As ``POST /_sandbox/faults``, with one or more of its objects.

        Raises:
            BadCommand: one of them is wrong; then none was done.
        """
        todo = parse_commands(list(commands))
        self._in_loop(lambda world: [each(world) for each in todo])

    def use(self, media_id: str) -> None:
        """A message was sent with this media: its 30 days begin anew.

        Raises:
            BadCommand: there is no such media (any more).
        """
        if not self._in_loop(lambda world: world.use(media_id)):
            raise BadCommand(f"there is no media {media_id} (any more)")

    def failed_statuses(self, api_key: str) -> list[dict[str, Any]]:
        """What webhooks would have told this number of messages that failed, oldest first."""
        return self._in_loop(SandboxState.statuses).get(api_key, [])

    def inbound(self, media_id: str) -> dict[str, Any]:
        """The object of a webhook for a message that came with this file.

        Raises:
            BadCommand: there is no such media (any more).
        """
        webhook = self._in_loop(lambda world: world.inbound(media_id))
        if webhook is None:
            raise BadCommand(f"there is no media {media_id} (any more)")
        return webhook

    def live_media_ids(self, api_key: str) -> list[str]:
        """The media that this number has now, oldest first."""
        return self._in_loop(SandboxState.live_media).get(api_key, [])

    def _run(self, options: Options) -> None:
        try:
            asyncio.run(self._serve(options))
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self, options: Options) -> None:
        stopping = asyncio.Event()
        async with listening(options) as sandbox:
            self._started.set_result((asyncio.get_running_loop(), stopping, sandbox))
            await stopping.wait()

    def _in_loop(self, ask: Callable[[SandboxState], _T]) -> _T:
        async def asked() -> _T:
            return ask(self._listening.world)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(timeout=_PATIENCE_SECONDS)
