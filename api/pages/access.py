"""The door of the pages: people log in with a token that only reads, and a cookie says who they are then.

Whoever is not logged in gets the form to log in, at whatever address; so there is no address to be sent to
afterwards, which a stranger could have written. Whoever posts from another site is refused.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.pages.answers import HEADERS, error_page, html
from api.pages.cookie import secret_in, with_session, without_session
from api.refusals import BodyTooLarge, BodyTooSlow, OtherSite, RequestInvalid, ServerBusy
from api.services import Caller, Services
from greenroom.bearer_token import READING_PREFIX, TOKEN
from greenroom.errors import GreenroomError
from greenroom.page_templates import LiveView, rendered
from models.page_sessions import end_session, open_session, session_token

_PAGES: Final = ("/campaigns/", "/logout/")
#: Requests for pages at a time, those that wait with them: the rest of the server's places are schedulers'.
MOST_REQUESTS: Final = 24
#: Bytes of the form, and seconds until it is there.
_LARGEST_FORM: Final = 2_000
_FORM_SECONDS: Final = 10
_SEE_OTHER: Final = 303
_NOT_KNOWN: Final = "This token is not known here. Perhaps it was revoked; ask for another one."
_NOT_FOR_PEOPLE: Final = (
    "This token is a scheduler's and may change campaigns: it does not belong in a browser. Ask for one that "
    "only reads: greenroom token new NAME --read-only"
)


def is_page(path: str) -> bool:
    """Whether something at this path, if there is anything, is a page."""
    return path == "/" or f"{path}/".startswith(_PAGES)


class PageAccess:
    """Around the pages: those who are not logged in never reach them."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._in_flight += 1
        try:
            try:
                response = await self._refusal(scope, receive)
            except GreenroomError as error:
                response = error_page(error)
            await (response or self._app)(scope, receive, guarded)
        finally:
            self._in_flight -= 1

    async def _refusal(self, scope: Scope, receive: Receive) -> Response | None:
        """What is answered to who does not come in; None to who does."""
        if self._in_flight > MOST_REQUESTS:
            raise ServerBusy("Many people look at the moment. Come again in a moment.", retry_after=2)
        posted = scope["method"] == "POST"
        if posted:
            _require_same_site(scope)
        if scope["path"] == "/logout":
            return await self._log_out(scope)
        if posted:
            return await self._log_in(scope, receive)
        caller = await run_in_threadpool(self._caller, scope)
        if caller is None:
            return _from_elsewhere(scope) or _form("")
        scope.setdefault("state", {})["caller"] = caller
        self._services.rates.take(caller.token.id)
        return None

    def _caller(self, scope: Scope) -> Caller | None:
        secret = secret_in(scope)
        if secret is None:
            return None
        with self._services.database.read() as connection:
            row = session_token(connection, secret, now=self._services.clock.now())
        return None if row is None else Caller(services=self._services, token=row)

    async def _log_in(self, scope: Scope, receive: Receive) -> Response:
        peer = scope["client"][0] if scope.get("client") else ""
        self._services.login_rates.require(peer)
        try:
            token = SecretStr(await _given_token(scope, receive))
        except GreenroomError:
            # Or who sends slowly could have all places here, again and again.
            self._services.login_rates.take(peer)
            raise
        refused = await run_in_threadpool(self._refused, token)
        if refused:
            self._services.login_rates.take(peer)
            return _form(refused)
        secret = await run_in_threadpool(self._opened, token)
        if secret is None:
            return _form(_NOT_KNOWN)
        # As the browser wrote it. It is a page's path, so it leads to no other server.
        asked = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        response = RedirectResponse(asked.decode("latin-1"), _SEE_OTHER)
        response.headers["Set-Cookie"] = with_session(scope, secret)
        return response

    def _refused(self, token: SecretStr) -> str:
        caller = self._services.caller(token) if TOKEN.fullmatch(token.get_secret_value()) else None
        if caller is None:
            return _NOT_KNOWN
        return "" if caller.token.read_only else _NOT_FOR_PEOPLE

    def _opened(self, token: SecretStr) -> SecretStr | None:
        with self._services.database.write() as connection:
            return open_session(connection, token, now=self._services.clock.now())

    async def _log_out(self, scope: Scope) -> Response:
        secret = secret_in(scope)
        response = RedirectResponse("/", _SEE_OTHER)
        if scope["method"] != "POST":
            return response
        if secret is not None:
            await run_in_threadpool(self._ended, secret)
        response.headers["Set-Cookie"] = without_session(scope)
        # Thumbnails that the browser has kept.
        response.headers["Clear-Site-Data"] = '"cache"'
        return response

    def _ended(self, secret: SecretStr) -> None:
        with self._services.database.write() as connection:
            end_session(connection, secret)


def _require_same_site(scope: Scope) -> None:
    """Let a form pass that this server has shown.

    Raises:
        OtherSite: the browser says that another site has sent it.
    """
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    # A browser says at least one of them; what says neither is none, and no victim of another site.
    same = site in ("same-origin", "none") if site else origin is None or _host(origin) == headers.get("host")
    if not same:
        raise OtherSite("Another site has sent this form. Open this page by itself, and log in there.")


def _host(origin: str) -> str:
    return origin.partition("://")[2]


def _from_elsewhere(scope: Scope) -> Response | None:
    """For who follows a link of another site, such as a mail's: at first, browsers keep the cookie back."""
    headers = Headers(scope=scope)
    if (headers.get("sec-fetch-site"), headers.get("sec-fetch-dest")) != ("cross-site", "document"):
        return None
    return html('<!doctype html><title>Greenroom</title><meta http-equiv="refresh" content="0">')


def _form(refused: str) -> Response:
    text = rendered("login.html", live=LiveView(), refused=refused, prefix=READING_PREFIX)
    return html(text, 401, WWW_Authenticate="Bearer")


async def _given_token(scope: Scope, receive: Receive) -> str:
    """What was typed into the form.

    Raises:
        BodyTooLarge: the form is none of ours.
        BodyTooSlow: it did not come in time.
        RequestInvalid: it broke off.
    """
    body = b""
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            async for part in Request(scope, receive).stream():
                body += part
                if len(body) > _LARGEST_FORM:
                    raise BodyTooLarge("The form has more than a token. Reload the page.")
    except TimeoutError as error:
        raise BodyTooSlow("The form did not arrive in time. Send it again.") from error
    except ClientDisconnect as error:
        raise RequestInvalid("The form broke off. Send it again.") from error
    # A form has as many fields as it has bytes, at most.
    given = parse_qs(body.decode("ascii", "replace"), max_num_fields=_LARGEST_FORM).get("token", [""])
    return given[0].strip()
