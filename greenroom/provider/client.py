"""The client of 360dialog's four media endpoints.

Every failure is one of :mod:`greenroom.errors`, which says what is to be done. Nothing is retried in here:
when and whether to try again is for those who know the rate limit and the campaign.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from greenroom.clock import Clock, SystemClock, boottime
from greenroom.errors import (
    GreenroomError,
    MediaGone,
    ProviderAway,
    ProviderUnavailable,
    RequestRefused,
    TransientError,
)
from greenroom.media_id import MEDIA_ID
from greenroom.provider.download import require_announced, write_download
from greenroom.provider.error_table import Endpoint
from greenroom.provider.failures import BROKEN_EXCHANGE, why
from greenroom.provider.http_response import HttpResponse, Unreadable, is_success
from greenroom.provider.location import read_location, read_webhook
from greenroom.provider.multipart import MultipartBody
from greenroom.provider.origin import Origin
from greenroom.provider.redirects import REDIRECTED_SECONDS, REDIRECTS
from greenroom.provider.reply import Reply
from greenroom.provider.request import ApiRequest, no_report, no_slot
from greenroom.provider.response_errors import error_of_break, error_of_response
from greenroom.provider.secrecy import guard_logs
from greenroom.provider.sessions import tls_context
from greenroom.provider.streamed_sender import StreamedSender
from greenroom.provider.upload_response import media_id_or_error
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent
from greenroom.provider.whole_sender import LARGEST_AT_ONCE, WholeSender
from greenroom.rules import LARGEST_FILE, MEDIA_TYPES


class ProviderClient:
    """Uploads, looks up, downloads and deletes media; may be used by many threads at once."""

    def __init__(
        self,
        *,
        base_url: str,
        connect_timeout: float = 10,
        read_timeout: float = 60,
        proxy: str | None = None,
        ca_bundle: str | Path | None = None,
        allow_plain_http: bool = False,
        content_types: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            base_url: of the API, for example ``https://waba-v2.360dialog.io``.
            connect_timeout: seconds.
            read_timeout: seconds without any progress, while sending as while waiting for the answer.
            proxy: URL of an HTTP proxy. The environment's proxies are not looked at.
            ca_bundle: file or folder of certificate authorities, in place of the built-in ones.
            allow_plain_http: take an ``http://`` base URL on another machine too.
            content_types: by MIME type, the ``Content-Type`` to upload with where it is not the usual one of
                :data:`greenroom.rules.MEDIA_TYPES`.
            clock: for the life of media locations.

        Raises:
            SettingsError: a base URL or CA bundle that cannot be used.
        """
        self._origin = Origin.parse(base_url, allow_plain_http=allow_plain_http)
        self._proxy = proxy
        self._clock = clock or SystemClock()
        tls = tls_context(ca_bundle) if self._origin.scheme == "https" else None
        timeout = (connect_timeout, read_timeout)
        self._streamed = StreamedSender(self._origin, proxy=proxy, tls=tls, timeout=timeout)
        self._whole = WholeSender(self._origin, tls=tls, timeout=timeout)
        self._content_types = {row.mime_type: row.content_type for row in MEDIA_TYPES} | dict(
            content_types or {}
        )
        self._redirected_at = -math.inf
        guard_logs()

    def upload(
        self,
        api_key: SecretStr,
        *,
        content: UploadContent,
        mime_type: str,
        file_name: str,
        before_sending: Callable[[], None] = no_slot,
        after_sending: Callable[[float], None] = no_report,
    ) -> str:
        """Upload one file; its content is streamed, and checked against what was inspected.

        Args:
            api_key: the channel's.
            content: what to send.
            mime_type: WhatsApp's name for the type; its ``Content-Type`` is sent as the file part's own and
                as ``type``.
            file_name: for the provider to see; a path is cut to its last part.
            before_sending: called when the connection stands and just before a request is sent (so again
                for a redirected one): the place to wait for a slot of the rate limit. What it raises is
                passed on, and nothing is sent.
            after_sending: called once for each time that ``before_sending`` returned: when the request's last
                byte was sent, or sending it broke off. It is told by how many seconds the request may arrive
                later than others: as long as connecting took, where it was the first on its connection.

        Returns:
            The media ID.

        Raises:
            SourceChanged: the content is not what was inspected; the provider did not get a whole body.
            FileRejected: the provider does not take this file.
            Throttled: this number uploads too fast.
            AnswerLost: everything was sent, and whether it was stored is unknown.
            ProviderUnavailable: nothing was stored.
            ChannelError: the key or the account is refused.
            RequestRefused: anything else that the provider refused.
            ValueError: the MIME type cannot stand in a header.
        """
        body = self._body(content, mime_type, file_name)
        request = self._upload(api_key, body, before_sending, after_sending)
        with self._streamed.send(request) as reply:
            if request.redirected:
                self._redirected_at = boottime()
            result = media_id_or_error(request, reply.read(), now=self._clock.now())
        if isinstance(result, GreenroomError):
            raise result
        return result

    def _body(self, content: UploadContent, mime_type: str, file_name: str) -> MultipartBody:
        declared = self._content_types.get(mime_type, mime_type)
        return MultipartBody(content, mime_type=declared, file_name=file_name)

    def _upload(
        self,
        api_key: SecretStr,
        body: MultipartBody,
        before_sending: Callable[[], None],
        after_sending: Callable[[float], None],
    ) -> ApiRequest:
        return ApiRequest(
            endpoint=Endpoint.UPLOAD,
            method="POST",
            url=f"{self._origin.base}/media",
            api_key=api_key,
            body=body,
            before_sending=before_sending,
            after_sending=after_sending,
        )

    def sends_at_once(self, size: int) -> bool:
        """Whether a file of so many bytes may be uploaded by :meth:`upload_later`."""
        redirected = boottime() - self._redirected_at < REDIRECTED_SECONDS
        return size <= LARGEST_AT_ONCE and not self._proxy and not redirected

    def has_idle_connection(self) -> bool:
        """Whether a connection stands for :meth:`upload_later` that nobody uses."""
        return self._whole.has_idle_connection()

    def upload_later(
        self,
        api_key: SecretStr,
        *,
        content: UploadContent,
        mime_type: str,
        file_name: str,
        before_sending: Callable[[], None],
        after_sending: Callable[[float], None],
        done: Callable[[str | GreenroomError], None],
    ) -> None:
        """As :meth:`upload`, but this returns when the file is sent, and the answer comes later.

        Args:
            api_key: the channel's.
            content: what to send, of a size that :meth:`sends_at_once`.
            mime_type: as there.
            file_name: as there.
            before_sending: as there.
            after_sending: as there.
            done: called once, in another thread, with the media ID or the error that :meth:`upload` would
                raise; not called where this raises.

        Raises:
            GreenroomError: as :meth:`upload`; nothing was stored.
        """
        body = self._body(content, mime_type, file_name)
        request = self._upload(api_key, body, before_sending, after_sending)
        self._whole.send(request, lambda response: done(self._result(request, response)))

    def _result(self, request: ApiRequest, response: HttpResponse) -> str | GreenroomError:
        if response.status in REDIRECTS:
            # Followed from now on, by the other way of sending.
            self._redirected_at = boottime()
            return ProviderAway(f"{request.endpoint} was redirected; it is sent anew", retry_after=0)
        return media_id_or_error(request, response, now=self._clock.now())

    def media_url(self, api_key: SecretStr, media_id: str) -> MediaLocation:
        """Ask where a file is kept. Failures are counted by the provider, so ask sparingly.

        Raises:
            MediaGone: the provider does not have this ID.
            LookupBlocked: look-ups of this number are blocked for a while.
            RequestRefused: refused for good; or the answer points where no media are.
            ChannelError: the key or the account is refused.
            TransientError: the moment's fault.
        """
        asked_at = self._clock.now()
        request = self._of_media(Endpoint.LOOKUP, "GET", api_key, media_id)
        with self._ask(request) as reply:
            try:
                body = reply.read().json_object()
            except Unreadable as error:
                problem = str(error)
            else:
                return read_location(body, api=self._origin, asked_at=asked_at)
        raise ProviderUnavailable(f"look-up answered HTTP {reply.status}, but {problem}")

    def inbound_location(self, webhook: str) -> MediaLocation:
        """Where a file is that a message came with: no look-up is needed, and nothing is sent here.

        Args:
            webhook: as :func:`greenroom.provider.location.read_webhook` takes it.

        Raises:
            RequestRefused: it leads to no place where media are.
        """
        return read_webhook(webhook, api=self._origin, now=self._clock.now())

    def media_link(self, location: MediaLocation) -> SecretStr:
        """The whole URL at the API's host, for as long as it is valid; it opens the file, so it is secret."""
        return SecretStr(self._origin.base + location.path_and_query.get_secret_value())

    def download(
        self,
        api_key: SecretStr,
        location: MediaLocation,
        into: IO[bytes],
        *,
        max_bytes: int = LARGEST_FILE,
    ) -> Downloaded:
        """Write a file's content into a stream, from the API's host.

        Where this raises, what has been written is incomplete or wrong, and is to be thrown away.

        Raises:
            TransientError: the location is too old (ask for a new one), or the moment's fault, among which
                a transfer cut short and one that is not what the location announced.
            RequestRefused: larger than ``max_bytes``, or refused for good.
            ChannelError: the key or the account is refused.
            OSError: writing failed.
        """
        if self._clock.now() >= location.valid_until:
            raise TransientError("the media URL is older than it may be; ask for a new one", retry_after=0)
        request = ApiRequest(
            endpoint=Endpoint.DOWNLOAD,
            method="GET",
            url=self.media_link(location).get_secret_value(),
            api_key=api_key,
        )
        with self._ask(request) as reply:
            written = write_download(reply, into, max_bytes=max_bytes)
        require_announced(written, location)
        return written

    def delete(self, api_key: SecretStr, media_id: str) -> bool:
        """Delete a file at the provider.

        Returns:
            True if it was deleted now, False if it was gone already; either way it is not there any more.

        Raises:
            ChannelError: the key or the account is refused.
            TransientError: the moment's fault; deleting again is safe.
            RequestRefused: refused for good.
        """
        request = self._of_media(Endpoint.DELETE, "DELETE", api_key, media_id)
        try:
            with self._ask(request) as reply:
                response = reply.read()
        except MediaGone:
            return False
        if not response.status:
            raise error_of_break(request, response.problem)
        if re.search(rb'"success"\s*:\s*false', response.body):
            raise RequestRefused(f"delete answered HTTP {reply.status} without success", status=reply.status)
        return True

    def reach(self) -> None:
        """Connect to the API as a request would, proxy and certificates included, and say nothing.

        Raises:
            ProviderAway: no connection could be made.
        """
        try:
            self._streamed.reach()
        except BROKEN_EXCHANGE as error:
            problem = why(error)
        else:
            return
        through = " through the proxy" if self._proxy else ""
        raise ProviderAway(f"{self._origin.host} cannot be reached{through}: {problem}")

    def close(self) -> None:
        """Close all connections."""
        self._streamed.close()
        self._whole.close()

    def _of_media(self, endpoint: Endpoint, method: str, api_key: SecretStr, media_id: str) -> ApiRequest:
        if not MEDIA_ID.fullmatch(media_id):
            raise RequestRefused(f"{media_id[:50]!r} is not a media ID: letters, digits, - and _ only")
        url = f"{self._origin.base}/{media_id}"
        return ApiRequest(endpoint=endpoint, method=method, url=url, api_key=api_key)

    @contextmanager
    def _ask(self, request: ApiRequest) -> Iterator[Reply]:
        """Send a request, and give the answer if it is a success."""
        with self._streamed.send(request) as reply:
            if not is_success(reply.status):
                raise error_of_response(request, reply.read(), now=self._clock.now())
            yield reply
