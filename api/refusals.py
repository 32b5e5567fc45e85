"""What the HTTP API refuses by itself, before Greenroom is asked: each by a type, as all errors are."""

from __future__ import annotations

from greenroom.errors import GreenroomError


class ApiRefusal(GreenroomError):
    """A request that nobody was asked about.

    Attributes:
        retry_after: seconds after which it may be made again; None where that changes nothing.
    """

    def __init__(self, text: str, *, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class NotAuthenticated(ApiRefusal):
    """The request has no token, or one that is nobody's."""


class ChannelNotAllowed(ApiRefusal):
    """The token is limited to channels, and this is none of them."""


class TokenReadsOnly(ApiRefusal):
    """The token is one that only reads, and the request is not of that kind."""


class OtherSite(ApiRefusal):
    """A form was sent by another site than the one that shows it."""


class PathUnknown(ApiRefusal):
    """There is nothing at this path."""


class MethodNotAllowed(ApiRefusal):
    """There is something at this path, and it cannot be asked so."""


class BodyTooLarge(ApiRefusal):
    """The body has more bytes than are taken."""


class BodyTooSlow(ApiRefusal):
    """The body did not come in time."""


class BodyNotRead(ApiRefusal):
    """The body is of a type that is not taken."""


class RequestInvalid(ApiRefusal):
    """A field of the request is missing, unknown or wrong."""


class TooManyRequests(ApiRefusal):
    """The token has made as many requests as it may in a minute."""


class ServerBusy(ApiRefusal):
    """The server has as many requests as it takes at a time."""
