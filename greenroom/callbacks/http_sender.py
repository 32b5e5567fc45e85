"""Delivers a call-back by HTTP: signed, to an allowed host, over a connection that nothing redirects."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Final

from greenroom import __version__
from greenroom.callbacks.permission import CallbackPermission, origin_of
from greenroom.callbacks.signature import parse_secrets, signed_headers
from greenroom.callbacks.target import CallbackTarget
from greenroom.clock import Clock
from greenroom.errors import CallbackFailed, CallbackUnwanted, SourceRefused
from greenroom.provider.failures import BROKEN_EXCHANGE, why
from greenroom.sources.address import Address, parse_address
from greenroom.sources.connections import AllowedConnections, Resolve

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

    from greenroom.settings import Settings

#: Seconds that one may take altogether. A receiver answers first, and works afterwards.
DELIVERY_SECONDS: Final = 20.0
_SETTING: Final = "GREENROOM_CALLBACK_HOSTS"
_SUCCESS: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
#: "The endpoint is gone, and should not be sent to any more" (Standard Webhooks, "Responding to webhooks").
_GONE: Final = 410
_MOST_DIGITS: Final = 6


class CallbackSender:
    """Sends call-backs by HTTP, and knows which are allowed.

    Args:
        settings: hosts, tasks, secret and authorities.
        clock: tells the moment that is signed.
        resolve: finds the IP addresses of a host.
    """

    def __init__(self, settings: Settings, clock: Clock, *, resolve: Resolve = socket.getaddrinfo) -> None:
        self._connections = AllowedConnections(
            settings.callback_hosts or (),
            setting=_SETTING,
            verb="called back",
            ca_bundle=settings.ca_bundle,
            resolve=resolve,
            name=origin_of,
        )
        self._secret = settings.callback_secret
        self._clock = clock
        self._permission = CallbackPermission(settings, self._connections)

    def refusal(self, target: CallbackTarget) -> str | None:
        """Why a target is never called, as far as its letters tell; None where it may be."""
        return self._permission.refusal(target)

    def post(self, url: str, callback_id: str, body: bytes) -> None:
        """Ask the receiver once; done is what it answers with 2xx.

        Args:
            url: whom; allowed by :meth:`refusal`.
            callback_id: of this call-back, each time that it is delivered.
            body: JSON.

        Raises:
            CallbackFailed: it is to be tried again later.
            CallbackUnwanted: the receiver wants none of it any more.
        """
        address = parse_address(url)
        keys = parse_secrets(self._secret.get_secret_value()) if self._secret else ()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"greenroom/{__version__}",
            **signed_headers(keys, callback_id, body, at=self._clock.now()),
        }
        give_up_at = time.monotonic() + DELIVERY_SECONDS
        try:
            with self._connections.asked(
                address,
                method="POST",
                headers=headers,
                body=body,
                give_up_at=give_up_at,
                patience=DELIVERY_SECONDS,
            ) as answer:
                _require_success(address, answer)
        except SourceRefused as error:
            raise CallbackFailed(str(error)) from None
        except BROKEN_EXCHANGE as error:
            late = time.monotonic() >= give_up_at
            reason = f"not done in {DELIVERY_SECONDS:.0f} s" if late else why(error)
            # Not `from error`: its text has the whole address.
            raise CallbackFailed(f"{origin_of(address)} cannot be called back: {reason}.") from None


def _require_success(address: Address, answer: HTTPResponse) -> None:
    if answer.status in _SUCCESS:
        return
    said = f"{origin_of(address)} answered {answer.status}"
    if answer.status == _GONE:
        raise CallbackUnwanted(f"{said}: it wants no more call-backs.")
    if answer.status in _REDIRECTS:
        raise CallbackFailed(f"{said}: redirects are not followed. Submit the address that it leads to.")
    raise CallbackFailed(f"{said}.", retry_after=_asked_to_wait(answer))


def _asked_to_wait(answer: HTTPResponse) -> float | None:
    asked = answer.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdecimal() and len(asked) <= _MOST_DIGITS else None
