"""Says in words why an exchange with the provider broke, without what the exception holds.

Exceptions of ``requests`` carry the request, and with it the API key and the media URL; so none of them may
become the cause or context of ours. Their types are looked at, and nothing of theirs is quoted.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException

import requests
from urllib3 import exceptions as urllib3


class BadAnswer(HTTPException):
    """What came is not one whole answer; its text says why, a clause for a sentence, free of secrets."""


#: Everything that sending a request or reading its answer may raise.
BROKEN_EXCHANGE = (OSError, urllib3.HTTPError, HTTPException)

# Tried from the top, on each exception in the chain; the first that fits is said.
_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.ProxyError, "the proxy cannot be reached or refused to connect"),
    (ssl.SSLCertVerificationError, "the server's certificate is not accepted; is a CA bundle missing?"),
    (ssl.SSLError, "TLS failed"),
    (urllib3.NameResolutionError, "its name cannot be resolved"),
    (socket.gaierror, "its name cannot be resolved"),
    (ConnectionRefusedError, "the connection was refused"),
    (urllib3.NewConnectionError, "no connection could be made"),
    (urllib3.ConnectTimeoutError, "connecting took too long"),
    (requests.ConnectTimeout, "connecting took too long"),
    (urllib3.ReadTimeoutError, "it did not answer in time"),
    (TimeoutError, "it did not take or send data in time"),
    (urllib3.IncompleteRead, "the answer was cut short"),
    (urllib3.DecodeError, "the answer cannot be decompressed"),
    (ConnectionError, "the connection was closed"),
    (HTTPException, "the answer is not HTTP"),
)

#: Of these, those that say that there was no connection, so that nothing was sent.
_NO_CONNECTION = (
    urllib3.ProxyError,
    ssl.SSLCertVerificationError,
    urllib3.NameResolutionError,
    socket.gaierror,
    ConnectionRefusedError,
    urllib3.NewConnectionError,
    urllib3.ConnectTimeoutError,
    requests.ConnectTimeout,
)
#: How http.client begins what it says of a proxy that answers CONNECT with an error.
_REFUSED_BY_PROXY = "Tunnel connection failed"


def why(error: BaseException) -> str:
    """Why the exchange broke: a clause for a sentence, free of secrets."""
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, BadAnswer):
            return str(one)
    if any(str(one).startswith(_REFUSED_BY_PROXY) for one in chain):
        return "the proxy refused to connect"
    for kind, words in _WORDS:
        if any(isinstance(one, kind) for one in chain):
            return words
    return "the connection failed"


def never_connected(error: BaseException) -> bool:
    """Whether it broke before there was a connection."""
    chain = list(_chain(error))
    return not any(isinstance(one, BadAnswer) for one in chain) and any(
        isinstance(one, _NO_CONNECTION) or str(one).startswith(_REFUSED_BY_PROXY) for one in chain
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it wraps: its arguments, its reason, its cause."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting.extend(each for each in inner if isinstance(each, BaseException))
