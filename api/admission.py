"""The door: who comes in, how often and how many at a time, before anything of a body is read; and the log.

A log line has the method, the path, the status, the milliseconds and whose token it was: no query, no header,
no body.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from fastapi.concurrency import run_in_threadpool
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.body_size import bounded
from api.pages.access import is_page
from api.problems import problem_response
from api.refusals import NotAuthenticated, RequestInvalid, ServerBusy, TokenReadsOnly
from api.services import Caller, Services
from greenroom import tracing
from greenroom.bearer_token import TOKEN, TOKEN_PREFIX
from greenroom.errors import GreenroomError
from greenroom.untrusted_text import one_line

logger = logging.getLogger("greenroom.api")

#: What is answered to everybody: nothing of an installation's.
OPEN_PATHS: Final = frozenset({"/healthz", "/openapi.json"})
#: What a token may be used with that only reads.
READING: Final = ("GET", "HEAD")
_SCHEME: Final = "bearer "


class Admission:
    """Around the application: each request is logged, and those that do not come in never reach it."""

    def __init__(self, app: ASGIApp, pages: ASGIApp, services: Services) -> None:
        self._app = app
        #: They have a door of their own.
        self._pages = pages
        self._services = services
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with tracing.traced(
            "request", parent=_trace_headers(scope), kind="SERVER", method=scope["method"]
        ) as span:
            status = await self._noted(scope, receive, send)
            if span is not None:
                route = scope.get("route")
                span.set_attributes(
                    {
                        "http.response.status_code": status,
                        "http.route": str(
                            getattr(route, "path_format", getattr(route, "path", "")) or "none"
                        ),
                        "greenroom.token": _name(scope),
                    }
                )

    async def _noted(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Answer it, and write its line of the log; returns the status."""
        began, status = time.monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        answer = self._pages if is_page(scope["path"]) else self._answer
        self._in_flight += 1
        try:
            await answer(scope, receive, noted)
        finally:
            self._in_flight -= 1
            milliseconds = (time.monotonic() - began) * 1000
            logger.info("%s %s %d %.0f ms %s", *_shown(scope), status, milliseconds, _name(scope))
        return status

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._in_flight > self._services.limits.requests:
                raise ServerBusy(
                    "The server has as many requests as it takes. Come again soon.", retry_after=1
                )
            if scope["path"] not in OPEN_PATHS:
                caller = await self._caller(scope)
                scope.setdefault("state", {})["caller"] = caller
                if caller.token.read_only and scope["method"] not in READING:
                    raise TokenReadsOnly("This token only reads: it may be used with GET alone.")
                self._services.rates.take(caller.token.id)
                _require_no_token(scope)
            receive = bounded(scope, receive, self._services.limits)
        except GreenroomError as error:
            await problem_response(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        given = Headers(scope=scope).get("authorization", "")
        token = given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""
        caller = None
        if TOKEN.fullmatch(token):
            caller = await run_in_threadpool(self._services.caller, SecretStr(token))
        if caller is None:
            raise NotAuthenticated(
                "Send a token that is valid here: `Authorization: Bearer "
                + TOKEN_PREFIX
                + "...`. Who looks after the "
                "installation makes one with: greenroom token new NAME"
            )
        return caller


def _require_no_token(scope: Scope) -> None:
    """Let nobody's token go on as the ID of a campaign: into messages, logs and Flower.

    Raises:
        RequestInvalid: the path has one.
    """
    if TOKEN.search(scope["path"]):
        raise RequestInvalid(
            "There is a token in the path. Send it in the header Authorization, and replace this one: paths "
            "are written into logs on their way."
        )


def _trace_headers(scope: Scope) -> dict[str, str]:
    given = Headers(scope=scope) if tracing.tracing_is_on() else {}
    return {name: given[name] for name in tracing.HEADERS if name in given}


def _shown(scope: Scope) -> tuple[str, str]:
    """Method and path, as a log may have them: a token that somebody put there is left out."""
    return one_line(scope["method"]), one_line(TOKEN.sub(TOKEN_PREFIX + "...", scope["path"]))


def _name(scope: Scope) -> str:
    caller: Caller | None = scope.get("state", {}).get("caller")
    return caller.token.name if caller else "-"
