"""The sandbox's whole state behind the network: clock, numbers, media, faults; used from one thread only."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sandbox.contents import Contents, Incoming
from sandbox.error_responses import (
    KEY_REFUSED,
    LOOKUPS_BLOCKED,
    MEDIA_NOT_SENT,
    NO_SUCH_MEDIA,
    THROTTLE_ANSWERS,
    Envelope,
    Refusal,
)
from sandbox.faults import Faults
from sandbox.links import INBOUND_LIFETIME_SECONDS, LinkSigner, LinkSource
from sandbox.message_reader import OutgoingMessage
from sandbox.movable_clock import MovableClock
from sandbox.phone_numbers import PhoneNumber
from sandbox.statuses import StatusError, failed_status, new_message_id, wrong_type
from sandbox.store import MediaStore, StoredMedia


class SandboxState:
    """What the endpoints and the controls act upon.

    Attributes:
        clock: the time in here.
        faults: what shall go wrong.
        links: makes and checks media URLs.
    """

    def __init__(
        self,
        state: Path,
        *,
        api_keys: Iterable[str] = (),
        throttle_answer: Envelope = Envelope.META,
        count_failed_uploads: bool = False,
    ) -> None:
        """Open the state.

        Args:
            state: the folder of the state; made where it is missing.
            api_keys: the only keys that are known; none means that any key is.
            throttle_answer: how an upload beyond the limit is refused.
            count_failed_uploads: whether uploads answered with an error count for the rule of five.

        Raises:
            StateInUse: another sandbox has it open.
        """
        state.mkdir(parents=True, exist_ok=True)
        self._store = MediaStore(state / "store.sqlite3")
        self._contents = Contents(state)
        self._known_keys = frozenset(api_keys)
        self._revoked_keys: set[str] = set()
        self._numbers: dict[str, PhoneNumber] = {}
        self._throttled = THROTTLE_ANSWERS[throttle_answer]
        self._count_failed_uploads = count_failed_uploads
        self.clock = MovableClock(offset_seconds=self._store.clock_offset_seconds)
        self._began = self.clock.stamp()
        self.faults = Faults()
        self.links = LinkSigner(self._store.secret)
        self._expire()

    def close(self) -> None:
        """Close what the state is kept in."""
        self._store.close()

    # Numbers and their limits

    def number(self, api_key: str | None) -> PhoneNumber:
        """The number of a key.

        Raises:
            Refusal: there is no key, or it is not known, or it was revoked.
        """
        key = (api_key or "").strip()
        if not key or key in self._revoked_keys or (self._known_keys and key not in self._known_keys):
            raise Refusal(KEY_REFUSED)
        return self._number_of(key)

    def _number_of(self, key: str) -> PhoneNumber:
        if key not in self._numbers:
            self._numbers[key] = PhoneNumber(api_key=key)
        return self._numbers[key]

    def admit_upload(self, number: PhoneNumber, arrived_at: float | None = None) -> None:
        """Count an upload's arrival.

        Args:
            number: whose.
            arrived_at: moment of `time.monotonic`; the present, where it is not given.

        Raises:
            Refusal: "A limit of 25 requests per second (RPS) per phone number."
        """
        stamp = self.clock.stamp(arrived_at)
        if not number.upload_arrives(stamp, since_start=stamp - self._began):
            number.counts.throttled += 1
            self._count_failed_upload(number)
            raise Refusal(self._throttled)

    def upload_failed(self, number: PhoneNumber) -> None:
        """Count an upload that was admitted and answered with an error."""
        number.counts.rejected += 1
        self._count_failed_upload(number)

    def _count_failed_upload(self, number: PhoneNumber) -> None:
        if self._count_failed_uploads:
            number.lookups.upload_failed(self.clock.now())

    def admit_lookup(self, number: PhoneNumber) -> None:
        """Count a look-up.

        Raises:
            Refusal: "requests to this endpoint will be blocked".
        """
        now = self.clock.now()
        number.counts.lookups += 1
        until = number.lookups.blocked_until(now)
        if until is not None:
            number.counts.lookups_blocked += 1
            number.lookups.refused(now)
            raise Refusal(LOOKUPS_BLOCKED, seconds=math.ceil(until - now))

    def lookup_failed(self, number: PhoneNumber) -> None:
        """Count a look-up that was answered with an error."""
        number.counts.lookup_errors += 1
        number.lookups.failed(self.clock.now())

    # Media

    def incoming(self) -> Incoming:
        """Begin to receive a file."""
        return self._contents.incoming()

    def store(self, number: PhoneNumber, incoming: Incoming, mime_type: str) -> str:
        """Keep an upload that was received whole, and answer with its new media ID."""
        sha256 = incoming.sha256
        if self._store.was_uploaded(api_key=number.api_key, sha256=sha256, mime_type=mime_type):
            number.counts.duplicates += 1
        self._contents.keep(incoming)
        number.counts.uploads += 1
        return self._store.add(
            api_key=number.api_key,
            sha256=sha256,
            mime_type=mime_type,
            file_size=incoming.size,
            now=self.clock.now(),
        )

    def media(self, number: PhoneNumber, media_id: str, *, method: str) -> StoredMedia:
        """This number's media.

        Args:
            number: who asks.
            media_id: what for.
            method: the word for the request in a refusal: get or delete.

        Raises:
            Refusal: there is none, or it is another number's.
        """
        found = self._store.find(media_id, number.api_key, now=self.clock.now())
        if found is None:
            raise Refusal(NO_SUCH_MEDIA, method=method, media_id=media_id)
        return found

    def content_path(self, media: StoredMedia) -> Path:
        """Where the file of a media is."""
        return self._contents.path(media.sha256)

    def remove(self, media_id: str) -> None:
        """End a media, as a deletion does; nothing happens where there is none."""
        self._remove_contents(self._store.remove(media_id, now=self.clock.now()))

    def use(self, media_id: str) -> bool:
        """Begin a media's 30 days anew; False where there is no such media (any more)."""
        return self._store.use(media_id, now=self.clock.now())

    def send(self, number: PhoneNumber, message: OutgoingMessage, *, fail: StatusError | None) -> str:
        """Take a message, and answer with its ID; sending it is a use of its media.

        Args:
            number: whose it is.
            message: what is sent.
            fail: why it fails later; None where nothing but the files themselves has it fail.

        Raises:
            Refusal: a media ID in it is dead, or another number's.
        """
        now = self.clock.now()
        for media in message.media:
            found = self._store.find(media.media_id, number.api_key, now=now)
            if found is None:
                raise Refusal(MEDIA_NOT_SENT, param=media.param)
            fail = fail or wrong_type(media, found.mime_type)
        message_id = new_message_id()
        number.counts.messages += 1
        if fail is not None:
            number.counts.messages_failed += 1
            number.failed.append(failed_status(message, message_id, fail, now=now))
            return message_id
        for media in message.media:
            self._store.use(media.media_id, now=now)
        return message_id

    def inbound(self, media_id: str) -> dict[str, Any] | None:
        """The object of a webhook for a message that came with this file; None where there is no such media.

        "Media retrieved directly from the webhook are available for 7 days."
        """
        now = self.clock.now()
        media = self._store.find_any(media_id, now=now)
        if media is None:
            return None
        link = self.links.sign(
            media_id, media.api_key, now=now, seconds=INBOUND_LIFETIME_SECONDS, source=LinkSource.WEBHOOK
        )
        return {
            "id": media_id,
            "mime_type": media.mime_type,
            # Webhooks have it in base64, look-ups in hexadecimal digits.
            "sha256": base64.b64encode(bytes.fromhex(media.sha256)).decode(),
            "url": link.url,
        }

    def _expire(self) -> None:
        self._remove_contents(self._store.expire(now=self.clock.now()))

    def _remove_contents(self, unneeded: list[str]) -> None:
        for sha256 in unneeded:
            self._contents.remove(sha256)

    # Controls

    def advance(self, seconds: float) -> None:
        """Let seconds pass at once; the state remembers it."""
        self.clock.advance(seconds)
        self._store.record_clock_offset(self.clock.offset_seconds)
        self._expire()

    def revoke_key(self, api_key: str) -> None:
        """Refuse this key from now on."""
        self._revoked_keys.add(api_key)

    def restore_key(self, api_key: str) -> None:
        """Take a revoked key again."""
        self._revoked_keys.discard(api_key)

    def live_media(self) -> dict[str, list[str]]:
        """The media IDs that are there now, oldest first, per API key."""
        return self._store.live(now=self.clock.now())

    def contents(self) -> dict[str, dict[str, str]]:
        """The SHA-256 of what each media is that is there now, per API key and media ID."""
        return self._store.contents(now=self.clock.now())

    def statuses(self) -> dict[str, list[dict[str, Any]]]:
        """The statuses of messages that failed after they were taken, oldest first, per API key."""
        return {key: list(number.failed) for key, number in self._numbers.items() if number.failed}

    def stats(self) -> dict[str, dict[str, Any]]:
        """Counts per API key: since this process began, but ``media``, which is what the state holds."""
        live, now = self.live_media(), self.clock.now()
        keys = {**self._numbers, **live}
        return {key: self._number_of(key).report(now=now, media=len(live.get(key, ()))) for key in keys}
