"""How many bytes a body may have: looked at in its head, and counted where that does not say."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from api.refusals import BodyTooLarge
from api.services import ApiLimits

_TOO_LARGE: Final = 413


def bounded(scope: Scope, receive: Receive, limits: ApiLimits) -> Receive:
    """The way by which a request's body comes in, as much of it as is taken.

    Raises:
        BodyTooLarge: its head says that it is larger.
    """
    with_manifest = scope["method"] == "PUT" or scope["path"].endswith("/items")
    most = limits.largest_manifest if with_manifest else limits.largest_body
    said = Headers(scope=scope).get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise BodyTooLarge(
            f"The body has {int(said):,} bytes, and at most {most:,} are taken. Send it in parts."
        )
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            # The framework lets this one pass while it reads a body, and nothing else.
            raise HTTPException(_TOO_LARGE)
        return message

    return counted
