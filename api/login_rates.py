"""How often somebody may fail to log in: so many times a minute from one address."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from api.refusals import TooManyRequests

#: Failures of one address within a minute. Tokens cannot be guessed; this keeps who tries from the database.
MOST_FAILURES: Final = 20
_SECONDS: Final = 60.0
#: Addresses that are remembered.
_MOST_ADDRESSES: Final = 10_000


class LoginRates:
    """Of this process alone, and for its event loop alone.

    Args:
        monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def require(self, address: str) -> None:
        """Let an address try.

        Raises:
            TooManyRequests: it has failed too often.
        """
        recent = self._recent(_whose(address))
        if len(recent) >= MOST_FAILURES:
            after = round(recent[0] + _SECONDS - self._monotonic()) + 1
            raise TooManyRequests(
                f"Logging in from here has failed too often. Try again in {after} seconds.", retry_after=after
            )

    def take(self, address: str) -> None:
        """Count a failure."""
        whose = _whose(address)
        self._failures[whose] = [*self._recent(whose), self._monotonic()]
        self._failures.move_to_end(whose)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def _recent(self, whose: str) -> list[float]:
        since = self._monotonic() - _SECONDS
        return [at for at in self._failures.get(whose, ()) if at > since]


def _whose(address: str) -> str:
    """What counts as one: an address; of IPv6 a /64, all of which one reader may have (RFC 6177)."""
    try:
        found = ip_address(address)
    except ValueError:
        # From a proxy that says anything.
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found), 64), strict=False))
