"""The sandbox as a server: put together, started, stopped.

``serve(options)`` runs one until SIGTERM or SIGINT; ``listening(options)`` is one inside a running loop.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.arrivals import note_arrival
from sandbox.control import Controls
from sandbox.endpoints import Endpoints
from sandbox.error_responses import NO_SUCH_METHOD, NO_SUCH_PATH, Refusal
from sandbox.faults import BadCommand
from sandbox.options import Options
from sandbox.stamped_socket import ACCEPT_QUEUE, listen, stamped
from sandbox.state import SandboxState

__all__ = ["Listening", "Options", "listening", "serve"]

#: Seconds that requests in hand may take to end when the sandbox is stopped.
_GRACE_SECONDS = 0.5
#: Seconds that the unread body of a refused request is read on for, so that its client, still sending, gets
#: the answer and not a reset connection. After them the connection is closed.
_DRAIN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Listening:
    """A sandbox that is up.

    Attributes:
        url: its root, without a slash at the end.
        world: its state; touch it only in the event loop it runs in.
    """

    url: str
    world: SandboxState


def serve(options: Options, door: socket.socket | None = None) -> None:
    """Run a sandbox until SIGTERM or SIGINT; says ``sandbox ready at URL`` in one line when it is up.

    Args:
        options: what it is told.
        door: a socket that listens already, instead of host and port; it is taken over.

    Raises:
        OSError: the address cannot be listened on.
        StateInUse: another sandbox has the state directory open.
    """
    asyncio.run(_serve(options, door))


async def _serve(options: Options, door: socket.socket | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with listening(options, door) as sandbox:
        print(f"sandbox ready at {sandbox.url}", flush=True)
        await stop.wait()


@asynccontextmanager
async def listening(options: Options, door: socket.socket | None = None) -> AsyncIterator[Listening]:
    """A sandbox that is up as long as the context lasts."""
    with _state(options.state) as state, _world(state, options) as world:
        runner = web.AppRunner(
            application(world, options),
            access_log=None,  # it would cost as much as the work
            shutdown_timeout=_GRACE_SECONDS,
            lingering_time=_DRAIN_SECONDS,
        )
        await runner.setup()
        try:
            given = (
                listen(options.host, options.port, backlog=ACCEPT_QUEUE) if door is None else stamped(door)
            )
            await web.SockSite(runner, given, backlog=ACCEPT_QUEUE).start()
            yield Listening(url=_url(runner), world=world)
        finally:
            await runner.cleanup()


def application(world: SandboxState, options: Options) -> web.Application:
    """The aiohttp application: the endpoints, the controls, and one format for all errors."""
    app = web.Application(middlewares=[note_arrival, _errors_in_one_format])
    app.add_routes(Controls(world).routes())
    app.add_routes(Endpoints(world, latency=options.latency).routes())
    return app


@web.middleware
async def _errors_in_one_format(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadCommand as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPNotFound:
        return Refusal(NO_SUCH_PATH, path=request.path).response()
    except web.HTTPMethodNotAllowed:
        return Refusal(NO_SUCH_METHOD, method=request.method.lower(), path=request.path).response()


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _state(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="greenroom-sandbox-") as made:
        yield Path(made)


@contextmanager
def _world(state: Path, options: Options) -> Iterator[SandboxState]:
    world = SandboxState(
        state,
        api_keys=options.api_keys,
        throttle_answer=options.throttle_answer,
        count_failed_uploads=options.count_failed_uploads,
    )
    try:
        yield world
    finally:
        world.close()
