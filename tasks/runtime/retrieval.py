"""What an operator asks of the provider about one media ID: where it is, its content, that it be deleted.

A look-up that fails counts against the number, so that it is booked with those of verification
(`models.lookups`), and waits where that has to wait; what it tells of the ID is written down as there. A URL
of a file is confidential: it stands in no log, error or argument of a process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from pydantic import SecretStr

from greenroom.clock import Clock
from greenroom.errors import (
    ChannelError,
    GreenroomError,
    LookupBlocked,
    MediaGone,
    Misuse,
    ProviderUnavailable,
    RequestRefused,
)
from greenroom.provider import ProviderClient
from greenroom.provider.values import Downloaded, MediaLocation
from greenroom.settings import Settings
from greenroom.vault import Vault
from models import Database
from models.channel import ChannelRow, get_channel, pause_channel
from models.deletes import record_deletes, withdraw
from models.lookups import (
    DueLookup,
    book_failure,
    count_at,
    lock_lookups,
    no_more_lookups,
    record_alive,
    record_doubt,
    room_at,
    take_back,
)
from models.media_reports import MediaReport, media_named
from models.usage_reports import UsageReport, record_dead

#: How long retiring leaves an ID alone that is deleted by hand.
DELETE_BY_HAND = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """Asks the provider about media IDs of one number, by hand.

    Attributes:
        channel_id: the number.
        settings: of the installation.
        database: its database.
        provider: a client of the API that the settings name.
        vault: decrypts the channels' keys.
        clock: tells the time.
    """

    channel_id: str
    settings: Settings
    database: Database
    provider: ProviderClient
    vault: Vault
    clock: Clock

    def look_up(self, media_id: str) -> MediaLocation:
        """Ask where a file is, which is valid for a few minutes.

        Raises:
            MediaGone: the provider does not have this ID; it is taken out of service here.
            LookupBlocked: enough look-ups of the number have failed for now, here or at the provider.
            RequestRefused: refused for good; a needed ID is renewed, and never asked for again.
            ChannelError: the key or the account is refused; the channel is paused.
            TransientError: the moment's fault.
            Misuse: the channel is not known, or is paused.
        """
        with self._asking() as (channel, key):
            booking = self._book()
            try:
                location = self.provider.media_url(key, media_id)
            except GreenroomError as error:
                self._record_failure(media_id, booking, error)
                raise
            self._record_success(channel, media_id, booking)
            return location

    def download(self, media_id: str, into: IO[bytes]) -> Downloaded:
        """Write a file's content, checked against what the provider and this database say of it.

        Where this raises, what was written is to be thrown away.

        Raises:
            ProviderUnavailable: it is another content than was uploaded, among others.
            GreenroomError: as :meth:`look_up` and :meth:`greenroom.provider.client.ProviderClient.download`.
            OSError: writing failed.
        """
        location = self.look_up(media_id)
        with self._asking() as (_, key):
            copy = self.provider.download(key, location, into)
        known = self._known(media_id)
        if known is not None and known.sha256 != copy.sha256:
            raise ProviderUnavailable("download gave another content than was uploaded (SHA-256 differs)")
        return copy

    def download_inbound(self, webhook: str, into: IO[bytes]) -> Downloaded:
        """Write the content of a file that a message to the number came with.

        Args:
            webhook: the URL, or the object that has it; see :func:`greenroom.provider.location.read_webhook`.
            into: as for :meth:`download`.

        Raises:
            GreenroomError: as :meth:`greenroom.provider.client.ProviderClient.download`.
            OSError: writing failed.
        """
        location = self.provider.inbound_location(webhook)
        with self._asking() as (_, key):
            return self.provider.download(key, location, into)

    def delete(self, media_id: str, *, force: bool = False) -> bool:
        """Delete a file at the provider; what a campaign needs of it is uploaded anew.

        Returns:
            Whether the provider had it until now.

        Raises:
            Misuse: a campaign needs it, and it is not forced; or the channel is not known, or is paused.
            GreenroomError: as :meth:`greenroom.provider.client.ProviderClient.delete`. An ID that is known
                here is out of service then, and deleted by the workers.
        """
        with self._asking() as (channel, key):
            with self.database.write() as connection:
                known = withdraw(
                    connection,
                    channel.id,
                    media_id,
                    now=self.clock.now(),
                    lease=DELETE_BY_HAND,
                    force=force,
                )
            was_there = self.provider.delete(key, media_id)
            if known is not None and known.deleted_at is None:
                with self.database.write() as connection:
                    record_deletes(connection, [known.id], now=self.clock.now())
            return was_there

    @contextmanager
    def _asking(self) -> Iterator[tuple[ChannelRow, SecretStr]]:
        """The channel and its key; a key that is refused pauses it, as everywhere."""
        with self.database.read() as connection:
            channel = get_channel(connection, self.channel_id)
        if channel.paused_at is not None:
            raise Misuse(f"Channel {channel.id} is paused: {channel.paused_reason}")
        try:
            yield channel, self.vault.decrypt(channel.api_key)
        except ChannelError as error:
            with self.database.write() as connection:
                pause_channel(
                    connection, channel.id, reason=str(error), now=self.clock.now(), tried=channel.api_key
                )
            raise

    def _book(self) -> int:
        now = self.clock.now()
        with self.database.write() as connection:
            booking = book_failure(connection, self.channel_id, now=now)
            room = room_at(connection, self.channel_id, now=now)
        if booking is None:
            raise LookupBlocked(
                f"Enough look-ups of channel {self.channel_id} have failed: the next one may be made at "
                f"{room:%H:%M:%S} UTC.",
                retry_after=(room - now).total_seconds(),
            )
        return booking

    def _known(self, media_id: str) -> MediaReport | None:
        with self.database.read() as connection:
            return next(iter(media_named(connection, media_id, channel_id=self.channel_id)), None)

    def _in_service(self, media_id: str) -> DueLookup | None:
        known = self._known(media_id)
        if known is None or not known.is_current:
            return None
        return DueLookup(id=known.id, media_id=known.media_id, uploaded_at=known.uploaded_at)

    def _record_success(self, channel: ChannelRow, media_id: str, booking: int) -> None:
        found = self._in_service(media_id)
        with self.database.write() as connection:
            if found is not None:
                rules = self.settings.life_rules(channel.media_life)
                lock_lookups(connection, [found])
                record_alive(connection, channel.id, [found], now=self.clock.now(), rules=rules)
            take_back(connection, booking)

    def _record_failure(self, media_id: str, booking: int, error: GreenroomError) -> None:
        now = self.clock.now()
        with self.database.write() as connection:
            count_at(connection, booking, at=now)
        found = self._in_service(media_id)
        with self.database.write() as connection:
            if isinstance(error, LookupBlocked):
                no_more_lookups(connection, self.channel_id, now=now)
            elif isinstance(error, MediaGone):
                report = UsageReport(channel_id=self.channel_id, media_id=media_id, at=now)
                record_dead(connection, [report], now=now)
            elif isinstance(error, RequestRefused) and found is not None:
                record_doubt(connection, found, now=now)
