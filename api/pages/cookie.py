"""The cookie of who is logged in: for this server alone, and neither for scripts nor for other sites."""

from __future__ import annotations

import re
from http.cookies import CookieError, SimpleCookie
from typing import Final

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import Scope

from models.page_sessions import SECRET_LENGTH, SESSION_LIFE

_NAME: Final = "greenroom_session"
_SECRET: Final = re.compile(rf"[A-Za-z0-9_-]{{{SECRET_LENGTH}}}", re.ASCII)
#: Characters of a header that is looked at.
_LONGEST: Final = 8_000


def came_by_tls(scope: Scope) -> bool:
    """Whether the browser speaks TLS, with the server in front of this one.

    That one says so, and nobody needs to be believed: who lies gets a cookie that is kept from plain HTTP.
    """
    return scope["scheme"] == "https" or Headers(scope=scope).get("x-forwarded-proto", "").strip() == "https"


def secret_in(scope: Scope) -> SecretStr | None:
    """What the cookie has; None where there is none that could be ours."""
    name = _name(scope)
    given: SimpleCookie = SimpleCookie()
    try:
        given.load(Headers(scope=scope).get("cookie", "")[:_LONGEST])
    except CookieError:
        return None
    value = given[name].value if name in given else ""
    return SecretStr(value) if _SECRET.fullmatch(value) else None


def with_session(scope: Scope, secret: SecretStr) -> str:
    """The header that sets it."""
    return _set(scope, secret.get_secret_value(), int(SESSION_LIFE.total_seconds()))


def without_session(scope: Scope) -> str:
    """The header that deletes it."""
    return _set(scope, "", 0)


def _name(scope: Scope) -> str:
    # With this prefix, browsers take it from nobody but this very server, over TLS (RFC 6265bis, 4.1.3.2).
    return f"__Host-{_NAME}" if came_by_tls(scope) else _NAME


def _set(scope: Scope, value: str, seconds: int) -> str:
    secure = "; Secure" if came_by_tls(scope) else ""
    return f"{_name(scope)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
