"""How pages are answered: as HTML, with what a browser is to keep to."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import HTMLResponse

from api.problems import RETRY_SECONDS, STATUSES
from greenroom.errors import GreenroomError
from greenroom.page_templates import LiveView, policy_of_a_server, rendered

_HEADLINES: Final = {
    HTTPStatus.NOT_FOUND: "There is no such page",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not at the moment",
}
#: For every answer, whatever it is.
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": policy_of_a_server(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: browsers would leave out, too, where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def html(text: str, status: int = HTTPStatus.OK, **headers: str) -> HTMLResponse:
    """A page."""
    return HTMLResponse(text, status, {name.replace("_", "-"): value for name, value in headers.items()})


def error_page(error: GreenroomError, *, live: LiveView | None = None) -> HTMLResponse:
    """What somebody sees whose request failed so."""
    status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
    headers: dict[str, Any] = {}
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers["Retry_After"] = str(getattr(error, "retry_after", None) or RETRY_SECONDS)
    text = rendered(
        "message.html",
        live=live or LiveView(),
        headline=_HEADLINES.get(status, "That did not work"),
        sentence=str(error),
    )
    return html(text, status, **headers)
