"""The client of 360dialog's four media endpoints.

Every failure is one of :mod:`greenroom.errors`, which says what is to be done. Nothing is retried in here:
when and whether to try again is for those who know the rate limit and the campaign.

Redirects are followed by hand: only within the scheme, host and port of the base URL, and never such that a
method changes; the API key is sent nowhere else. (The page mentions HTTP 308.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from requests.structures import CaseInsensitiveDict

from greenroom import __version__
from greenroom.clock import Clock, SystemClock
from greenroom.errors import (
    AnswerLost,
    GreenroomError,
    KeyRefused,
    MediaGone,
    ProviderAway,
    ProviderUnavailable,
    RedirectRefused,
    RequestRefused,
    TransientError,
    UploadRedirected,
)
from greenroom.provider.answer_reader import read_answer
from greenroom.provider.connection_pool import (
    ConnectionBroken,
    ConnectionPool,
    Exchange,
    PooledConnection,
    RefusedMidway,
)
from greenroom.provider.error_table import Endpoint, error_of
from greenroom.provider.failures import BROKEN_EXCHANGE, never_connected, why
from greenroom.provider.location import read_location
from greenroom.provider.multipart import CHUNK_BYTES, MultipartBody
from greenroom.provider.origin import Origin
from greenroom.provider.reply import Reply, Unreadable, is_success, read_object
from greenroom.provider.response_parser import MORE_THAN_ONE, ResponseParser
from greenroom.provider.secrecy import guard_logs
from greenroom.provider.sessions import MeteredBody, SessionPool, tls_context
from greenroom.provider.values import Downloaded, MediaLocation, UploadContent
from greenroom.rules import LARGEST_FILE, MEDIA_TYPES

API_KEY_HEADER = "D360-API-KEY"
#: Bytes of a file that is sent in one go: they fit into what the operating system keeps for a connection.
LARGEST_AT_ONCE = CHUNK_BYTES
#: Redirects that are followed for one request.
MAX_API_REDIRECTS = 3

_KEY = re.compile(r"[!-~]{1,512}")
#: No longer than the column that keeps it.
_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_METHOD_KEPT = frozenset({307, 308})  # the others may turn a POST into a GET


def _at_once() -> None:
    """Wait for nothing."""


def _untold(_late: float) -> None:
    """Nobody wants to know when a request was sent."""


@dataclass(frozen=True, kw_only=True)
class _Call:
    """One request as it will be sent, to wherever it is redirected."""

    endpoint: Endpoint
    method: str
    url: str = field(repr=False)
    key: str = field(repr=False)
    body: MultipartBody | None = None
    before_sending: Callable[[], None] = _at_once
    after_sending: Callable[[float], None] = _untold


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
        self._timeout = (connect_timeout, read_timeout)
        self._proxies = {self._origin.scheme: proxy} if proxy else {}
        self._clock = clock or SystemClock()
        tls = tls_context(ca_bundle) if self._origin.scheme == "https" else None
        self._sessions = SessionPool(self._origin, proxy=proxy, tls=tls)
        self._pool = ConnectionPool(self._origin, tls=tls, timeout=self._timeout)
        self._content_types = {row.mime_type: row.content_type for row in MEDIA_TYPES} | dict(
            content_types or {}
        )
        self._redirects = False
        self._headers = {
            "User-Agent": f"greenroom/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",  # media do not shrink, and a size can be checked as it comes in
        }
        api = urlsplit(self._origin.base)
        same = [f"POST {api.path}/media HTTP/1.1", f"Host: {api.netloc}"]
        same += [f"{name}: {value}" for name, value in self._headers.items()]
        self._same_head = "".join(f"{line}\r\n" for line in same)
        guard_logs()

    def upload(
        self,
        api_key: SecretStr,
        *,
        content: UploadContent,
        mime_type: str,
        file_name: str,
        before_sending: Callable[[], None] = _at_once,
        after_sending: Callable[[float], None] = _untold,
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
        call = _Call(
            endpoint=Endpoint.UPLOAD,
            method="POST",
            url=f"{self._origin.base}/media",
            key=_usable(api_key),
            body=body,
            before_sending=before_sending,
            after_sending=after_sending,
        )
        with self._ask(call) as reply:
            return self._id_of(reply, sent_whole=body.sent_whole)

    def _body(self, content: UploadContent, mime_type: str, file_name: str) -> MultipartBody:
        declared = self._content_types.get(mime_type, mime_type)
        return MultipartBody(content, mime_type=declared, file_name=file_name)

    def _id_of(self, reply: Reply, *, sent_whole: bool) -> str:
        try:
            answer = reply.whole_body()
        except Unreadable as error:
            problem = str(error)
        else:
            return _media_id(reply.status, answer, sent_whole=sent_whole)
        raise _lost(reply.status, problem)

    def sends_at_once(self, size: int) -> bool:
        """Whether a file of so many bytes may be uploaded by :meth:`upload_later`."""
        return size <= LARGEST_AT_ONCE and not self._proxies and not self._redirects

    def has_idle_connection(self) -> bool:
        """Whether a connection stands for :meth:`upload_later` that nobody uses."""
        return self._pool.has_idle()

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
        key = _usable(api_key)
        body = self._body(content, mime_type, file_name)
        request = b"".join((self._head(key, body), *body.at_once()))
        line = self._connection()
        try:
            before_sending()
        except BaseException:
            self._pool.put_back(line)
            raise
        problem, sent_whole = "", True
        try:
            line = self._pool.send(line, request)
        except RefusedMidway as refused:
            line, sent_whole = refused.line, False
        except ConnectionBroken as error:
            problem = str(error)
        finally:
            after_sending(line.take_lateness())
        if problem:
            raise ProviderUnavailable(f"{Endpoint.UPLOAD} failed at {self._origin.host}: {problem}")
        self._pool.wait_for_answer(
            line, lambda answered: done(self._result(key, answered, sent_whole=sent_whole))
        )

    def _head(self, key: str, body: MultipartBody) -> bytes:
        return (
            f"{self._same_head}{API_KEY_HEADER}: {key}\r\n"
            f"Content-Type: {body.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()

    def _connection(self) -> PooledConnection:
        try:
            return self._pool.idle() or self._pool.connect()
        except ConnectionBroken as error:
            problem = str(error)
        raise self._away(Endpoint.UPLOAD, problem)

    def _result(self, key: str, answered: Exchange, *, sent_whole: bool) -> str | GreenroomError:
        answer = answered.answer
        if answer is None:
            if sent_whole:
                return AnswerLost(
                    f"{Endpoint.UPLOAD} was sent whole, but {answered.problem}; it may have been stored"
                )
            return ProviderUnavailable(f"{Endpoint.UPLOAD} failed at {self._origin.host}: {answered.problem}")
        if answer.status in _REDIRECTS:
            # Followed from now on, by the other way of sending.
            self._redirects = True
            return ProviderAway(f"{Endpoint.UPLOAD} was redirected; it is sent anew", retry_after=0)
        if is_success(answer.status):
            return _media_id_or_error(answer, answered.problem, sent_whole=sent_whole)
        return error_of(
            read_answer(
                Endpoint.UPLOAD,
                answer.status,
                answer.body(),
                retry_after=answer.header("Retry-After"),
                now=self._clock.now(),
                secrets=(key,),
            )
        )

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
        call = _Call(
            endpoint=Endpoint.LOOKUP, method="GET", url=self._media_path(media_id), key=_usable(api_key)
        )
        with self._ask(call) as reply:
            try:
                body = reply.json_object()
            except Unreadable as error:
                problem = str(error)
            else:
                return read_location(body, api=self._origin, asked_at=asked_at)
        raise ProviderUnavailable(f"look-up answered HTTP {reply.status}, but {problem}")

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
            raise TransientError(
                "the media URL is older than its 5 minutes; ask for a new one", retry_after=0
            )
        call = _Call(
            endpoint=Endpoint.DOWNLOAD,
            method="GET",
            url=self._origin.base + location.path_and_query.get_secret_value(),
            key=_usable(api_key),
        )
        with self._ask(call) as reply:
            written = _copy(reply, into, max_bytes)
        _require_announced(written, location)
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
        call = _Call(
            endpoint=Endpoint.DELETE, method="DELETE", url=self._media_path(media_id), key=_usable(api_key)
        )
        try:
            with self._ask(call) as reply:
                body = reply.short_body()
        except MediaGone:
            return False
        if re.search(rb'"success"\s*:\s*false', body):
            raise RequestRefused(f"delete answered HTTP {reply.status} without success", status=reply.status)
        return True

    def reach(self) -> None:
        """Connect to the API as a request would, proxy and certificates included, and say nothing.

        Raises:
            ProviderAway: no connection could be made.
        """
        try:
            self._sessions.reach(timeout=self._timeout[0])
        except BROKEN_EXCHANGE as error:
            problem = why(error)
        else:
            return
        through = " through the proxy" if self._proxies else ""
        raise ProviderAway(f"{self._origin.host} cannot be reached{through}: {problem}")

    def close(self) -> None:
        """Close all connections."""
        self._sessions.close()
        self._pool.close()

    def _media_path(self, media_id: str) -> str:
        if not _MEDIA_ID.fullmatch(media_id):
            raise RequestRefused(f"{media_id[:50]!r} is not a media ID: letters, digits, - and _ only")
        return f"{self._origin.base}/{media_id}"

    def _ask(self, call: _Call) -> Reply:
        """Send a request, follow its redirects, and give the answer if it is a success."""
        url = call.url
        for _ in range(MAX_API_REDIRECTS + 1):
            reply = self._send(call, url)
            if reply.status not in _REDIRECTS:
                break
            with reply:
                url = self._redirected(call, url, reply)
        else:
            raise _redirect_refused(call, f"more than {MAX_API_REDIRECTS} times")
        if not reply.succeeded:
            with reply:
                raise self._error(call, reply)
        return reply

    def _send(self, call: _Call, url: str) -> Reply:
        session = self._sessions.take()
        if call.body is not None:
            call.body.sent_whole = False  # of an earlier, redirected request
        try:
            response = session.send(
                self._prepared(call, url),
                stream=True,
                timeout=self._timeout,
                allow_redirects=False,
                verify=True,
                cert=None,
                proxies=self._proxies,
            )
        except BROKEN_EXCHANGE as error:
            problem, away = why(error), never_connected(error)
        except BaseException:
            session.close()
            raise
        else:
            # After half a body the connection cannot be used for another request.
            in_step = call.body is None or call.body.sent_whole
            free = partial(self._sessions.give_back, session) if in_step else session.close
            return Reply(response, timeout=self._timeout[1], free=free)
        # Raised out here, so that the exception of `requests`, which holds the key, is not our context.
        session.close()
        # urllib3 puts much down to a proxy that the proxy has nothing to do with.
        if away and not (call.body is not None and call.body.sent_whole):
            raise self._away(call.endpoint, problem)
        raise self._broken(call, problem)

    def _prepared(self, call: _Call, url: str) -> requests.PreparedRequest:
        """The request, put together by hand: a third of the cost of letting `requests` prepare it."""
        request = requests.PreparedRequest()
        request.method = call.method
        request.url = url
        request.headers = CaseInsensitiveDict(self._headers)
        request.headers[API_KEY_HEADER] = call.key
        request.hooks = {"response": []}
        if call.body is not None:
            request.headers["Content-Type"] = call.body.content_type
            request.headers["Content-Length"] = str(len(call.body))
            request.body = MeteredBody(  # type: ignore[assignment]  # typed as bytes; any iterable is sent
                call.body,
                before_sending=call.before_sending,
                after_sending=call.after_sending,
                send_timeout=self._timeout[1],
            )
        return request

    def _away(self, endpoint: Endpoint, problem: str) -> ProviderAway:
        return ProviderAway(f"{endpoint} failed at {self._origin.host}: {problem}")

    def _broken(self, call: _Call, problem: str) -> GreenroomError:
        if call.body is not None and call.body.sent_whole:
            return AnswerLost(f"{call.endpoint} was sent whole, but {problem}; it may have been stored")
        return ProviderUnavailable(f"{call.endpoint} failed at {self._origin.host}: {problem}")

    def _redirected(self, call: _Call, url: str, reply: Reply) -> str:
        """Where to ask instead.

        Raises:
            UploadRedirected: an upload was, to where it is not this API, or the method would change.
            RedirectRefused: another request was.
        """
        status = reply.status
        if status not in _METHOD_KEPT and call.method != "GET":
            raise _redirect_refused(call, f"by HTTP {status}, which does not keep its method", status)
        location = reply.header("Location")
        if not location:
            raise _redirect_refused(call, "to nowhere", status)
        target = self._origin.resolve(url, location)
        if target is None:
            home = f"{self._origin.scheme}://{self._origin.host}:{self._origin.port}"
            raise _redirect_refused(call, f"away from {home}; the API key is not sent elsewhere", status)
        return target

    def _error(self, call: _Call, reply: Reply) -> GreenroomError:
        body = reply.short_body()
        if reply.surplus:
            return self._broken(call, MORE_THAN_ONE)
        return error_of(
            read_answer(
                call.endpoint,
                reply.status,
                body,
                retry_after=reply.header("Retry-After"),
                now=self._clock.now(),
                secrets=(call.key, call.url.partition("?")[2]),
            )
        )


def _redirect_refused(
    call: _Call, whither: str, status: int | None = None
) -> UploadRedirected | RedirectRefused:
    text = f"{call.endpoint} was redirected {whither}"
    if call.endpoint is Endpoint.UPLOAD:
        return UploadRedirected(text)
    return RedirectRefused(text, status=status)


def _media_id(status: int, body: bytes, *, sent_whole: bool) -> str:
    """The ID in a successful answer to an upload.

    Raises:
        AnswerLost: there is none.
    """
    try:
        media_id = read_object(body).get("id")
    except Unreadable as error:
        problem = str(error)
    else:
        if not sent_whole:
            problem = "before it had the whole file"
        elif isinstance(media_id, str) and _MEDIA_ID.fullmatch(media_id):
            return media_id
        else:
            problem = "its media ID is missing or malformed"
    raise _lost(status, problem)


def _media_id_or_error(answer: ResponseParser, problem: str, *, sent_whole: bool) -> str | AnswerLost:
    if problem:
        return _lost(answer.status, problem)
    try:
        return _media_id(answer.status, answer.body(), sent_whole=sent_whole)
    except AnswerLost as error:
        return error


def _lost(status: int, problem: str) -> AnswerLost:
    return AnswerLost(f"upload answered HTTP {status}, but {problem}; the file may have been stored")


def _usable(api_key: SecretStr) -> str:
    """The key, if it can stand in a header; else an error that does not show it (http.client's would)."""
    key = api_key.get_secret_value()
    if not _KEY.fullmatch(key):
        raise KeyRefused("the API key is empty or has characters that no key has; set it again")
    return key


def _copy(reply: Reply, into: IO[bytes], max_bytes: int) -> Downloaded:
    digest, size = sha256(), 0
    try:
        for piece in reply.pieces():
            size += len(piece)
            if size > max_bytes:
                raise RequestRefused(f"download is larger than the {max_bytes:,} bytes allowed")
            digest.update(piece)
            into.write(piece)
    except Unreadable as error:
        problem = str(error)
    else:
        return Downloaded(size=size, sha256=digest.hexdigest())
    raise ProviderUnavailable(f"download broke off after {size:,} bytes: {problem}")


def _require_announced(written: Downloaded, location: MediaLocation) -> None:
    if location.size is not None and written.size != location.size:
        raise ProviderUnavailable(f"download gave {written.size:,} bytes of {location.size:,} announced")
    if location.sha256 is not None and written.sha256 != location.sha256:
        raise ProviderUnavailable("download gave another content than announced (SHA-256 differs)")
