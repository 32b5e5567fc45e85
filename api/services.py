"""What the HTTP API works with, and on whose behalf: one for each process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from pydantic import SecretStr
from starlette.requests import Request

from api.login_rates import LoginRates
from api.refusals import ChannelNotAllowed
from api.request_rates import RequestRates
from greenroom.client import Greenroom
from greenroom.clock import Clock
from greenroom.errors import Misuse, UnknownName
from models import Database
from models.api_tokens import ApiTokenRow, token_row
from models.campaign import CampaignRow, get_campaign
from models.channel import list_channels


@dataclass(frozen=True, kw_only=True)
class ApiLimits:
    """How much is taken.

    Attributes:
        requests_per_minute: of each token.
        largest_manifest: bytes of a body that has a manifest.
        largest_body: bytes of any other one.
        manifests: bodies with a manifest that come in at a time.
        requests: requests at a time; as many threads wait for the broker.
        silence: seconds in which nothing of a body comes.
        body_seconds: until all of a body is there.
    """

    requests_per_minute: int = 600
    largest_manifest: int = 256 * 2**20
    largest_body: int = 4 * 2**20
    manifests: int = 4
    requests: int = 64
    silence: float = 30.0
    body_seconds: float = 900.0


@dataclass(frozen=True, kw_only=True)
class Services:
    """The database, for who may come in and for pages; the client, for all the rest. For several threads.

    Attributes:
        monotonic: seconds of a clock that never goes back.
    """

    database: Database
    greenroom: Greenroom
    rates: RequestRates
    login_rates: LoginRates
    limits: ApiLimits
    clock: Clock
    monotonic: Callable[[], float]

    @classmethod
    def of(cls, request: Request) -> Services:
        """Those of the application that a request came to."""
        return cast("Services", request.app.state.services)

    def caller(self, token: SecretStr) -> Caller | None:
        """Whoever has the token; None where nobody has."""
        with self.database.read() as connection:
            row = token_row(connection, token)
        return None if row is None else Caller(services=self, token=row)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The scheduler that makes a request, by its token."""

    services: Services
    token: ApiTokenRow

    @classmethod
    def of(cls, request: Request) -> Caller:
        """Whoever made it, as its token said."""
        return cast("Caller", request.state.caller)

    def channels(self) -> list[str]:
        """Names of the channels that it may work on."""
        with self.services.database.read() as connection:
            known = [row.id for row in list_channels(connection)]
        limited = self.token.channels
        return known if limited is None else [one for one in known if one in limited]

    def require_channels(self, channels: Iterable[str]) -> None:
        """Let it pass if it may work on all of these.

        Raises:
            ChannelNotAllowed: on one it may not.
        """
        if self.token.channels is None:
            return
        for channel in channels:
            if channel not in self.token.channels:
                raise ChannelNotAllowed(f"This token is not for channel {channel}.")

    def require_campaign(self, campaign_id: str) -> None:
        """Let it pass if the campaign is on its channels, and on no others.

        Raises:
            UnknownName: it is not, or is not there: who may not know does not learn which.
        """
        if self.token.channels is None:
            return
        with self.services.database.read() as connection:
            row = get_campaign(connection, campaign_id)
        if not self.may_see(row):
            raise UnknownName(f"Campaign {campaign_id} is not known here.")

    def may_see(self, row: CampaignRow) -> bool:
        """Whether a campaign is on its channels, and on no others."""
        return self.token.channels is None or set(row.channels) <= self.token.channels

    def require_free_name(self, campaign_id: str) -> None:
        """Let it pass if no campaign on another's channel has this ID.

        Raises:
            Misuse: one has.
        """
        if self.token.channels is None:
            return
        try:
            with self.services.database.read() as connection:
                row = get_campaign(connection, campaign_id)
        except UnknownName:
            return
        if not set(row.channels) <= set(self.token.channels):
            raise Misuse(f"The ID {campaign_id} is taken. Give the campaign another one.")
