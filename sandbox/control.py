"""What tests and demos may do to the sandbox, under ``/_sandbox/``; the provider has nothing of it.

=============================  ====================================================================
``GET  /_sandbox/stats``       counts per API key, see :class:`sandbox.phone_numbers.Counts`
``GET  /_sandbox/media``       the media IDs that are there now, per API key
``GET  /_sandbox/contents``    the SHA-256 of each of them, per API key and media ID
``POST /_sandbox/use``         ``{"media_id": ID}``: a message was sent with it
``GET  /_sandbox/statuses``    the statuses of messages that failed after they were taken, per API key
``POST /_sandbox/inbound``     ``{"media_id": ID}``: a message came with this file; answers with the object
                               of its webhook, whose URL is valid for 7 days
``GET  /_sandbox/clock``       ``{"now": seconds since 1970, "offset_seconds": N}``
``POST /_sandbox/clock``       ``{"advance_seconds": N}``
``GET  /_sandbox/faults``      the faults that are set, with what is left of them
``POST /_sandbox/faults``      one command or a list of them, see :func:`parse_commands`
=============================  ====================================================================

A wrong body is answered 400 with ``{"error": sentence}``, and then nothing of it was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sandbox.faults import BadCommand, parse_fault, seconds
from sandbox.state import SandboxState

ControlCommand = Callable[[SandboxState], None]


def parse_commands(body: object) -> list[ControlCommand]:
    """Read what was posted to ``/_sandbox/faults``: one object, or a list of objects.

    Each is a fault (:class:`sandbox.faults.Fault`), ``{"clear": true}``, ``{"forget_media": [ID, ...]}``,
    ``{"revoke_key": KEY}`` or ``{"restore_key": KEY}``. Faults are added to those that are set.

    Raises:
        BadCommand: one of them is wrong.
    """
    return [_command(each) for each in (body if isinstance(body, list) else [body])]


def _command(body: object) -> ControlCommand:
    if not isinstance(body, Mapping):
        raise BadCommand("a command is an object: a fault, or one of " + ", ".join(_COMMANDS))
    named = [name for name in _COMMANDS if name in body]
    if not named:
        fault = parse_fault(body)
        return lambda world: world.faults.add(fault)
    if len(body) != 1:
        raise BadCommand(f"{named[0]} stands alone in its object")
    return _COMMANDS[named[0]](body[named[0]])


def _clear(value: object) -> ControlCommand:
    if value is not True:
        raise BadCommand("clear takes true and nothing else")
    return lambda world: world.faults.clear()


def _forget_media(value: object) -> ControlCommand:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadCommand("forget_media is a list of media IDs, each a string")

    def forget(world: SandboxState) -> None:
        for media_id in value:
            world.remove(media_id)

    return forget


def _revoke_key(value: object) -> ControlCommand:
    key = _text(value, "revoke_key is an API key")
    return lambda world: world.revoke_key(key)


def _restore_key(value: object) -> ControlCommand:
    key = _text(value, "restore_key is an API key")
    return lambda world: world.restore_key(key)


_COMMANDS: dict[str, Callable[[object], ControlCommand]] = {
    "clear": _clear,
    "forget_media": _forget_media,
    "revoke_key": _revoke_key,
    "restore_key": _restore_key,
}


def _text(value: object, sentence: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadCommand(sentence)
    return value


class Controls:
    """The handlers; :meth:`routes` says which is where."""

    def __init__(self, world: SandboxState) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """As in the module's table."""
        return [
            web.get("/_sandbox/stats", self._stats),
            web.get("/_sandbox/media", self._media),
            web.get("/_sandbox/contents", self._contents),
            web.post("/_sandbox/use", self._use),
            web.get("/_sandbox/statuses", self._statuses),
            web.post("/_sandbox/inbound", self._inbound),
            web.get("/_sandbox/clock", self._clock),
            web.post("/_sandbox/clock", self._advance),
            web.get("/_sandbox/faults", self._faults),
            web.post("/_sandbox/faults", self._command),
        ]

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response(self._world.stats())

    async def _media(self, _request: web.Request) -> web.Response:
        return web.json_response(self._world.live_media())

    async def _contents(self, _request: web.Request) -> web.Response:
        return web.json_response(self._world.contents())

    async def _use(self, request: web.Request) -> web.Response:
        body = await _json_object(request, {"media_id"})
        media_id = _text(body.get("media_id"), "media_id is a media ID, as a string")
        if not self._world.use(media_id):
            raise BadCommand(f"there is no media {media_id} (any more)")
        return web.json_response({"success": True})

    async def _statuses(self, _request: web.Request) -> web.Response:
        return web.json_response(self._world.statuses())

    async def _inbound(self, request: web.Request) -> web.Response:
        body = await _json_object(request, {"media_id"})
        media_id = _text(body.get("media_id"), "media_id is a media ID, as a string")
        webhook = self._world.inbound(media_id)
        if webhook is None:
            raise BadCommand(f"there is no media {media_id} (any more)")
        return web.json_response(webhook)

    async def _clock(self, _request: web.Request) -> web.Response:
        clock = self._world.clock
        return web.json_response({"now": clock.now(), "offset_seconds": clock.offset_seconds})

    async def _advance(self, request: web.Request) -> web.Response:
        body = await _json_object(request, {"advance_seconds"})
        self._world.advance(seconds(body.get("advance_seconds"), "advance_seconds"))
        return await self._clock(request)

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(fault) for fault in self._world.faults.active])

    async def _command(self, request: web.Request) -> web.Response:
        for command in parse_commands(await _json(request)):
            command(self._world)
        return await self._faults(request)


async def _json(request: web.Request) -> object:
    try:
        body: object = await request.json()
    except (ValueError, RecursionError) as error:
        raise BadCommand("the body is not JSON") from error
    return body


async def _json_object(request: web.Request, fields: set[str]) -> dict[str, Any]:
    body = await _json(request)
    if not isinstance(body, dict) or body.keys() != fields:
        raise BadCommand(f"the body is an object with exactly {', '.join(sorted(fields))}")
    return body
