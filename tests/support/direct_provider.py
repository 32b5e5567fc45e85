"""The provider of the simulation: the sandbox's own rules and errors, without the network between."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from greenroom.clock import ManualClock
from greenroom.errors import AnswerLost, MediaGone, ProviderUnavailable, SourceChanged
from greenroom.provider import Downloaded, MediaLocation, ProviderClient, UploadContent
from greenroom.provider.answer_reader import read_answer
from greenroom.provider.error_table import Endpoint, error_of
from sandbox.error_responses import Refusal
from sandbox.movable_clock import MovableClock
from sandbox.phone_numbers import PhoneNumber
from sandbox.state import SandboxState as Rules
from sandbox.store import StoredMedia


class SharedClock(MovableClock):
    """The sandbox's clock, moved by the simulation alone."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now().timestamp()

    def stamp(self, moment: float | None = None) -> float:  # noqa: ARG002 - the clock's own signature
        """The same: it is never set back."""
        return self.now()


class DirectProvider(ProviderClient):
    """Does what the client does, by asking the sandbox's world itself.

    Attributes:
        rules: the sandbox's world.
        away: whether the provider cannot be reached at all.
        lose_answers: how many uploads from now on are stored without their answer being had.
        from_upload: keys whose media live from their upload on, whether used or not (as Meta's page says).
        before_delete: called with the key and the ID of each media that is about to be deleted.
        orphans: IDs whose answers were lost.
        uploaded_at: of every ID that was ever given.
    """

    def __init__(self, clock: ManualClock, state: Path) -> None:
        super().__init__(base_url="http://127.0.0.1:1")
        self.rules = Rules(state)
        self.rules.clock = SharedClock(clock)
        self.away = False
        self.lose_answers = 0
        self.from_upload: set[str] = set()
        self.before_delete: Callable[[str, str], None] = lambda _key, _media_id: None
        self.orphans: set[str] = set()
        self.uploaded_at: dict[str, datetime] = {}
        self._moving = clock

    def close(self) -> None:
        """Close what the state is kept in."""
        self.rules.close()
        super().close()

    def sends_at_once(self, size: int) -> bool:  # noqa: ARG002 - the client's own signature
        """Nothing: there is one thread, which waits for every answer."""
        return False

    def upload(
        self,
        api_key: SecretStr,
        *,
        content: UploadContent,
        mime_type: str,
        file_name: str,
        before_sending: Callable[[], None] = lambda: None,
        after_sending: Callable[[float], None] = lambda _late: None,
    ) -> str:
        """As the client's; the content is read and compared as it is there."""
        before_sending()
        after_sending(0.0)
        number = self._number(Endpoint.UPLOAD, api_key)
        with content.open() as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != content.sha256:
            raise SourceChanged(f"{file_name} is not what was inspected.")
        try:
            self.rules.admit_upload(number)
            with self.rules.incoming() as incoming:
                incoming.write(data)
                media_id = self.rules.store(number, incoming, mime_type)
        except Refusal as refusal:
            raise _as_error(Endpoint.UPLOAD, refusal) from None
        self.uploaded_at[media_id] = self._moving.now()
        if self.lose_answers:
            self.lose_answers -= 1
            self.orphans.add(media_id)
            raise AnswerLost("upload: the answer was lost")
        return media_id

    def media_url(self, api_key: SecretStr, media_id: str) -> MediaLocation:
        """As the client's; counted by the sandbox's two rules about failed look-ups."""
        number = self._number(Endpoint.LOOKUP, api_key)
        try:
            self.rules.admit_lookup(number)
            media = self._media(number, media_id, method="get")
        except Refusal as refusal:
            raise _as_error(Endpoint.LOOKUP, refusal) from None
        except MediaGone:
            self.rules.lookup_failed(number)
            raise
        return MediaLocation(
            path_and_query=SecretStr(media_id),
            mime_type=media.mime_type,
            sha256=media.sha256,
            size=media.file_size,
            valid_until=datetime.fromtimestamp(self.rules.clock.now(), UTC) + timedelta(minutes=5),
        )

    def download(
        self, api_key: SecretStr, location: MediaLocation, into: IO[bytes], *, max_bytes: int = 0
    ) -> Downloaded:
        """As the client's."""
        number = self._number(Endpoint.DOWNLOAD, api_key)
        media = self._media(number, location.path_and_query.get_secret_value(), method="get")
        data = self.rules.content_path(media).read_bytes()
        into.write(data)
        return Downloaded(size=len(data) or max_bytes, sha256=hashlib.sha256(data).hexdigest())

    def delete(self, api_key: SecretStr, media_id: str) -> bool:
        """As the client's."""
        number = self._number(Endpoint.DELETE, api_key)
        self.before_delete(number.api_key, media_id)
        try:
            media = self._media(number, media_id, method="delete")
        except MediaGone:
            return False
        self.rules.remove(media.media_id)
        number.counts.deletes += 1
        return True

    def use(self, api_key: str, media_id: str) -> None:
        """A message is sent with this media."""
        if api_key not in self.from_upload:
            self.rules.use(media_id)

    def _number(self, endpoint: Endpoint, api_key: SecretStr) -> PhoneNumber:
        if self.away:
            raise ProviderUnavailable(f"{endpoint}: the provider is away")
        return self.rules.number(api_key.get_secret_value())

    def _media(self, number: PhoneNumber, media_id: str, *, method: str) -> StoredMedia:
        try:
            return self.rules.media(number, media_id, method=method)
        except Refusal as refusal:
            raise _as_error(Endpoint.LOOKUP, refusal) from None


def _as_error(endpoint: Endpoint, refusal: Refusal) -> Exception:
    """The error that the client makes of the sandbox's answer."""
    response = refusal.response()
    return error_of(read_answer(endpoint, response.status, (response.text or "").encode()))
